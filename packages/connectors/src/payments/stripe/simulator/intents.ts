import type Stripe from 'stripe'
import { metadataOf } from './catalog.ts'
import { attempt, createPayment, type Method } from './payments.ts'
import { emit, find, idOf, nowS, Refusal, type World } from './world.ts'

/** Stripe's names of test payment methods. */
function methodOfId(id: string | undefined): Method | null {
  if (id === undefined) return null
  if (id.includes('Declined')) return 'declined'
  return id.includes('sepa') || id.includes('bank') ? 'bank_debit' : 'card'
}

const payer = (world: World, payment: Stripe.PaymentIntent) => {
  const customer = world.customers.get(idOf(payment.customer) ?? '')
  return {
    amount: payment.amount,
    currency: payment.currency,
    customer: idOf(payment.customer),
    email: payment.receipt_email ?? customer?.email ?? null,
    name: customer?.name ?? null,
    metadata: payment.metadata,
    description: payment.description,
    at: nowS(world),
  }
}

export function createIntent(world: World, params: Stripe.PaymentIntentCreateParams): Stripe.PaymentIntent {
  if (!Number.isInteger(params.amount) || params.amount < 1)
    throw new Refusal('Invalid positive integer', { code: 'parameter_invalid_integer', param: 'amount' })
  if (params.customer !== undefined) find(world.customers, params.customer, 'customer', 'customer')
  const payment = createPayment(world, {
    amount: params.amount,
    currency: params.currency.toLowerCase(),
    customer: params.customer ?? null,
    email: params.receipt_email ?? null,
    name: null,
    metadata: metadataOf(params.metadata),
    description: params.description ?? null,
    at: nowS(world),
  })
  return params.confirm === true ? confirmIntent(world, payment.id, params.payment_method) : payment
}

/** A declined attempt is Stripe's 402 with the intent left waiting for another method. */
export function confirmIntent(world: World, id: string, paymentMethod?: string): Stripe.PaymentIntent {
  const payment = find(world.payments, id, 'payment_intent', 'intent')
  const method = methodOfId(paymentMethod)
  if (!['requires_payment_method', 'requires_confirmation'].includes(payment.status))
    throw new Refusal(`You cannot confirm this PaymentIntent because it has a status of ${payment.status}.`, {
      code: 'payment_intent_unexpected_state',
    })
  if (method === null)
    throw new Refusal('You cannot confirm this PaymentIntent because it\u2019s missing a payment method.', {
      code: 'payment_intent_unexpected_state',
    })
  attempt(world, payment, payer(world, payment), method)
  if (method === 'declined')
    throw new Refusal(
      'Your card was declined.',
      { type: 'card_error', code: 'card_declined', decline_code: 'generic_decline' },
      402,
    )
  return payment
}

export function cancelIntent(world: World, id: string, reason?: string): Stripe.PaymentIntent {
  const payment = find(world.payments, id, 'payment_intent', 'intent')
  if (payment.status === 'succeeded' || payment.status === 'canceled')
    throw new Refusal(`You cannot cancel this PaymentIntent because it has a status of ${payment.status}.`, {
      code: 'payment_intent_unexpected_state',
    })
  payment.status = 'canceled'
  payment.canceled_at = nowS(world)
  payment.cancellation_reason = reason ?? null
  emit(world, 'payment_intent.canceled', payment)
  return payment
}
