import type { Instant } from '@bursar/kit/clock.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import type { TimelineRow } from '#events/timeline.ts'

export type OrderHead = {
  readonly id: string
  readonly connectionId: string
  readonly state: string
  readonly issue: string | null
  readonly issueDetail: string | null
  readonly personId: string | null
  readonly email: string | null
  readonly currency: string | null
  readonly amount: bigint
  readonly amountRefunded: bigint
  readonly createdAt: Instant
  readonly paidAt: Instant | null
}

/** What a question may name; exactly one is not null. `external`: any id of the payment provider. */
export type About = {
  readonly orderId: string | null
  readonly enrollmentId: string | null
  readonly email: string | null
  readonly external: string | null
}

const ordersMax = 20
const entriesMax = 1_000

/** The people of an address: who paid with it, and who is known by it. */
export const peopleOf = (tx: Tx, email: string) =>
  tx.many<{ id: string }>(sql('report_people')`
    select id from person where email = ${email}
    union select person_id from "order" where email_key = ${email} and person_id is not null limit 50`)

/** The orders in question, newest first. */
export const ordersAbout = (tx: Tx, about: About) =>
  tx.many<OrderHead>(sql('report_orders')`
    select o.id, o.connection_id as "connectionId", o.state, o.issue, o.issue_detail as "issueDetail", o.person_id as "personId",
      o.email, o.currency, o.amount, o.amount_refunded as "amountRefunded", o.created_at as "createdAt", o.paid_at as "paidAt"
    from "order" o
    where o.id in (
      select ${about.orderId}::text
      union select id from "order" where email_key = ${about.email}::text
      union select p.id from "order" p join person on person.id = p.person_id where person.email = ${about.email}::text
      union select e.order_id from enrollment n join entitlement e on e.person_id = n.person_id and e.course_id = n.course_id
        where n.id = ${about.enrollmentId}::text
      union select id from "order" where checkout_id = ${about.external}::text or payment_id = ${about.external}::text
        or subscription_id = ${about.external}::text or charge_id = ${about.external}::text
      union select order_id from refund where external_id = ${about.external}::text
      union select order_id from dispute where external_id = ${about.external}::text
      union select s.order_id from invoice i join subscription s on s.id = i.subscription_id where i.external_id = ${about.external}::text or i.payment_id = ${about.external}::text
      union select t.order_id from inbound_event v join timeline_entry t on t.kind = 'event.received' and t.data->>'eventId' = v.id
        where v.external_id = ${about.external}::text)
    order by o.created_at desc, o.id desc limit ${ordersMax}`)

export type SeatRow = {
  readonly enrollmentId: string
  readonly personId: string
  readonly courseId: string
  readonly connectionId: string
  readonly orderIds: readonly string[]
  readonly wanted: 'granted' | 'revoked'
  readonly actual: 'none' | 'granted' | 'revoked' | 'unknown'
  readonly nextTryAt: Instant | null
  readonly nextChangeAt: Instant | null
  readonly failingSince: Instant | null
  readonly failureClass: string | null
  readonly failureMessage: string | null
  readonly openedAt: Instant | null
  readonly closedAt: Instant | null
  readonly updatedAt: Instant
  readonly working: boolean
  /** The school is paused by hand: nothing is asked of it. */
  readonly paused: boolean
  readonly live: readonly string[]
  readonly ended: string | null
}

