import type { Instant } from '@bursar/kit/clock.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import type { OrderState } from './rules.ts'

export type OwnPurchase = {
  readonly orderRef: string
  readonly state: OrderState
  readonly amount: bigint
  readonly amountRefunded: bigint
  readonly currency: string | null
  readonly paidAt: Instant | null
  readonly createdAt: Instant
  readonly gift: boolean
  /** Theirs to learn; else they only paid for it. */
  readonly learner: boolean
  readonly claimed: boolean
  readonly items: readonly { readonly title: string; readonly quantity: number }[]
}

/** What a person bought or learns by, newest first. */
export const purchasesOf = async (tx: Tx, personId: string, page: { after: string | undefined; limit: number }) => {
  const rows = await tx.many<Omit<OwnPurchase, 'items'> & { items: OwnPurchase['items'] | null }>(sql('own_purchases')`
    select o.id as "orderRef", o.state, o.amount, o.amount_refunded as "amountRefunded", o.currency, o.paid_at as "paidAt",
      o.created_at as "createdAt", o.gift is not null as gift, coalesce(o.person_id = ${personId}, false) as learner,
      o.claimed_at is not null as claimed,
      (select jsonb_agg(jsonb_build_object('title', n.description, 'quantity', n.quantity) order by n.id)
        from order_line n where n.order_id = o.id) as items
    from "order" o
    where o.id in (select id from "order" where person_id = ${personId} union select id from "order" where buyer_id = ${personId})
      and (${page.after ?? null}::text is null or o.id < ${page.after ?? null})
    order by o.id desc limit ${page.limit}`)
  return rows.map((row): OwnPurchase => ({ ...row, items: row.items ?? [] }))
}

export type OwnSeat = {
  readonly enrollmentId: string
  readonly courseId: string
  readonly course: string
  readonly kind: string
  readonly school: string
  readonly wanted: 'granted' | 'revoked'
  readonly actual: string
  readonly failureClass: string | null
  readonly nextTryAt: Instant | null
  readonly endsAt: Instant | null
  readonly endedBecause: string | null
  readonly openedAt: Instant | null
}

export const seatsOfPerson = (tx: Tx, personId: string, page: { after: string | undefined; limit: number }) =>
  tx.many<OwnSeat>(sql('own_seats')`
    select n.id as "enrollmentId", n.course_id as "courseId", c.title as course, c.kind, k.name as school, n.wanted, n.actual,
      n.failure_class as "failureClass", n.next_try_at as "nextTryAt", n.opened_at as "openedAt",
      (select case when bool_or(e.ends_at is null) then null else max(e.ends_at) end from entitlement e
        where e.person_id = n.person_id and e.course_id = n.course_id and e.revoked_at is null and e.suspended_at is null) as "endsAt",
      case when n.wanted = 'revoked' then (select e.reason from entitlement e
        where e.person_id = n.person_id and e.course_id = n.course_id order by e.updated_at desc, e.id desc limit 1) end as "endedBecause"
    from enrollment n join course c on c.id = n.course_id join connection k on k.id = n.connection_id
    where n.person_id = ${personId} and (${page.after ?? null}::text is null or n.id < ${page.after ?? null})
    order by n.id desc limit ${page.limit}`)
