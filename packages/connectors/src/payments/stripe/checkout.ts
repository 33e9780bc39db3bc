import type Stripe from 'stripe'
import { done, type Failure, failed, type Outcome } from '#failure.ts'
import type { CheckoutOpened, CheckoutRequest } from '#payments/port.ts'
import { classify } from './failures.ts'
import { UnreadableAnswer } from './unreadable.ts'

const promotionUnknown: Failure = {
  class: 'invalid',
  code: 'promotion_unknown',
  message: 'There is no such promotion code.',
  field: 'promotionCode',
}

/** Stripe knows the code and will not have it here: used up, under its minimum, for new customers only. */
const promotionRefused = (failure: Failure): Failure => ({
  ...failure,
  code: 'promotion_refused',
  field: 'promotionCode',
})

/** The id behind a code. Stripe compares without regard to case, and at most one active code has these letters. */
async function promotionOf(stripe: Stripe, typed: string): Promise<string | null> {
  const code = typed.trim()
  // An empty filter would list every code of the account.
  if (code === '') return null
  const { data } = await stripe.promotionCodes.list({ code, active: true, limit: 1 })
  return data[0]?.id ?? null
}

const addresses = (request: CheckoutRequest): Stripe.Checkout.SessionCreateParams =>
  request.ui === 'hosted_page'
    ? { success_url: request.successUrl, cancel_url: request.cancelUrl }
    : {
        return_url: request.returnUrl,
        // Left alone, the provider's embedded page leads the frame it stands in to the return address, which no frame may show.
        ...(request.ui === 'embedded_page' ? { redirect_on_completion: 'if_required' as const } : {}),
      }

function whoParams(request: CheckoutRequest): Stripe.Checkout.SessionCreateParams {
  if (request.customerId === undefined) return request.email === undefined ? {} : { customer_email: request.email }
  // Tax is worked out from the customer's address, which the form then has to be allowed to store.
  return { customer: request.customerId, ...(request.automaticTax ? { customer_update: { address: 'auto' } } : {}) }
}

/** Stripe takes a code or lets the buyer enter one, not both. */
function discountParams(request: CheckoutRequest, promotion: string | null): Stripe.Checkout.SessionCreateParams {
  if (promotion !== null) return { discounts: [{ promotion_code: promotion }] }
  return request.allowPromotionCodes === undefined ? {} : { allow_promotion_codes: request.allowPromotionCodes }
}

/** Metadata stands on the session and on what it makes: Stripe does not copy it (reference: payments §1.2). */
function sessionParams(request: CheckoutRequest, promotion: string | null): Stripe.Checkout.SessionCreateParams {
  const metadata = { ...request.metadata }
  return {
    ui_mode: request.ui,
    mode: request.mode,
    line_items: request.lines.map((line) => ({ price: line.priceId, quantity: line.quantity })),
    ...addresses(request),
    metadata,
    ...(request.mode === 'payment' ? { payment_intent_data: { metadata } } : { subscription_data: { metadata } }),
    ...whoParams(request),
    ...discountParams(request, promotion),
    ...(request.automaticTax ? { automatic_tax: { enabled: true }, billing_address_collection: 'required' } : {}),
    ...(request.expiresAt === undefined ? {} : { expires_at: Math.floor(request.expiresAt / 1_000) }),
  }
}

function opened(request: CheckoutRequest, session: Stripe.Checkout.Session): CheckoutOpened {
  const secret = session.client_secret ?? null
  if (request.ui === 'hosted_page') {
    if (session.url === null) throw new UnreadableAnswer('checkout.session.url', null)
    return { externalId: session.id, url: session.url, clientSecret: null }
  }
  if (secret === null) throw new UnreadableAnswer('checkout.session.client_secret', null)
  return { externalId: session.id, url: null, clientSecret: secret }
}

/** Opens a checkout in one of its three forms. Throws what Stripe or the way to it throws. */
export async function openCheckout(stripe: Stripe, request: CheckoutRequest): Promise<Outcome<CheckoutOpened>> {
  const promotion = request.promotionCode === undefined ? null : await promotionOf(stripe, request.promotionCode)
  if (request.promotionCode !== undefined && promotion === null) return failed(promotionUnknown)
  try {
    const session = await stripe.checkout.sessions.create(sessionParams(request, promotion), {
      idempotencyKey: request.idempotencyKey,
    })
    return done(opened(request, session))
  } catch (error) {
    const failure = classify(error)
    if (failure.class !== 'invalid' || failure.field?.startsWith('discounts') !== true) throw error
    return failed(promotionRefused(failure))
  }
}
