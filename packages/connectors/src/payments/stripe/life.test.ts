import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { CheckoutTruth, PaymentFacts } from '#payments/port.ts'
import { type Stage, stageStripe, testSecret, value } from './testing.ts'

let stage: Stage
before(async () => {
  stage = await stageStripe()
})
after(() => stage.close())
beforeEach(() => {
  stage.calls.length = 0
})

let orders = 0
async function checkout(prices: readonly string[], mode: 'payment' | 'subscription' = 'payment'): Promise<string> {
  orders += 1
  const created = value(
    await stage.stripe.createCheckout({
      ui: 'hosted_page',
      mode,
      lines: prices.map((priceId) => ({ priceId, quantity: 1 })),
      successUrl: 'https://hub.example/back?session={CHECKOUT_SESSION_ID}',
      cancelUrl: 'https://hub.example/cancel',
      email: 'ada@example.com',
      metadata: { hub_order_id: `ord_${orders}` },
      idempotencyKey: `checkout:ord_${orders}:v1`,
    }),
  )
  assert.match(created.url ?? '', /\/c\/pay\/cs_test_/)
  return created.externalId
}

async function readCheckout(id: string): Promise<CheckoutTruth> {
  const truth = value(await stage.stripe.read({ kind: 'checkout', externalId: id }))
  if (truth?.kind !== 'checkout') throw new Error('not a checkout')
  return truth
}

async function readPayment(id: string): Promise<PaymentFacts> {
  const truth = value(await stage.stripe.read({ kind: 'payment', externalId: id }))
  if (truth?.kind !== 'payment') throw new Error('not a payment')
  return truth
}

test('A checkout of two courses is paid, read in one call, and refunded line by line', async () => {
  const one = stage.sim.addPrice({ name: 'Course one', amount: 4900 })
  const two = stage.sim.addPrice({ name: 'Course two', amount: 1900 })
  const id = await checkout([one.id, two.id])
  assert.equal((await readCheckout(id)).paid, 'unpaid')
  stage.sim.pay({ session: id, name: 'Ada Lovelace' })

  stage.calls.length = 0
  const paid = await readCheckout(id)
  assert.equal(stage.calls.length, 1)
  assert.deepEqual(
    {
      state: paid.state,
      paid: paid.paid,
      email: paid.email,
      name: paid.name,
      amount: paid.amount,
      currency: paid.currency,
    },
    { state: 'complete', paid: 'paid', email: 'ada@example.com', name: 'Ada Lovelace', amount: 6800n, currency: 'USD' },
  )
  assert.deepEqual(
    paid.lines?.map((line) => [line.priceId, line.description, line.amount]),
    [
      [one.id, 'Course one', 4900n],
      [two.id, 'Course two', 1900n],
    ],
  )
  assert.equal(paid.payment?.state, 'succeeded')
  assert.equal(paid.payment?.metadata.hub_order_id, paid.metadata.hub_order_id)
  assert.ok(paid.paymentId !== null)

  const refund = value(
    await stage.stripe.refund({
      paymentId: paid.paymentId,
      amount: 1900n,
      currency: 'USD',
      metadata: { hub_order_line_id: 'oln_2' },
      idempotencyKey: 'refund:1:v1',
    }),
  )
  assert.equal(refund.state, 'succeeded')
  const after = await readPayment(paid.paymentId)
  assert.equal(after.amountRefunded, 1900n)
  assert.deepEqual(after.refunds, [refund])
  assert.equal(after.refunds[0]?.metadata.hub_order_line_id, 'oln_2')
})

