import type { DisputeTruth, InvoiceTruth, RefundTruth, SubscriptionTruth } from '@bursar/connectors/payments/port.ts'
import type { Instant } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'
import type { OrderPolicy, OrderState, RefundFacts, SubscriptionFacts } from './rules.ts'

export type OrderRow = {
  readonly id: string
  readonly connectionId: string
  readonly checkoutId: string | null
  readonly paymentId: string | null
  readonly subscriptionId: string | null
  readonly chargeId: string | null
  readonly state: OrderState
  readonly formState: 'open' | 'awaiting_funds' | 'expired' | 'failed'
  readonly toldAt: Instant | null
  readonly issue: string | null
  readonly issueDetail: string | null
  /** The learner, once known: prepared for the paid mailbox, or whoever claimed it. */
  readonly personId: string | null
  /** The signed-in person who began it. */
  readonly buyerId: string | null
  /** The paid mailbox. */
  readonly email: string | null
  /** The mailbox the seat is for, when it is another. */
  readonly learnerEmail: string | null
  readonly gift: Gift | null
  readonly customerId: string | null
  readonly claimedAt: Instant | null
  readonly claimedBy: string | null
  readonly mailboxOnly: boolean
  readonly receiptAt: Instant | null
  readonly currency: string | null
  readonly amount: bigint
  readonly amountRefunded: bigint
  readonly paidAt: Instant | null
  readonly metadata: Readonly<Record<string, string>>
}

/** Bought for somebody else. Without an address the buyer passes the link on. */
export type Gift = {
  readonly email: string | null
  /** The recipient's name. */
  readonly name: string | null
  /** The giver's, as they want to be named. */
  readonly from: string | null
  readonly message: string | null
  /** Not before this moment. */
  readonly sendAt: Instant | null
}

export type OrderKeys = {
  readonly connectionId: string
  readonly id?: string | null
  readonly checkoutId?: string | null
  readonly paymentId?: string | null
  readonly subscriptionId?: string | null
}

/** The order one of these names belongs to, locked until the transaction ends. */
export const findOrder = (tx: Tx, keys: OrderKeys) =>
  tx.maybeOne<OrderRow>(sql('order_find')`
    select id, connection_id as "connectionId", checkout_id as "checkoutId", payment_id as "paymentId",
      subscription_id as "subscriptionId", charge_id as "chargeId", state, form_state as "formState", told_at as "toldAt", issue,
      issue_detail as "issueDetail", person_id as "personId", buyer_id as "buyerId", email, learner_email as "learnerEmail", gift,
      customer_id as "customerId", claimed_at as "claimedAt", claimed_by as "claimedBy", mailbox_only as "mailboxOnly",
      receipt_at as "receiptAt", currency, amount, amount_refunded as "amountRefunded", paid_at as "paidAt", metadata
    from "order"
    where id = coalesce(
      (select id from "order" where connection_id = ${keys.connectionId} and checkout_id = ${keys.checkoutId ?? null}),
      (select id from "order" where connection_id = ${keys.connectionId} and id = ${keys.id ?? null}),
      (select id from "order" where connection_id = ${keys.connectionId} and payment_id = ${keys.paymentId ?? null}),
      (select s.order_id from invoice i join subscription s on s.id = i.subscription_id
        where i.connection_id = ${keys.connectionId} and i.payment_id = ${keys.paymentId ?? null} limit 1),
      (select id from "order" where connection_id = ${keys.connectionId} and subscription_id = ${keys.subscriptionId ?? null}))
    for update`)

/** The same by our own id alone; null for one of another organization. */
export const findOrderById = async (tx: Tx, id: string): Promise<OrderRow | null> => {
  const at = await tx.maybeOne<{ connectionId: string }>(
    sql('order_connection')`select connection_id as "connectionId" from "order" where id = ${id}`,
  )
  return at === null ? null : findOrder(tx, { connectionId: at.connectionId, id })
}

