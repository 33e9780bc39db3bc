import type { Instant } from '@bursar/kit/clock.ts'
import type { App, Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

export type StuckCause = { readonly class: string; readonly code: string; readonly message: string }

/**
 * Notes that seats at a school got stuck: one alert per group of equal causes, however many seats run into it. In the
 * transaction that writes the rows.
 */
export async function raiseAlerts(
  tx: Tx,
  ctx: Ctx,
  connectionId: string,
  causes: readonly StuckCause[],
): Promise<void> {
  const groups = new Map<string, { cause: StuckCause; count: number }>()
  for (const cause of causes) {
    const key = `stuck ${connectionId} ${cause.class} ${cause.code}`
    groups.set(key, { cause, count: (groups.get(key)?.count ?? 0) + 1 })
  }
  if (groups.size === 0) return
  // In the order of their keys, so that two processes lock them alike.
  const rows = [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1))
  await tx.run(sql('alert_raise')`
    insert into alert (id, organization_id, key, kind, connection_id, failure_class, failure_code, message, count, first_seen, last_seen)
    select a.id, ${ctx.organization}, a.key, 'stuck', ${connectionId}, a.class, a.code, a.message, a.count,
      ${ts(tx.now)}::timestamptz, ${ts(tx.now)}::timestamptz
    from unnest(${rows.map(() => ctx.ids.next('alr'))}::text[], ${rows.map(([key]) => key)}::text[],
      ${rows.map(([, g]) => g.cause.class)}::text[], ${rows.map(([, g]) => g.cause.code)}::text[],
      ${rows.map(([, g]) => g.cause.message)}::text[], ${rows.map(([, g]) => g.count)}::bigint[]) as a(id, key, class, code, message, count)
    on conflict (organization_id, key) where closed_at is null do update set
      count = alert.count + excluded.count, last_seen = excluded.last_seen, message = excluded.message`)
}

/** Closes the alerts whose group is empty. A group that is being tried again fills or stays empty before the next look. */
export const closeAlerts = (app: App): Promise<unknown> =>
  app.db.direct(sql('alert_close')`
    update alert a set closed_at = ${ts(app.clock.now())}::timestamptz
    where a.closed_at is null and not exists (
      select from enrollment n where n.organization_id = a.organization_id and n.failure_class = a.failure_class
        and n.failure_code = a.failure_code and n.connection_id = a.connection_id and n.next_try_at is null)`)

export type AlertView = {
  readonly id: string
  readonly kind: 'stuck'
  readonly connectionId: string
  readonly school: string
  readonly failureClass: string
  readonly failureCode: string
  readonly message: string
  readonly seats: number
  readonly count: bigint
  readonly firstSeen: Instant
  readonly lastSeen: Instant
  readonly closedAt: Instant | null
}

export const alertPage = (tx: Tx, f: { closed: boolean; after?: string | undefined; limit: number }) =>
  tx.many<AlertView>(sql('alert_page')`
    select a.id, a.kind, a.connection_id as "connectionId", k.name as school, a.failure_class as "failureClass",
      a.failure_code as "failureCode", a.message, a.count, a.first_seen as "firstSeen", a.last_seen as "lastSeen",
      a.closed_at as "closedAt",
      (select count(*)::int from enrollment n where n.failure_class = a.failure_class and n.failure_code = a.failure_code
        and n.connection_id = a.connection_id and n.next_try_at is null) as seats
    from alert a join connection k on k.id = a.connection_id
    where a.organization_id = bursar_organization() and (${f.closed}::boolean or a.closed_at is null) and (${f.after ?? null}::text is null or a.id < ${f.after ?? null})
    order by a.id desc limit ${f.limit}`)
