import { exponentOf, formatMoney } from '@bursar/kit/money.ts'
import type Stripe from 'stripe'
import { currencyCode, fromStripe } from '../money.ts'
import { addressOf, couponOf, taxPercentOf } from './totals.ts'
import { idOf, type World } from './world.ts'

/** How many of Stripe's units make one of the currency: 100 for most, 1 for JPY. */
const divisorOf = (currency: string): number => {
  const code = currencyCode(currency)
  // Ten thousand of Stripe's units in ISO minor units tell how far the two counts are apart.
  const factor = Number(fromStripe(10_000, code)) / 10_000
  return 10 ** exponentOf(code) / factor
}

const amountIn = (currency: string) => (amount: number) => ({
  minorUnitsAmount: amount,
  amount: formatMoney({ amount: fromStripe(amount, currency), currency: currencyCode(currency) }),
})

type Show = ReturnType<typeof amountIn>

const discountOf = (world: World, session: Stripe.Checkout.Session, amount: number, show: Show) => {
  const coupon = couponOf(world, session)
  if (coupon === undefined) return []
  const promotion = world.promotionCodes.get(idOf(session.discounts?.[0]?.promotion_code) ?? '')
  return [
    {
      ...show(amount),
      displayName: coupon.name ?? coupon.id,
      promotionCode: promotion?.code ?? null,
      recurring: session.mode === 'subscription' && coupon.duration === 'forever' ? { type: 'forever' } : null,
      percentOff: coupon.percent_off,
    },
  ]
}

const isInclusive = (line: Stripe.LineItem): boolean => line.price?.tax_behavior === 'inclusive'

function taxes(percent: number | null, amount: number, inclusive: boolean, show: Show) {
  return percent === null ? [] : [{ ...show(amount), inclusive, displayName: 'Tax', percentage: percent }]
}

function lineView(world: World, session: Stripe.Checkout.Session, line: Stripe.LineItem, show: Show) {
  const { price } = line
  const inclusive = isInclusive(line)
  const unit = show(price?.unit_amount ?? 0)
  return {
    id: line.id,
    name: line.description ?? '',
    discount: show(line.amount_discount),
    subtotal: show(line.amount_subtotal),
    total: show(line.amount_total),
    taxExclusive: show(inclusive ? 0 : line.amount_tax),
    taxInclusive: show(inclusive ? line.amount_tax : 0),
    unitAmount: unit,
    unitAmountDecimal: unit,
    description: null,
    quantity: line.quantity ?? 1,
    unitLabel: null,
    discountAmounts: discountOf(world, session, line.amount_discount, show),
    taxAmounts: taxes(taxPercentOf(world, session), line.amount_tax, inclusive, show),
    recurring: price?.recurring
      ? { interval: price.recurring.interval, intervalCount: price.recurring.interval_count, usageType: 'licensed' }
      : null,
    adjustableQuantity: null,
    images: [],
    priceId: price?.id ?? '',
    isRemovable: false,
    pricing: null,
    transformQuantity: null,
  }
}

function totalView(session: Stripe.Checkout.Session, lines: readonly Stripe.LineItem[], show: Show) {
  const inclusive = lines.filter(isInclusive).reduce((sum, line) => sum + line.amount_tax, 0)
  const { amount_discount = 0, amount_tax = 0 } = session.total_details ?? {}
  return {
    appliedBalance: show(0),
    balanceAppliedToNextInvoice: false,
    discount: show(amount_discount),
    shippingRate: show(0),
    subtotal: show(session.amount_subtotal ?? 0),
    surcharge: show(0),
    taxExclusive: show(Math.max(0, amount_tax - inclusive)),
    taxInclusive: show(Math.min(inclusive, amount_tax)),
    total: show(session.amount_total ?? 0),
  }
}

const statusView = (session: Stripe.Checkout.Session) =>
  session.status === 'complete' ? { type: 'complete', paymentStatus: session.payment_status } : { type: session.status }

function contactView(world: World, session: Stripe.Checkout.Session) {
  const address = addressOf(world, session)
  if (address === null || address.country === null) return null
  return { name: session.customer_details?.name ?? null, address: { ...address, country: address.country } }
}

function lastErrorOf(world: World, session: Stripe.Checkout.Session) {
  const message = world.payments.get(idOf(session.payment_intent) ?? '')?.last_payment_error?.message
  return message === undefined ? null : { message }
}

/** Whose purchase it is, as far as anybody has said. */
export const emailOf = (world: World, session: Stripe.Checkout.Session): string | null =>
  session.customer_details?.email ??
  session.customer_email ??
  world.customers.get(idOf(session.customer) ?? '')?.email ??
  world.emails.get(session.id) ??
  null

/** The session as Stripe.js hands it to a page: `StripeCheckoutSession` of @stripe/stripe-js 10. */
export function sessionView(world: World, session: Stripe.Checkout.Session) {
  const currency = session.currency ?? 'usd'
  const show = amountIn(currency)
  const lines = world.lines.get(session.id) ?? []
  const email = emailOf(world, session)
  const { amount_discount = 0, amount_tax = 0 } = session.total_details ?? {}
  const located = session.automatic_tax.status !== 'requires_location_inputs'
  return {
    billingAddress: contactView(world, session),
    businessName: null,
    nameCollection: null,
    canConfirm: session.status === 'open' && email !== null && located,
    currency,
    currencyOptions: null,
    discountAmounts: discountOf(world, session, amount_discount, show),
    email,
    id: session.id,
    lastPaymentError: lastErrorOf(world, session),
    lineItems: lines.map((line) => lineView(world, session, line, show)),
    livemode: session.livemode,
    minorUnitsAmountDivisor: divisorOf(currency),
    phoneNumber: null,
    recurring: null,
    savedPaymentMethods: null,
    shipping: null,
    shippingAddress: null,
    shippingOptions: [],
    status: statusView(session),
    surcharge: null,
    tax: { status: located ? 'ready' : 'requires_billing_address' },
    taxAmounts: taxes(taxPercentOf(world, session), amount_tax, lines.length > 0 && lines.every(isInclusive), show),
    taxIdInfo: null,
    total: totalView(session, lines, show),
    optionalItems: null,
  }
}

export type SessionView = ReturnType<typeof sessionView>
