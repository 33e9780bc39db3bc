import type { CheckoutLine, CheckoutTruth, DisputeTruth, PaymentFacts, RefundTruth } from '#payments/port.ts'
import { subscriptionTruth } from './billing.ts'
import { currencyCode, fromStripe } from './money.ts'
import { instant, UnreadableAnswer } from './unreadable.ts'
import type { ChargeWire, CheckoutWire, DisputeWire, LineItemWire, PaymentWire, RefundWire } from './wire.ts'

const refundStates = ['pending', 'succeeded', 'failed', 'canceled', 'requires_action'] as const

/** A refund without a status dates from before 2022, when every refund had already succeeded. */
function refundState(status: string | null): RefundTruth['state'] {
  if (status === null) return 'succeeded'
  const known = refundStates.find((state) => state === status)
  if (known === undefined) throw new UnreadableAnswer('refund.status', status)
  return known
}

export const refundTruth = (refund: RefundWire): RefundTruth => ({
  kind: 'refund',
  externalId: refund.id,
  paymentId: refund.payment_intent,
  chargeId: refund.charge,
  amount: fromStripe(refund.amount, refund.currency),
  currency: currencyCode(refund.currency),
  state: refundState(refund.status),
  reason: refund.reason,
  metadata: refund.metadata,
  createdAt: instant(refund.created),
})

/** A status we do not know counts as open: suspicion costs less than a seat given away, and a person sees it. */
function disputeState(status: string): DisputeTruth['state'] {
  switch (status) {
    case 'won':
    case 'prevented':
    case 'warning_closed':
      return 'won'
    case 'lost':
      return 'lost'
    default:
      return status.startsWith('warning_') ? 'inquiry' : 'open'
  }
}

export function disputeTruth(dispute: DisputeWire): DisputeTruth {
  const moved = (dispute.balance_transactions ?? []).reduce((sum, transaction) => sum + transaction.amount, 0)
  return {
    kind: 'dispute',
    externalId: dispute.id,
    paymentId: dispute.payment_intent,
    chargeId: dispute.charge,
    amount: fromStripe(dispute.amount, dispute.currency),
    currency: currencyCode(dispute.currency),
    state: disputeState(dispute.status),
    providerState: dispute.status,
    fundsWithdrawn: moved < 0,
    reason: dispute.reason ?? 'general',
    createdAt: instant(dispute.created),
  }
}

/** A failed attempt returns an intent to `requires_payment_method` and leaves its error there. */
function paymentState(payment: PaymentWire): PaymentFacts['state'] {
  switch (payment.status) {
    case 'succeeded':
      return 'succeeded'
    case 'processing':
      return 'processing'
    case 'canceled':
      return 'canceled'
    case 'requires_payment_method':
      return payment.last_payment_error ? 'failed' : 'pending'
    default:
      return 'pending'
  }
}

export type Attached = { readonly refunds?: readonly RefundWire[]; readonly disputes?: readonly DisputeWire[] }

/** A payment with what hangs on its latest charge. Lists that needed further pages come in `attached`. */
export function paymentFacts(payment: PaymentWire, attached: Attached = {}): PaymentFacts {
  const charge = payment.latest_charge?.value ?? payment.charges?.data[0] ?? null
  const currency = currencyCode(payment.currency)
  const refunds = attached.refunds ?? charge?.refunds?.data ?? []
  return {
    kind: 'payment',
    externalId: payment.id,
    state: paymentState(payment),
    amount: fromStripe(payment.amount, currency),
    amountReceived: fromStripe(payment.amount_received ?? 0, currency),
    currency,
    livemode: payment.livemode,
    customerId: payment.customer,
    email: payment.receipt_email ?? charge?.billing_details?.email ?? charge?.receipt_email ?? null,
    chargeId: payment.latest_charge?.id ?? charge?.id ?? null,
    amountRefunded: fromStripe(charge?.amount_refunded ?? 0, currency),
    disputed: charge?.disputed ?? false,
    refunds: refunds.map(refundTruth),
    disputes: (attached.disputes ?? []).map(disputeTruth),
    metadata: payment.metadata,
    createdAt: instant(payment.created),
  }
}

