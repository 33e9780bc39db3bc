import type { Instant } from '@bursar/kit/clock.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import type { OrderState } from './rules.ts'

export type OrderView = {
  readonly id: string
  readonly connectionId: string
  readonly checkoutId: string | null
  readonly paymentId: string | null
  readonly subscriptionId: string | null
  readonly state: OrderState
  readonly issue: string | null
  readonly issueDetail: string | null
  readonly personId: string | null
  readonly email: string | null
  readonly currency: string | null
  readonly amount: bigint
  readonly amountRefunded: bigint
  readonly livemode: boolean
  readonly learnerEmail: string | null
  readonly gift: boolean
  readonly claimedAt: Instant | null
  readonly createdAt: Instant
  readonly paidAt: Instant | null
}

export type OrderFilter = {
  readonly id?: string | undefined
  readonly state?: string | undefined
  readonly issue?: string | undefined
  readonly email?: string | undefined
  readonly after?: string | undefined
  readonly limit: number
}

/** Newest first, by id: ids begin with their time. What is left out does not narrow. */
export const ordersBy = (tx: Tx, f: OrderFilter) =>
  tx.many<OrderView>(sql('order_list')`
    select id, connection_id as "connectionId", checkout_id as "checkoutId", payment_id as "paymentId",
      subscription_id as "subscriptionId", state, issue, issue_detail as "issueDetail", person_id as "personId", email, currency,
      amount, amount_refunded as "amountRefunded", livemode, learner_email as "learnerEmail", gift is not null as gift, claimed_at as "claimedAt",
      created_at as "createdAt", paid_at as "paidAt"
    from "order"
    where organization_id = bursar_organization() and (${f.id ?? null}::text is null or id = ${f.id ?? null})
      and (${f.state ?? null}::text is null or state = ${f.state ?? null})
      and (${f.issue ?? null}::text is null or issue = ${f.issue ?? null})
      and (${f.email ?? null}::text is null or email_key = ${f.email ?? null})
      and (${f.after ?? null}::text is null or id < ${f.after ?? null})
    order by id desc limit ${f.limit}`)

export type RefundView = {
  readonly id: string
  readonly externalId: string
  readonly amount: bigint
  readonly currency: string
  readonly state: string
  readonly attributed: boolean
  readonly createdAt: Instant
}

export const refundViews = (tx: Tx, orderId: string) =>
  tx.many<RefundView>(sql('refund_views')`
    select id, external_id as "externalId", amount, currency, state, allocation is not null as attributed, created_at as "createdAt"
    from refund where order_id = ${orderId} order by created_at, id limit 200`)

export type IssueGroup = {
  readonly issue: string
  readonly detail: string | null
  readonly orders: number
  readonly oldest: Instant
  readonly examples: readonly string[]
}

/** Open questions, equal ones together, most frequent first. */
export const issueGroups = (tx: Tx) =>
  tx.many<IssueGroup>(sql('order_issue_groups')`
    select issue, case when issue = 'price_unknown' then issue_detail end as detail, count(*)::int as orders, min(created_at) as oldest,
      (array_agg(id order by id desc))[1:5] as examples
    from "order" where organization_id = bursar_organization() and issue is not null group by 1, 2 order by 3 desc, 1, 2 limit 200`)
