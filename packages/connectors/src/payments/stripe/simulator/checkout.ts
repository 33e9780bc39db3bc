import type Stripe from 'stripe'
import { createCustomer, createPrice, metadataOf, type PriceInput } from './catalog.ts'
import { attempt, createPayment, decline, type Method, methodOf, settle } from './payments.ts'
import { settleInvoice, startSubscription } from './subscriptions.ts'
import { emit, find, idOf, newId, nowS, type Plan, Refusal, type World } from './world.ts'

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
  return mode
}

/** Features this fake has not, as a session without them shows it. */
const unused = {
  after_expiration: null,
  allow_promotion_codes: null,
  allowed_payment_method_types: null,
  billing_address_collection: null,
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

export function createSession(
  world: World,
  params: Stripe.Checkout.SessionCreateParams,
  from: { link?: string; lines?: Stripe.LineItem[] } = {},
): Stripe.Checkout.Session {
  const mode = checkParams(world, params)
  const lines = from.lines ?? createLines(world, (params.line_items ?? []) as LineInput[], mode)
  const trialDays = params.subscription_data?.trial_period_days ?? 0
  // A trial is paid for later; the session itself asks for nothing.
  const total = trialDays > 0 ? 0 : lines.reduce((sum, line) => sum + line.amount_total, 0)
  const id = newId(world, world.livemode ? 'cs_live' : 'cs_test', 40)
  const hosted = (params.ui_mode ?? 'hosted_page') === 'hosted_page'
  const session = {
    id,
    object: 'checkout.session',
    ...unused,
    adaptive_pricing: { enabled: false },
    amount_subtotal: total,
    amount_total: total,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    cancel_url: params.cancel_url ?? null,
    client_reference_id: params.client_reference_id ?? null,
    client_secret: hosted ? null : `${id}_secret_${newId(world, 's').slice(2)}`,
    created: nowS(world),
    currency: lines[0]?.currency ?? params.currency ?? null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: params.customer ?? null,
    customer_creation: mode === 'payment' ? (params.customer_creation ?? 'if_required') : 'always',
    customer_details: null,
    customer_email: params.customer_email ?? null,
    discounts: [],
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
    payment_status: total === 0 ? 'no_payment_required' : 'unpaid',
    phone_number_collection: { enabled: false },
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
    trialDays,
    description: params.payment_intent_data?.description ?? null,
  })
  return session
}

export type PayInput = {
  readonly session: string
  readonly card?: string
  readonly email?: string
  readonly name?: string
}
export type Paid = { readonly outcome: 'paid' | 'processing' | 'declined'; readonly session: Stripe.Checkout.Session }

const noPlan: Plan = { paymentMetadata: {}, subscriptionMetadata: {}, trialDays: 0, description: null }

function openSession(world: World, id: string): Stripe.Checkout.Session {
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
  const outcome =
    session.mode === 'subscription'
      ? paySubscription(world, session, method, email, name)
      : payOnce(world, session, method, email, name)
  if (outcome === 'declined') return { outcome, session }
  session.customer_details = {
    address: null,
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
  emit(world, 'checkout.session.completed', session)
  return { outcome, session }
}

function payOnce(
  world: World,
  session: Stripe.Checkout.Session,
  method: Method,
  email: string,
  name: string,
): Paid['outcome'] {
  const plan = world.plans.get(session.id) ?? noPlan
  if (session.customer_creation === 'always' && session.customer === null && method !== 'declined')
    session.customer = createCustomer(world, { email, name }).id
  if (session.payment_status === 'no_payment_required') return 'paid'
  const who = {
    amount: session.amount_total ?? 0,
    currency: session.currency ?? 'usd',
    customer: idOf(session.customer),
    email,
    name,
    metadata: plan.paymentMetadata,
    description: plan.description,
    at: nowS(world),
  }
  const existing = world.payments.get(idOf(session.payment_intent) ?? '')
  const payment = existing ?? createPayment(world, who)
  session.payment_intent = payment.id
  attempt(world, payment, who, method)
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
