import type Stripe from 'stripe'
import type { Method } from './payments.ts'
import { idOf, newId, type World } from './world.ts'

const dayS = 24 * 3600

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

export type StartInput = {
  readonly customer: Stripe.Customer
  readonly lines: readonly Stripe.LineItem[]
  readonly metadata: Stripe.Metadata
  readonly trialDays: number
  readonly method: Method
  readonly terms: { readonly coupon: string | null; readonly taxPercent: number | null }
}

/** Features this fake has not, as a subscription without them shows it. */
const unused = {
  application: null,
  application_fee_percent: null,
  billing_cycle_anchor_config: null,
  billing_thresholds: null,
  customer_account: null,
  days_until_due: null,
  default_source: null,
  description: null,
  managed_payments: null,
  next_pending_invoice_item_invoice: null,
  on_behalf_of: null,
  pause_collection: null,
  pending_invoice_item_interval: null,
  pending_setup_intent: null,
  pending_update: null,
  schedule: null,
  transfer_data: null,
}

export function newSubscription(world: World, input: StartInput, at: number): Stripe.Subscription {
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
    ...unused,
    automatic_tax: { disabled_reason: null, enabled: input.terms.taxPercent !== null, liability: null },
    billing_cycle_anchor: trialEnd ?? at,
    billing_mode: { flexible: null, type: 'flexible' },
    billing_schedules: [],
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: 'charge_automatically',
    created: at,
    currency: input.lines[0]?.currency ?? 'usd',
    customer: input.customer.id,
    default_payment_method: newId(world, 'pm'),
    default_tax_rates: [],
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
    metadata: { ...input.metadata },
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: 'on_subscription',
    },
    start_date: at,
    status: trialEnd === null ? 'active' : 'trialing',
    test_clock: idOf(input.customer.test_clock),
    trial_end: trialEnd,
    trial_settings: { end_behavior: { billing_cycle_anchor: null, missing_payment_method: 'create_invoice' } },
    trial_start: trialEnd === null ? null : at,
  } satisfies Stripe.Subscription
}