const chargeStates: Readonly<Record<string, PaymentFacts['state']>> = {
  succeeded: 'succeeded',
  pending: 'processing',
  failed: 'failed',
}

/** What a charge alone says about its payment: all there is for a charge made without a payment intent. */
export function factsOfCharge(charge: ChargeWire, attached: Attached = {}): PaymentFacts {
  const currency = currencyCode(charge.currency)
  const state = chargeStates[charge.status] ?? 'pending'
  const captured = charge.amount_captured ?? (state === 'succeeded' ? charge.amount : 0)
  return {
    kind: 'payment',
    externalId: charge.payment_intent ?? charge.id,
    state,
    amount: fromStripe(charge.amount, currency),
    amountReceived: fromStripe(captured, currency),
    currency,
    livemode: charge.livemode,
    customerId: charge.customer,
    email: charge.receipt_email ?? charge.billing_details?.email ?? null,
    chargeId: charge.id,
    amountRefunded: fromStripe(charge.amount_refunded, currency),
    disputed: charge.disputed ?? false,
    refunds: (attached.refunds ?? charge.refunds?.data ?? []).map(refundTruth),
    disputes: (attached.disputes ?? []).map(disputeTruth),
    metadata: charge.metadata,
    createdAt: instant(charge.created),
  }
}

const checkoutLine = (line: LineItemWire, currency: string): CheckoutLine => ({
  externalId: line.id,
  priceId: line.price?.id ?? null,
  productId: line.price?.product ?? null,
  description: line.description ?? '',
  quantity: line.quantity ?? 1,
  amount: fromStripe(line.amount_total, currency),
  tax: fromStripe(line.amount_tax ?? 0, currency),
})

function checkoutMode(mode: string): CheckoutTruth['mode'] {
  if (mode === 'payment' || mode === 'subscription' || mode === 'setup') return mode
  throw new UnreadableAnswer('checkout.session.mode', mode)
}

/** Only the two words that mean "fulfil" do; a word we do not know is not one of them. */
const paidState = (status: string): CheckoutTruth['paid'] =>
  status === 'paid' || status === 'no_payment_required' ? status : 'unpaid'

function checkoutState(status: string | null, paid: CheckoutTruth['paid']): CheckoutTruth['state'] {
  if (status === 'complete' || status === 'expired' || status === 'open') return status
  if (status === null) return paid === 'unpaid' ? 'open' : 'complete'
  throw new UnreadableAnswer('checkout.session.status', status)
}

export function checkoutTruth(
  session: CheckoutWire,
  lines: readonly LineItemWire[] | null = session.line_items?.data ?? null,
  attached: Attached = {},
): CheckoutTruth {
  // A session in setup mode has no currency and no amount; 0 in any currency is the same nothing.
  const currency = currencyCode(session.currency ?? 'usd')
  const paid = paidState(session.payment_status)
  const details = session.customer_details
  return {
    kind: 'checkout',
    externalId: session.id,
    mode: checkoutMode(session.mode),
    state: checkoutState(session.status, paid),
    paid,
    livemode: session.livemode,
    customerId: session.customer,
    email: details?.email ?? session.customer_email,
    name: details?.individual_name ?? details?.name ?? null,
    currency,
    amount: fromStripe(session.amount_total ?? 0, currency),
    tax: fromStripe(session.total_details?.amount_tax ?? 0, currency),
    discount: fromStripe(session.total_details?.amount_discount ?? 0, currency),
    clientReferenceId: session.client_reference_id,
    metadata: session.metadata,
    lines: lines === null ? null : lines.map((line) => checkoutLine(line, currency)),
    paymentId: session.payment_intent?.id ?? null,
    payment: session.payment_intent?.value ? paymentFacts(session.payment_intent.value, attached) : null,
    subscriptionId: session.subscription?.id ?? null,
    subscription: session.subscription?.value ? subscriptionTruth(session.subscription.value) : null,
    invoiceId: session.invoice,
    createdAt: instant(session.created),
  }
}
