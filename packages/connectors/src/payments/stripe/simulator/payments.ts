import type Stripe from 'stripe'
import { emit, newId, nowS, type World } from './world.ts'

/** How the buyer pays: a card that works, one that is declined, or a bank debit that takes days. */
export type Method = 'card' | 'declined' | 'bank_debit'

/** Stripe's numbers that are refused: declined, no funds, lost, stolen, expired, wrong code, processing error. */
const refusedCards = new Set([
  '4000000000000002',
  '4000000000009995',
  '4000000000009987',
  '4000000000009979',
  '4000000000000069',
  '4000000000000127',
  '4000000000000119',
  '4000008400001629',
])

/** Cards whose bank asks the buyer first; the last one is declined even then. */
const askedCards = new Set(['4000002500003155', '4000000000003220', '4000002760003184', '4000008400001629'])

const digits = (card: string | undefined): string => (card ?? '4242424242424242').replace(/\s/g, '')

/** Whether the bank wants to see the buyer (3-D Secure) before it answers. */
export const asksBuyer = (card: string | undefined): boolean => askedCards.has(digits(card))

export const methodOf = (card: string | undefined): Method => {
  const number = digits(card)
  if (refusedCards.has(number)) return 'declined'
  return number === 'bank_debit' || number.startsWith('DE') ? 'bank_debit' : 'card'
}

export type Money = { readonly amount: number; readonly currency: string }

/** Two days: what Stripe takes to make card money available in most countries. */
const settlementS = 2 * 24 * 3600
/** 2.9 % + 30, in the smallest unit of the currency. */
const feeOf = (amount: number) => Math.round(amount * 0.029) + 30

export function addTransaction(
  world: World,
  input: Money & {
    readonly type: 'charge' | 'refund' | 'refund_failure' | 'adjustment'
    readonly fee: number
    readonly source: string
    readonly category: string
    readonly at: number
  },
): Stripe.BalanceTransaction {
  const transaction = {
    id: newId(world, 'txn'),
    object: 'balance_transaction',
    amount: input.amount,
    available_on: input.at + settlementS,
    balance_type: 'payments',
    created: input.at,
    currency: input.currency,
    description: null,
    exchange_rate: null,
    fee: input.fee,
    fee_details:
      input.fee === 0
        ? []
        : [
            {
              amount: input.fee,
              application: null,
              currency: input.currency,
              description: input.type === 'charge' ? 'Stripe processing fees' : 'Dispute fee',
              type: 'stripe_fee',
            },
          ],
    net: input.amount - input.fee,
    reporting_category: input.category,
    source: input.source,
    status: 'pending',
    type: input.type,
  } satisfies Stripe.BalanceTransaction
  world.transactions.set(transaction.id, transaction)
  return transaction
}

export type PaymentInput = Money & {
  readonly customer: string | null
  readonly email: string | null
  readonly name: string | null
  readonly metadata: Stripe.Metadata
  readonly description: string | null
  readonly at: number
}

export function createPayment(world: World, input: PaymentInput): Stripe.PaymentIntent {
  const id = newId(world, 'pi')
  const payment = {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: input.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: { allow_redirects: 'always', enabled: true },
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic_async',
    client_secret: `${id}_secret_${newId(world, 's').slice(2)}`,
    confirmation_method: 'automatic',
    created: input.at,
    currency: input.currency,
    customer: input.customer,
    customer_account: null,
    description: input.description,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: world.livemode,
    managed_payments: null,
    metadata: { ...input.metadata },
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card'],
    payment_record: null,
    processing: null,
    receipt_email: input.email,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'requires_payment_method',
    transfer_group: null,
  } satisfies Stripe.PaymentIntent
  world.payments.set(id, payment)
  emit(world, 'payment_intent.created', payment, null, input.at)
  return payment
}

function createCharge(world: World, payment: Stripe.PaymentIntent, who: PaymentInput, status: string): Stripe.Charge {
  const paid = status !== 'failed'
  const charge = {
    id: newId(world, 'ch'),
    object: 'charge',
    amount: payment.amount,
    amount_captured: status === 'succeeded' ? payment.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: { address: null, email: who.email, name: who.name, phone: null, tax_id: null },
    calculated_statement_descriptor: 'COURSES',
    captured: status === 'succeeded',
    created: who.at,
    currency: payment.currency,
    customer: payment.customer,
    description: payment.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: paid ? null : 'card_declined',
    failure_message: paid ? null : 'Your card was declined.',
    fraud_details: {},
    livemode: world.livemode,
    metadata: { ...payment.metadata },
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: paid ? 'approved_by_network' : 'declined_by_network',
      reason: paid ? null : 'generic_decline',
      risk_level: 'normal',
      seller_message: paid ? 'Payment complete.' : 'The bank did not return any further details with this decline.',
      type: paid ? 'authorized' : 'issuer_declined',
    },
    paid,
    payment_intent: payment.id,
    payment_method: newId(world, 'pm'),
    payment_method_details: { type: 'card' },
    receipt_email: who.email,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status,
    transfer_data: null,
    transfer_group: null,
  } satisfies Stripe.Charge
  world.charges.set(charge.id, charge)
  payment.latest_charge = charge.id
  payment.payment_method = charge.payment_method
  return charge
}

/** The money is there: the charge gets its balance transaction, the intent succeeds. */
export function settle(world: World, payment: Stripe.PaymentIntent, charge: Stripe.Charge, at: number): void {
  charge.status = 'succeeded'
  charge.paid = true
  charge.captured = true
  charge.amount_captured = charge.amount
  const { currency } = charge
  charge.balance_transaction = addTransaction(world, {
    amount: charge.amount,
    currency,
    type: 'charge',
    fee: feeOf(charge.amount),
    source: charge.id,
    category: 'charge',
    at,
  }).id
  payment.status = 'succeeded'
  payment.amount_received = payment.amount
  payment.processing = null
  payment.last_payment_error = null
  emit(world, 'charge.succeeded', charge, null, at)
  emit(world, 'payment_intent.succeeded', payment, null, at)
}

/** One attempt to pay: succeeds, fails, or starts a debit that `settle` or `failDebit` ends. */
export function attempt(world: World, payment: Stripe.PaymentIntent, who: PaymentInput, method: Method): void {
  switch (method) {
    case 'card':
      settle(world, payment, createCharge(world, payment, who, 'succeeded'), who.at)
      break
    case 'bank_debit': {
      const charge = createCharge(world, payment, who, 'pending')
      payment.status = 'processing'
      payment.payment_method_types = ['sepa_debit']
      emit(world, 'charge.pending', charge, null, who.at)
      emit(world, 'payment_intent.processing', payment, null, who.at)
      break
    }
    case 'declined':
      decline(world, payment, createCharge(world, payment, who, 'failed'), who.at)
      break
  }
}

/** The attempt is over without money; the intent waits for another method. */
export function decline(world: World, payment: Stripe.PaymentIntent, charge: Stripe.Charge, at = nowS(world)): void {
  charge.status = 'failed'
  charge.paid = false
  charge.failure_code = 'card_declined'
  payment.status = 'requires_payment_method'
  payment.last_payment_error = {
    charge: charge.id,
    code: 'card_declined',
    decline_code: 'generic_decline',
    message: 'Your card was declined.',
    type: 'card_error',
  }
  emit(world, 'charge.failed', charge, null, at)
  emit(world, 'payment_intent.payment_failed', payment, null, at)
}
