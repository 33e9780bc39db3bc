import type Stripe from 'stripe'
import { decimal, emit, find, idOf, newId, nowS, Refusal, type World } from './world.ts'

/** Form values arrive as text; Stripe stores metadata as text and drops empty values. */
export function metadataOf(
  input: Stripe.Emptyable<Stripe.MetadataParam> | undefined,
  old: Stripe.Metadata = {},
): Stripe.Metadata {
  if (input === undefined) return { ...old }
  if (input === null || input === '') return {}
  const merged = { ...old }
  for (const [key, value] of Object.entries(input)) {
    if (value === '' || value === null) delete merged[key]
    else merged[key] = String(value)
  }
  return merged
}

export function createProduct(world: World, params: Stripe.ProductCreateParams): Stripe.Product {
  const id = params.id ?? newId(world, 'prod')
  if (world.products.has(id))
    throw new Refusal(`Product already exists.`, { code: 'resource_already_exists', param: 'id' })
  const product = {
    id,
    object: 'product',
    active: params.active ?? true,
    created: nowS(world),
    default_price: null,
    description: params.description ?? null,
    images: params.images ?? [],
    livemode: world.livemode,
    marketing_features: [],
    metadata: metadataOf(params.metadata),
    name: params.name,
    package_dimensions: null,
    shippable: null,
    tax_code: params.tax_code ?? null,
    tax_details: null,
    type: 'service',
    updated: nowS(world),
    url: params.url ?? null,
  } satisfies Stripe.Product
  world.products.set(id, product)
  emit(world, 'product.created', product)
  if (params.default_price_data !== undefined) {
    const { currency, unit_amount, recurring } = params.default_price_data
    const price = createPrice(world, {
      currency,
      product: id,
      ...(unit_amount === undefined ? {} : { unit_amount }),
      ...(recurring === undefined ? {} : { recurring }),
    })
    const stored: Stripe.Product = product
    stored.default_price = price.id
  }
  return product
}

export function updateProduct(world: World, id: string, params: Stripe.ProductUpdateParams): Stripe.Product {
  const product = find(world.products, id, 'product')
  const previous = { ...product }
  if (params.name !== undefined) product.name = params.name
  if (params.active !== undefined) product.active = params.active
  if (typeof params.description === 'string') product.description = params.description || null
  if (params.default_price !== undefined) product.default_price = params.default_price
  product.metadata = metadataOf(params.metadata, product.metadata)
  product.updated = nowS(world)
  emit(world, 'product.updated', product, { name: previous.name, active: previous.active })
  return product
}

export type PriceInput = Pick<
  Stripe.PriceCreateParams,
  'currency' | 'unit_amount' | 'nickname' | 'metadata' | 'active' | 'tax_behavior'
> & {
  readonly product?: string
  readonly product_data?: { readonly name: string }
  readonly lookup_key?: string
  readonly recurring?: {
    readonly interval: string
    readonly interval_count?: number
    readonly trial_period_days?: number
  }
}

export function createPrice(world: World, params: PriceInput): Stripe.Price {
  if (params.unit_amount === undefined)
    throw new Refusal('One of `unit_amount`, `unit_amount_decimal` or `custom_unit_amount` is required.', {
      code: 'parameter_missing',
      param: 'unit_amount',
    })
  const product =
    params.product === undefined
      ? createProduct(world, { name: params.product_data?.name ?? 'Course' })
      : find(world.products, params.product, 'product', 'product')
  const price = {
    id: newId(world, 'price'),
    object: 'price',
    active: params.active ?? true,
    billing_scheme: 'per_unit',
    created: nowS(world),
    currency: params.currency.toLowerCase(),
    custom_unit_amount: null,
    livemode: world.livemode,
    lookup_key: params.lookup_key ?? null,
    metadata: metadataOf(params.metadata),
    nickname: params.nickname ?? null,
    product: product.id,
    recurring:
      params.recurring === undefined
        ? null
        : {
            interval: params.recurring.interval,
            interval_count: params.recurring.interval_count ?? 1,
            meter: null,
            trial_period_days: params.recurring.trial_period_days ?? null,
            usage_type: 'licensed',
          },
    tax_behavior: params.tax_behavior ?? 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: params.recurring === undefined ? 'one_time' : 'recurring',
    unit_amount: params.unit_amount,
    unit_amount_decimal: decimal(params.unit_amount),
  } satisfies Stripe.Price
  world.prices.set(price.id, price)
  emit(world, 'price.created', price)
  return price
}

export function updatePrice(world: World, id: string, params: Stripe.PriceUpdateParams): Stripe.Price {
  const price = find(world.prices, id, 'price')
  const active = price.active
  if (params.active !== undefined) price.active = params.active
  if (params.nickname !== undefined) price.nickname = params.nickname || null
  price.metadata = metadataOf(params.metadata, price.metadata)
  emit(world, 'price.updated', price, { active })
  return price
}

export type CustomerInput = Pick<Stripe.CustomerCreateParams, 'email' | 'name' | 'metadata' | 'test_clock'>

export function createCustomer(world: World, params: CustomerInput): Stripe.Customer {
  if (params.test_clock !== undefined) find(world.clocks, params.test_clock, 'test clock', 'test_clock')
  const customer = {
    id: newId(world, 'cus', 8),
    object: 'customer',
    address: null,
    balance: 0,
    created: timeFor(world, params.test_clock ?? null),
    currency: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: params.email ?? null,
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: world.livemode,
    metadata: metadataOf(params.metadata),
    name: params.name ?? null,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: params.test_clock ?? null,
  } satisfies Stripe.Customer
  world.customers.set(customer.id, customer)
  emit(world, 'customer.created', customer)
  return customer
}

export function updateCustomer(world: World, id: string, params: Stripe.CustomerUpdateParams): Stripe.Customer {
  const customer = find(world.customers, id, 'customer')
  const previous = { email: customer.email, name: customer.name ?? null }
  if (params.email !== undefined) customer.email = params.email || null
  if (params.name !== undefined) customer.name = params.name || null
  customer.metadata = metadataOf(params.metadata, customer.metadata)
  emit(world, 'customer.updated', customer, previous)
  return customer
}

/** Seconds on a customer's own clock: a test clock's frozen time, else the simulator's. */
export const timeFor = (world: World, clock: string | { id: string } | null | undefined): number => {
  const id = idOf(clock)
  return id === null ? nowS(world) : find(world.clocks, id, 'test clock').frozen_time
}
