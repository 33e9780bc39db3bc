import assert from 'node:assert/strict'
import { test } from 'node:test'
import Stripe from 'stripe'
import type { Subject } from '#payments/port.ts'
import { eventTypes, sweptTypes } from './subjects.ts'
import { verifyDelivery } from './verify.ts'

const sdk = new Stripe('sk_test_unused', { telemetry: false })
const secret = 'whsec_the_secret_of_this_endpoint'
const nowMs = Date.UTC(2026, 10, 20, 12)

function verified(payload: object) {
  const body = JSON.stringify(payload)
  const signature = sdk.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: nowMs / 1_000 })
  const result = verifyDelivery(
    { headers: { 'stripe-signature': signature }, body: Buffer.from(body) },
    [secret],
    nowMs,
  )
  assert.ok(result.ok, result.ok ? '' : result.reason)
  return result.event
}

const snapshot = (type: string, object: object, apiVersion = '2026-10-28.endive') =>
  verified({
    id: 'evt_1',
    object: 'event',
    type,
    created: 1_700_000_000,
    livemode: false,
    api_version: apiVersion,
    data: { object },
  })

const thin = (type: string, related: object | null) =>
  verified({
    id: 'evt_2',
    object: 'v2.core.event',
    type,
    created: '2026-11-20T12:00:00Z',
    livemode: false,
    related_object: related,
  })

const objectOf = {
  checkout: 'checkout.session',
  payment: 'payment_intent',
  charge: 'charge',
  refund: 'refund',
  dispute: 'dispute',
  invoice: 'invoice',
  subscription: 'subscription',
} as const satisfies Record<Subject['kind'], string>

test('Every event of the table names what to read, as a snapshot and thin', () => {
  for (const [type, kind] of Object.entries(eventTypes)) {
    if (type === 'radar.early_fraud_warning.created' || type === 'invoice_payment.paid') continue
    const object = objectOf[kind]
    const expected = [{ kind, externalId: 'x_1' }]
    assert.deepEqual(snapshot(type, { id: 'x_1', object }).subjects, expected, type)
    assert.deepEqual(thin(`v1.${type}`, { id: 'x_1', type: object, url: '/v1/x' }).subjects, expected, `v1.${type}`)
  }
})

test('An early fraud warning and a paid invoice payment lead to what they are about', () => {
  const warning = { id: 'issfr_1', object: 'radar.early_fraud_warning', charge: 'ch_1' }
  assert.deepEqual(snapshot('radar.early_fraud_warning.created', warning).subjects, [
    { kind: 'charge', externalId: 'ch_1' },
  ])
  const paid = { id: 'inpay_1', object: 'invoice_payment', invoice: 'in_1' }
  assert.deepEqual(snapshot('invoice_payment.paid', paid).subjects, [{ kind: 'invoice', externalId: 'in_1' }])
  // Thin forms name only the warning itself; the dispute or refund that follows names the rest.
  const related = { id: 'issfr_1', type: 'radar.early_fraud_warning', url: '/v1/radar/early_fraud_warnings/issfr_1' }
  assert.deepEqual(thin('v1.radar.early_fraud_warning.created', related).subjects, [])
})

test('A type nobody knows yet is accepted: a known object is read, an unknown one is not', () => {
  assert.deepEqual(snapshot('charge.teleported', { id: 'ch_1', object: 'charge' }).subjects, [
    { kind: 'charge', externalId: 'ch_1' },
  ])
  assert.deepEqual(snapshot('wormhole.opened', { id: 'wh_1', object: 'wormhole' }).subjects, [])
  assert.deepEqual(snapshot('wormhole.opened', {}).subjects, [])
  assert.deepEqual(thin('v1.customer.subscription.past_due', { id: 'sub_1', type: 'subscription', url: '' }).subjects, [
    { kind: 'subscription', externalId: 'sub_1' },
  ])
  assert.deepEqual(thin('v2.money_management.wormhole', null).subjects, [])
})

test('Frequent events that say nothing new are not read back', () => {
  for (const type of ['charge.succeeded', 'charge.updated', 'payment_intent.created', 'invoice.payment_succeeded'])
    assert.deepEqual(snapshot(type, { id: 'x_1', object: 'charge' }).subjects, [], type)
})

