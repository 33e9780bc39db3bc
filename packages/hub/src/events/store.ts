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
export type NewEvent = Delivery & { readonly id: string; readonly receivedAt: Instant; readonly deliveries: number }

export const inboundTask = 'inbound.process'

export const dayOf = (at: Instant): string => new Date(at).toISOString().slice(0, 10)

/**
 * Stores a batch, its payloads and its jobs in one statement, which is one transaction. Rows known already only count
 * the delivery; they get neither payload nor job. Bodies travel as one value with offsets: half the CPU of an array.
 * `do update` and not `do nothing`, because only an update sees, and counts, a row that another batch commits meanwhile.
 */
export function storeBatch(events: readonly NewEvent[]): Statement {
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
        ${events.map((e) => ts(e.receivedAt))}::timestamptz[], ${events.map((e) => dayOf(e.receivedAt))}::date[],
        ${column('deliveries')}::int[], ${column('traceId')}::text[],
        ${events.map((e) => json(e.headers))}::jsonb[], ${starts}::int[], ${events.map((e) => e.body.length)}::int[]
      ) as t (id, organization_id, connection_id, source, external_id, type, form, livemode, account, api_version,
        occurred_at, received_at, day, deliveries, trace_id, headers, body_start, body_length)
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
      select count(*) as jobs from (
        select array_agg((${inboundTask}::text, json_build_object('eventId', id, 'organization', organization_id), null,
          null, null, id, null, null)::graphile_worker.job_spec) as specs
        from fresh having count(*) > 0
      ) as batch, graphile_worker.add_jobs(batch.specs)
    )
    select (select jobs from job) as jobs, array(select id from fresh) as ids`
}

/** The ids among `events` that were new. */
export async function insertBatch(db: Database, events: readonly NewEvent[]): Promise<ReadonlySet<string>> {
  const rows = await db.direct<{ jobs: bigint; ids: string[] }>(storeBatch(events))
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
