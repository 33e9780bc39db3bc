import type { DisputeTruth, PaymentFacts, RefundTruth, SubscriptionTruth } from '@bursar/connectors/payments/port.ts'
import type { Instant } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { record, type TimelineEntry } from '#events/timeline.ts'
import { allocateRefund } from './rules.ts'
import {
  type OrderRow,
  orderLines,
  type RefundRow,
  refundsOf,
  saveDispute,
  saveRefund,
  saveSubscription,
  subscriptionOf,
} from './store.ts'
import type { Telling } from './telling.ts'

/** What a payment says about its order. Paid stays paid: what comes after is a refund or a dispute. */
export function applyPayment(order: OrderRow, payment: PaymentFacts, telling: Telling): OrderRow {
  const paid = payment.state === 'succeeded'
  const older = telling.stated && order.toldAt !== null && telling.at < order.toldAt
  const formState =
    paid || older
      ? order.formState
      : payment.state === 'processing'
        ? 'awaiting_funds'
        : payment.state === 'canceled'
          ? 'failed'
          : order.formState
  return {
    ...order,
    paymentId: order.paymentId ?? payment.externalId,
    chargeId: payment.chargeId ?? order.chargeId,
    amount: order.amount === 0n ? payment.amountReceived : order.amount,
    currency: order.currency ?? payment.currency,
    paidAt: order.paidAt ?? (paid ? payment.createdAt : null),
    formState,
    toldAt: older ? order.toldAt : telling.at,
  }
}

/** The single refunds and disputes that came along with a payment. */
export async function savePaymentParts(tx: Tx, ctx: Ctx, order: OrderRow, payment: PaymentFacts): Promise<void> {
  for (const refund of payment.refunds)
    await takeRefund(tx, ctx, order, { ...refund, paymentId: refund.paymentId ?? payment.externalId })
  for (const dispute of payment.disputes) await takeDispute(tx, ctx, order, dispute)
}

export async function takeRefund(tx: Tx, ctx: Ctx, order: OrderRow, refund: RefundTruth): Promise<void> {
  const known = await refundsOf(tx, order.id)
  const before = known.find((r) => r.externalId === refund.externalId)
  // A payment of a subscription pays for a period of all lines: its refund has no lines to look for.
  const periodic = order.subscriptionId !== null
  if (before !== undefined && before.state === refund.state && (periodic || before.allocation !== null)) return
  const others = known.filter((r) => r.externalId !== refund.externalId)
  const allocation = before?.allocation ?? (periodic ? null : await allocationOf(tx, order, refund, others))
  const saved = await saveRefund(tx, ctx, order.id, order.connectionId, refund, allocation)
  if (before?.state === refund.state) return
  const { amount, currency, state, reason } = refund
  await record(tx, ctx, [
    {
      kind: 'refund.recorded',
      orderId: order.id,
      personId: order.personId,
      data: { refundId: saved.id, amount, currency, state, reason },
    },
  ])
}

async function allocationOf(tx: Tx, order: OrderRow, refund: RefundTruth, others: readonly RefundRow[]) {
  const lines = (await orderLines(tx, order.id)).map((l) => ({
    id: l.id,
    amount: l.amount,
    courseKey: (l.courseIds ?? []).join(' '),
  }))
  return allocateRefund(refund, lines, others)
}

export async function takeDispute(tx: Tx, ctx: Ctx, order: OrderRow, dispute: DisputeTruth): Promise<void> {
  await saveDispute(tx, ctx, order.id, order.connectionId, dispute)
  const about = { orderId: order.id, personId: order.personId }
  const { externalId, amount, currency, state, reason, providerState } = dispute
  const entry: TimelineEntry =
    state === 'won' || state === 'lost'
      ? { ...about, kind: 'dispute.closed', data: { disputeId: externalId, state, providerState } }
      : { ...about, kind: 'dispute.opened', data: { disputeId: externalId, amount, currency, state, reason } }
  await record(tx, ctx, [entry])
}

/**
 * The state of a subscription. Its period runs on before the renewal is paid, so only the first period and trials count
 * from here; renewals count by their paid invoice.
 */
export async function takeSubscription(
  tx: Tx,
  ctx: Ctx,
  order: OrderRow,
  truth: SubscriptionTruth,
  telling: Telling,
): Promise<void> {
  const before = await subscriptionOf(tx, order.id)
  if (before !== null && telling.stated && before.toldAt !== null && telling.at < before.toldAt) return
  const periodEnd = truth.items.reduce<Instant | null>(
    (max, i) => (max === null || i.periodEnd > max ? i.periodEnd : max),
    null,
  )
  const fromPeriod = truth.state === 'trialing' || (before === null && truth.state === 'active') ? periodEnd : null
  const carriedUntil = [before?.carriedUntil ?? null, fromPeriod].reduce(
    (a, b) => (a === null || (b !== null && b > a) ? b : a),
    null,
  )
  const pastDueSince = truth.state === 'past_due' ? (before?.pastDueSince ?? telling.at) : null
  await saveSubscription(tx, ctx, order, truth, { carriedUntil, pastDueSince, toldAt: telling.at })
  if (before?.state === truth.state) return
  await record(tx, ctx, [
    {
      kind: 'subscription.changed',
      orderId: order.id,
      personId: order.personId,
      data: { subscriptionId: truth.externalId, state: truth.state, paidUntil: fromPeriod },
    },
  ])
}
