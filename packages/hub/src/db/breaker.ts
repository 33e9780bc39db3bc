import { type Instant, minute, second } from '@bursar/kit/clock.ts'
import { jitter, type Random } from '@bursar/kit/random.ts'
import { type Asked, ask, within } from './ask.ts'
import { sql, ts } from './sql.ts'

/**
 * A breaker per connection, shared by all processes. While it is open, work waits and no attempt is spent.
 *
 * The caller: 1. `allow` before a call. `open` = snooze the work until `until`; nothing is counted. `closed` and
 * `half_open` = call; half_open is given to one caller at a time, whose call is the probe. 2. `recordOutcome` after
 * every call, with what it says about the connection, not about the learner: an answer of any kind is `ok`, only
 * `unavailable` and `unauthorized` are not. 3. On a transition, write the timeline; on `closed`, wake what waits.
 */
export type Allowed =
  | { readonly state: 'closed' }
  | { readonly state: 'half_open' }
  | { readonly state: 'open'; readonly until: Instant; readonly cause: BreakerCause }

export type BreakerCause = 'unavailable' | 'unauthorized'
export type Outcome = 'ok' | BreakerCause
export type Transition = 'opened' | 'closed' | null

export type Breaker = {
  readonly state: 'closed' | 'open'
  readonly cause: BreakerCause | null
  readonly failures: number
  readonly openedAt: Instant | null
  readonly probeAt: Instant | null
}

/** So many failures in a row open it; one answer in between starts the count anew. */
export const failuresToOpen = 5
const firstProbeMs: Record<BreakerCause, number> = { unavailable: 5 * second, unauthorized: minute }
const lastProbeMs: Record<BreakerCause, number> = { unavailable: minute, unauthorized: 10 * minute }
/** A probe whose process died is given up after this long. Longer than any single call to a platform may take. */
const probeGivenUpMs = 60 * second

const closed: Breaker = { state: 'closed', cause: null, failures: 0, openedAt: null, probeAt: null }

export async function breakerOf(at: Asked, connection: string): Promise<Breaker> {
  const [row] = await ask<Breaker>(
    at,
    sql('breaker_find')`
      select state, cause, failures, opened_at as "openedAt", probe_at as "probeAt"
      from breaker where connection_id = ${connection}`,
  )
  return row ?? closed
}

/** Whether a call may go now. Reads one row; writes only to hand out a probe. */
export async function allow(
  at: Asked,
  request: { readonly connection: string; readonly now: Instant },
): Promise<Allowed> {
  const { connection, now } = request
  const found = await breakerOf(at, connection)
  if (found.state === 'closed') return { state: 'closed' }
  if (found.probeAt === null || found.cause === null) throw new Error(`breaker of ${connection} is open without a time`)
  if (now < found.probeAt) return { state: 'open', until: found.probeAt, cause: found.cause }
  const givenUpAt = now + probeGivenUpMs
  const won = await ask(
    at,
    sql('breaker_probe')`
      update breaker set probing = true, probe_at = ${ts(givenUpAt)}
      where connection_id = ${connection} and state = 'open' and probe_at <= ${ts(now)} returning true as won`,
  )
  if (won.length > 0) return { state: 'half_open' }
  // Somebody else's probe is on its way, and its answer decides soon.
  return { state: 'open', until: now + firstProbeMs.unavailable, cause: found.cause }
}

export type OutcomeRecord = {
  readonly connection: string
  readonly outcome: Outcome
  readonly now: Instant
  readonly random: Random
}

/** Takes note of how a call ended. A success while all is well touches no row. */
export const recordOutcome = (at: Asked, record: OutcomeRecord): Promise<Transition> =>
  record.outcome === 'ok' ? recordSuccess(at, record.connection) : recordFailure(at, record, record.outcome)

async function recordSuccess(at: Asked, connection: string): Promise<Transition> {
  const rows = await ask<{ was: 'closed' | 'open' }>(
    at,
    sql('breaker_ok')`
      with before as (
        select connection_id, state from breaker
        where connection_id = ${connection} and (state = 'open' or failures > 0) for update)
      update breaker b set state = 'closed', cause = null, failures = 0, opened_at = null, probe_at = null,
        probing = false, probe_interval_ms = 0
      from before where b.connection_id = before.connection_id
      returning before.state as was`,
  )
  return rows[0]?.was === 'open' ? 'closed' : null
}

type Row = Breaker & { readonly probing: boolean; readonly intervalMs: number }

/**
 * What a failure makes of a breaker. The fifth in a row opens it, refused credentials at once. Once it is open only
 * the failure of a probe matters and doubles the interval; calls that were on their way when it opened change nothing.
 */
function afterFailure(row: Row, cause: BreakerCause, now: Instant, random: Random): Row {
  const failures = row.failures + 1
  const opens = row.state === 'closed' && (cause === 'unauthorized' || failures >= failuresToOpen)
  if (row.state === 'closed' && !opens) return { ...row, failures }
  if (row.state === 'open' && !row.probing) return row
  const intervalMs = opens
    ? firstProbeMs[cause]
    : Math.min(lastProbeMs[cause], Math.max(firstProbeMs[cause], 2 * row.intervalMs))
  // Spread over the upper half, so that many connections of one dead platform are not asked in step.
  const probeAt = now + jitter(intervalMs, random)
  return { state: 'open', cause, failures, openedAt: row.openedAt ?? now, probeAt, probing: false, intervalMs }
}

const recordFailure = (at: Asked, record: OutcomeRecord, cause: BreakerCause): Promise<Transition> =>
  within(at, async (tx) => {
    const { connection, now, random } = record
    await tx.run(sql('breaker_add')`
      insert into breaker (connection_id, organization_id) select id, organization_id from connection
      where id = ${connection} on conflict do nothing`)
    const before = await tx.maybeOne<Row>(sql('breaker_lock')`
      select state, cause, failures, opened_at as "openedAt", probe_at as "probeAt", probing,
        probe_interval_ms as "intervalMs"
      from breaker where connection_id = ${connection} for update`)
    if (before === null) throw new Error(`no connection ${connection}`)
    const next = afterFailure(before, cause, now, random)
    if (next === before) return null
    await tx.run(sql('breaker_set')`
      update breaker set state = ${next.state}, cause = ${next.cause}, failures = ${next.failures},
        opened_at = ${ts(next.openedAt)}, probe_at = ${ts(next.probeAt)}, probing = ${next.probing},
        probe_interval_ms = ${next.intervalMs}
      where connection_id = ${connection}`)
    return before.state === 'closed' && next.state === 'open' ? 'opened' : null
  })

/** Closes it by hand: the credentials were changed, or an operator says so. */
export const resetBreaker = (at: Asked, connection: string): Promise<Transition> => recordSuccess(at, connection)
