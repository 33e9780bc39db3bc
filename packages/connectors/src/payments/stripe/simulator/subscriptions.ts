import type Stripe from 'stripe'
import { timeFor } from './catalog.ts'
import { collect, createInvoice, markPaid, paymentIntentOf } from './invoices.ts'
import { decline, type Method, settle } from './payments.ts'
import { addInterval, newSubscription, type StartInput } from './subscription.ts'
import { invoicePricing } from './totals.ts'
import { emit, find, idOf, Refusal, type World } from './world.ts'

const dayS = 24 * 3600
/** When an unpaid renewal is tried again, in days after the first attempt: Stripe's default is four tries in all. */
const retryDays = [3, 5, 7]

/** Opens an invoice over the items' current periods. */
function invoicePeriod(world: World, subscription: Stripe.Subscription, reason: string, at: number): Stripe.Invoice {
  const customer = find(world.customers, idOf(subscription.customer) ?? '', 'customer')
  const free = subscription.status === 'trialing'
  const items = subscription.items.data.map((item) => ({
    item,
    price: item.price,
    amount: free ? 0 : (item.price.unit_amount ?? 0) * (item.quantity ?? 1),
  }))
  const { priced, coupon } = invoicePricing(world, subscription, items)
  const invoice = createInvoice(world, {
    customer,
    subscription,
    reason,
    coupon,
    lines: items.map(({ item, amount }, i) => ({
      item,
      priced: priced[i] ?? { subtotal: amount, discount: 0, tax: 0, total: amount },
      start: item.current_period_start,
      end: item.current_period_end,
    })),
    at,
  })
  subscription.latest_invoice = invoice.id
  return invoice
}

export function startSubscription(
  world: World,
  input: StartInput,
): { readonly subscription: Stripe.Subscription; readonly invoice: Stripe.Invoice } {
  const at = timeFor(world, input.customer.test_clock)
  const subscription = newSubscription(world, input, at)
  world.subscriptions.set(subscription.id, subscription)
  world.terms.set(subscription.id, input.terms)
  const invoice = invoicePeriod(world, subscription, 'subscription_create', at)
  emit(world, 'customer.subscription.created', subscription, null, at)
  collect(world, invoice, input.method, at)
  return { subscription, invoice }
}

const change = (
  world: World,
  subscription: Stripe.Subscription,
  next: Partial<Stripe.Subscription>,
  at: number,
): void => {
  const keys = Object.keys(next) as (keyof Stripe.Subscription)[]
  const previous = Object.fromEntries(keys.map((key) => [key, subscription[key]]))
  Object.assign(subscription, next)
  emit(world, 'customer.subscription.updated', subscription, previous, at)
}

const live = (subscription: Stripe.Subscription): void => {
  if (subscription.status === 'canceled' || subscription.status === 'incomplete_expired')
    throw new Refusal(`No such subscription: '${subscription.id}'`, { code: 'resource_missing', param: 'id' }, 404)
}

export const timeOf = (world: World, subscription: Stripe.Subscription): number =>
  timeFor(world, subscription.test_clock)

/** The next period begins: a new invoice, collected at once, paid or not. */
export function renew(world: World, id: string, method?: Method, at?: number): Stripe.Subscription {
  const subscription = find(world.subscriptions, id, 'subscription')
  live(subscription)
  const when = at ?? timeOf(world, subscription)
  for (const item of subscription.items.data) {
    item.current_period_start = item.current_period_end
    item.current_period_end = addInterval(
      item.current_period_start,
      item.price.recurring ?? { interval: 'month', interval_count: 1 },
    )
  }
  if (subscription.status === 'trialing') subscription.status = 'active'
  const invoice = invoicePeriod(world, subscription, 'subscription_cycle', when)
  change(world, subscription, { latest_invoice: invoice.id }, when)
  charge(world, subscription, invoice, method ?? world.cards.get(idOf(subscription.customer) ?? '') ?? 'card', when)
  return subscription
}

/** One try to collect the open invoice, with what it does to the subscription. */
function charge(
  world: World,
  subscription: Stripe.Subscription,
  invoice: Stripe.Invoice,
  method: Method,
  at: number,
): void {
  const outcome = collect(world, invoice, method, at)
  if (outcome === 'paid') recover(world, subscription, at)
  if (outcome === 'failed') fallBehind(world, subscription, invoice, at)
}

const recover = (world: World, subscription: Stripe.Subscription, at: number): void => {
  if (subscription.status === 'past_due') change(world, subscription, { status: 'active' }, at)
}

function fallBehind(world: World, subscription: Stripe.Subscription, invoice: Stripe.Invoice, at: number): void {
  const wait = retryDays[invoice.attempt_count - 1]
  invoice.next_payment_attempt = wait === undefined ? null : at + wait * dayS
  emit(world, 'invoice.payment_failed', invoice, null, at)
  if (wait === undefined) giveUp(world, subscription, at)
  else if (subscription.status !== 'past_due') change(world, subscription, { status: 'past_due' }, at)
}

/** A bank debit of the latest invoice arrives, or comes back. */
export function settleInvoice(world: World, id: string, succeeded: boolean): void {
  const subscription = find(world.subscriptions, id, 'subscription')
  const at = timeOf(world, subscription)
  const invoice = find(world.invoices, idOf(subscription.latest_invoice) ?? '', 'invoice')
  const payment = paymentIntentOf(world, invoice.id)
  const debit = world.charges.get(idOf(payment?.latest_charge) ?? '')
  if (payment === null || debit === undefined || payment.status !== 'processing')
    throw new Refusal('No payment is under way.', { code: 'payment_intent_unexpected_state' }, 409)
  if (succeeded) {
    settle(world, payment, debit, at)
    markPaid(world, invoice, at)
    recover(world, subscription, at)
  } else {
    decline(world, payment, debit, at)
    fallBehind(world, subscription, invoice, at)
  }
}