test('Events about payouts, accounts and features are kept and read nothing', () => {
  const others = {
    'entitlements.active_entitlement_summary.updated': 'entitlements.active_entitlement_summary',
    'transfer.created': 'transfer',
    'transfer.reversed': 'transfer',
    'payout.paid': 'payout',
    'payout.failed': 'payout',
    'payout.canceled': 'payout',
    'payout.reconciliation_completed': 'payout',
    'account.updated': 'account',
  }
  for (const [type, object] of Object.entries(others)) {
    assert.deepEqual(snapshot(type, { id: 'x_1', object }).subjects, [], type)
    assert.deepEqual(thin(`v1.${type}`, { id: 'x_1', type: object, url: '/v1/x' }).subjects, [], type)
  }
})

test('A sweep asks for at most the 20 types Stripe allows, each of them handled', () => {
  assert.ok(sweptTypes.length <= 20)
  for (const type of sweptTypes) assert.ok(Object.hasOwn(eventTypes, type), type)
})

test('A snapshot of another API version is accepted, whatever its shape', () => {
  for (const version of ['2016-07-06', '2023-08-16', '2031-01-01.zebra']) {
    const event = snapshot('checkout.session.completed', { id: 'cs_1', object: 'checkout.session' }, version)
    assert.equal(event.apiVersion, version)
    assert.deepEqual(event.subjects, [{ kind: 'checkout', externalId: 'cs_1' }])
    assert.deepEqual(event.stated, [])
  }
})

const session2023 = {
  id: 'cs_1',
  object: 'checkout.session',
  mode: 'payment',
  status: 'complete',
  payment_status: 'paid',
  livemode: false,
  ui_mode: 'hosted',
  customer: null,
  customer_details: { email: 'ada@example.com', name: 'Ada' },
  currency: 'usd',
  amount_total: 4900,
  total_details: { amount_tax: 300, amount_discount: 100, amount_shipping: 0 },
  client_reference_id: 'ref-1',
  metadata: { hub_order_id: 'ord_1' },
  payment_intent: 'pi_1',
  subscription: null,
  created: 1_700_000_000,
}

test('What a paid session states: everything but its lines', () => {
  const [truth] = snapshot('checkout.session.completed', session2023, '2023-08-16').stated
  assert.ok(truth?.kind === 'checkout')
  assert.equal(truth.lines, null)
  assert.deepEqual(
    [truth.state, truth.paid, truth.amount, truth.tax, truth.discount, truth.email, truth.paymentId, truth.payment],
    ['complete', 'paid', 4900n, 300n, 100n, 'ada@example.com', 'pi_1', null],
  )
})

test('An older session under the names hosted and embedded, and a newer one, state the same', () => {
  const modes = ['hosted', 'embedded', 'custom', 'hosted_page', 'embedded_page', 'elements', 'form', 'hologram']
  const truths = modes.map((ui_mode) => snapshot('checkout.session.completed', { ...session2023, ui_mode }).stated[0])
  for (const truth of truths) assert.deepEqual(truth, truths[0])
  assert.ok(truths[0] !== undefined)
})

test('A payment status from the future is not "paid", and an unknown mode states nothing', () => {
  const strange = snapshot('checkout.session.completed', { ...session2023, payment_status: 'partially_paid' }).stated[0]
  assert.ok(strange?.kind === 'checkout')
  assert.equal(strange.paid, 'unpaid')
  assert.deepEqual(snapshot('checkout.session.completed', { ...session2023, mode: 'barter' }).stated, [])
})

const invoiceBase = {
  id: 'in_1',
  object: 'invoice',
  status: 'paid',
  livemode: false,
  customer: 'cus_1',
  customer_email: 'ada@example.com',
  currency: 'eur',
  amount_due: 1000,
  amount_paid: 1000,
  attempt_count: 1,
  next_payment_attempt: null,
  created: 1_700_000_000,
}
const period = { start: 1_700_000_000, end: 1_702_592_000 }

