import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute, second } from '@bursar/kit/clock.ts'
import { systemCtx } from '#action/context.ts'
import { openPayments } from '#catalog/open.ts'
import { createWorld, type World } from '#main/world.ts'
import { settle } from '#orders/settle.ts'
import { sweepEvents } from '#orders/sweep.ts'
import { buy, callsOf, deliverAllBut, deliverBackwards, orderOf, seatsOf, subscriptionOf } from './buyer.ts'
import { assertPromise, violations } from './promise.ts'

let world: World
let price: string
before(async () => {
  world = await createWorld()
  price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => world.close())

const deliveriesOf = (name: string, type: string) =>
  world.stripe
    .outbox()
    .filter(
      (d) => d.type === type && JSON.stringify(world.stripe.signedDelivery(d.eventId).body.toString()).includes(name),
    )
test('F2: a refund that arrives before its order is kept with 200 and applied when the order appears', async () => {
  const bought = await buy(world, 'early@f2.example', [price])
  world.stripe.refund({ payment_intent: bought.payment })
  const [completed = ''] = await deliverAllBut(world, bought.session, 'checkout.session.completed')
  await world.settle(second)
  const [kept] = await world.rows<{ kept: number }>(
    `select count(*)::int as kept from inbound_event where state = 'pending' and type = 'refund.created'`,
  )
  assert.equal(kept?.kept, 1, 'stored and waiting, with a next try')
  assert.equal(await orderOf(world, bought.session), null)
  await world.stripe.deliver(completed)
  await world.settle(minute)
  assert.equal((await orderOf(world, bought.session))?.state, 'refunded')
  assert.deepEqual(world.owned('early@f2.example'), [], 'bought and refunded: nothing to open')
  await assertPromise(world)
})

test('F2: a checkout whose own events are lost is found through its payment after a minute', async () => {
  const bought = await buy(world, 'never@f2.example', [price])
  await deliverAllBut(world, bought.session, 'checkout.session.completed')
  await world.settle(30 * second)
  assert.equal(await orderOf(world, bought.session), null)
  await world.settle(2 * minute)
  assert.equal((await orderOf(world, bought.session))?.state, 'paid')
  assert.deepEqual(world.owned('never@f2.example'), ['sourdough-basics'])
  await assertPromise(world)
})

test('a paid checkout whose events were all lost breaks the promise until the sweep of the account finds it', async () => {
  const bought = await buy(world, 'lost@f2.example', [price])
  await world.stripe.deliverAll({ drop: 1 })
  await world.settle(minute)
  assert.ok((await violations(world)).some((v) => v.code === 'paid_without_order' && v.about === bought.session))
  assert.ok((await sweepEvents(world.app)) > 0)
  await world.settle(minute)
  assert.deepEqual(world.owned('lost@f2.example'), ['sourdough-basics'])
  assert.equal(await sweepEvents(world.app), 0, 'nothing is found twice')
  await assertPromise(world)
})

/** What the page behind success_url does: reads the session itself and settles it in line, before any webhook. */
async function returnFromCheckout(session: string): Promise<void> {
  const ctx = systemCtx(world.app, world.organization, 'orders')
  const [connection] = await world.rows<{ id: string }>(`select id from connection where category = 'payment'`)
  const connector = await openPayments(ctx, connection?.id ?? '')
  const read = await connector.read({ kind: 'checkout', externalId: session })
  if (!read.ok || read.value === null) throw new Error('the session cannot be read')
  const truth = read.value
  const told = { connectionId: connection?.id ?? '', at: ctx.clock.now(), stated: false, type: 'read', eventId: null }
  await world.app.db.tx({ organization: world.organization }, (tx) => settle(tx, ctx, truth, told))
}

test('F3: redirect first, webhook first, both at once, or tab closed: the same single seat and no second charge', async () => {
  const ways = ['redirect', 'webhook', 'together', 'closed'] as const
  for (const way of ways) {
    const email = `${way}@f3.example`
    const bought = await buy(world, email, [price])
    world.school.clearLog()
    if (way === 'redirect') await returnFromCheckout(bought.session)
    if (way === 'together')
      await Promise.all([returnFromCheckout(bought.session), world.deliver(), returnFromCheckout(bought.session)])
    await world.settle(minute)
    if (way === 'webhook') await returnFromCheckout(bought.session)
    await world.settle(minute)
    assert.deepEqual(world.owned(email), ['sourdough-basics'], way)
    assert.equal(callsOf(world).length, 2, `${way}: ${callsOf(world)}`)
    const [count] = await world.rows<{ orders: number }>(
      `select count(*)::int as orders from "order" where checkout_id = '${bought.session}'`,
    )
    assert.equal(count?.orders, 1, way)
  }
  await assertPromise(world)
})

test('F3: pressing pay again after four seconds charges nothing for the same order', async () => {
  const bought = await buy(world, 'again@f3.example', [price])
  await world.clock.advance(4 * second)
  assert.throws(() => world.stripe.pay({ session: bought.session, email: 'again@f3.example' }), /is complete/)
  await world.settle()
  const payments = world.stripe.truth().checkouts.filter((c) => c.email === 'again@f3.example' && c.paid)
  assert.equal(payments.length, 1)
  assert.equal((await orderOf(world, bought.session))?.state, 'paid')
  await assertPromise(world)
})

test('F4: one event fifty times at once and again after 30 days has one effect', async () => {
  const bought = await buy(world, 'fifty@f4.example', [price])
  const sent = await world.stripe.deliverAll({ duplicate: 50, parallel: 50 })
  assert.equal(sent.failed, 0)
  world.school.clearLog()
  await world.settle(minute)
  assert.deepEqual(callsOf(world), ['POST /admin/api/v2/users', 'POST /admin/api/v2/users/:id/enrollment'])
  await world.clock.advance(30 * day)
  const [completed] = deliveriesOf(bought.session, 'checkout.session.completed')
  world.school.clearLog()
  await world.stripe.deliver(completed?.id ?? '')
  await world.settle(minute)
  assert.deepEqual(callsOf(world), [])
  const [row] = await world.rows<{ deliveries: number; state: string }>(
    `select deliveries, state from inbound_event where external_id = '${completed?.eventId}'`,
  )
  assert.deepEqual({ ...row }, { deliveries: 51, state: 'done' })
  await assertPromise(world)
})

test('F5: in read mode a subscription told backwards and a payment whose failure is told last end as the provider says', async () => {
  const monthly = await world.sell('Monthly', 900, ['menu-pricing'], 'month')
  const bought = await buy(world, 'backwards@f5.example', [monthly], { mode: 'subscription' })
  world.stripe.cancelAt(subscriptionOf(world, bought), { cancel_at_period_end: true })
  await deliverBackwards(world)
  await world.settle(minute)
  assert.deepEqual(world.owned('backwards@f5.example'), ['menu-pricing'])

  const session = await world.checkout([price])
  world.stripe.pay({ session, email: 'twice@f5.example', card: '4000000000000002' })
  const failed = world.stripe.outbox().filter((d) => d.state === 'waiting')
  await world.stripe.deliverAll({ drop: 1 })
  world.stripe.pay({ session, email: 'twice@f5.example' })
  await world.settle()
  for (const delivery of failed) await world.stripe.deliver(delivery.id)
  await world.settle(minute)
  assert.equal((await orderOf(world, session))?.state, 'paid')
  assert.deepEqual(world.owned('twice@f5.example'), ['sourdough-basics'])
  await assertPromise(world)
})

test('thin events in any order, doubled, give the same as snapshots', async () => {
  world.stripe.setWebhook({
    url: `${world.url}/api/stripe/webhook`,
    secret: 'whsec_world_0123456789abcdef01234567',
    form: 'thin',
  })
  const bundle = await world.sell('The baker', 11_000, ['bundle:baker-bundle'])
  const bought = await buy(world, 'thin@f5.example', [price, bundle])
  world.stripe.refund({ payment_intent: bought.payment, amount: 4900 })
  await world.stripe.deliverAll({ shuffle: true, duplicate: 2 })
  await world.settle(minute)
  assert.deepEqual(world.owned('thin@f5.example'), ['baker-bundle'])
  assert.deepEqual(
    (await seatsOf(world, 'thin@f5.example')).filter((s) => s.wanted === 'granted').map((s) => s.course),
    ['baker-bundle'],
  )
  await assertPromise(world)
})