test('L8: a sale and a partial refund keep their amount in currencies of every kind', async () => {
  const cases = [
    { currency: 'jpy', stripe: 1_200, iso: 1_200n, refund: 500n, sent: 500 },
    { currency: 'isk', stripe: 199_000, iso: 1_990n, refund: 990n, sent: 99_000 },
    { currency: 'ugx', stripe: 5_000_000, iso: 50_000n, refund: 1n, sent: 100 },
    { currency: 'kwd', stripe: 4_990, iso: 4_990n, refund: 1_230n, sent: 1_230 },
    { currency: 'huf', stripe: 150_050, iso: 150_050n, refund: 50n, sent: 50 },
    { currency: 'mga', stripe: 5_000, iso: 500_000n, refund: 100n, sent: 1 },
  ]
  for (const { currency, stripe, iso, refund, sent } of cases) {
    const id = await checkout([stage.sim.addPrice({ name: 'Course', amount: stripe, currency }).id])
    stage.sim.pay({ session: id })
    const paid = await readCheckout(id)
    assert.deepEqual([paid.currency, paid.amount, paid.payment?.amountReceived], [currency.toUpperCase(), iso, iso])
    const paymentId = paid.paymentId ?? ''
    const back = value(
      await stage.stripe.refund({
        paymentId,
        amount: refund,
        currency: paid.currency,
        metadata: {},
        idempotencyKey: `refund ${currency}`,
      }),
    )
    assert.equal(back.amount, refund, currency)
    assert.equal(stage.sim.truth().refunds.at(-1)?.amount, sent, currency)
    assert.equal((await readPayment(paymentId)).amountRefunded, refund, currency)
  }
})

test('F14: a dispute is opened, its money withdrawn, and won back; another is lost', async () => {
  const price = stage.sim.addPrice({ name: 'Course', amount: 5000 })
  for (const outcome of ['won', 'lost'] as const) {
    const id = await checkout([price.id])
    stage.sim.pay({ session: id })
    const paymentId = (await readCheckout(id)).paymentId ?? ''
    const dispute = stage.sim.dispute({ payment_intent: paymentId })
    const open = (await readPayment(paymentId)).disputes[0]
    assert.deepEqual([open?.state, open?.fundsWithdrawn, open?.amount], ['open', true, 5000n])
    stage.sim.disputeClose(dispute.id, outcome)
    const closed = value(await stage.stripe.read({ kind: 'dispute', externalId: dispute.id }))
    assert.ok(closed?.kind === 'dispute')
    assert.deepEqual([closed.state, closed.fundsWithdrawn], outcome === 'won' ? ['won', false] : ['lost', true])
  }
})

test('F6: a session completed by bank debit is unpaid until the money arrives', async () => {
  const price = stage.sim.addPrice({ name: 'Course', amount: 5000 })
  const settled = await checkout([price.id])
  stage.sim.pay({ session: settled, card: 'bank_debit' })
  const waiting = await readCheckout(settled)
  assert.deepEqual([waiting.state, waiting.paid, waiting.payment?.state], ['complete', 'unpaid', 'processing'])
  stage.sim.payAsyncSucceed(settled)
  assert.equal((await readCheckout(settled)).paid, 'paid')

  const failed = await checkout([price.id])
  stage.sim.pay({ session: failed, card: 'bank_debit' })
  stage.sim.payAsyncFail(failed)
  const lost = await readCheckout(failed)
  assert.deepEqual([lost.state, lost.paid, lost.payment?.state], ['complete', 'unpaid', 'failed'])

  const expired = await checkout([price.id])
  stage.sim.expire(expired)
  assert.equal((await readCheckout(expired)).state, 'expired')
})

test('Every event of a life verifies in both forms and names what to read', async () => {
  const events = stage.sim.events()
  assert.ok(events.length > 10)
  for (const event of events) {
    for (const form of ['snapshot', 'thin'] as const) {
      const delivery = stage.sim.signedDelivery(event, { form })
      const verified = stage.stripe.verify(delivery, [testSecret], stage.clock.now())
      assert.ok(verified.ok, `${event.type} as ${form}`)
      assert.equal(verified.event.form, form)
      assert.equal(verified.event.livemode, false)
      for (const subject of verified.event.subjects) {
        const truth = value(await stage.stripe.read(subject))
        assert.ok(truth !== null, `${subject.kind} ${subject.externalId}`)
      }
    }
  }
})