test('An invoice of before and after 2025-03-31 names the same subscription, payment and price', () => {
  const older = snapshot('invoice.paid', {
    ...invoiceBase,
    subscription: 'sub_1',
    payment_intent: 'pi_1',
    lines: { data: [{ id: 'il_1', amount: 1000, quantity: 1, period, price: { id: 'price_1' } }], has_more: false },
  }).stated[0]
  const newer = snapshot('invoice.paid', {
    ...invoiceBase,
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1', metadata: {} } },
    payments: {
      data: [{ is_default: true, status: 'paid', payment: { type: 'payment_intent', payment_intent: 'pi_1' } }],
    },
    lines: {
      data: [
        {
          id: 'il_1',
          amount: 1000,
          quantity: 1,
          period,
          pricing: { price_details: { price: 'price_1', product: 'p' } },
        },
      ],
      has_more: false,
    },
  }).stated[0]
  assert.ok(older?.kind === 'invoice')
  assert.deepEqual(
    [older.subscriptionId, older.paymentId, older.lines[0]?.priceId, older.lines[0]?.periodEnd],
    ['sub_1', 'pi_1', 'price_1', period.end * 1_000],
  )
  assert.deepEqual(newer, older)
})

test('An invoice line is what is asked for it: after discounts, with tax on top', () => {
  const [truth] = snapshot('invoice.paid', {
    ...invoiceBase,
    lines: {
      data: [
        {
          id: 'il_1',
          amount: 1000,
          period,
          discount_amounts: [{ amount: 200, discount: 'di_1' }],
          taxes: [
            { amount: 152, tax_behavior: 'exclusive' },
            { amount: 50, tax_behavior: 'inclusive' },
          ],
        },
      ],
    },
  }).stated
  assert.ok(truth?.kind === 'invoice')
  assert.equal(truth.lines[0]?.amount, 952n)
})

test('A subscription of before 2025-03-31 carries its period itself', () => {
  const base = {
    id: 'sub_1',
    object: 'subscription',
    status: 'active',
    livemode: false,
    customer: 'cus_1',
    cancel_at: null,
    created: 1_700_000_000,
    metadata: {},
  }
  const items = (extra: object) => ({ data: [{ id: 'si_1', price: { id: 'price_1' }, quantity: 2, ...extra }] })
  const older = snapshot('customer.subscription.updated', { ...base, current_period_end: 5, items: items({}) })
    .stated[0]
  const newer = snapshot('customer.subscription.updated', { ...base, items: items({ current_period_end: 5 }) })
    .stated[0]
  assert.ok(older?.kind === 'subscription')
  assert.deepEqual(older.items, [{ externalId: 'si_1', priceId: 'price_1', quantity: 2, periodEnd: 5_000 }])
  assert.deepEqual(newer, older)
  const unknown = snapshot('customer.subscription.updated', { ...base, status: 'hibernating', items: items({}) })
  assert.deepEqual(unknown.stated, [])
})

test('Refund and dispute states, with the words of 2026', () => {
  const refund = {
    id: 're_1',
    object: 'refund',
    amount: 5,
    currency: 'jpy',
    status: 'failed',
    created: 1,
    charge: 'ch_1',
  }
  const [failed] = snapshot('refund.failed', refund).stated
  assert.ok(failed?.kind === 'refund')
  assert.deepEqual([failed.state, failed.amount, failed.currency], ['failed', 5n, 'JPY'])
  const states = {
    warning_needs_response: 'inquiry',
    warning_under_review: 'inquiry',
    warning_closed: 'won',
    prevented: 'won',
    needs_response: 'open',
    under_review: 'open',
    appeal_needs_response: 'open',
    appeal_under_review: 'open',
    a_word_of_2031: 'open',
    won: 'won',
    lost: 'lost',
  }
  for (const [status, state] of Object.entries(states)) {
    const dispute = { id: 'du_1', object: 'dispute', amount: 5, currency: 'usd', status, created: 1, charge: 'ch_1' }
    const [truth] = snapshot('charge.dispute.updated', dispute).stated
    assert.ok(truth?.kind === 'dispute')
    assert.equal(truth.state, state, status)
  }
})

test('An amount that cannot be held exactly states nothing, and is no exception', () => {
  const refund = { id: 're_1', object: 'refund', amount: 1.5, currency: 'usd', status: 'succeeded', created: 1 }
  assert.deepEqual(snapshot('refund.created', refund).stated, [])
  assert.deepEqual(snapshot('refund.created', { ...refund, amount: 150, currency: 'isk' }).stated, [])
})