/** Inserts an order; null when another transaction was quicker: then it is there to be found. */
export const insertOrder = (
  tx: Tx,
  ctx: Ctx,
  order: {
    id: string
    connectionId: string
    checkoutId: string | null
    livemode: boolean
    createdAt: Instant
    claimSecretHash?: Buffer | null
  },
) =>
  tx.maybeOne<OrderRow>(sql('order_insert')`
    insert into "order" (id, organization_id, connection_id, checkout_id, state, livemode, claim_secret_hash, created_at, updated_at)
    values (${order.id}, ${ctx.organization}, ${order.connectionId}, ${order.checkoutId}, 'pending', ${order.livemode},
      ${order.claimSecretHash ?? null}, ${ts(order.createdAt)}, ${ts(tx.now)})
    on conflict do nothing
    returning id, connection_id as "connectionId", checkout_id as "checkoutId", payment_id as "paymentId",
      subscription_id as "subscriptionId", charge_id as "chargeId", state, form_state as "formState", told_at as "toldAt", issue,
      issue_detail as "issueDetail", person_id as "personId", buyer_id as "buyerId", email, learner_email as "learnerEmail", gift,
      customer_id as "customerId", claimed_at as "claimedAt", claimed_by as "claimedBy", mailbox_only as "mailboxOnly",
      receipt_at as "receiptAt", currency, amount, amount_refunded as "amountRefunded", paid_at as "paidAt", metadata`)

/** Writes an order as it now is. */
export const saveOrder = (tx: Tx, order: OrderRow) =>
  tx.run(sql('order_save')`
    update "order" set checkout_id = ${order.checkoutId}, payment_id = ${order.paymentId}, subscription_id = ${order.subscriptionId}, charge_id = ${order.chargeId},
      state = ${order.state}, form_state = ${order.formState}, told_at = ${ts(order.toldAt)}, issue = ${order.issue},
      issue_detail = ${order.issueDetail}, person_id = ${order.personId}, email = ${order.email}, currency = ${order.currency},
      learner_email = ${order.learnerEmail}, customer_id = ${order.customerId}, claimed_at = ${ts(order.claimedAt)},
      claimed_by = ${order.claimedBy}, mailbox_only = ${order.mailboxOnly}, receipt_at = ${ts(order.receiptAt)},
      amount = ${order.amount}, amount_refunded = ${order.amountRefunded}, paid_at = ${ts(order.paidAt)},
      metadata = ${json(order.metadata)}, revision = revision + 1, updated_at = ${ts(tx.now)}
    where id = ${order.id}`)

export type LineRow = {
  readonly id: string
  readonly externalId: string
  readonly description: string
  readonly priceId: string | null
  readonly productVersionId: string | null
  readonly courseIds: readonly string[] | null
  readonly quantity: number
  readonly amount: bigint
  readonly tax: bigint
}

export const orderLines = (tx: Tx, orderId: string) =>
  tx.many<LineRow>(sql('order_lines')`
    select l.id, l.external_id as "externalId", l.description, l.price_external_id as "priceId",
      l.product_version_id as "productVersionId", v.course_ids as "courseIds", l.quantity, l.amount, l.tax
    from order_line l left join product_version v on v.id = l.product_version_id
    where l.order_id = ${orderId} order by l.id`)

export type NewLine = Omit<LineRow, 'courseIds'>

export const insertLines = (tx: Tx, ctx: Ctx, orderId: string, lines: readonly NewLine[]) =>
  tx.run(sql('order_line_insert')`
    insert into order_line (id, organization_id, order_id, external_id, description, price_external_id, product_version_id, quantity, amount, tax)
    select l.id, ${ctx.organization}, ${orderId}, l.external_id, l.description, l.price_id, l.version_id, l.quantity, l.amount, l.tax
    from unnest(${lines.map((l) => l.id)}::text[], ${lines.map((l) => l.externalId)}::text[], ${lines.map((l) => l.description)}::text[],
      ${lines.map((l) => l.priceId)}::text[], ${lines.map((l) => l.productVersionId)}::text[], ${lines.map((l) => l.quantity)}::int[],
      ${lines.map((l) => l.amount)}::bigint[], ${lines.map((l) => l.tax)}::bigint[])
      as l(id, external_id, description, price_id, version_id, quantity, amount, tax)
    on conflict (order_id, external_id) do nothing`)

