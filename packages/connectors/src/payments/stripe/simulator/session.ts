import type Stripe from 'stripe'
import { createPrice, metadataOf, type PriceInput } from './catalog.ts'
import { discountsOf } from './promotions.ts'
import { reprice } from './totals.ts'
import { find, idOf, newId, nowS, Refusal, type World } from './world.ts'

type LineInput = { readonly price?: string; readonly price_data?: PriceInput; readonly quantity?: number }

/** The lines of a session or link, priced now. */
export function createLines(world: World, inputs: readonly LineInput[], mode: string): Stripe.LineItem[] {
  const lines = inputs.map((input, i) => {
    const price =
      input.price_data !== undefined
        ? createPrice(world, input.price_data)
        : find(world.prices, input.price ?? '', 'price', `line_items[${i}][price]`)
    if (!price.active)
      throw new Refusal(`The price specified is inactive. This field only accepts active prices.`, {
        param: `line_items[${i}][price]`,
      })
    if (mode === 'payment' && price.recurring !== null)
      throw new Refusal(
        'You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.',
      )
    const quantity = input.quantity ?? 1
    const subtotal = (price.unit_amount ?? 0) * quantity
    return {
      id: newId(world, 'li'),
      object: 'item',
      adjustable_quantity: null,
      amount_discount: 0,
      amount_subtotal: subtotal,
      amount_tax: 0,
      amount_total: subtotal,
      currency: price.currency,
      description: world.products.get(idOf(price.product) ?? '')?.name ?? 'Course',
      metadata: null,
      price,
      quantity,
    } satisfies Stripe.LineItem
  })
  if (new Set(lines.map((line) => line.currency)).size > 1)
    throw new Refusal('All prices on a session must have the same currency.', { param: 'line_items' })
  if (mode === 'subscription' && !lines.some((line) => line.price.recurring !== null))
    throw new Refusal('You must provide at least one recurring price in `subscription` mode.', { param: 'line_items' })
  return lines
}

const halfHourS = 30 * 60
const dayS = 24 * 3600

function expiry(world: World, asked: number | undefined): number {
  const now = nowS(world)
  if (asked === undefined) return now + dayS
  if (asked < now + halfHourS || asked > now + dayS)
    throw new Refusal(
      'The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session creation.',
      {
        param: 'expires_at',
      },
    )
  return asked
}

const modes = ['payment', 'subscription', 'setup']

function checkParams(world: World, params: Stripe.Checkout.SessionCreateParams): string {
  const mode = params.mode
  if (mode === undefined || !modes.includes(mode))
    throw new Refusal('Missing required param: mode.', { code: 'parameter_missing', param: 'mode' })
  if (mode !== 'setup' && (params.line_items ?? []).length === 0)
    throw new Refusal('You must provide `line_items`.', { code: 'parameter_missing', param: 'line_items' })
  if (mode !== 'payment' && params.payment_intent_data !== undefined)
    throw new Refusal(`You can not pass \`payment_intent_data\` in \`${mode}\` mode.`, { param: 'payment_intent_data' })
  if (mode !== 'subscription' && params.subscription_data !== undefined)
    throw new Refusal(`You can not pass \`subscription_data\` in \`${mode}\` mode.`, { param: 'subscription_data' })
  if (params.customer !== undefined) {
    find(world.customers, params.customer, 'customer', 'customer')
    if (params.customer_email !== undefined)
      throw new Refusal('You may only specify one of these parameters: customer, customer_email.', {
        param: 'customer_email',
      })
  }
  const ui = params.ui_mode ?? 'hosted_page'
  if (ui === 'hosted_page' && params.success_url === undefined)
    throw new Refusal('Missing required param: success_url.', { code: 'parameter_missing', param: 'success_url' })
  if (ui !== 'hosted_page' && params.return_url === undefined && params.redirect_on_completion !== 'never')
    throw new Refusal('Missing required param: return_url.', { code: 'parameter_missing', param: 'return_url' })
  if (ui === 'hosted_page' && params.return_url !== undefined)
    throw new Refusal('`return_url` is for `embedded_page` and `elements` only.', { param: 'return_url' })
  for (const name of ['success_url', 'cancel_url'] as const)
    if (ui !== 'hosted_page' && params[name] !== undefined)
      throw new Refusal(`You can not pass \`${name}\` when \`ui_mode\` is \`${ui}\`.`, { param: name })
  if (params.allow_promotion_codes !== undefined && params.discounts !== undefined)
    throw new Refusal('You may only specify one of these parameters: allow_promotion_codes, discounts.', {
      param: 'discounts',
    })
  if (params.customer_update !== undefined && params.customer === undefined)
    throw new Refusal('`customer_update` can only be used with `customer`.', { param: 'customer_update' })
  return mode
}

