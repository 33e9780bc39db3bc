import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sweptTypes } from './subjects.ts'
import { type Stage, stageStripe, value } from './testing.ts'

let stage: Stage
before(async () => {
  stage = await stageStripe()
})
after(() => stage.close())

const request = (lines: readonly { priceId: string; quantity: number }[], key: string) => ({
  ui: 'hosted_page' as const,
  mode: 'payment' as const,
  lines,
  successUrl: 'https://hub.example/ok',
  cancelUrl: 'https://hub.example/no',
  metadata: { hub_order_id: key },
  idempotencyKey: key,
})

async function paidCheckout(key: string, count = 1): Promise<string> {
  const prices = Array.from({ length: count }, (_, i) => stage.sim.addPrice({ name: `Course ${i}`, amount: 1000 + i }))
  const created = value(
    await stage.stripe.createCheckout(
      request(
        prices.map(({ id }) => ({ priceId: id, quantity: 1 })),
        key,
      ),
    ),
  )
  stage.sim.pay({ session: created.externalId })
  return created.externalId
}

test('A checkout with more than ten lines is read whole, in order', async () => {
  const id = await paidCheckout('many', 25)
  stage.calls.length = 0
  const truth = value(await stage.stripe.read({ kind: 'checkout', externalId: id }))
  assert.ok(truth?.kind === 'checkout')
  assert.equal(truth.lines?.length, 25)
  assert.deepEqual(
    truth.lines?.map((line) => line.amount),
    Array.from({ length: 25 }, (_, i) => BigInt(1000 + i)),
  )
  assert.equal(stage.calls.length, 2)
})

test('A payment with more than ten refunds is read with every one of them', async () => {
  const id = await paidCheckout('refunds')
  const payment = stage.sim.session(id)?.payment_intent
  assert.ok(typeof payment === 'string')
  for (let i = 0; i < 14; i++) stage.sim.refund({ payment_intent: payment, amount: 10 })
  const truth = value(await stage.stripe.read({ kind: 'payment', externalId: payment }))
  assert.ok(truth?.kind === 'payment')
  assert.equal(truth.refunds.length, 14)
  assert.equal(truth.amountRefunded, 140n)
  assert.equal(new Set(truth.refunds.map((refund) => refund.externalId)).size, 14)
})

test('A charge leads to its payment, with what hangs on it', async () => {
  const id = await paidCheckout('charge')
  const payment = stage.sim.truth().payments.at(-1)
  assert.ok(payment?.charge)
  stage.sim.refund({ payment_intent: payment.paymentIntent, amount: 100 })
  const byCharge = value(await stage.stripe.read({ kind: 'charge', externalId: payment.charge }))
  const byPayment = value(await stage.stripe.read({ kind: 'payment', externalId: payment.paymentIntent }))
  assert.deepEqual(byCharge, byPayment)
  const checkout = value(await stage.stripe.read({ kind: 'checkout', externalId: id }))
  assert.ok(checkout?.kind === 'checkout')
  assert.deepEqual(checkout.payment, byPayment)
})

test('F13: a failed refund gives the money back to us: cumulative sums fall again', async () => {
  await paidCheckout('failing refund')
  const payment = stage.sim.truth().payments.at(-1)?.paymentIntent ?? ''
  const refund = stage.sim.refund({ payment_intent: payment, amount: 300, pending: true })
  const pending = value(await stage.stripe.read({ kind: 'refund', externalId: refund.id }))
  assert.ok(pending?.kind === 'refund')
  assert.deepEqual([pending.state, pending.paymentId, pending.amount], ['pending', payment, 300n])
  stage.sim.refundFail(refund.id)
  const after = value(await stage.stripe.read({ kind: 'payment', externalId: payment }))
  assert.ok(after?.kind === 'payment')
  assert.deepEqual([after.amountRefunded, after.refunds[0]?.state], [0n, 'failed'])
})

