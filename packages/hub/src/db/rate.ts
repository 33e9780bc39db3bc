import { type Clock, type Instant, systemClock } from '@bursar/kit/clock.ts'
import type { Database } from './database.ts'
import { sql } from './sql.ts'

/** Who asks for a call, from the one that may wait least to the one that may wait most. */
export const lanes = ['interactive', 'provisioning', 'confirmation', 'delta', 'full'] as const
export type Lane = (typeof lanes)[number]

/** What a platform allows. `requests: 0` = it names no limit. */
export type RateLimit = { readonly requests: number; readonly windowMs: number }

export type Slot = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number }

export type SlotRequest = {
  readonly connection: string
  readonly lane: Lane
  readonly limit: RateLimit
  /** How many calls are asked for at once; 1 when left out, never more than the limit. */
  readonly cost?: number
  /**
   * Left out, the database's clock decides, so that hosts whose clocks differ agree. A test or a replay passes its own
   * (see `sharedNow`).
   */
  readonly now?: Instant | undefined
}

const go: Slot = { ok: true }

/**
 * Takes one call out of the connection's budget, or says when to ask again: in the same lane, and soon after, because
 * a place in the queue is kept for five seconds. One statement; the rules stand beside it in migration 0007.
 */
export async function takeSlot(db: Database, request: SlotRequest): Promise<Slot> {
  const { connection, limit, cost = 1 } = request
  if (limit.requests === 0) return go
  const lane = lanes.indexOf(request.lane) + 1
  const rows = await db.direct<{ wait: number }>(sql('rate_take_slot')`
    select bursar_take_slot(${connection}, ${lane}, ${limit.requests}, ${limit.windowMs}, ${cost}, ${request.now ?? null}) as wait`)
  const [row] = rows
  if (row === undefined) throw new Error('bursar_take_slot answered nothing')
  return row.wait === 0 ? go : { ok: false, retryAfterMs: row.wait }
}

/** After a 429 the budget is halved for this long: the platform counts something that we do not. */
const halvedMs = 60_000

/** The platform said 429: nothing for `retryAfterMs`, then half the rate for a minute. */
export async function penalise(
  db: Database,
  request: { readonly connection: string; readonly retryAfterMs: number; readonly now?: Instant | undefined },
): Promise<void> {
  await db.direct(sql('rate_penalise')`
    with t as (select coalesce(${request.now ?? null}::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
                      + ${Math.ceil(request.retryAfterMs)}::bigint as until)
    insert into rate_budget (connection_id, blocked_until, halved_until)
    select ${request.connection}, until, until + ${halvedMs}::bigint from t
    on conflict (connection_id) do update set
      blocked_until = greatest(rate_budget.blocked_until, excluded.blocked_until),
      halved_until = greatest(rate_budget.halved_until, excluded.halved_until)`)
}

/** What to pass as `now`: nothing on the real clock, where the database's decides; a virtual clock's own time. */
export const sharedNow = (clock: Clock): Instant | undefined => (clock === systemClock ? undefined : clock.now())
