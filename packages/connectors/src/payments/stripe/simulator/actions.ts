import type Stripe from 'stripe'
import { createCustomer, createPrice } from './catalog.ts'
import { expireSession, type Paid, type PayInput, pay, settleAsync } from './checkout.ts'
import { advanceClock, tick } from './clocks.ts'
import { closeDispute, type DisputeInput, type DisputeOutcome, openDispute, warnOfFraud } from './disputes.ts'
import { openLink } from './links.ts'
import { methodOf } from './payments.ts'
import { createCoupon, createPromotionCode, promotionByCode, updatePromotionCode } from './promotions.ts'
import { type RefundInput, refund, refundFail, refundSucceed } from './reversals.ts'
import { cancel, pause, renew, resume, retry, schedule } from './subscriptions.ts'
import { find, Refusal, type World } from './world.ts'

export type PromotionInput = {
  readonly code: string
  readonly percentOff?: number
  readonly amountOff?: number
  readonly currency?: string
  /** For subscriptions: the first invoice, or all. Default `once`. */
  readonly duration?: 'once' | 'forever'
  readonly minimumAmount?: number
  readonly maxRedemptions?: number
  /** Seconds. */
  readonly expiresAt?: number
  readonly products?: readonly string[]
}

/** Everything an outside person (buyer, bank, somebody in the dashboard) can do. Also reachable at /_sim/…. */
export type StripeActions = {
  /** A product with one price, ready to sell. `interval` makes it a subscription. */
  addPrice(input: {
    readonly name: string
    readonly amount: number
    readonly currency?: string
    readonly interval?: string
    readonly metadata?: Readonly<Record<string, string>>
    readonly taxBehavior?: 'inclusive' | 'exclusive'
  }): Stripe.Price
  /** A coupon and a code for it: percent, or an amount in a currency (`usd` when absent). */
  addPromotion(input: PromotionInput): Stripe.PromotionCode
  /** Nobody can enter the code any more; checkouts that hold it keep it. */
  endPromotion(code: string): Stripe.PromotionCode
  /** The account registers for tax in a country: two letters and percent. */
  setTaxRate(country: string, percent: number): void
  addCustomer(input: { readonly email?: string; readonly name?: string; readonly country?: string }): Stripe.Customer
  pay(input: PayInput): Paid
  payAsyncSucceed(session: string): Stripe.Checkout.Session
  payAsyncFail(session: string): Stripe.Checkout.Session
  expire(session: string): Stripe.Checkout.Session
  openLink(link: string): Stripe.Checkout.Session
  refund(input: RefundInput): Stripe.Refund
  refundSucceed(refund: string): Stripe.Refund
  refundFail(refund: string): Stripe.Refund
  dispute(input: DisputeInput): Stripe.Dispute
  disputeClose(dispute: string, outcome: DisputeOutcome): Stripe.Dispute
  fraudWarning(paymentIntent: string): Stripe.Radar.EarlyFraudWarning
  renew(subscription: string): Stripe.Subscription
  renewFail(subscription: string): Stripe.Subscription
  /** Another try of the open invoice, with the card given. */
  retry(subscription: string, card?: string): Stripe.Subscription
  cancel(subscription: string): Stripe.Subscription
  cancelAt(
    subscription: string,
    at: { readonly cancel_at?: number | null; readonly cancel_at_period_end?: boolean },
  ): Stripe.Subscription
  pause(subscription: string): Stripe.Subscription
  resume(subscription: string): Stripe.Subscription
  /** The card of a customer's later renewals: a number as in `pay`. */
  setCard(customer: string, card: string): void
  setAfterDunning(what: 'cancel' | 'unpaid'): void
  /** Moves a test clock to a moment (s), or does what is due by the simulator's own clock. */
  advance(input: { readonly clock: string; readonly frozen_time: number } | Record<string, never>): void
}

function addPromotion(world: World, input: PromotionInput): Stripe.PromotionCode {
  const coupon = createCoupon(world, {
    name: input.code,
    ...(input.percentOff === undefined ? {} : { percent_off: input.percentOff }),
    ...(input.amountOff === undefined ? {} : { amount_off: input.amountOff, currency: input.currency ?? 'usd' }),
    ...(input.duration === undefined ? {} : { duration: input.duration }),
    ...(input.products === undefined ? {} : { applies_to: { products: [...input.products] } }),
  })
  return createPromotionCode(world, {
    code: input.code,
    promotion: { type: 'coupon', coupon: coupon.id },
    ...(input.minimumAmount === undefined ? {} : { restrictions: { minimum_amount: input.minimumAmount } }),
    ...(input.maxRedemptions === undefined ? {} : { max_redemptions: input.maxRedemptions }),
    ...(input.expiresAt === undefined ? {} : { expires_at: input.expiresAt }),
  })
}

function endPromotion(world: World, code: string): Stripe.PromotionCode {
  const promotion = promotionByCode(world, code)
  if (promotion === undefined) throw new Refusal(`No such promotion code: '${code}'`, { param: 'code' }, 404)
  return updatePromotionCode(world, promotion.id, { active: false })
}

function addCustomer(world: World, input: Parameters<StripeActions['addCustomer']>[0]): Stripe.Customer {
  const { country, ...who } = input
  const customer = createCustomer(world, who)
  if (country !== undefined)
    customer.address = { city: null, country, line1: null, line2: null, postal_code: null, state: null }
  return customer
}

export const actionsOf = (world: World): StripeActions => ({
  addPrice: (input) =>
    createPrice(world, {
      currency: input.currency ?? 'usd',
      unit_amount: input.amount,
      product_data: { name: input.name },
      ...(input.interval === undefined ? {} : { recurring: { interval: input.interval } }),
      ...(input.metadata === undefined ? {} : { metadata: { ...input.metadata } }),
      ...(input.taxBehavior === undefined ? {} : { tax_behavior: input.taxBehavior }),
    }),
  addPromotion: (input) => addPromotion(world, input),
  endPromotion: (code) => endPromotion(world, code),
  setTaxRate: (country, percent) => {
    world.taxRates.set(country.toUpperCase(), percent)
  },
  addCustomer: (input) => addCustomer(world, input),
  pay: (input) => pay(world, input),
  payAsyncSucceed: (session) => settleAsync(world, session, true),
  payAsyncFail: (session) => settleAsync(world, session, false),
  expire: (session) => expireSession(world, session),
  openLink: (link) => openLink(world, link),
  refund: (input) => refund(world, input),
  refundSucceed: (id) => refundSucceed(world, id),
  refundFail: (id) => refundFail(world, id),
  dispute: (input) => openDispute(world, input),
  disputeClose: (id, outcome) => closeDispute(world, id, outcome),
  fraudWarning: (payment) => warnOfFraud(world, payment),
  renew: (id) => renew(world, id, 'card'),
  renewFail: (id) => renew(world, id, 'declined'),
  retry: (id, card) => retry(world, id, card === undefined ? undefined : methodOf(card)),
  cancel: (id) => cancel(world, id),
  cancelAt: (id, at) => schedule(world, id, at),
  pause: (id) => pause(world, id),
  resume: (id) => resume(world, id),
  setCard: (customer, card) => {
    find(world.customers, customer, 'customer', 'customer')
    world.cards.set(customer, methodOf(card))
  },
  setAfterDunning: (what) => {
    world.afterDunning = what
  },
  advance: (input) => {
    if ('clock' in input && typeof input.clock === 'string') advanceClock(world, input.clock, Number(input.frozen_time))
    else tick(world)
  },
})
