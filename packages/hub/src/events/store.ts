import type { Instant } from '@bursar/kit/clock.ts'
import type { Database, Tx } from '#db/database.ts'
import { json, type Statement, sql, ts } from '#db/sql.ts'

export type EventState = 'pending' | 'done' | 'ignored' | 'failed' | 'unmatched'

/** One verified delivery, ready to be stored. */
export type Delivery = {
  readonly organization: string
  readonly connection: string | null
  /** Provider, connection and mode, `stripe:con_…:live`; with `externalId` unique for ever. */
  readonly source: string
  readonly externalId: string
  readonly type: string
  readonly form: 'snapshot' | 'thin'
  readonly livemode: boolean | null
  readonly account: string | null
  readonly apiVersion: string | null
  readonly occurredAt: Instant | null
  /** Only what is needed to verify again: content type and signature headers. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly traceId: string
}

/** A delivery with the id it gets if it is new, and how often the batch holds it. */
export type NewEvent = Delivery & { readonly id: string; readonly deliveries: number }

export const inboundTask = 'inbound.process'

export const dayOf = (at: Instant): string => new Date(at).toISOString().slice(0, 10)

/**
 * Stores a batch, its payloads and its jobs in one statement, which is one transaction. Rows known already only count
 * the delivery; they get neither payload nor job. Bodies travel as one value with offsets: half the CPU of an array.
 * `do update` and not `do nothing`, because only an update sees, and counts, a row that another batch commits meanwhile.
 */
export function storeBatch(events: readonly NewEvent[], receivedAt: Instant): Statement {
  const column = <K extends keyof NewEvent>(key: K) => events.map((e) => e[key])
  let end = 0
  const starts = events.map((e) => {
    const start = end + 1
    end += e.body.length
    return start
  })
  return sql('inbound_store')`
    with input as (
      select * from unnest(
        ${column('id')}::text[], ${column('organization')}::text[], ${column('connection')}::text[],
        ${column('source')}::text[], ${column('externalId')}::text[], ${column('type')}::text[],
        ${column('form')}::text[], ${column('livemode')}::boolean[], ${column('account')}::text[],
        ${column('apiVersion')}::text[], ${events.map((e) => ts(e.occurredAt))}::timestamptz[],
        ${column('deliveries')}::int[], ${column('traceId')}::text[], ${events.map((e) => json(e.headers))}::jsonb[],
        ${starts}::int[], ${events.map((e) => e.body.length)}::int[]
      ) as t (id, organization_id, connection_id, source, external_id, type, form, livemode, account, api_version,
        occurred_at, deliveries, trace_id, headers, body_start, body_length),
        (select ${ts(receivedAt)}::timestamptz as received_at, ${dayOf(receivedAt)}::date as day) as receipt
    ), stored as (
      insert into inbound_event (id, organization_id, connection_id, source, external_id, type, form, livemode,
        account, api_version, occurred_at, received_at, payload_day, deliveries, trace_id)
      select id, organization_id, connection_id, source, external_id, type, form, livemode,
        account, api_version, occurred_at, received_at, day, deliveries, trace_id
      from input
      on conflict (source, external_id) do update set deliveries = inbound_event.deliveries + excluded.deliveries
      returning id
    ), fresh as (
      select input.* from input join stored using (id)
    ), payload as (
      insert into inbound_payload (event_id, organization_id, day, headers, body)
      select id, organization_id, day, headers, substring(${Buffer.concat(column('body'))}::bytea from body_start for body_length)
      from fresh
    ), job as (
      select bursar_enqueue(jsonb_agg(jsonb_build_object('task', ${inboundTask}::text, 'key', id, 'runAt', received_at,
        'payload', jsonb_build_object('eventId', id, 'organization', organization_id)))) as added
      from fresh having count(*) > 0
    )
    select array(select id from fresh) as ids, (select count(added) from job) as enqueued`
}

/** The ids among `events` that were new. */
export async function insertBatch(
  db: Database,
  events: readonly NewEvent[],
  receivedAt: Instant,
): Promise<ReadonlySet<string>> {
  const rows = await db.direct<{ ids: string[] }>(storeBatch(events, receivedAt))
  return new Set(rows[0]?.ids ?? [])
}

export type EventRow = {
  readonly id: string
  readonly organization_id: string
  readonly connection_id: string | null
  readonly source: string
  readonly external_id: string
  readonly type: string
  readonly form: 'snapshot' | 'thin'
  readonly livemode: boolean | null
  readonly account: string | null
  readonly api_version: string | null
  readonly occurred_at: Instant | null
  readonly received_at: Instant
  readonly payload_day: string
  readonly state: EventState
  readonly outcome: string | null
  readonly processed_at: Instant | null
  readonly attempts: number
  readonly next_try_at: Instant | null
  readonly deliveries: number
  readonly trace_id: string
}

export type PayloadRow = { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }

export const findEvent = (tx: Tx, id: string): Promise<EventRow | null> =>
  tx.maybeOne<EventRow>(sql('inbound_find')`select * from inbound_event where id = ${id}`)

/** The bytes as they came; null once their day was dropped. */
export const findPayload = (tx: Tx, event: Pick<EventRow, 'id' | 'payload_day'>): Promise<PayloadRow | null> =>
  tx.maybeOne<PayloadRow>(sql('inbound_payload_find')`
    select headers, body from inbound_payload where event_id = ${event.id} and day = ${event.payload_day}::date`)

/** A pending event with its payload, by one statement; null when it is not pending (any more). */
export async function loadPending(
  db: Database,
  organization: string,
  id: string,
): Promise<{ readonly row: EventRow; readonly payload: PayloadRow | null } | null> {
  const [found] = await db.direct<
    EventRow & { payload_headers: PayloadRow['headers'] | null; body: Buffer | null }
  >(sql('inbound_load')`
    select e.*, p.headers as payload_headers, p.body
    from inbound_event e left join inbound_payload p on p.event_id = e.id and p.day = e.payload_day
    where e.id = ${id} and e.organization_id = ${organization} and e.state = 'pending'`)
  if (found === undefined) return null
  const { payload_headers, body, ...row } = found
  return { row, payload: payload_headers === null || body === null ? null : { headers: payload_headers, body } }
}

export type EventCount = {
  readonly day: string
  readonly type: string
  readonly state: EventState
  readonly events: bigint
  readonly deliveries: bigint
}

// Types come from the sender, so there may be many; the console shows the largest groups of the newest days.
const countRowsMax = 5_000

export const countEvents = (tx: Tx, since: Instant, until: Instant): Promise<EventCount[]> =>
  tx.many<EventCount>(sql('inbound_count')`
    select payload_day as day, type, state, count(*) as events, sum(deliveries)::bigint as deliveries
    from inbound_event
    where organization_id = bursar_organization() and received_at >= ${ts(since)}::timestamptz and received_at < ${ts(until)}::timestamptz
    group by payload_day, type, state
    order by payload_day desc, count(*) desc, type, state
    limit ${countRowsMax}`)

/** Rows that wait to be processed anew. Returns which of the ids exist. */
export const setPending = (tx: Tx, ids: readonly string[]): Promise<{ id: string }[]> =>
  tx.many<{ id: string }>(sql('inbound_set_pending')`
    update inbound_event set state = 'pending', outcome = null, processed_at = null, attempts = 0, next_try_at = null
    where id = any (${ids}::text[]) returning id`)

/** Closes or postpones one event: the one place where its state changes after receipt. */
export const recordOutcome = (
  id: string,
  to: { state: EventState; outcome: string; attempts: number; nextTryAt: Instant | null; now: Instant },
): Statement =>
  sql('inbound_record')`
    update inbound_event set state = ${to.state}, outcome = ${to.outcome}, attempts = ${to.attempts},
      next_try_at = ${ts(to.nextTryAt)}::timestamptz,
      processed_at = ${to.state === 'pending' ? null : ts(to.now)}::timestamptz
    where id = ${id}`

/** Pending rows of all tenants that should have been tried before `before`. */
export const overdue = (tx: Tx, before: Instant, limit: number): Promise<{ id: string; organization_id: string }[]> =>
  tx.many(sql('inbound_overdue')`
    select id, organization_id from inbound_event
    where state = 'pending' and coalesce(next_try_at, received_at) < ${ts(before)}::timestamptz
    order by coalesce(next_try_at, received_at) limit ${limit}`)
