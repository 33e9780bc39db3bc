import type Stripe from 'stripe'
import { openSession, type Paid, type PayInput, pay, payerOf, paymentOf } from './checkout.ts'
import { asksBuyer } from './payments.ts'
import { addressOf, locate } from './totals.ts'
import { emailOf } from './view.ts'
import { emit, idOf, Refusal, type World } from './world.ts'

export type Confirmed = { readonly outcome: Paid['outcome'] | 'challenge'; readonly session: Stripe.Checkout.Session }

/** Stripe's words for a bank that was not satisfied. */
const notAuthenticated =
  'We are unable to authenticate your payment method. Please choose a different payment method and try again.'

/** The buyer confirms in a form: paid, declined, on its way, or the bank has a question first. */
export function confirm(world: World, input: PayInput): Confirmed {
  const session = openSession(world, input.session)
  if (input.country !== undefined) locate(world, session, { ...addressOf(world, session), country: input.country })
  if (!asksBuyer(input.card) || session.payment_status === 'no_payment_required') return pay(world, input)
  const email = input.email ?? emailOf(world, session) ?? 'learner@example.com'
  world.challenges.set(session.id, { card: input.card ?? '', email, name: input.name ?? null })
  // A subscription's payment is made with its first invoice, after the question.
  if (session.mode !== 'payment') return { outcome: 'challenge', session }
  const payment = paymentOf(world, session, payerOf(world, session, email, input.name ?? null))
  payment.status = 'requires_action'
  payment.last_payment_error = null
  payment.next_action = { type: 'use_stripe_sdk', use_stripe_sdk: {} }
  emit(world, 'payment_intent.requires_action', payment)
  return { outcome: 'challenge', session }
}

/** The buyer answers the bank, or does not. */
export function answerChallenge(world: World, id: string, passed: boolean): Paid & { readonly message?: string } {
  const session = openSession(world, id)
  const waiting = world.challenges.get(id)
  if (waiting === undefined) throw new Refusal('No bank is asking about this session.', {}, 409)
  world.challenges.delete(id)
  if (passed)
    return pay(world, {
      session: id,
      card: waiting.card,
      email: waiting.email,
      ...(waiting.name === null ? {} : { name: waiting.name }),
    })
  const payment = world.payments.get(idOf(session.payment_intent) ?? '')
  if (payment !== undefined) {
    payment.status = 'requires_payment_method'
    payment.next_action = null
    payment.last_payment_error = {
      code: 'payment_intent_authentication_failure',
      message: notAuthenticated,
      type: 'card_error',
    }
    emit(world, 'payment_intent.payment_failed', payment)
  }
  return { outcome: 'declined', session, message: notAuthenticated }
}