/** After the last try: canceled, or kept as unpaid when the account is set so. */
function giveUp(world: World, subscription: Stripe.Subscription, at: number): void {
  if (world.afterDunning === 'unpaid') change(world, subscription, { status: 'unpaid' }, at)
  else end(world, subscription, 'payment_failed', at)
}

function end(world: World, subscription: Stripe.Subscription, reason: string, at: number): void {
  subscription.status = 'canceled'
  subscription.canceled_at ??= at
  subscription.ended_at = at
  subscription.cancellation_details = { comment: null, feedback: null, feedback_option: null, reason }
  emit(world, 'customer.subscription.deleted', subscription, null, at)
}

/** Another try for the open invoice of a subscription that is behind. */
export function retry(world: World, id: string, method?: Method, at?: number): Stripe.Subscription {
  const subscription = find(world.subscriptions, id, 'subscription')
  live(subscription)
  const invoice = world.invoices.get(idOf(subscription.latest_invoice) ?? '')
  if (invoice === undefined || invoice.status !== 'open')
    throw new Refusal('Invoice is already paid', { code: 'invoice_already_paid' })
  const customer = idOf(subscription.customer) ?? ''
  charge(world, subscription, invoice, method ?? world.cards.get(customer) ?? 'card', at ?? timeOf(world, subscription))
  return subscription
}

export function cancel(world: World, id: string, at?: number): Stripe.Subscription {
  const subscription = find(world.subscriptions, id, 'subscription')
  live(subscription)
  end(world, subscription, 'cancellation_requested', at ?? timeOf(world, subscription))
  return subscription
}

/** Ends later: at a moment, at the end of the period, or no more when both are undone. */
export function schedule(
  world: World,
  id: string,
  input: { readonly cancel_at?: number | null; readonly cancel_at_period_end?: boolean },
): Stripe.Subscription {
  const subscription = find(world.subscriptions, id, 'subscription')
  live(subscription)
  const at = timeOf(world, subscription)
  const periodEnd = Math.max(...subscription.items.data.map((item) => item.current_period_end))
  const moment = input.cancel_at_period_end === true ? periodEnd : (input.cancel_at ?? null)
  change(
    world,
    subscription,
    {
      cancel_at: moment,
      cancel_at_period_end: input.cancel_at_period_end ?? false,
      canceled_at: moment === null ? null : at,
    },
    at,
  )
  return subscription
}

export function pause(world: World, id: string): Stripe.Subscription {
  const subscription = find(world.subscriptions, id, 'subscription')
  live(subscription)
  subscription.status = 'paused'
  emit(world, 'customer.subscription.paused', subscription, null, timeOf(world, subscription))
  return subscription
}

export function resume(world: World, id: string): Stripe.Subscription {
  const subscription = find(world.subscriptions, id, 'subscription')
  if (subscription.status !== 'paused')
    throw new Refusal('This subscription is not paused.', { code: 'subscription_not_paused' })
  subscription.status = 'active'
  emit(world, 'customer.subscription.resumed', subscription, null, timeOf(world, subscription))
  return subscription
}

/** What a subscription does next by itself, and when; `null` for never. */
function nextStep(subscription: Stripe.Subscription, world: World): { at: number; act: (at: number) => void } | null {
  const steps: { at: number; act: (at: number) => void }[] = []
  if (['canceled', 'incomplete_expired', 'paused', 'unpaid'].includes(subscription.status)) return null
  if (subscription.cancel_at !== null)
    steps.push({ at: subscription.cancel_at, act: (at) => end(world, subscription, 'cancellation_requested', at) })
  const invoice = world.invoices.get(idOf(subscription.latest_invoice) ?? '')
  const again = invoice?.status === 'open' ? invoice.next_payment_attempt : null
  if (again !== null) steps.push({ at: again, act: (at) => void retry(world, subscription.id, undefined, at) })
  if (subscription.status === 'trialing' && subscription.trial_end !== null && !world.trialWarned.has(subscription.id))
    steps.push({
      at: Math.max(subscription.created, subscription.trial_end - 3 * dayS),
      act: (at) => {
        world.trialWarned.add(subscription.id)
        emit(world, 'customer.subscription.trial_will_end', subscription, null, at)
      },
    })
  const periodEnd = Math.min(...subscription.items.data.map((item) => item.current_period_end))
  steps.push({ at: periodEnd, act: (at) => void renew(world, subscription.id, undefined, at) })
  return steps.sort((a, b) => a.at - b.at)[0] ?? null
}

/** Years of renewals in one advance would be a mistake in a test. */
const maxSteps = 10_000

/** Lets every subscription on one clock (`null`: the simulator's) do what is due until a moment, in order. */
export function runDue(world: World, clock: string | null, until: number): void {
  for (let i = 0; i < maxSteps; i++) {
    const due = [...world.subscriptions.values()]
      .filter((subscription) => idOf(subscription.test_clock) === clock)
      .map((subscription) => nextStep(subscription, world))
      .filter((step) => step !== null && step.at <= until)
      .sort((a, b) => (a?.at ?? 0) - (b?.at ?? 0))[0]
    if (due === undefined || due === null) return
    due.act(due.at)
  }
  throw new Refusal('The clock was advanced too far at once.')
}
