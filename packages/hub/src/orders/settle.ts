import type {
  DisputeTruth,
  InvoiceTruth,
  PaymentFacts,
  PaymentTruth,
  RefundTruth,
  SubscriptionTruth,
} from '@bursar/connectors/payments/port.ts'
import type { Instant } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { record } from '#events/timeline.ts'
import { settleCheckout } from './checkout.ts'
import { reevaluate } from './evaluate.ts'
import { applyPayment, savePaymentParts, takeDispute, takeRefund, takeSubscription } from './parts.ts'
import { findOrder, saveInvoice, subscriptionOf } from './store.ts'
import { orderIdKey, type Settled, type Telling } from './telling.ts'

/**
 * Brings one order to what the provider says, in the caller's transaction: order, refunds, disputes, subscription,
 * entitlements and what is wanted of each seat. Depends on facts, not on the order in which they arrive; calling it
 * again changes nothing.
 */
export async function settle(tx: Tx, ctx: Ctx, truth: PaymentTruth, telling: Telling): Promise<Settled> {
  switch (truth.kind) {
    case 'checkout':
      return settleCheckout(tx, ctx, truth, telling)
    case 'payment':
      return settlePayment(tx, ctx, truth, telling)
    case 'refund':
      return settleRefund(tx, ctx, truth, telling)
    case 'dispute':
      return settleDispute(tx, ctx, truth, telling)
    case 'subscription':
      return settleSubscription(tx, ctx, truth, telling)
    case 'invoice':
      return settleInvoice(tx, ctx, truth, telling)
  }
}

const unmatched = (why: string): Settled => ({ outcome: 'unmatched', why })

async function settlePayment(tx: Tx, ctx: Ctx, payment: PaymentFacts, telling: Telling): Promise<Settled> {
  const order = await findOrder(tx, {
    connectionId: telling.connectionId,
    paymentId: payment.externalId,
    id: payment.metadata[orderIdKey] ?? null,
  })
  if (order === null) return unmatched(`No order knows payment ${payment.externalId} yet.`)
  // A subscription's payments are its invoices'; the order is told of them by those, and keeps none as its own.
  const next = order.subscriptionId === null ? applyPayment(order, payment, telling) : order
  await savePaymentParts(tx, ctx, next, payment)
  return reevaluate(tx, ctx, next, order)
}

async function settleRefund(tx: Tx, ctx: Ctx, refund: RefundTruth, telling: Telling): Promise<Settled> {
  const order = await findOrder(tx, { connectionId: telling.connectionId, paymentId: refund.paymentId })
  if (order === null) return unmatched(`No order knows the payment of refund ${refund.externalId} yet.`)
  await takeRefund(tx, ctx, order, refund)
  return reevaluate(tx, ctx, order, order)
}

async function settleDispute(tx: Tx, ctx: Ctx, dispute: DisputeTruth, telling: Telling): Promise<Settled> {
  const order = await findOrder(tx, { connectionId: telling.connectionId, paymentId: dispute.paymentId })
  if (order === null) return unmatched(`No order knows the payment of dispute ${dispute.externalId} yet.`)
  await takeDispute(tx, ctx, order, dispute)
  return reevaluate(tx, ctx, order, order)
}

async function settleSubscription(tx: Tx, ctx: Ctx, truth: SubscriptionTruth, telling: Telling): Promise<Settled> {
  const order = await findOrder(tx, {
    connectionId: telling.connectionId,
    subscriptionId: truth.externalId,
    id: truth.metadata[orderIdKey] ?? null,
  })
  if (order === null) return unmatched(`No order knows subscription ${truth.externalId} yet.`)
  const next = { ...order, subscriptionId: order.subscriptionId ?? truth.externalId }
  await takeSubscription(tx, ctx, next, truth, telling)
  return reevaluate(tx, ctx, next, order)
}

async function settleInvoice(tx: Tx, ctx: Ctx, invoice: InvoiceTruth, telling: Telling): Promise<Settled> {
  if (invoice.subscriptionId === null) return unmatched(`Invoice ${invoice.externalId} belongs to no subscription.`)
  const order = await findOrder(tx, { connectionId: telling.connectionId, subscriptionId: invoice.subscriptionId })
  const subscription = order === null ? null : await subscriptionOf(tx, order.id)
  if (order === null || subscription === null)
    return unmatched(`No order knows subscription ${invoice.subscriptionId} yet.`)
  const periodEnd = invoice.lines.reduce<Instant | null>(
    (max, l) => (max === null || l.periodEnd > max ? l.periodEnd : max),
    null,
  )
  const { was } = await saveInvoice(tx, ctx, subscription.id, telling.connectionId, invoice, periodEnd)
  const about = { orderId: order.id, personId: order.personId }
  if (invoice.state === 'paid' && was !== 'paid') {
    const { externalId, amountPaid, currency } = invoice
    await record(tx, ctx, [
      { ...about, kind: 'invoice.paid', data: { invoiceId: externalId, amount: amountPaid, currency, periodEnd } },
    ])
  } else if (invoice.state === 'open' && invoice.attempts > 0) {
    const { externalId, attempts, nextAttemptAt } = invoice
    await record(tx, ctx, [
      { ...about, kind: 'invoice.failed', data: { invoiceId: externalId, attempts, nextAttemptAt } },
    ])
  }
  return reevaluate(tx, ctx, order, order)
}
