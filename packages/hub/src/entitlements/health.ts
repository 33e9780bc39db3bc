import type { Failure } from '@bursar/connectors/failure.ts'
import { type Instant, minute } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import { inTx } from '#action/context.ts'
import { openLms } from '#catalog/open.ts'
import { allow, type BreakerCause, breakerOf, recordOutcome } from '#db/breaker.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { penalise, sharedNow } from '#db/rate.ts'
import { sql, ts } from '#db/sql.ts'
import { record, type TimelineEntry } from '#events/timeline.ts'
import { applyJob, knockJob, retryJob } from './store.ts'

/** The failure code of a row that waits because its platform is down. */
export const frozenCode = 'breaker_open'
const wakeMax = 5_000
const penaltyMsDefault = 10_000
// Frozen work is woken by the knock that is answered; by itself it looks again this late, should the knock be lost.
const frozenLookMs = 30 * minute

export type Gate =
  | { readonly open: true }
  | { readonly open: false; readonly until: Instant; readonly cause: BreakerCause }

/** Whether this account's school may be called now. One read while all is well. */
export async function gate(ctx: Ctx, accountId: string): Promise<Gate> {
  const [row] = await ctx.db.direct<{ connectionId: string; state: string | null }>(sql('gate')`
    select a.connection_id as "connectionId", b.state from lms_account a left join breaker b using (connection_id) where a.id = ${accountId}`)
  return row === undefined || row.state !== 'open' ? { open: true } : knock(ctx, row.connectionId)
}

/**
 * Asks a school that was down whether it answers again, one caller at a time, by a read that belongs to no learner: an
 * outage of any length costs nobody an attempt, and one learner's own trouble keeps nobody else out.
 */
export async function knock(ctx: Ctx, connectionId: string): Promise<Gate> {
  const allowed = await allow(ctx.db, { connection: connectionId, now: ctx.clock.now() })
  if (allowed.state === 'closed') return { open: true }
  if (allowed.state === 'open') return { open: false, until: allowed.until, cause: allowed.cause }
  const connector = await openLms(ctx, connectionId, { lane: 'provisioning' })
  // Without a harmless read the learner's own call is the probe.
  if (connector.catalog === undefined) return { open: true }
  const read = await connector.catalog.list()
  await inTx(ctx, async (tx) => record(tx, ctx, await tellHealth(tx, ctx, connectionId, read.ok ? 'ok' : read.failure)))
  const { probeAt, cause } = await breakerOf(ctx.db, connectionId)
  return probeAt === null || cause === null ? { open: true } : { open: false, until: probeAt, cause }
}

/** Whether anything waits for this school to answer again. */
export async function isAwaited(ctx: Ctx, connectionId: string): Promise<boolean> {
  const rows = await ctx.db.direct(sql('enrollment_frozen')`
    select 1 from enrollment where connection_id = ${connectionId} and next_try_at is not null and failure_code = ${frozenCode} limit 1`)
  return rows.length > 0
}

const causes: Readonly<Record<BreakerCause, string>> = {
  unavailable: 'The school does not answer. Everybody waits; nothing is lost.',
  unauthorized: 'The school refuses our credentials. Everybody waits until they are mended.',
}

/** Puts an account's due work off until a knock is answered. Burns no attempt; tells it once. */
export async function freeze(
  ctx: Ctx,
  accountId: string,
  closed: { until: Instant; cause: BreakerCause },
): Promise<void> {
  const message = causes[closed.cause]
  const lookAt = closed.until + frozenLookMs
  await inTx(ctx, async (tx) => {
    const rows = await tx.many<{ id: string; personId: string; connectionId: string; news: boolean }>(sql(
      'enrollment_freeze',
    )`
      update enrollment n set next_try_at = ${ts(lookAt)}::timestamptz, failing_since = coalesce(n.failing_since, ${ts(tx.now)}::timestamptz),
        failure_class = ${closed.cause}, failure_code = ${frozenCode}, failure_message = ${message}, updated_at = ${ts(tx.now)}
      from (select id, failure_code from enrollment where account_id = ${accountId} and next_try_at <= ${ts(tx.now)} for update) d
      where n.id = d.id
      returning n.id, n.person_id as "personId", n.connection_id as "connectionId", d.failure_code is distinct from ${frozenCode} as news`)
    const [first] = rows
    if (first === undefined) return
    const entries = rows
      .filter((r) => r.news)
      .map(
        (r): TimelineEntry => ({
          kind: 'enrollment.waiting',
          enrollmentId: r.id,
          personId: r.personId,
          data: { failure: frozenCode, message, nextTryAt: closed.until },
        }),
      )
    await record(tx, ctx, entries)
    const { connectionId } = first
    await enqueue(tx, [
      retryJob(ctx.organization, accountId, lookAt),
      knockJob(ctx.organization, connectionId, closed.until),
    ])
  })
}

/** What the last call said about the connection. */
export type Health = 'ok' | Failure | null

const outcomeOf = (health: Exclude<Health, null>): 'ok' | BreakerCause | null => {
  if (health === 'ok') return 'ok'
  if (health.unsent === true || health.class === 'rate_limited') return null
  return health.class === 'unavailable' || health.class === 'unauthorized' ? health.class : 'ok'
}

/** Tells the breaker and the budget how it went; wakes everybody when the school is back. In the caller's transaction. */
export async function tellHealth(tx: Tx, ctx: Ctx, connectionId: string, health: Health): Promise<TimelineEntry[]> {
  if (health === null) return []
  if (health !== 'ok' && health.class === 'rate_limited' && health.unsent !== true)
    await penalise(ctx.db, {
      connection: connectionId,
      retryAfterMs: health.retryAfterMs ?? penaltyMsDefault,
      now: sharedNow(ctx.clock),
    })
  const outcome = outcomeOf(health)
  if (outcome === null) return []
  const transition = await recordOutcome(tx, { connection: connectionId, outcome, now: tx.now, random: ctx.random })
  if (transition === null) return []
  if (transition === 'closed') {
    ctx.log.info('a school answers again', { connectionId })
    await wake(tx, ctx, connectionId)
    return [{ kind: 'breaker.closed', data: { connectionId } }]
  }
  const failure = health === 'ok' ? '' : health.message
  ctx.log.warn('a school does not answer; its work waits', {
    connectionId,
    failure: health === 'ok' ? null : health.code,
  })
  return [{ kind: 'breaker.opened', data: { connectionId, failure, until: null } }]
}

async function wake(tx: Tx, ctx: Ctx, connectionId: string): Promise<void> {
  const rows = await tx.many<{ accountId: string }>(sql('enrollment_wake')`
    update enrollment set next_try_at = ${ts(tx.now)}::timestamptz
    where id in (select id from enrollment where connection_id = ${connectionId} and next_try_at is not null and failure_code = ${frozenCode}
      order by next_try_at limit ${wakeMax} for update skip locked)
    returning account_id as "accountId"`)
  const accounts = [...new Set(rows.map((r) => r.accountId))]
  await enqueue(
    tx,
    accounts.map((a) => applyJob(ctx.organization, a)),
  )
}
