import type Stripe from 'stripe'
import { createPrice } from './catalog.ts'
import { expireSession, type Paid, type PayInput, pay, settleAsync } from './checkout.ts'
import { advanceClock, tick } from './clocks.ts'
import { closeDispute, type DisputeInput, type DisputeOutcome, openDispute, warnOfFraud } from './disputes.ts'
import { openLink } from './links.ts'
import { methodOf } from './payments.ts'
import { type RefundInput, refund, refundFail, refundSucceed } from './reversals.ts'
import { cancel, pause, renew, resume, retry, schedule } from './subscriptions.ts'
import { find, type World } from './world.ts'

/** Everything an outside person (buyer, bank, somebody in the dashboard) can do. Also reachable at /_sim/…. */
export type StripeActions = {
  /** A product with one price, ready to sell. `interval` makes it a subscription. */
  addPrice(input: {
    readonly name: string
    readonly amount: number
    readonly currency?: string
    readonly interval?: string
    readonly metadata?: Readonly<Record<string, string>>
  }): Stripe.Price
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

export const actionsOf = (world: World): StripeActions => ({
  addPrice: (input) =>
    createPrice(world, {
      currency: input.currency ?? 'usd',
      unit_amount: input.amount,
      product_data: { name: input.name },
      ...(input.interval === undefined ? {} : { recurring: { interval: input.interval } }),
      ...(input.metadata === undefined ? {} : { metadata: { ...input.metadata } }),
    }),
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