/** The seats of these orders, of one enrollment, or of these people. */
export const seatsOf = (
  tx: Tx,
  of: { orders: readonly string[]; people: readonly string[]; enrollmentId: string | null },
) =>
  tx.many<SeatRow>(sql('report_seats')`
    select n.id as "enrollmentId", n.person_id as "personId", n.course_id as "courseId", n.connection_id as "connectionId",
      n.wanted, n.actual, n.next_try_at as "nextTryAt", n.next_change_at as "nextChangeAt", n.failing_since as "failingSince",
      n.failure_class as "failureClass", n.failure_message as "failureMessage", n.opened_at as "openedAt",
      n.closed_at as "closedAt", n.updated_at as "updatedAt",
      coalesce(a.lease_until > ${ts(tx.now)}::timestamptz, false) and n.uncertain as working, k.state = 'paused' as paused,
      r."orderIds", r.live, r.ended
    from enrollment n join lms_account a on a.id = n.account_id join connection k on k.id = n.connection_id
    cross join lateral (
      select coalesce(array_agg(distinct e.order_id) filter (where e.order_id is not null), '{}') as "orderIds",
        coalesce(array_agg(e.reason order by e.id) filter (where e.revoked_at is null and e.suspended_at is null
          and e.starts_at <= ${ts(tx.now)}::timestamptz
          and (e.ends_at is null or e.ends_at > ${ts(tx.now)}::timestamptz)), '{}') as live,
        (array_agg(case when e.revoked_at is null and e.suspended_at is null then 'Its time ran out. ' || e.reason else e.reason end
          order by e.updated_at desc, e.id desc) filter (where e.revoked_at is not null or e.suspended_at is not null
          or e.ends_at <= ${ts(tx.now)}::timestamptz))[1] as ended
      from entitlement e where e.person_id = n.person_id and e.course_id = n.course_id) r
    where n.id in (
      select n.id from entitlement e join enrollment n on n.person_id = e.person_id and n.course_id = e.course_id
        where e.order_id = any(${of.orders}::text[])
      union select id from enrollment where person_id = any(${of.people}::text[])
      union select ${of.enrollmentId}::text)
    order by n.id limit 200`)

export type LineRow = {
  readonly orderId: string
  readonly lineId: string
  readonly description: string
  readonly priceId: string | null
  readonly courseIds: readonly string[] | null
}

export const linesOf = (tx: Tx, orders: readonly string[]) =>
  tx.many<LineRow>(sql('report_lines')`
    select l.order_id as "orderId", l.id as "lineId", l.description, l.price_external_id as "priceId", v.course_ids as "courseIds"
    from order_line l left join product_version v on v.id = l.product_version_id
    where l.order_id = any(${orders}::text[]) order by l.order_id, l.id limit 500`)

export type EntryRow = TimelineRow & {
  readonly event: { readonly state: string; readonly outcome: string | null; readonly deliveries: number } | null
}

/**
 * Everything told about these orders and seats, oldest first; at most the newest 1,000. Calls about an account stand
 * under the person alone: those of the same attempts (trace ids) belong here too.
 */
export const entriesOf = (
  tx: Tx,
  of: { orders: readonly string[]; enrollments: readonly string[]; people: readonly string[] },
) =>
  tx.many<EntryRow>(sql('report_entries')`
    with direct as (
      select * from timeline_entry where order_id = any(${of.orders}::text[])
      union select * from timeline_entry where enrollment_id = any(${of.enrollments}::text[])
    ), alone as (
      select t.* from timeline_entry t
      where t.person_id = any(${of.people}::text[]) and t.order_id is null and t.enrollment_id is null
        and t.trace_id in (select trace_id from direct)
    )
    select * from (
      select e.*, case when v.id is null then null else
          jsonb_build_object('state', v.state, 'outcome', v.outcome, 'deliveries', v.deliveries) end as event
      from (select * from direct union select * from alone) e
      left join inbound_event v on e.kind = 'event.received' and v.id = e.data->>'eventId'
      order by e.id desc limit ${entriesMax}) newest
    order by id`)

export const connectionNames = async (tx: Tx): Promise<ReadonlyMap<string, string>> => {
  const rows = await tx.many<{ id: string; name: string }>(sql('report_connections')`
    select id, name from connection where organization_id = bursar_organization() order by id limit 500`)
  return new Map(rows.map((r) => [r.id, r.name]))
}
