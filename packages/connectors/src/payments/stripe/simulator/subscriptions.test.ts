import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day } from '@bursar/kit/clock.ts'
import Stripe from 'stripe'
import type { InvoiceTruth, SubscriptionTruth } from '#payments/port.ts'
import { type Stage, stageStripe, testKey, value } from '../testing.ts'
import { addInterval } from './subscription.ts'

let stage: Stage
let stripe: Stripe
let price: string
before(async () => {
  stage = await stageStripe()
  stripe = new Stripe(testKey, { host: '127.0.0.1', port: stage.sim.port, protocol: 'http', telemetry: false })
  price = stage.sim.addPrice({ name: 'All courses', amount: 2900, interval: 'month' }).id
})
after(() => stage.close())

async function subscription(id: string): Promise<SubscriptionTruth> {
  const truth = value(await stage.stripe.read({ kind: 'subscription', externalId: id }))
  if (truth?.kind !== 'subscription') throw new Error('not a subscription')
  return truth
}

async function invoice(id: string | null): Promise<InvoiceTruth> {
  const truth = value(await stage.stripe.read({ kind: 'invoice', externalId: id ?? '' }))
  if (truth?.kind !== 'invoice') throw new Error('not an invoice')
  return truth
}

let orders = 0
async function subscribe(extra: Partial<Stripe.Checkout.SessionCreateParams> = {}, card?: string): Promise<string> {
  orders += 1
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price, quantity: 1 }],
    success_url: 'https://hub.example/ok',
    metadata: { hub_order_id: `ord_${orders}` },
    subscription_data: { metadata: { hub_order_id: `ord_${orders}` } },
    ...extra,
  })
  stage.sim.pay({ session: session.id, ...(card === undefined ? {} : { card }) })
  const paid = value(await stage.stripe.read({ kind: 'checkout', externalId: session.id }))
  assert.ok(paid?.kind === 'checkout' && paid.subscriptionId !== null && paid.subscription !== null)
  assert.equal(paid.subscription.metadata.hub_order_id, `ord_${orders}`)
  return paid.subscriptionId
}

const types = (from: number) =>
  stage.sim
    .events()
    .slice(from)
    .map((event) => event.type)
const mark = () => stage.sim.events().length

test('A month keeps its day and shortens to the end of the month', () => {
  const monthly = { interval: 'month', interval_count: 1 }
  const at = (text: string) => Date.parse(text) / 1_000
  assert.equal(addInterval(at('2026-01-31T09:00:00Z'), monthly), at('2026-02-28T09:00:00Z'))
  assert.equal(addInterval(at('2026-12-05T09:00:00Z'), monthly), at('2027-01-05T09:00:00Z'))
  assert.equal(
    addInterval(at('2028-02-29T00:00:00Z'), { interval: 'year', interval_count: 1 }),
    at('2029-02-28T00:00:00Z'),
  )
})

test('A subscription starts with a paid invoice whose line ends with the period', async () => {
  const id = await subscribe()
  const started = await subscription(id)
  assert.equal(started.state, 'active')
  const first = await invoice(started.latestInvoiceId)
  assert.deepEqual(
    [first.state, first.subscriptionId, first.amountPaid, first.attempts, first.lines.length],
    ['paid', id, 2900n, 1, 1],
  )
  assert.equal(first.lines[0]?.periodEnd, started.items[0]?.periodEnd)
  assert.equal(first.lines[0]?.priceId, price)
  const payment = value(await stage.stripe.read({ kind: 'payment', externalId: first.paymentId ?? '' }))
  assert.ok(payment?.kind === 'payment')
  assert.deepEqual([payment.state, payment.amountReceived], ['succeeded', 2900n])
})

test('A renewal moves the period on and says so with invoice.paid', async () => {
  const id = await subscribe()
  const before = await subscription(id)
  const from = mark()
  stage.sim.renew(id)
  const after = await subscription(id)
  assert.ok((after.items[0]?.periodEnd ?? 0) > (before.items[0]?.periodEnd ?? 0))
  assert.notEqual(after.latestInvoiceId, before.latestInvoiceId)
  assert.deepEqual(
    types(from).filter((type) => /^(invoice\.paid|customer\.subscription)/.test(type)),
    ['customer.subscription.updated', 'invoice.paid'],
  )
  assert.equal(stage.sim.truth().subscriptions.find((s) => s.subscription === id)?.paidPeriods.length, 2)
})

test('F15: a failed renewal is past due, tried again, and active once it is paid', async () => {
  const id = await subscribe()
  const from = mark()
  stage.sim.renewFail(id)
  const behind = await subscription(id)
  const open = await invoice(behind.latestInvoiceId)
  assert.deepEqual([behind.state, open.state, open.attempts, open.amountPaid], ['past_due', 'open', 1, 0n])
  assert.ok(open.nextAttemptAt !== null)
  assert.ok(types(from).includes('invoice.payment_failed'))
  stage.sim.retry(id, '4242424242424242')
  const again = await subscription(id)
  const paid = await invoice(again.latestInvoiceId)
  assert.deepEqual([again.state, paid.state, paid.attempts, paid.nextAttemptAt], ['active', 'paid', 2, null])
})

