import type { VerifiedEvent } from '@bursar/connectors/payments/port.ts'
import { day, type Instant, minute } from '@bursar/kit/clock.ts'
import { type App, type Ctx, inTx, systemCtx } from '#action/context.ts'
import type { Connection } from '#catalog/connections.ts'
import { paymentsOf } from '#catalog/open.ts'
import { sql, ts } from '#db/sql.ts'
import { insertBatch, type NewEvent } from '#events/store.ts'

// Stripe keeps events for 30 days; one day less leaves room for clocks. An event may show up late in the list.
const horizonMs = 29 * day
const overlapMs = 10 * minute
const pagesMax = 50

/**
 * Compares each payment account's own list of events with what arrived and takes in what was lost. Returns how many
 * were new.
 */
export async function sweepEvents(app: App): Promise<number> {
  const rows = await app.db.direct<Connection & { sweptUntil: Instant | null }>(sql('sweep_connections')`
    select c.id, c.organization_id as "organizationId", c.category, c.platform, c.name, c.config, c.credentials, c.state,
      c.updated_at as "updatedAt", c.created_at as "createdAt", s.swept_until as "sweptUntil"
    from connection c left join payment_sweep s on s.connection_id = c.id
    where c.category = 'payment' and c.state = 'active' order by c.id limit 1000`)
  let found = 0
  for (const row of rows)
    found += await sweepConnection(systemCtx(app, row.organizationId, 'orders'), row, row.sweptUntil)
  return found
}

async function sweepConnection(ctx: Ctx, connection: Connection, sweptUntil: Instant | null): Promise<number> {
  const connector = paymentsOf(ctx, connection)
  if (!connector.canRead) return 0
  const started = ctx.clock.now()
  const since = Math.max(started - horizonMs, (sweptUntil ?? started - horizonMs) - overlapMs)
  let cursor: string | undefined
  let found = 0
  for (let page = 0; page < pagesMax; page++) {
    const events = await connector.events(since, cursor)
    if (!events.ok) {
      ctx.log.warn('the payment account could not be compared', {
        connectionId: connection.id,
        failure: events.failure.code,
      })
      return found
    }
    found += await takeIn(ctx, connection, events.value.items)
    if (events.value.next === null) {
      await remember(ctx, connection.id, started)
      return found
    }
    cursor = events.value.next
  }
  ctx.log.warn('the payment account has more events than one comparison reads', { connectionId: connection.id, found })
  return found
}

type Listed = VerifiedEvent & { readonly raw: Buffer }

async function takeIn(ctx: Ctx, connection: Connection, listed: readonly Listed[]): Promise<number> {
  const wanted = listed.filter((event) => event.subjects.length > 0)
  if (wanted.length === 0) return 0
  const sourceOf = (event: Listed) => `${connection.platform}:${connection.id}:${event.livemode ? 'live' : 'test'}`
  const known = await ctx.db.direct<{ externalId: string }>(sql('sweep_known')`
    select external_id as "externalId" from inbound_event
    where (source, external_id) in (select * from unnest(${wanted.map(sourceOf)}::text[], ${wanted.map((e) => e.externalId)}::text[]))`)
  const seen = new Set(known.map((k) => k.externalId))
  const fresh = wanted
    .filter((event) => !seen.has(event.externalId))
    .map(
      (event): NewEvent => ({
        id: ctx.ids.next('evt'),
        deliveries: 0,
        organization: ctx.organization,
        connection: connection.id,
        source: sourceOf(event),
        externalId: event.externalId,
        type: event.type,
        form: event.form,
        livemode: event.livemode,
        account: event.account,
        apiVersion: event.apiVersion,
        occurredAt: event.occurredAt,
        headers: { 'content-type': 'application/json' },
        body: event.raw,
        traceId: ctx.ids.next('trc'),
      }),
    )
  if (fresh.length === 0) return 0
  ctx.log.warn('events had not arrived by themselves', { connectionId: connection.id, events: fresh.length })
  return (await insertBatch(ctx.db, fresh, ctx.clock.now())).size
}

const remember = (ctx: Ctx, connectionId: string, at: Instant) =>
  inTx(ctx, (tx) =>
    tx.run(sql('sweep_remember')`
      insert into payment_sweep (connection_id, organization_id, swept_until) values (${connectionId}, ${ctx.organization}, ${ts(at)})
      on conflict (connection_id) do update set swept_until = excluded.swept_until`),
  )