test('An inquiry moves no money, may be refunded, and counts as won when it is closed', async () => {
  await paidCheckout('inquiry')
  const payment = stage.sim.truth().payments.at(-1)?.paymentIntent ?? ''
  const dispute = stage.sim.dispute({ payment_intent: payment, inquiry: true })
  const read = async () => {
    const truth = value(await stage.stripe.read({ kind: 'payment', externalId: payment }))
    assert.ok(truth?.kind === 'payment')
    return truth.disputes.map((d) => [d.state, d.fundsWithdrawn])
  }
  assert.deepEqual(await read(), [['inquiry', false]])
  stage.sim.refund({ payment_intent: payment, amount: 100 })
  stage.sim.disputeClose(dispute.id, 'warning_closed')
  assert.deepEqual(await read(), [['won', false]])
})

test('What Stripe does not know is null, and an id that is no id is not asked for', async () => {
  for (const kind of ['checkout', 'payment', 'charge', 'refund', 'dispute', 'invoice', 'subscription'] as const) {
    assert.equal(value(await stage.stripe.read({ kind, externalId: 'xx_unknown' })), null, kind)
    stage.calls.length = 0
    for (const externalId of ['', '../prices', 'a/b', 'a?b', 'ä'])
      assert.equal(value(await stage.stripe.read({ kind, externalId })), null)
    assert.equal(stage.calls.length, 0)
  }
})

test('Prices are paged, with the names of their products', async () => {
  for (let i = 0; i < 120; i++) stage.sim.addPrice({ name: `Listed ${i}`, amount: 500, currency: 'jpy' })
  const first = value(await stage.stripe.prices())
  assert.equal(first.items.length, 100)
  assert.ok(first.next !== null)
  const second = value(await stage.stripe.prices(first.next))
  const names = new Set([...first.items, ...second.items].map((price) => price.productName))
  assert.ok(names.has('Listed 0') && names.has('Listed 119'))
  const one = first.items[0]
  assert.deepEqual([one?.currency, one?.amount, one?.recurring, one?.active], ['JPY', 500n, false, true])
})

test('A sweep finds every event that was never delivered, oldest first and once', async () => {
  const since = stage.clock.now()
  for (let i = 0; i < 130; i++) {
    await stage.clock.advance(1_000)
    await paidCheckout(`sweep ${i}`)
  }
  const expected = stage.sim
    .events()
    .filter((event) => event.created * 1_000 > since && (sweptTypes as readonly string[]).includes(event.type))
    .map((event) => event.id)
  const found: string[] = []
  let cursor: string | undefined
  for (;;) {
    const page = value(await stage.stripe.events(since + 1_000, cursor))
    found.push(...page.items.map((event) => event.externalId))
    for (const event of page.items) assert.equal(JSON.parse(event.raw.toString()).id, event.externalId)
    if (page.next === null) break
    cursor = page.next
  }
  assert.equal(found.length, 260)
  assert.deepEqual(found, expected)
})

test('A sweep over more events than one answer holds halves its window and loses none', async () => {
  const since = stage.clock.now()
  const id = await paidCheckout('halved')
  const payment = stage.sim.session(id)?.payment_intent
  assert.ok(typeof payment === 'string')
  for (let i = 0; i < 550; i++) {
    if (i % 50 === 0) await stage.clock.advance(2_000)
    const refund = stage.sim.refund({ payment_intent: payment, amount: 1, pending: true })
    stage.sim.refundFail(refund.id)
  }
  const expected = stage.sim
    .events()
    .filter((event) => event.created * 1_000 > since && event.type.startsWith('refund.'))
    .map((event) => event.id)
  assert.equal(expected.length, 1_650)
  const found: string[] = []
  let cursor: string | undefined
  let pages = 0
  for (;;) {
    const page = value(await stage.stripe.events(since + 1_000, cursor))
    pages += 1
    found.push(...page.items.map((event) => event.externalId))
    if (page.next === null) break
    cursor = page.next
  }
  assert.ok(pages > 1)
  assert.deepEqual(found, expected)
})

test('A payment leads to its checkout; one that was made without a checkout leads nowhere', async () => {
  const id = await paidCheckout('origin')
  const payment = stage.sim.session(id)?.payment_intent
  assert.ok(typeof payment === 'string')
  assert.equal(value(await stage.stripe.checkoutOf(payment)), id)
  assert.equal(value(await stage.stripe.checkoutOf('pi_unknown')), null)
  assert.equal(value(await stage.stripe.checkoutOf('ch_without_intent')), null)
})
