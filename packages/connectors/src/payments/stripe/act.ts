import type Stripe from 'stripe'
import type { Page } from '#lms/port.ts'
import type { CheckoutRequest, RefundTruth } from '#payments/port.ts'
import { refundTruth } from './map.ts'
import { currencyCode, fromStripe } from './money.ts'
import { UnreadableAnswer } from './unreadable.ts'
import { refundWire } from './wire.ts'

const pricePage = 100

/** Metadata stands on the session and on what it makes: Stripe does not copy it (reference: payments §1.2). */
function sessionParams(request: CheckoutRequest): Stripe.Checkout.SessionCreateParams {
  const metadata = { ...request.metadata }
  return {
    mode: request.mode,
    line_items: request.lines.map((line) => ({ price: line.priceId, quantity: line.quantity })),
    success_url: request.successUrl,
    cancel_url: request.cancelUrl,
    metadata,
    ...(request.mode === 'payment' ? { payment_intent_data: { metadata } } : { subscription_data: { metadata } }),
    ...(request.email === undefined ? {} : { customer_email: request.email }),
    ...(request.expiresAt === undefined ? {} : { expires_at: Math.floor(request.expiresAt / 1_000) }),
  }
}

export async function openCheckout(
  stripe: Stripe,
  request: CheckoutRequest,
): Promise<{ externalId: string; url: string }> {
  const session = await stripe.checkout.sessions.create(sessionParams(request), {
    idempotencyKey: request.idempotencyKey,
  })
  if (session.url === null) throw new UnreadableAnswer('checkout.session.url', null)
  return { externalId: session.id, url: session.url }
}

export type RefundCall = {
  /** A payment intent, or a charge made without one. */
  readonly paymentId: string
  /** In Stripe's own unit; absent: all that is left. */
  readonly amount?: number
  readonly metadata: Readonly<Record<string, string>>
  readonly idempotencyKey: string
}

export async function makeRefund(stripe: Stripe, call: RefundCall): Promise<RefundTruth> {
  const target = /^(ch|py)_/.test(call.paymentId) ? { charge: call.paymentId } : { payment_intent: call.paymentId }
  const refund = await stripe.refunds.create(
    { ...target, ...(call.amount === undefined ? {} : { amount: call.amount }), metadata: { ...call.metadata } },
    { idempotencyKey: call.idempotencyKey },
  )
  return refundTruth(refundWire.parse(refund))
}

export type PriceOnSale = {
  readonly priceId: string
  readonly productId: string
  readonly productName: string
  readonly currency: string
  readonly amount: bigint
  readonly recurring: boolean
  readonly active: boolean
}

/** A price without a fixed amount (tiers, "pay what you want") has none to show: its `amount` is 0. */
function priceOnSale(price: Stripe.Price): PriceOnSale {
  const product = price.product
  const expanded = typeof product === 'string' ? null : product
  return {
    priceId: price.id,
    productId: expanded?.id ?? String(product),
    productName: expanded !== null && 'name' in expanded ? expanded.name : '',
    currency: currencyCode(price.currency),
    amount: fromStripe(price.unit_amount ?? 0, price.currency),
    recurring: price.recurring !== null,
    active: price.active && (expanded === null || ('active' in expanded && expanded.active)),
  }
}

export async function listPrices(stripe: Stripe, cursor?: string): Promise<Page<PriceOnSale>> {
  const page = await stripe.prices.list({
    limit: pricePage,
    expand: ['data.product'],
    ...(cursor === undefined ? {} : { starting_after: cursor }),
  })
  const last = page.data.at(-1)
  return { items: page.data.map(priceOnSale), next: page.has_more && last !== undefined ? last.id : null }
}
