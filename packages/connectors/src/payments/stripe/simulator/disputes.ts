import type Stripe from 'stripe'
import { addTransaction } from './payments.ts'
import { emit, find, idOf, newId, nowS, Refusal, type World } from './world.ts'

const disputeFee = 1_500
const answerDays = 14

export type DisputeInput = {
  readonly payment_intent: string
  /** A question of the bank first: no money moves unless it escalates. */
  readonly inquiry?: boolean
  readonly amount?: number
  readonly reason?: string
}

const noEvidence: Stripe.Dispute.Evidence = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
}

/** Moves the disputed money out or back, with the fee on the way out; won disputes do not return the fee. */
function move(world: World, dispute: Stripe.Dispute, direction: 'out' | 'back'): void {
  const transaction = addTransaction(world, {
    amount: direction === 'out' ? -dispute.amount : dispute.amount,
    currency: dispute.currency,
    type: 'adjustment',
    fee: direction === 'out' ? disputeFee : 0,
    source: dispute.id,
    category: direction === 'out' ? 'dispute' : 'dispute_reversal',
    at: nowS(world),
  })
  dispute.balance_transactions.push(transaction)
  emit(world, direction === 'out' ? 'charge.dispute.funds_withdrawn' : 'charge.dispute.funds_reinstated', dispute)
}

export function openDispute(world: World, input: DisputeInput): Stripe.Dispute {
  const payment = find(world.payments, input.payment_intent, 'payment_intent', 'payment_intent')
  const charge = find(world.charges, idOf(payment.latest_charge) ?? '', 'charge')
  if (charge.disputed) throw new Refusal(`Charge ${charge.id} is disputed already.`, { code: 'charge_disputed' })
  const at = nowS(world)
  const dispute = {
    id: newId(world, 'du'),
    object: 'dispute',
    amount: input.amount ?? charge.amount - charge.amount_refunded,
    balance_transactions: [],
    charge: charge.id,
    created: at,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: { ...noEvidence },
    evidence_details: {
      due_by: at + answerDays * 24 * 3600,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'manual',
    },
    intended_submission_method: null,
    is_charge_refundable: input.inquiry === true,
    livemode: world.livemode,
    metadata: {},
    payment_intent: payment.id,
    reason: input.reason ?? 'fraudulent',
    status: input.inquiry === true ? 'warning_needs_response' : 'needs_response',
  } satisfies Stripe.Dispute
  const stored: Stripe.Dispute = dispute
  world.disputes.set(stored.id, stored)
  charge.disputed = true
  emit(world, 'charge.dispute.created', stored)
  if (input.inquiry !== true) move(world, stored, 'out')
  return stored
}

export type DisputeOutcome = 'won' | 'lost' | 'warning_closed' | 'prevented' | 'escalated'

/** The end of a dispute, or an inquiry that becomes one (`escalated`). */
export function closeDispute(world: World, id: string, outcome: DisputeOutcome): Stripe.Dispute {
  const dispute = find(world.disputes, id, 'dispute', 'dispute')
  if (['won', 'lost', 'warning_closed', 'prevented'].includes(dispute.status))
    throw new Refusal('This dispute is closed.', { code: 'dispute_closed' })
  const status = dispute.status
  const withdrawn = dispute.balance_transactions.reduce((sum, transaction) => sum + transaction.amount, 0) < 0
  if (outcome === 'escalated') {
    dispute.status = 'needs_response'
    dispute.is_charge_refundable = false
    emit(world, 'charge.dispute.updated', dispute, { status })
    move(world, dispute, 'out')
    return dispute
  }
  dispute.status = outcome
  dispute.is_charge_refundable = outcome !== 'lost'
  if (outcome === 'won' && withdrawn) move(world, dispute, 'back')
  emit(world, 'charge.dispute.closed', dispute, { status })
  return dispute
}

/** A bank's early word that a payment may be fraud. */
export function warnOfFraud(world: World, paymentIntent: string): Stripe.Radar.EarlyFraudWarning {
  const payment = find(world.payments, paymentIntent, 'payment_intent', 'payment_intent')
  const warning = {
    id: newId(world, 'issfr'),
    object: 'radar.early_fraud_warning',
    actionable: true,
    charge: idOf(payment.latest_charge) ?? '',
    created: nowS(world),
    fraud_type: 'misc',
    livemode: world.livemode,
    payment_intent: payment.id,
  } satisfies Stripe.Radar.EarlyFraudWarning
  emit(world, 'radar.early_fraud_warning.created', warning)
  return warning
}
