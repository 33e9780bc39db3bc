import { createHash } from 'node:crypto'
import type { Instant } from '@bursar/kit/clock.ts'
import { minute, second } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'

// An outside call is given up after at most a minute; twice that means that its process is gone.
export const leaseMs = 2 * minute
// How long a second request waits for the first one's transaction before it is told to come back.
// It holds a connection of the pool, so it is short.
export const waitMs = 2 * second
const keyPattern = /^[\x21-\x7e]{1,200}$/

/** One request that must not happen twice, as it is remembered. */
export type Attempt = {
  readonly organization: string
  readonly key: string
  readonly action: string
  readonly inputHash: string
  /** Names this attempt, so that one whose lease was taken over cannot finish another's. */
  readonly leaseToken: string
}

export type Claim = { readonly kind: 'run' } | { readonly kind: 'replay'; readonly output: unknown }

/** SHA-256 over the action and its input, whatever the order of the fields. */
export const hashInput = (action: string, input: unknown): string =>
  createHash('sha256')
    .update(`${action}\n${json(sorted(input))}`)
    .digest('hex')

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, child]) => [key, sorted(child)]),
  )
}

export function checkKey(key: string): string {
  if (keyPattern.test(key)) return key
  throw new CodedError('input_invalid', 'The idempotency key must be 1 to 200 visible ASCII characters.', {
    issues: [{ path: 'Idempotency-Key', message: 'must be 1 to 200 visible ASCII characters' }],
  })
}

type Row = {
  action: string
  input_hash: string
  lease_until: Instant
  finished_at: Instant | null
  output: unknown
}

/**
 * Says whether to run or to answer as before. While another transaction holds the same key this waits, then
 * fails with `idempotency_in_progress`; other input fails with `idempotency_mismatch`.
 */
export async function claim(tx: Tx, attempt: Attempt, wait = waitMs): Promise<Claim> {
  await setLockTimeout(tx, wait)
  const inserted = await insert(tx, attempt).catch(inProgressOnTimeout)
  if (inserted === 1) {
    await setLockTimeout(tx, 0)
    return { kind: 'run' }
  }
  const row = await find(tx, attempt).catch(inProgressOnTimeout)
  await setLockTimeout(tx, 0)
  // Given back between the two statements: the other attempt failed, so the caller may try again.
  if (row === null) throw new CodedError('idempotency_in_progress')
  if (row.action !== attempt.action || row.input_hash !== attempt.inputHash)
    throw new CodedError('idempotency_mismatch')
  if (row.finished_at !== null) return { kind: 'replay', output: row.output }
  if (row.lease_until > tx.now) throw new CodedError('idempotency_in_progress')
  await takeOver(tx, attempt)
  return { kind: 'run' }
}

const lockNotAvailable = '55P03'

const inProgressOnTimeout = (error: unknown): never => {
  if ((error as { code?: string }).code === lockNotAvailable) throw new CodedError('idempotency_in_progress')
  throw error
}

const setLockTimeout = (tx: Tx, ms: number) =>
  tx.run(sql('idempotency_lock_timeout')`select set_config('lock_timeout', ${`${ms}ms`}, true)`)

const insert = (tx: Tx, a: Attempt) =>
  tx.run(sql('idempotency_insert')`
    insert into idempotency_key (organization_id, key, action, input_hash, lease_token, lease_until, created_at)
    values (${a.organization}, ${a.key}, ${a.action}, ${a.inputHash}, ${a.leaseToken}, ${ts(tx.now + leaseMs)}, ${ts(tx.now)})
    on conflict do nothing`)

const find = (tx: Tx, a: Attempt) =>
  tx.maybeOne<Row>(sql('idempotency_find')`
    select action, input_hash, lease_until, finished_at, output from idempotency_key
    where organization_id = ${a.organization} and key = ${a.key} for update`)

const takeOver = (tx: Tx, a: Attempt) =>
  tx.run(sql('idempotency_take_over')`
    update idempotency_key set lease_token = ${a.leaseToken}, lease_until = ${ts(tx.now + leaseMs)}
    where organization_id = ${a.organization} and key = ${a.key}`)

/** Remembers the answer. Touches nothing when the lease was taken over meanwhile: the later attempt answers. */
export const finish = (tx: Tx, a: Attempt, output: unknown) =>
  tx.run(sql('idempotency_finish')`
    update idempotency_key set finished_at = ${ts(tx.now)}, output = ${json(output)}
    where organization_id = ${a.organization} and key = ${a.key} and lease_token = ${a.leaseToken}`)

/** Forgets an attempt that failed, so that the caller may repeat it. */
export const giveBack = (tx: Tx, a: Attempt) =>
  tx.run(sql('idempotency_give_back')`
    delete from idempotency_key
    where organization_id = ${a.organization} and key = ${a.key} and lease_token = ${a.leaseToken} and finished_at is null`)

/** Removes at most `limit` keys made before a moment. Callers keep at least 24 hours. */
export const purgeIdempotencyKeys = (tx: Tx, before: Instant, limit = 5_000) =>
  tx.run(sql('idempotency_purge')`
    delete from idempotency_key where ctid in (
      select ctid from idempotency_key where created_at < ${ts(before)} order by created_at limit ${limit})`)
