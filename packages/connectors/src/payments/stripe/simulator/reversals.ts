import type Stripe from 'stripe'
import { metadataOf } from './catalog.ts'
import { addTransaction } from './payments.ts'
import { emit, find, idOf, newId, nowS, Refusal, type World } from './world.ts'

export type RefundInput = {
  readonly payment_intent?: string
  readonly charge?: string
  readonly amount?: number
  readonly reason?: string
  readonly metadata?: Stripe.Emptyable<Stripe.MetadataParam>
  /** Bank debits are refunded by transfer and take days. */
  readonly pending?: boolean
}

function chargeOf(world: World, input: { payment_intent?: string; charge?: string }): Stripe.Charge {
  if (input.charge !== undefined) return find(world.charges, input.charge, 'charge', 'charge')
  if (input.payment_intent === undefined)
    throw new Refusal('One of the following params should be provided for this request: payment_intent or charge.', {
      code: 'parameter_missing',
    })
  const payment = find(world.payments, input.payment_intent, 'payment_intent', 'payment_intent')
  const charge = idOf(payment.latest_charge)
  if (charge === null)
    throw new Refusal(`This PaymentIntent (${payment.id}) does not have a successful charge to refund.`, {
      code: 'payment_intent_unexpected_state',
      param: 'payment_intent',
    })
  return find(world.charges, charge, 'charge')
}

function refundable(world: World, charge: Stripe.Charge, asked: number | undefined): number {
  if (charge.status !== 'succeeded')
    throw new Refusal(`Charge ${charge.id} has not succeeded.`, { code: 'charge_not_refundable', param: 'charge' })
  // An inquiry may be answered with a refund; a chargeback has taken the money already.
  const blocked = [...world.disputes.values()].some((d) => idOf(d.charge) === charge.id && !d.is_charge_refundable)
  if (charge.disputed && blocked)
    throw new Refusal(`Charge ${charge.id} has been charged back.`, { code: 'charge_disputed' })
  const left = charge.amount - charge.amount_refunded
  if (left === 0)
    throw new Refusal(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded' })
  const amount = asked ?? left
  if (!Number.isInteger(amount) || amount < 1)
    throw new Refusal('Invalid positive integer', { code: 'parameter_invalid_integer', param: 'amount' })
  if (amount > left)
    throw new Refusal(`Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`, {
      param: 'amount',
    })
  return amount
}

export function refund(world: World, input: RefundInput): Stripe.Refund {
  const charge = chargeOf(world, input)
  const amount = refundable(world, charge, input.amount)
  const at = nowS(world)
  const id = newId(world, 're')
  const created = {
    id,
    object: 'refund',
    amount,
    balance_transaction: addTransaction(world, {
      amount: -amount,
      currency: charge.currency,
      type: 'refund',
      fee: 0,
      source: id,
      category: 'refund',
      at,
    }).id,
    charge: charge.id,
    created: at,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: { card: { reference_status: 'pending', type: 'refund' }, type: 'card' },
    metadata: metadataOf(input.metadata),
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: input.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: input.pending === true ? 'pending' : 'succeeded',
    transfer_reversal: null,
  } satisfies Stripe.Refund
  world.refunds.set(id, created)
  const before = charge.amount_refunded
  charge.amount_refunded += amount
  charge.refunded = charge.amount_refunded === charge.amount
  emit(world, 'refund.created', created)
  emit(world, 'charge.refunded', charge, { amount_refunded: before, refunded: false })
  return created
}

/** A pending refund arrives. */
export function refundSucceed(world: World, id: string): Stripe.Refund {
  const found = find(world.refunds, id, 'refund')
  const status = found.status
  found.status = 'succeeded'
  emit(world, 'refund.updated', found, { status })
  emit(world, 'charge.refund.updated', found, { status })
  return found
}

/** The bank sends the money back: the refund did not happen, and the charge is as unrefunded as before. */
export function refundFail(world: World, id: string, state: 'failed' | 'canceled' = 'failed'): Stripe.Refund {
  const found = find(world.refunds, id, 'refund')
  if (found.status === 'failed' || found.status === 'canceled') return found
  const charge = find(world.charges, idOf(found.charge) ?? '', 'charge')
  const status = found.status
  found.status = state
  if (state === 'failed') found.failure_reason = 'lost_or_stolen_card'
  found.failure_balance_transaction = addTransaction(world, {
    amount: found.amount,
    currency: found.currency,
    type: 'refund_failure',
    fee: 0,
    source: found.id,
    category: 'refund_failure',
    at: nowS(world),
  }).id
  charge.amount_refunded -= found.amount
  charge.refunded = false
  emit(world, 'refund.updated', found, { status })
  emit(world, 'charge.refund.updated', found, { status })
  if (state === 'failed') emit(world, 'refund.failed', found)
  return found
}