/** A line whose price was unknown when it was bought gets its product once somebody maps it. */
export const pinLine = (tx: Tx, lineId: string, productVersionId: string) =>
  tx.run(
    sql(
      'order_line_pin',
    )`update order_line set product_version_id = ${productVersionId} where id = ${lineId} and product_version_id is null`,
  )

export type RefundRow = RefundFacts & { readonly externalId: string }

export const refundsOf = async (tx: Tx, orderId: string): Promise<RefundRow[]> => {
  const rows = await tx.many<Omit<RefundRow, 'allocation'> & { allocation: Record<string, string> | null }>(sql(
    'refunds_of',
  )`
    select id, external_id as "externalId", payment_id as "paymentId", amount, state, allocation from refund where order_id = ${orderId} order by created_at, external_id`)
  return rows.map((r) => ({
    ...r,
    allocation:
      r.allocation === null ? null : Object.fromEntries(Object.entries(r.allocation).map(([k, v]) => [k, BigInt(v)])),
  }))
}

/** One row per refund for ever; its state follows the provider, its allocation stays once it is known. */
export const saveRefund = (
  tx: Tx,
  ctx: Ctx,
  orderId: string,
  connectionId: string,
  refund: RefundTruth,
  allocation: Record<string, bigint> | null,
) =>
  tx.one<{ id: string; fresh: boolean }>(sql('refund_save')`
    insert into refund (id, organization_id, order_id, connection_id, external_id, payment_id, amount, currency, state, reason, allocation, created_at, updated_at)
    values (${ctx.ids.next('rfd')}, ${ctx.organization}, ${orderId}, ${connectionId}, ${refund.externalId}, ${refund.paymentId}, ${refund.amount},
      ${refund.currency}, ${refund.state}, ${refund.reason}, ${allocation === null ? null : json(allocation)}, ${ts(refund.createdAt)}, ${ts(tx.now)})
    on conflict (connection_id, external_id) do update set state = excluded.state, reason = coalesce(excluded.reason, refund.reason),
      payment_id = coalesce(refund.payment_id, excluded.payment_id),
      allocation = coalesce(refund.allocation, excluded.allocation), updated_at = excluded.updated_at
    returning id, (xmax = 0) as fresh`)

export const allocateByHand = (tx: Tx, refundId: string, allocation: Record<string, bigint>) =>
  tx.run(
    sql(
      'refund_allocate',
    )`update refund set allocation = ${json(allocation)}, updated_at = ${ts(tx.now)} where id = ${refundId}`,
  )

export type DisputeRow = { readonly externalId: string; readonly state: DisputeTruth['state'] }

export const disputesOf = (tx: Tx, orderId: string) =>
  tx.many<DisputeRow>(
    sql(
      'disputes_of',
    )`select external_id as "externalId", state from dispute where order_id = ${orderId} order by created_at`,
  )

export const saveDispute = (tx: Tx, ctx: Ctx, orderId: string, connectionId: string, d: DisputeTruth) =>
  tx.run(sql('dispute_save')`
    insert into dispute (id, organization_id, order_id, connection_id, external_id, amount, currency, state, provider_state,
      funds_withdrawn, reason, created_at, updated_at)
    values (${ctx.ids.next('dsp')}, ${ctx.organization}, ${orderId}, ${connectionId}, ${d.externalId}, ${d.amount}, ${d.currency},
      ${d.state}, ${d.providerState}, ${d.fundsWithdrawn}, ${d.reason}, ${ts(d.createdAt)}, ${ts(tx.now)})
    on conflict (connection_id, external_id) do update set state = excluded.state, provider_state = excluded.provider_state,
      amount = excluded.amount, funds_withdrawn = excluded.funds_withdrawn, updated_at = excluded.updated_at`)