/** Features this fake has not, as a session without them shows it. */
const unused = {
  after_expiration: null,
  allowed_payment_method_types: null,
  collected_information: null,
  consent: null,
  consent_collection: null,
  currency_conversion: null,
  customer_account: null,
  integration_identifier: null,
  invoice_creation: null,
  managed_payments: null,
  origin_context: null,
  payment_method_configuration_details: null,
  permissions: null,
  recovered_from: null,
  saved_payment_method_options: null,
  setup_intent: null,
  shipping_address_collection: null,
  shipping_cost: null,
  submit_type: null,
  wallet_options: null,
}

function taxOf(params: Stripe.Checkout.SessionCreateParams): Stripe.Checkout.Session.AutomaticTax {
  if (params.automatic_tax?.enabled !== true) return { enabled: false, liability: null, provider: null, status: null }
  return { enabled: true, liability: { type: 'self' }, provider: 'stripe', status: 'requires_location_inputs' }
}

export function createSession(
  world: World,
  params: Stripe.Checkout.SessionCreateParams,
  from: { link?: string; lines?: Stripe.LineItem[] } = {},
): Stripe.Checkout.Session {
  const mode = checkParams(world, params)
  const lines = from.lines ?? createLines(world, (params.line_items ?? []) as LineInput[], mode)
  const currency = lines[0]?.currency ?? params.currency ?? null
  const subtotal = lines.reduce((sum, line) => sum + line.amount_subtotal, 0)
  const id = newId(world, world.livemode ? 'cs_live' : 'cs_test', 40)
  const hosted = (params.ui_mode ?? 'hosted_page') === 'hosted_page'
  const session = {
    id,
    object: 'checkout.session',
    ...unused,
    adaptive_pricing: { enabled: false },
    allow_promotion_codes: params.allow_promotion_codes ?? null,
    amount_subtotal: subtotal,
    amount_total: subtotal,
    automatic_tax: taxOf(params),
    billing_address_collection: params.billing_address_collection ?? null,
    cancel_url: params.cancel_url ?? null,
    client_reference_id: params.client_reference_id ?? null,
    client_secret: hosted ? null : `${id}_secret_${newId(world, 's').slice(2)}`,
    created: nowS(world),
    currency,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: params.customer ?? null,
    customer_creation: mode === 'payment' ? (params.customer_creation ?? 'if_required') : 'always',
    customer_details: null,
    customer_email: params.customer_email ?? null,
    discounts: discountsOf(world, params.discounts, { subtotal, currency, customer: params.customer ?? null }),
    expires_at: expiry(world, params.expires_at),
    invoice: null,
    livemode: world.livemode,
    locale: params.locale ?? null,
    metadata: metadataOf(params.metadata),
    mode,
    payment_intent: null,
    payment_link: from.link ?? null,
    payment_method_collection: mode === 'subscription' ? 'always' : 'if_required',
    payment_method_options: {},
    payment_method_types: ['card', 'sepa_debit'],
    payment_status: 'unpaid',
    phone_number_collection: { enabled: false },
    ...(hosted ? {} : { redirect_on_completion: params.redirect_on_completion ?? 'always' }),
    ...(params.return_url === undefined ? {} : { return_url: params.return_url }),
    shipping_options: [],
    status: 'open',
    subscription: null,
    success_url: params.success_url ?? null,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: params.ui_mode ?? 'hosted_page',
    url: hosted ? `${world.baseUrl}/c/pay/${id}` : null,
  } satisfies Stripe.Checkout.Session
  world.sessions.set(id, session)
  world.lines.set(id, lines)
  world.plans.set(id, {
    paymentMetadata: metadataOf(params.payment_intent_data?.metadata),
    subscriptionMetadata: metadataOf(params.subscription_data?.metadata),
    trialDays: params.subscription_data?.trial_period_days ?? 0,
    description: params.payment_intent_data?.description ?? null,
  })
  reprice(world, session)
  return session
}
