import type Stripe from 'stripe'
import { timeFor } from './catalog.ts'
import { collect, createInvoice } from './invoices.ts'
import type { Method } from './payments.ts'
import { emit, find, idOf, newId, Refusal, type World } from './world.ts'

const dayS = 24 * 3600
/** When an unpaid renewal is tried again, in days after the first attempt: Stripe's default is four tries in all. */
const retryDays = [3, 5, 7]

/** The end of a period that starts at `start` seconds. Months keep the day and shorten to the month's end. */
export function addInterval(start: number, recurring: { interval: string; interval_count: number }): number {
  const count = recurring.interval_count
  if (recurring.interval === 'day') return start + count * dayS
  if (recurring.interval === 'week') return start + count * 7 * dayS
  const months = recurring.interval === 'year' ? 12 * count : count
  const date = new Date(start * 1_000)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return date.getTime() / 1_000
}

const planOf = (price: Stripe.Price): Stripe.Plan => ({
  id: price.id,
  object: 'plan',
  active: price.active,
  amount: price.unit_amount,
  amount_decimal: price.unit_amount_decimal,
  billing_scheme: 'per_unit',
  created: price.created,
  currency: price.currency,
  interval: price.recurring?.interval ?? 'month',
  interval_count: price.recurring?.interval_count ?? 1,
  livemode: price.livemode,
  metadata: {},
  meter: null,
  nickname: price.nickname,
  product: idOf(price.product),
  tiers_mode: null,
  transform_usage: null,
  trial_period_days: null,
  usage_type: 'licensed',
})

type StartInput = {
  readonly customer: Stripe.Customer
  readonly lines: readonly Stripe.LineItem[]
  readonly metadata: Stripe.Metadata
  readonly trialDays: number
  readonly method: Method
}

function newSubscription(world: World, input: StartInput, at: number): Stripe.Subscription {
  const id = newId(world, 'sub')
  const trialEnd = input.trialDays > 0 ? at + input.trialDays * dayS : null
  const items = input.lines.flatMap((line): Stripe.SubscriptionItem[] => {
    const { price } = line
    if (price === null || price.recurring === null) return []
    return [
      {
        id: newId(world, 'si'),
        object: 'subscription_item',
        billing_thresholds: null,
        created: at,
        current_period_end: trialEnd ?? addInterval(at, price.recurring),
        current_period_start: at,
        current_trial: null,
        discounts: [],
        metadata: {},
        plan: planOf(price),
        price,
        quantity: line.quantity ?? 1,
        subscription: id,
        tax_rates: [],
      },
    ]
  })
  return {
    id,
    object: 'subscription',
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: trialEnd ?? at,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: null, type: 'flexible' },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: 'charge_automatically',
    created: at,
    currency: input.lines[0]?.currency ?? 'usd',
    customer: input.customer.id,
    customer_account: null,
    days_until_due: null,
    default_payment_method: newId(world, 'pm'),
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    items: { object: 'list', data: items, has_more: false, url: `/v1/subscription_items?subscription=${id}` },
    latest_invoice: null,
    livemode: world.livemode,
    managed_payments: null,
    metadata: { ...input.metadata },
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: 'on_subscription',
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: at,
    status: trialEnd === null ? 'active' : 'trialing',
    test_clock: idOf(input.customer.test_clock),
    transfer_data: null,
    trial_end: trialEnd,
    trial_settings: { end_behavior: { billing_cycle_anchor: null, missing_payment_method: 'create_invoice' } },
    trial_start: trialEnd === null ? null : at,
  } satisfies Stripe.Subscription
}

/** Opens an invoice over the items' current periods. */
function invoicePeriod(world: World, subscription: Stripe.Subscription, reason: string, at: number): Stripe.Invoice {
  const customer = find(world.customers, idOf(subscription.customer) ?? '', 'customer')
  const free = subscription.status === 'trialing'
  const invoice = createInvoice(world, {
    customer,
    subscription,
    reason,
    lines: subscription.items.data.map((item) => ({
      item,
      amount: free ? 0 : (item.price.unit_amount ?? 0) * (item.quantity ?? 1),
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
  if (outcome === 'paid') {
    if (subscription.status !== 'active') change(world, subscription, { status: 'active' }, at)
    return
  }
  if (outcome === 'processing') return
  const wait = retryDays[invoice.attempt_count - 1]
  invoice.next_payment_attempt = wait === undefined ? null : at + wait * dayS
  emit(world, 'invoice.payment_failed', invoice, null, at)
  if (wait === undefined) giveUp(world, subscription, at)
  else if (subscription.status !== 'past_due') change(world, subscription, { status: 'past_due' }, at)
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
