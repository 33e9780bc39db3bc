import type Stripe from 'stripe'
import { createCustomer } from './catalog.ts'
import { attempt, createPayment, decline, type Method, methodOf, type PaymentInput, settle } from './payments.ts'
import { redeem } from './promotions.ts'
import { settleInvoice, startSubscription } from './subscriptions.ts'
import { addressOf, couponOf, locate, taxPercentOf } from './totals.ts'
import { emit, find, idOf, nowS, type Plan, Refusal, type World } from './world.ts'

export type PayInput = {
  readonly session: string
  readonly card?: string
  readonly email?: string
  readonly name?: string
  /** Two letters; where tax is worked out. Without one: as the form or the customer says, else US. */
  readonly country?: string
}
export type Paid = { readonly outcome: 'paid' | 'processing' | 'declined'; readonly session: Stripe.Checkout.Session }

const noPlan: Plan = { paymentMetadata: {}, subscriptionMetadata: {}, trialDays: 0, description: null }

export function openSession(world: World, id: string): Stripe.Checkout.Session {
  const session = find(world.sessions, id, 'checkout.session', 'session')
  if (session.status === 'open' && session.expires_at <= nowS(world)) expireSession(world, id)
  if (session.status !== 'open')
    throw new Refusal(`This Checkout Session is ${session.status}.`, { code: 'checkout_session_not_open' }, 409)
  return session
}

/** The buyer fills in the form and presses the button. */
export function pay(world: World, input: PayInput): Paid {
  const session = openSession(world, input.session)
  const method = methodOf(input.card)
  const stored = world.customers.get(idOf(session.customer) ?? '')
  const email = input.email ?? session.customer_email ?? stored?.email ?? 'learner@example.com'
  const name = input.name ?? stored?.name ?? 'Test Learner'
  const known = addressOf(world, session)
  if (input.country !== undefined || (session.automatic_tax.enabled && known === null))
    locate(world, session, { ...known, country: input.country ?? 'US' })
  const outcome =
    session.mode === 'subscription'
      ? paySubscription(world, session, method, email, name)
      : payOnce(world, session, method, email, name)
  if (outcome === 'declined') return { outcome, session }
  session.customer_details = {
    address: addressOf(world, session),
    business_name: null,
    email,
    individual_name: null,
    name,
    phone: null,
    tax_exempt: 'none',
    tax_ids: [],
  }
  session.status = 'complete'
  session.url = null
  if (session.payment_status !== 'no_payment_required') session.payment_status = outcome === 'paid' ? 'paid' : 'unpaid'
  redeem(world, session)
  world.challenges.delete(session.id)
  emit(world, 'checkout.session.completed', session)
  return { outcome, session }
}

export function payerOf(
  world: World,
  session: Stripe.Checkout.Session,
  email: string,
  name: string | null,
): PaymentInput {
  const plan = world.plans.get(session.id) ?? noPlan
  return {
    amount: session.amount_total ?? 0,
    currency: session.currency ?? 'usd',
    customer: idOf(session.customer),
    email,
    name,
    metadata: plan.paymentMetadata,
    description: plan.description,
    at: nowS(world),
  }
}

/** The session's intent, made by the first attempt; a code entered after a failed one changes its amount. */
export function paymentOf(world: World, session: Stripe.Checkout.Session, who: PaymentInput): Stripe.PaymentIntent {
  const payment = world.payments.get(idOf(session.payment_intent) ?? '') ?? createPayment(world, who)
  payment.amount = who.amount
  payment.next_action = null
  session.payment_intent = payment.id
  return payment
}

function payOnce(
  world: World,
  session: Stripe.Checkout.Session,
  method: Method,
  email: string,
  name: string,
): Paid['outcome'] {
  if (session.customer_creation === 'always' && session.customer === null && method !== 'declined')
    session.customer = createCustomer(world, { email, name }).id
  if (session.payment_status === 'no_payment_required') return 'paid'
  const who = payerOf(world, session, email, name)
  attempt(world, paymentOf(world, session, who), who, method)
  return method === 'card' ? 'paid' : method === 'bank_debit' ? 'processing' : 'declined'
}

function paySubscription(
  world: World,
  session: Stripe.Checkout.Session,
  method: Method,
  email: string,
  name: string,
): Paid['outcome'] {
  if (method === 'declined') return 'declined'
  const customer = world.customers.get(idOf(session.customer) ?? '') ?? createCustomer(world, { email, name })
  session.customer = customer.id
  const plan = world.plans.get(session.id) ?? noPlan
  const started = startSubscription(world, {
    customer,
    lines: world.lines.get(session.id) ?? [],
    metadata: plan.subscriptionMetadata,
    trialDays: plan.trialDays,
    method,
    terms: { coupon: couponOf(world, session)?.id ?? null, taxPercent: taxPercentOf(world, session) },
  })
  session.subscription = started.subscription.id
  session.invoice = started.invoice.id
  return method === 'bank_debit' ? 'processing' : 'paid'
}

/** A delayed payment of a completed session arrives, or does not. */
export function settleAsync(world: World, id: string, succeeded: boolean): Stripe.Checkout.Session {
  const session = find(world.sessions, id, 'checkout.session', 'session')
  const subscription = idOf(session.subscription)
  if (subscription === null) settlePayment(world, session, succeeded)
  else settleInvoice(world, subscription, succeeded)
  if (succeeded) session.payment_status = 'paid'
  emit(world, `checkout.session.async_payment_${succeeded ? 'succeeded' : 'failed'}`, session)
  return session
}

function settlePayment(world: World, session: Stripe.Checkout.Session, succeeded: boolean): void {
  const payment = world.payments.get(idOf(session.payment_intent) ?? '')
  const charge = world.charges.get(idOf(payment?.latest_charge) ?? '')
  if (payment === undefined || charge === undefined || payment.status !== 'processing')
    throw new Refusal('This session has no payment under way.', { code: 'payment_intent_unexpected_state' }, 409)
  if (succeeded) settle(world, payment, charge, nowS(world))
  else decline(world, payment, charge)
}

export function expireSession(world: World, id: string): Stripe.Checkout.Session {
  const session = find(world.sessions, id, 'checkout.session', 'session')
  if (session.status !== 'open')
    throw new Refusal(
      `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of ${session.status}.`,
    )
  session.status = 'expired'
  session.url = null
  emit(world, 'checkout.session.expired', session)
  return session
}
