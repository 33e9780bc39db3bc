import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { pack } from '#simulator/memory.ts'
import { createStripe } from '../index.ts'
import { type Stage, stageStripe, testKey, value } from '../testing.ts'
import { wireForm } from './world.ts'

const stages: Stage[] = []
after(() => Promise.all(stages.map((s) => s.close())))

async function stage(): Promise<Stage> {
  const made = await stageStripe()
  stages.push(made)
  return made
}

/** A second simulator that took over what the first knew. */
async function successor(of: Stage): Promise<Stage> {
  const next = await stage()
  await next.clock.advanceTo(of.clock.now())
  next.sim.restore(of.sim.snapshot())
  return next
}

const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString()

async function call(s: Stage, path: string, fields: Record<string, string>, key?: string) {
  const outcome = await s.http({
    method: 'POST',
    url: `${s.sim.url}/v1/${path}`,
    headers: {
      authorization: `Bearer ${testKey}`,
      'content-type': 'application/x-www-form-urlencoded',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: form(fields),
  })
  assert.ok(outcome.ok)
  return JSON.parse(outcome.response.body.toString()) as { id: string; url?: string }
}

const cart = (price: string, mode = 'payment') => ({
  mode,
  'line_items[0][price]': price,
  'line_items[0][quantity]': '1',
  success_url: 'https://shop.example/thanks',
})

test('a successor shows the same truth and the same objects, decimals included', async () => {
  const first = await stage()
  const price = first.sim.addPrice({ name: 'Sourdough basics', amount: 4_900 })
  const monthly = first.sim.addPrice({ name: 'All', amount: 2_900, interval: 'month' })
  for (const [id, mode] of [
    [price.id, 'payment'],
    [monthly.id, 'subscription'],
  ] as const)
    first.sim.pay({ session: (await call(first, 'checkout/sessions', cart(id, mode))).id, email: 'a@learner.example' })
  const next = await successor(first)
  assert.deepEqual(next.sim.truth(), first.sim.truth())
  assert.deepEqual(next.sim.events(), first.sim.events())
  assert.equal(String(next.sim.price(price.id)?.unit_amount_decimal), '4900')
  assert.deepEqual(wireForm({ p: next.sim.price(monthly.id) }), wireForm({ p: first.sim.price(monthly.id) }))
})

test('life goes on: refunds, renewals and reads work on what was restored', async () => {
  const first = await stage()
  const price = first.sim.addPrice({ name: 'Sourdough basics', amount: 4_900 })
  const monthly = first.sim.addPrice({ name: 'All', amount: 2_900, interval: 'month' })
  const { session } = first.sim.pay({ session: (await call(first, 'checkout/sessions', cart(price.id))).id })
  const paid = first.sim.pay({ session: (await call(first, 'checkout/sessions', cart(monthly.id, 'subscription'))).id })
  const next = await successor(first)
  next.sim.refund({ payment_intent: String(session.payment_intent), amount: 900 })
  next.sim.renew(String(paid.session.subscription))
  const { payments, subscriptions } = next.sim.truth()
  assert.equal(payments.find((p) => p.paymentIntent === session.payment_intent)?.refunded, 900)
  assert.equal(subscriptions[0]?.paidPeriods.length, 2)
  const stripe = createStripe({ secretKey: testKey, apiBase: next.sim.url, livemode: false }, next.io)
  const read = value(await stripe.read({ kind: 'checkout', externalId: session.id }))
  assert.ok(read?.kind === 'checkout')
  assert.deepEqual([read.paid, read.payment?.refunds.map((r) => r.amount)], ['paid', [900n]])
})

test('an open checkout is paid at the new address, and new ids never meet old ones', async () => {
  const first = await stage()
  const price = first.sim.addPrice({ name: 'Sourdough basics', amount: 4_900 })
  const open = await call(first, 'checkout/sessions', cart(price.id))
  const next = await successor(first)
  assert.ok(next.sim.session(open.id)?.url?.startsWith(`${next.sim.url}/c/pay/`))
  assert.equal(next.sim.pay({ session: open.id }).outcome, 'paid')
  const ids = next.sim.events().map((e) => e.id)
  assert.equal(new Set(ids).size, ids.length)
})

test('a repeated idempotency key is answered as before the restart', async () => {
  const first = await stage()
  const price = first.sim.addPrice({ name: 'Sourdough basics', amount: 4_900 })
  const made = await call(first, 'checkout/sessions', cart(price.id), 'key-1')
  const next = await successor(first)
  assert.equal((await call(next, 'checkout/sessions', cart(price.id), 'key-1')).id, made.id)
  assert.equal(next.sim.truth().checkouts.length, 1)
})

test('events that nobody took yet are delivered by the successor, also one that was under way', async () => {
  let open: () => void = () => undefined
  const reached = new Promise<void>((resolve) => {
    open = resolve
  })
  const silent = createServer(() => open())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const first = await stage()
  const target = {
    url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`,
    secret: 'whsec_0123456789abcdef',
  }
  first.sim.addPrice({ name: 'Sourdough basics', amount: 4_900 })
  first.sim.setWebhook(target)
  const [underWay] = first.sim.outbox()
  assert.ok(underWay)
  const sending = first.sim.deliver(underWay.id)
  await reached
  const next = await successor(first)
  silent.closeAllConnections()
  await sending
  await new Promise((resolve) => silent.close(resolve))

  const taken: string[] = []
  const hub = createServer((request, response) => {
    request.resume().on('end', () => {
      taken.push(String(request.headers['stripe-signature']))
      response.end()
    })
  })
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve))
  next.sim.setWebhook({ ...target, url: `http://127.0.0.1:${(hub.address() as AddressInfo).port}/` })
  assert.equal(await next.sim.deliverDue(), first.sim.events().length)
  assert.equal(taken.length, first.sim.events().length)
  await new Promise((resolve) => hub.close(resolve))
})

test('bytes that are no memory are refused and change nothing', async () => {
  const first = await stage()
  first.sim.addPrice({ name: 'Sourdough basics', amount: 4_900 })
  const before = first.sim.truth()
  assert.throws(() => first.sim.restore(Buffer.from('not a memory')))
  assert.throws(() => first.sim.restore(pack('Stripe account, 0', {})), /no memory of a Stripe account/)
  assert.throws(() => first.sim.restore(first.sim.snapshot().subarray(0, 40)))
  assert.deepEqual(first.sim.truth(), before)
  assert.equal(first.sim.events().length > 0, true)
})

test('the version stands still while nothing happens', async () => {
  const { sim } = await stage()
  const before = sim.version()
  assert.equal(sim.version(), before)
  sim.addPrice({ name: 'Sourdough basics', amount: 4_900 })
  assert.notEqual(sim.version(), before)
})
