import type { Failure, Outcome } from '@bursar/connectors/failure.ts'
import { minute, second } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import * as z from 'zod'
import { type App, type Ctx, inTx, systemCtx } from '#action/context.ts'
import { openLms } from '#catalog/open.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import type { Task } from '#db/jobs/task.ts'
import { sql, ts } from '#db/sql.ts'
import { afterFailure } from '#entitlements/rules.ts'

export const emailTask = 'people.school_email'
const payloadSchema = z.object({ organization: z.string(), accountId: z.string() })
// One call of fifteen seconds and some patience of the budget; whoever comes later finds the lease over.
const leaseMs = 2 * minute
const busyMs = 2 * second

export const emailJob = (organization: string, accountId: string) => ({
  task: emailTask,
  payload: { organization, accountId },
  key: `school_email:${accountId}`,
})

type Wish = {
  readonly email: string
  readonly revision: bigint
  readonly attempts: number
  readonly connectionId: string
  readonly externalId: string | null
  readonly privileged: boolean
  /** The account is being made at this moment, perhaps with the old address. */
  readonly busy: boolean
}

/** Tells one school the new address of one account. Safe to repeat; the newest wish wins. */
export const schoolEmailTask =
  (app: App): Task =>
  async (payload) => {
    const { organization, accountId } = payloadSchema.parse(payload)
    const ctx = systemCtx(app, organization, 'people')
    const wish = await inTx(ctx, (tx) => take(tx, accountId))
    if (wish === null) return nextLook(ctx, accountId)
    if (wish.busy) return putBack(ctx, accountId, wish)
    const failure = wish.externalId === null ? null : await tellSchool(ctx, wish, wish.externalId)
    return inTx(ctx, (tx) => settle(tx, ctx, accountId, wish, failure))
  }

const take = (tx: Tx, accountId: string) =>
  tx.maybeOne<Wish>(sql('account_email_take')`
    update account_email w set attempts = w.attempts + 1, next_try_at = ${ts(tx.now + leaseMs)}
    from lms_account a where a.id = w.account_id and w.account_id = ${accountId} and w.state = 'todo' and w.next_try_at <= ${ts(tx.now)}::timestamptz
    returning w.email, w.revision, w.attempts, a.connection_id as "connectionId", a.external_id as "externalId", a.privileged,
      a.external_id is null and a.lease_until is not null and a.lease_until > ${ts(tx.now)}::timestamptz as busy`)

/** Not due, done, or in somebody else's hands. */
async function nextLook(ctx: Ctx, accountId: string): Promise<undefined | { readonly snoozeUntil: number }> {
  const row = await inTx(ctx, (tx) =>
    tx.maybeOne<{ at: number }>(
      sql(
        'account_email_next',
      )`select next_try_at as at from account_email where account_id = ${accountId} and state = 'todo'`,
    ),
  )
  return row === null ? undefined : { snoozeUntil: row.at }
}

async function putBack(ctx: Ctx, accountId: string, wish: Wish): Promise<{ readonly snoozeUntil: number }> {
  const until = ctx.clock.now() + busyMs
  await inTx(ctx, (tx) =>
    tx.run(sql('account_email_put_back')`
      update account_email set attempts = attempts - 1, next_try_at = ${ts(until)}
      where account_id = ${accountId} and state = 'todo' and attempts = ${wish.attempts}`),
  )
  return { snoozeUntil: until }
}

const byHand = (code: string, message: string): Failure => ({ class: 'needs_person', code, message })

/** Null when the school has the address now. */
async function tellSchool(ctx: Ctx, wish: Wish, externalId: string): Promise<Failure | null> {
  if (wish.privileged)
    return byHand(
      'account_privileged',
      'This is a staff account of the school; a person must change its address there.',
    )
  const answer = await updateAccount(ctx, wish.connectionId, externalId, { email: wish.email })
  return answer.ok ? null : answer.failure
}

/** One account's data at its school, where the platform can change them; else a failure that asks for a person. */
export async function updateAccount(
  ctx: Ctx,
  connectionId: string,
  externalId: string,
  change: { readonly email?: string; readonly name?: string },
): Promise<Outcome<null>> {
  try {
    const connector = await openLms(ctx, connectionId, { lane: 'provisioning' })
    const update = connector.accounts?.update
    if (update === undefined) {
      const message = 'This platform cannot change an account by itself; a person must do it there.'
      return { ok: false, failure: byHand('no_account_update', message) }
    }
    const answer = await update(externalId, change)
    return answer.ok ? { ok: true, value: null } : answer
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    const { code, message } = error
    return { ok: false, failure: { class: 'unauthorized', code, message, unsent: true } }
  }
}

async function settle(
  tx: Tx,
  ctx: Ctx,
  accountId: string,
  wish: Wish,
  failure: Failure | null,
): Promise<undefined | { readonly snoozeUntil: number }> {
  const row = await tx.maybeOne<{ revision: bigint }>(sql('account_email_lock')`
    select revision from account_email where account_id = ${accountId} and state = 'todo' and attempts = ${wish.attempts} for update`)
  if (row === null) return undefined
  if (failure === null)
    await tx.run(sql('account_email_known')`update lms_account set email = ${wish.email} where id = ${accountId}`)
  // Somebody wishes for another address by now: that one is due at once.
  if (row.revision !== wish.revision) {
    await tx.run(sql('account_email_again')`
      update account_email set attempts = 0, next_try_at = ${ts(tx.now)} where account_id = ${accountId}`)
    return { snoozeUntil: tx.now }
  }
  const next = failure === null ? null : nextOf(ctx, failure, wish.attempts, tx.now)
  const state = failure === null ? 'done' : next === null ? 'waiting_person' : 'todo'
  await tx.run(sql('account_email_settle')`
    update account_email set state = ${state}, next_try_at = ${ts(next)}::timestamptz, failure_class = ${failure?.class ?? null},
      failure_code = ${failure?.code ?? null}, failure_message = ${failure?.message ?? null}, updated_at = ${ts(tx.now)}
    where account_id = ${accountId}`)
  return next === null ? undefined : { snoozeUntil: next }
}

const unsentMs = second

/** When to try again by the one policy of all schools; null: a person must act. */
export function nextOf(ctx: Ctx, failure: Failure, attempts: number, now: number): number | null {
  if (failure.unsent === true) return now + Math.max(failure.retryAfterMs ?? 0, unsentMs)
  const next = afterFailure(failure, attempts, now, ctx.random)
  return next.kind === 'stuck' ? null : next.at
}

const sweepMax = 500

/** Wishes whose job was lost. */
export async function sweepEmails(app: App): Promise<number> {
  const rows = await app.db.direct<{ organization: string; accountId: string }>(sql('account_email_sweep')`
    select organization_id as organization, account_id as "accountId" from account_email
    where state = 'todo' and next_try_at <= ${ts(app.clock.now() - minute)} order by next_try_at limit ${sweepMax}`)
  for (const { organization, accountId } of rows)
    await app.db.tx({ organization }, (tx) =>
      enqueue(tx, [{ ...emailJob(organization, accountId), keyMode: 'preserve_run_at' }]),
    )
  return rows.length
}