export type SubscriptionRow = {
  readonly id: string
  readonly externalId: string
  readonly state: SubscriptionTruth['state']
  readonly carriedUntil: Instant | null
  readonly pastDueSince: Instant | null
  readonly endedAt: Instant | null
  readonly toldAt: Instant | null
}

export const subscriptionOf = (tx: Tx, orderId: string) =>
  tx.maybeOne<SubscriptionRow>(sql('subscription_of')`
    select id, external_id as "externalId", state, carried_until as "carriedUntil", past_due_since as "pastDueSince",
      ended_at as "endedAt", told_at as "toldAt"
    from subscription where order_id = ${orderId} order by created_at desc limit 1`)

export const saveSubscription = (
  tx: Tx,
  ctx: Ctx,
  order: { id: string; connectionId: string },
  truth: SubscriptionTruth,
  facts: { carriedUntil: Instant | null; pastDueSince: Instant | null; toldAt: Instant },
) =>
  tx.run(sql('subscription_save')`
    insert into subscription (id, organization_id, order_id, connection_id, external_id, state, carried_until, past_due_since, told_at,
      cancel_at, ended_at, created_at, updated_at)
    values (${ctx.ids.next('sub')}, ${ctx.organization}, ${order.id}, ${order.connectionId}, ${truth.externalId}, ${truth.state},
      ${ts(facts.carriedUntil)}, ${ts(facts.pastDueSince)}, ${ts(facts.toldAt)}, ${ts(truth.cancelAt)}, ${ts(truth.endedAt)},
      ${ts(truth.createdAt)}, ${ts(tx.now)})
    on conflict (connection_id, external_id) do update set state = excluded.state, told_at = excluded.told_at,
      carried_until = greatest(subscription.carried_until, excluded.carried_until), past_due_since = excluded.past_due_since,
      cancel_at = excluded.cancel_at, ended_at = excluded.ended_at, updated_at = excluded.updated_at`)

export const saveInvoice = (
  tx: Tx,
  ctx: Ctx,
  subscriptionId: string,
  connectionId: string,
  invoice: InvoiceTruth,
  periodEnd: Instant | null,
) =>
  tx.one<{ was: string | null }>(sql('invoice_save')`
    with before as (select state from invoice where connection_id = ${connectionId} and external_id = ${invoice.externalId}),
    saved as (
      insert into invoice (id, organization_id, subscription_id, connection_id, external_id, payment_id, state, amount, currency, period_end, created_at, updated_at)
      values (${ctx.ids.next('inv')}, ${ctx.organization}, ${subscriptionId}, ${connectionId}, ${invoice.externalId}, ${invoice.paymentId}, ${invoice.state},
        ${invoice.amountPaid}, ${invoice.currency}, ${ts(periodEnd)}, ${ts(invoice.createdAt)}, ${ts(tx.now)})
      on conflict (connection_id, external_id) do update set state = case when invoice.state = 'paid' then 'paid' else excluded.state end,
        payment_id = coalesce(excluded.payment_id, invoice.payment_id), amount = greatest(invoice.amount, excluded.amount), period_end = coalesce(excluded.period_end, invoice.period_end), updated_at = excluded.updated_at
      returning 1)
    select (select state from before) as was from saved`)

/** Everything an order is judged by, as one statement sees it. */
export type OrderAggregate = {
  readonly lines: readonly LineRow[]
  /** Further seats of a line that were given to somebody. */
  readonly assigned: readonly { readonly lineId: string; readonly personId: string }[]
  readonly refunds: readonly RefundRow[]
  readonly disputes: readonly DisputeRow[]
  readonly subscription: (SubscriptionRow & SubscriptionFacts) | null
  readonly policy: OrderPolicy
}