test('After the last try a subscription is canceled, or unpaid where the account says so', async () => {
  for (const [policy, state, event] of [
    ['cancel', 'canceled', 'customer.subscription.deleted'],
    ['unpaid', 'unpaid', 'customer.subscription.updated'],
  ] as const) {
    stage.sim.setAfterDunning(policy)
    const id = await subscribe()
    stage.sim.renewFail(id)
    for (let i = 0; i < 3; i++) stage.sim.retry(id, '4000000000000002')
    const over = await subscription(id)
    assert.equal(over.state, state)
    assert.equal(types(0).at(-1), event)
    assert.equal((await invoice(over.latestInvoiceId)).attempts, 4)
  }
  stage.sim.setAfterDunning('cancel')
})

test('A test clock runs a trial, its warning, renewals, dunning and the end, in order', async () => {
  const start = Math.floor(Date.UTC(2026, 0, 10) / 1_000)
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: start })
  const customer = await stripe.customers.create({ email: 'trial@example.com', test_clock: clock.id })
  const id = await subscribe({
    customer: customer.id,
    subscription_data: { trial_period_days: 14, metadata: { hub_order_id: `ord_${orders + 1}` } },
  })
  assert.equal((await subscription(id)).state, 'trialing')
  const from = mark()
  const to = (days: number) =>
    stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: start + (days * day) / 1_000 })

  await to(12)
  assert.ok(types(from).includes('customer.subscription.trial_will_end'))
  await to(15)
  assert.equal((await subscription(id)).state, 'active')
  stage.sim.setCard(customer.id, '4000000000000002')
  await to(46)
  assert.equal((await subscription(id)).state, 'past_due')
  await to(80)
  assert.equal((await subscription(id)).state, 'canceled')
  const own = stage.sim
    .events()
    .slice(from)
    .filter((event) => /trial|deleted|payment_failed|invoice\.paid/.test(event.type))
  assert.deepEqual(
    own.map((event) => event.type),
    [
      'customer.subscription.trial_will_end',
      'invoice.paid',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'customer.subscription.deleted',
    ],
  )
  const times = own.map((event) => event.created)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
})

test('cancel_at ends a subscription at its moment; undone, it does not', async () => {
  const id = await subscribe()
  const end = (await subscription(id)).items[0]?.periodEnd ?? 0
  await stripe.subscriptions.update(id, { cancel_at_period_end: true })
  const planned = await subscription(id)
  assert.deepEqual([planned.state, planned.cancelAt], ['active', end])
  await stripe.subscriptions.update(id, { cancel_at_period_end: false })
  assert.equal((await subscription(id)).cancelAt, null)
  stage.sim.cancelAt(id, { cancel_at_period_end: true })
  await stage.clock.advanceTo(end)
  stage.sim.advance({})
  const over = await subscription(id)
  assert.deepEqual([over.state, over.endedAt], ['canceled', end])
})

test('Paused and resumed, canceled at once: each has its event', async () => {
  const id = await subscribe()
  const from = mark()
  await stripe.subscriptions.pause(id, { type: 'subscription' })
  assert.equal((await subscription(id)).state, 'paused')
  await stripe.subscriptions.resume(id)
  assert.equal((await subscription(id)).state, 'active')
  await stripe.subscriptions.cancel(id)
  assert.equal((await subscription(id)).state, 'canceled')
  assert.deepEqual(types(from), [
    'customer.subscription.paused',
    'customer.subscription.resumed',
    'customer.subscription.deleted',
  ])
  await assert.rejects(stripe.subscriptions.cancel(id), { code: 'resource_missing' })
})

test('F6: a subscription paid by bank debit is unpaid until the money comes, or falls behind', async () => {
  for (const succeeded of [true, false]) {
    const session = await stripe.checkout.sessions.create({
      mode: 'subscription',
      line_items: [{ price }],
      success_url: 'https://hub.example/ok',
    })
    stage.sim.pay({ session: session.id, card: 'bank_debit' })
    if (succeeded) stage.sim.payAsyncSucceed(session.id)
    else stage.sim.payAsyncFail(session.id)
    const truth = value(await stage.stripe.read({ kind: 'checkout', externalId: session.id }))
    assert.ok(truth?.kind === 'checkout')
    assert.deepEqual(
      [truth.paid, truth.subscription?.state, (await invoice(truth.invoiceId)).state],
      succeeded ? ['paid', 'active', 'paid'] : ['unpaid', 'past_due', 'open'],
    )
  }
})

test('A payment without Checkout: declined, tried again, succeeded, canceled', async () => {
  const intent = await stripe.paymentIntents.create({
    amount: 700,
    currency: 'usd',
    metadata: { hub_order_id: 'ord_pi' },
  })
  const read = async () => {
    const truth = value(await stage.stripe.read({ kind: 'payment', externalId: intent.id }))
    assert.ok(truth?.kind === 'payment')
    return [truth.state, truth.amountReceived, truth.metadata.hub_order_id]
  }
  assert.deepEqual(await read(), ['pending', 0n, 'ord_pi'])
  const confirm = (payment_method: string) => stripe.paymentIntents.confirm(intent.id, { payment_method })
  await assert.rejects(confirm('pm_card_visa_chargeDeclined'), {
    type: 'StripeCardError',
    decline_code: 'generic_decline',
  })
  assert.deepEqual(await read(), ['failed', 0n, 'ord_pi'])
  await confirm('pm_card_visa')
  assert.deepEqual(await read(), ['succeeded', 700n, 'ord_pi'])
  const other = await stripe.paymentIntents.create({ amount: 700, currency: 'usd' })
  await stripe.paymentIntents.cancel(other.id)
  const canceled = value(await stage.stripe.read({ kind: 'payment', externalId: other.id }))
  assert.ok(canceled?.kind === 'payment')
  assert.equal(canceled.state, 'canceled')
})
