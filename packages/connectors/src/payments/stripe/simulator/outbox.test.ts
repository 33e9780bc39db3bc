import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, test } from 'node:test'
import { day, minute } from '@bursar/kit/clock.ts'
import { type Stage, stageStripe, testSecret } from '../testing.ts'
import { retrySchedule } from './outbox-send.ts'

type Received = { readonly headers: Record<string, string | string[] | undefined>; readonly body: Buffer }

let receiver: Server
let received: Received[]
let answerWith: number
let stage: Stage

beforeEach(async () => {
  received = []
  answerWith = 200
  receiver = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      received.push({ headers: req.headers, body: Buffer.concat(chunks) })
      res.writeHead(answerWith).end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const { port } = receiver.address() as AddressInfo
  stage = await stageStripe({ webhook: { url: `http://127.0.0.1:${port}/in/stripe`, secret: testSecret } })
})
afterEach(async () => {
  await stage.close()
  receiver.closeAllConnections()
  await new Promise((resolve) => receiver.close(resolve))
})

/** Makes two events: a product and its price. */
const sell = () => stage.sim.addPrice({ name: 'Course', amount: 1000 })

const idsOf = (deliveries: readonly Received[]) =>
  deliveries.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id)

test('A delivery is signed over the bytes it sends and verifies at the hub', async () => {
  sell()
  const { sent, failed } = await stage.sim.deliverAll()
  assert.deepEqual([sent, failed, received.length], [2, 0, 2])
  for (const delivery of received) assert.ok(stage.stripe.verify(delivery, [testSecret], stage.clock.now()).ok)
  assert.ok(stage.sim.outbox().every((delivery) => delivery.state === 'delivered'))
  assert.equal((await stage.sim.deliverAll()).sent, 0)
})

test('L2: deliveries can be duplicated, shuffled and dropped', async () => {
  for (let i = 0; i < 10; i++) sell()
  const order = stage.sim.events().map((event) => event.id)
  const { sent, dropped } = await stage.sim.deliverAll({ duplicate: 3, shuffle: true, drop: 0.3, parallel: 4 })
  const ids = idsOf(received)
  assert.equal(sent, (order.length - dropped) * 3)
  assert.ok(dropped > 0 && dropped < order.length)
  assert.equal(ids.length, sent)
  assert.notDeepEqual(
    [...new Set(ids)],
    order.filter((id) => ids.includes(id)),
  )
  assert.equal(stage.sim.outbox().filter((delivery) => delivery.state === 'dropped').length, dropped)
})

test('A refused delivery is repeated for three days with a fresh signature, then given up', async () => {
  answerWith = 500
  sell()
  await stage.sim.deliverDue()
  assert.equal(received.length, 2)
  assert.equal(await stage.sim.deliverDue(), 0)
  for (const wait of retrySchedule) {
    await stage.clock.advance(wait)
    await stage.sim.deliverDue()
  }
  const [first] = stage.sim.outbox()
  assert.deepEqual([first?.state, first?.attempts, first?.lastStatus], ['given_up', retrySchedule.length + 1, 500])
  const total = retrySchedule.reduce((sum, wait) => sum + wait, 0)
  assert.ok(total > 2.5 * day && total <= 3 * day)
  const last = received.at(-1)
  assert.ok(last !== undefined)
  assert.ok(stage.stripe.verify(last, [testSecret], stage.clock.now()).ok)
})

test('A delivery that was refused once arrives with the next attempt', async () => {
  answerWith = 503
  sell()
  await stage.sim.deliverDue()
  answerWith = 200
  await stage.clock.advance(5 * minute)
  await stage.sim.deliverDue()
  assert.ok(stage.sim.outbox().every((delivery) => delivery.state === 'delivered' && delivery.attempts === 2))
})

test('Both forms of one event are sent when asked for, each with its own id', async () => {
  stage.sim.setWebhook({
    url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    secret: testSecret,
    form: 'both',
  })
  sell()
  await stage.sim.deliverAll()
  const event = stage.sim.events().at(-1)
  assert.deepEqual(idsOf(received).slice(-2), [event?.id, event?.thinId])
})

test('By itself, each event is sent at once and repeated on the clock', async () => {
  const { port } = receiver.address() as AddressInfo
  const auto = await stageStripe({
    webhook: { url: `http://127.0.0.1:${port}/`, secret: testSecret },
    delivery: 'auto',
  })
  try {
    const settled = async (count: number) => {
      for (let i = 0; i < 500 && received.length < count; i++) await new Promise((resolve) => setImmediate(resolve))
      assert.equal(received.length, count)
    }
    answerWith = 500
    auto.sim.addPrice({ name: 'Course', amount: 1000 })
    await settled(2)
    answerWith = 200
    for (let i = 0; i < 50 && auto.clock.nextWake() === null; i++) await new Promise((resolve) => setImmediate(resolve))
    await auto.clock.advance(5 * minute)
    await settled(4)
    auto.sim.addPrice({ name: 'Another', amount: 1000 })
    await settled(6)
  } finally {
    await auto.close()
  }
})

test('The control calls do over HTTP what the functions do', async () => {
  const call = async (name: string, input: object) => {
    const outcome = await stage.http({
      method: 'POST',
      url: `${stage.sim.url}/_sim/${name}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(input),
    })
    assert.ok(outcome.ok)
    return {
      status: outcome.response.status,
      body: JSON.parse(outcome.response.body.toString()) as Record<string, unknown>,
    }
  }
  const made = await call('add_price', { name: 'Course', amount: 1000 })
  assert.equal(made.status, 200)
  assert.equal((await call('pay', { session: 'cs_unknown' })).status, 404)
  assert.equal((await call('pay', { sessions: 'typo' })).status, 400)
  const delivered = await call('deliver', { duplicate: 2 })
  assert.deepEqual(delivered.body, { sent: 4, dropped: 0, failed: 0 })
  assert.equal((await call('reset', {})).status, 200)
  assert.deepEqual(
    [stage.sim.events().length, stage.sim.outbox().length, stage.sim.truth().checkouts.length],
    [0, 0, 0],
  )
})

test('A delivery that was dropped is lost for good, and only one that waits can be', async () => {
  sell()
  const [first] = stage.sim.outbox()
  stage.sim.drop(first?.id ?? '')
  await stage.sim.deliverAll()
  assert.deepEqual(
    stage.sim.outbox().map((d) => d.state),
    ['dropped', 'delivered'],
  )
  await stage.clock.advance(day)
  assert.equal(await stage.sim.deliverDue(), 0)
  assert.throws(() => stage.sim.drop(stage.sim.outbox()[1]?.id ?? ''), /is delivered/)
})