type LineJson = Omit<LineRow, 'amount' | 'tax'> & { readonly amount: string; readonly tax: string }
type SubscriptionJson = SubscriptionRow & {
  readonly periods: readonly { paymentId: string | null; amount: string; endsAt: Instant | null }[] | null
}
type RefundJson = Omit<RefundRow, 'amount' | 'allocation'> & {
  readonly amount: string
  readonly allocation: Record<string, string> | null
}

const refundOf = (r: RefundJson): RefundRow => ({
  ...r,
  amount: BigInt(r.amount),
  allocation:
    r.allocation === null ? null : Object.fromEntries(Object.entries(r.allocation).map(([k, v]) => [k, BigInt(v)])),
})

const withPeriods = (s: SubscriptionJson): SubscriptionRow & SubscriptionFacts => ({
  ...s,
  periods: (s.periods ?? []).map((p) => ({ ...p, amount: BigInt(p.amount) })),
})

export async function orderAggregate(tx: Tx, orderId: string): Promise<OrderAggregate> {
  const row = await tx.one<{
    lines: LineJson[] | null
    assigned: OrderAggregate['assigned'] | null
    refunds: RefundJson[] | null
    disputes: DisputeRow[] | null
    subscription: SubscriptionJson | null
    policy: OrderPolicy
  }>(sql('order_aggregate')`
    select
      (select jsonb_agg(jsonb_build_object('id', l.id, 'externalId', l.external_id, 'description', l.description,
          'priceId', l.price_external_id, 'productVersionId', l.product_version_id, 'courseIds', v.course_ids,
          'quantity', l.quantity, 'amount', l.amount::text, 'tax', l.tax::text) order by l.id)
        from order_line l left join product_version v on v.id = l.product_version_id where l.order_id = o.id) as lines,
      (select jsonb_agg(jsonb_build_object('lineId', a.line_id, 'personId', a.person_id) order by a.id)
        from seat_assignment a where a.order_id = o.id) as assigned,
      (select jsonb_agg(jsonb_build_object('id', r.id, 'externalId', r.external_id, 'paymentId', r.payment_id, 'amount', r.amount::text, 'state', r.state,
          'allocation', r.allocation) order by r.created_at, r.external_id)
        from refund r where r.order_id = o.id) as refunds,
      (select jsonb_agg(jsonb_build_object('externalId', d.external_id, 'state', d.state) order by d.created_at, d.external_id)
        from dispute d where d.order_id = o.id) as disputes,
      (select jsonb_build_object('id', s.id, 'externalId', s.external_id, 'state', s.state,
          'carriedUntil', extract(epoch from s.carried_until) * 1000, 'pastDueSince', extract(epoch from s.past_due_since) * 1000,
          'endedAt', extract(epoch from s.ended_at) * 1000, 'toldAt', extract(epoch from s.told_at) * 1000,
          'periods', (select jsonb_agg(jsonb_build_object('paymentId', i.payment_id, 'amount', i.amount::text,
              'endsAt', extract(epoch from i.period_end) * 1000) order by i.period_end, i.external_id)
            from invoice i where i.subscription_id = s.id and i.state = 'paid'))
        from subscription s where s.order_id = o.id order by s.created_at desc limit 1) as subscription,
      (select jsonb_build_object('disputes', g.dispute_policy, 'graceDays', g.grace_days)
        from organization g where g.id = o.organization_id) as policy
    from "order" o where o.id = ${orderId}`)
  return {
    lines: (row.lines ?? []).map((l) => ({ ...l, amount: BigInt(l.amount), tax: BigInt(l.tax) })),
    assigned: row.assigned ?? [],
    refunds: (row.refunds ?? []).map(refundOf),
    disputes: row.disputes ?? [],
    subscription: row.subscription === null ? null : withPeriods(row.subscription),
    policy: row.policy,
  }
}
