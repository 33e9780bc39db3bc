import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute, second } from '@bursar/kit/clock.ts'
import { createWorld, type World } from '#main/world.ts'
import { assertPromise } from './promise.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

/** A sale by another program on the same account of the provider. */
async function sellElsewhere(metadata: Record<string, string> = {}): Promise<string> {
  const form = new URLSearchParams({ amount: '700', currency: 'usd', confirm: 'true', payment_method: 'pm_card_visa' })
  for (const [key, value] of Object.entries(metadata)) form.set(`metadata[${key}]`, value)
  const made = await world.app.http({
    method: 'POST',
    url: `${world.stripe.url}/v1/payment_intents`,
    body: form.toString(),
    headers: { authorization: 'Bearer sk_test_world', 'content-type': 'application/x-www-form-urlencoded' },
  })
  assert.ok(made.ok && made.response.status === 200, made.ok ? made.response.body.toString() : made.failure.message)
  return (JSON.parse(made.response.body.toString()) as { id: string }).id
}
type Row = { state: string; outcome: string; attempts: number; due: number | null }
async function eventOf(type: string, about: string): Promise<Row | undefined> {
  const [row] = await world.rows<Row>(`
    select e.state, e.outcome, e.attempts, e.next_try_at as due from inbound_event e
    join inbound_payload p on p.event_id = e.id where e.type = '${type}' and convert_from(p.body, 'utf8') like '%${about}%'`)
  return row
}

test('a payment that was sold elsewhere waits a minute for its order, then is ignored with a reason', async () => {
  const payment = await sellElsewhere()
  await world.settle(10 * second)
  assert.equal((await eventOf('payment_intent.succeeded', payment))?.state, 'pending')
  await world.settle(2 * minute)
  const row = await eventOf('payment_intent.succeeded', payment)
  assert.equal(row?.state, 'ignored')
  assert.match(row?.outcome ?? '', new RegExp(`No checkout belongs to ${payment}: sold elsewhere`))
  await assertPromise(world)
})

test('F2: a payment that names an order of ours which is not there stays in sight: waiting, then unmatched', async () => {
  const payment = await sellElsewhere({ hub_order_id: 'ord_00000000000000000000000000' })
  await world.settle(10 * minute)
  const waiting = await eventOf('payment_intent.succeeded', payment)
  assert.equal(waiting?.state, 'pending')
  assert.match(waiting?.outcome ?? '', /No order knows payment/)
  assert.ok((waiting?.due ?? 0) > world.clock.now())
  await world.settle(day)
  const row = await eventOf('payment_intent.succeeded', payment)
  assert.equal(row?.state, 'unmatched')
  assert.match(row?.outcome ?? '', /No order knows payment/)
  assert.equal(row?.due, null)
})

test('F2: a refund of a sale elsewhere stays in sight as unmatched: money went back and no order says for what', async () => {
  const payment = await sellElsewhere()
  const refund = world.stripe.refund({ payment_intent: payment })
  await world.settle(day)
  const row = await eventOf('refund.created', refund.id)
  assert.equal(row?.state, 'unmatched')
  assert.match(row?.outcome ?? '', new RegExp(`No order knows the payment of refund ${refund.id}`))
})

test('while the provider cannot be asked, a payment without an order is neither ignored nor given up', async () => {
  const payment = await sellElsewhere()
  await world.settle(15 * second)
  world.stripe.faults.add({ kind: 'status', status: 503, probability: 1, path: '/v1/checkout/sessions', method: 'GET' })
  await world.settle(30 * minute)
  assert.equal((await eventOf('payment_intent.succeeded', payment))?.state, 'pending')
  world.stripe.faults.clear()
  await world.settle(30 * minute)
  assert.equal((await eventOf('payment_intent.succeeded', payment))?.state, 'ignored')
})
