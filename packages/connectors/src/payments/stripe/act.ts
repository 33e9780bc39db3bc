import type Stripe from 'stripe'
import type { Page } from '#lms/port.ts'
import type { RefundTruth } from '#payments/port.ts'
import { refundTruth } from './map.ts'
import { currencyCode, fromStripe } from './money.ts'
import { refundWire } from './wire.ts'

const pricePage = 100

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
