import type Stripe from 'stripe'
import { metadataOf, type PriceInput } from './catalog.ts'
import { createLines, createSession } from './session.ts'
import { emit, find, newId, Refusal, type World } from './world.ts'

type LinkLine = { readonly price?: string; readonly price_data?: PriceInput; readonly quantity?: number }

export function createLink(world: World, params: Stripe.PaymentLinkCreateParams): Stripe.PaymentLink {
  const id = newId(world, 'plink')
  const inputs = params.line_items as readonly LinkLine[]
  const recurring = inputs.some((line) => world.prices.get(line.price ?? '')?.recurring)
  const lines = createLines(world, inputs, recurring ? 'subscription' : 'payment')
  const link = {
    id,
    object: 'payment_link',
    active: true,
    after_completion: { hosted_confirmation: { custom_message: null }, type: 'hosted_confirmation' },
    allow_promotion_codes: false,
    application: null,
    application_fee_amount: null,
    application_fee_percent: null,
    automatic_tax: { enabled: false, liability: null },
    billing_address_collection: 'auto',
    consent_collection: null,
    currency: lines[0]?.currency ?? 'usd',
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer_creation: recurring ? 'always' : 'if_required',
    inactive_message: null,
    invoice_creation: null,
    livemode: world.livemode,
    managed_payments: null,
    metadata: metadataOf(params.metadata),
    on_behalf_of: null,
    payment_intent_data: null,
    payment_method_collection: 'always',
    payment_method_options: null,
    payment_method_types: null,
    phone_number_collection: { enabled: false },
    restrictions: null,
    shipping_address_collection: null,
    shipping_options: [],
    submit_type: 'auto',
    subscription_data: null,
    tax_id_collection: { enabled: false, required: 'never' },
    transfer_data: null,
    url: `${world.baseUrl}/b/${id}`,
  } satisfies Stripe.PaymentLink
  world.links.set(id, link)
  world.lines.set(id, lines)
  world.plans.set(id, {
    paymentMetadata: metadataOf(params.payment_intent_data?.metadata as Stripe.MetadataParam | undefined),
    subscriptionMetadata: metadataOf(params.subscription_data?.metadata as Stripe.MetadataParam | undefined),
    trialDays: 0,
    description: null,
  })
  emit(world, 'payment_link.created', link)
  return link
}

export function updateLink(world: World, id: string, params: Stripe.PaymentLinkUpdateParams): Stripe.PaymentLink {
  const link = find(world.links, id, 'payment_link')
  if (params.active !== undefined) link.active = params.active
  if (params.metadata !== undefined) link.metadata = metadataOf(params.metadata, link.metadata)
  emit(world, 'payment_link.updated', link)
  return link
}

/** A buyer opens the link: a new session that carries the link's metadata. Nobody at the hub asked for it. */
export function openLink(world: World, id: string): Stripe.Checkout.Session {
  const link = find(world.links, id, 'payment_link', 'payment_link')
  if (!link.active) throw new Refusal('This link is no longer active.', {}, 404)
  const lines = (world.lines.get(id) ?? []).map((line) => ({ ...line, id: newId(world, 'li') }))
  const recurring = lines.some((line) => line.price?.recurring)
  const session = createSession(
    world,
    {
      mode: recurring ? 'subscription' : 'payment',
      success_url: `${world.baseUrl}/done`,
      metadata: link.metadata,
      line_items: [{}],
    },
    { link: id, lines },
  )
  const plan = world.plans.get(id)
  if (plan !== undefined) world.plans.set(session.id, plan)
  return session
}
