import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute } from '@bursar/kit/clock.ts'
import { inTx, systemCtx } from '#action/context.ts'
import { publishVersion } from '#catalog/products.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy, orderOf, type Purchase, subscriptionOf } from './buyer.ts'
import { assertPromise } from './promise.ts'

const broken = '4000000000000002'
let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

/** Days go by, at the provider and at the hub. */
async function pass(days: number): Promise<void> {
  for (let i = 0; i < days; i++) {
    await world.settle(day)
    world.stripe.advance({})
    await world.settle(minute)
  }
}
const subscribe = async (email: string, course: string): Promise<Purchase> => {
  const price = await world.sell(`Monthly ${course}`, 900, [course], 'month')
  const bought = await buy(world, email, [price], { mode: 'subscription' })
  await world.settle(minute)
  return bought
}
const setCard = (bought: Purchase, card: string) => {
  const customer = world.stripe.subscription(subscriptionOf(world, bought))?.customer
  world.stripe.setCard(typeof customer === 'string' ? customer : (customer?.id ?? ''), card)
}

test('F15: past due keeps access for the grace, then ends; active again gives back what was bought, not what is sold now', async () => {
  const bought = await subscribe('dunning@f15.example', 'menu-pricing')
  setCard(bought, broken)
  await pass(33)
  assert.equal(world.stripe.subscription(subscriptionOf(world, bought))?.status, 'past_due')
  assert.deepEqual(world.owned('dunning@f15.example'), ['menu-pricing'], 'within the grace')
  await assertPromise(world)
  await pass(8)
  assert.deepEqual(world.owned('dunning@f15.example'), [], 'after the grace')
  await assertPromise(world)

  const ctx = systemCtx(world.app, world.organization, 'test')
  const [product] = await world.rows<{ id: string; other: string }>(`
    select d.id, (select id from course where external_id = 'menu-pricing') as other from product d
    where d.name like 'Monthly menu-pricing%'`)
  await inTx(ctx, (tx) => publishVersion(tx, ctx, product?.id ?? '', []))
  setCard(bought, '4242424242424242')
  world.stripe.retry(subscriptionOf(world, bought))
  await world.settle(minute)
  assert.deepEqual(world.owned('dunning@f15.example'), ['menu-pricing'])
  await assertPromise(world)
})

test('a period that is paid carries access to its end, also when another invoice fails in the middle of it', async () => {
  const bought = await subscribe('middle@sub.example', 'pastry-foundations')
  setCard(bought, broken)
  await pass(3)
  world.stripe.renewFail(subscriptionOf(world, bought))
  await pass(10)
  assert.equal(world.stripe.subscription(subscriptionOf(world, bought))?.status, 'past_due')
  assert.deepEqual(world.owned('middle@sub.example'), ['pastry-foundations'])
  await assertPromise(world)
})

test('a subscription of which nothing more is heard ends by itself after the paid period and the grace', async () => {
  const bought = await subscribe('silent@sub.example', 'cafe-bookkeeping')
  const [paid] =
    world.stripe.truth().subscriptions.find((s) => s.subscription === subscriptionOf(world, bought))?.paidPeriods ?? []
  await world.settle((paid?.end ?? 0) + 6 * day - world.clock.now())
  assert.deepEqual(world.owned('silent@sub.example'), ['cafe-bookkeeping'])
  await world.settle(2 * day)
  await world.settle(minute)
  assert.deepEqual(world.owned('silent@sub.example'), [])
  await assertPromise(world)
})

test('renewals carry on for months, each paid invoice once, and cancel at period end lets the period run out', async () => {
  const bought = await subscribe('loyal@sub.example', 'sourdough-basics')
  await pass(65)
  assert.deepEqual(world.owned('loyal@sub.example'), ['sourdough-basics'])
  world.stripe.cancelAt(subscriptionOf(world, bought), { cancel_at_period_end: true })
  await pass(5)
  assert.deepEqual(world.owned('loyal@sub.example'), ['sourdough-basics'])
  await assertPromise(world)
  await pass(25)
  assert.deepEqual(world.owned('loyal@sub.example'), [])
  const [paid] = await world.rows<{ invoices: number }>(`
    select count(*)::int as invoices from invoice i join subscription s on s.id = i.subscription_id
    where i.state = 'paid' and s.external_id = '${subscriptionOf(world, bought)}'`)
  assert.equal(paid?.invoices, 3)
  await assertPromise(world)
})

test('a pause suspends and a resume opens again', async () => {
  const bought = await subscribe('paused@sub.example', 'food-safety')
  world.stripe.pause(subscriptionOf(world, bought))
  await world.settle(minute)
  assert.deepEqual(world.owned('paused@sub.example'), [])
  world.stripe.resume(subscriptionOf(world, bought))
  await world.settle(minute)
  assert.deepEqual(world.owned('paused@sub.example'), ['food-safety'])
  await assertPromise(world)
})

const paymentOf = (bought: Purchase, period: number): string => {
  const truth = world.stripe.truth().subscriptions.find((s) => s.subscription === subscriptionOf(world, bought))
  return truth?.paidPeriods[period]?.paymentIntent ?? ''
}
const settled = async () => {
  await world.settle(minute)
  await assertPromise(world)
}

test('F14: a dispute over a payment of a subscription suspends it; won opens it again, lost ends it', async () => {
  const bought = await subscribe('disputed@sub.example', 'welcome-tour')
  const payment_intent = paymentOf(bought, 0)
  const first = world.stripe.dispute({ payment_intent })
  await settled()
  assert.equal((await orderOf(world, bought.session))?.state, 'disputed')
  assert.deepEqual(world.owned('disputed@sub.example'), [])
  world.stripe.disputeClose(first.id, 'won')
  await settled()
  assert.equal((await orderOf(world, bought.session))?.state, 'paid')
  assert.deepEqual(world.owned('disputed@sub.example'), ['welcome-tour'])

  world.stripe.renew(subscriptionOf(world, bought))
  await settled()
  const second = world.stripe.dispute({ payment_intent: paymentOf(bought, 1) })
  await settled()
  world.stripe.disputeClose(second.id, 'lost')
  await settled()
  assert.equal((await orderOf(world, bought.session))?.state, 'charged_back')
  assert.deepEqual(world.owned('disputed@sub.example'), [])
})

test('F12: a refund of the only period ends it; a renewal that is paid opens it again', async () => {
  const bought = await subscribe('first@sub.example', 'welcome-tour')
  world.stripe.refund({ payment_intent: paymentOf(bought, 0) })
  await settled()
  assert.deepEqual(await orderOf(world, bought.session), { state: 'refunded', issue: null, refunded: 900n })
  assert.deepEqual(world.owned('first@sub.example'), [])
  world.stripe.renew(subscriptionOf(world, bought))
  await settled()
  assert.deepEqual(await orderOf(world, bought.session), { state: 'partially_refunded', issue: null, refunded: 900n })
  assert.deepEqual(world.owned('first@sub.example'), ['welcome-tour'])
})

test('F12: a refund of a renewal falls back to the period before, whose end and grace still count', async () => {
  const bought = await subscribe('later@sub.example', 'welcome-tour')
  await pass(29)
  world.stripe.renew(subscriptionOf(world, bought))
  await settled()
  const refund = world.stripe.refund({ payment_intent: paymentOf(bought, 1) })
  await settled()
  assert.deepEqual(world.owned('later@sub.example'), ['welcome-tour'])
  await world.settle(10 * day)
  await settled()
  assert.deepEqual(world.owned('later@sub.example'), [], 'the first period and its grace are over')
  world.stripe.refundFail(refund.id)
  await settled()
  assert.deepEqual(world.owned('later@sub.example'), ['welcome-tour'], 'the money came back to us')
})

test('a part of a period that is paid back takes nothing away and asks nobody', async () => {
  const bought = await subscribe('part@sub.example', 'welcome-tour')
  world.stripe.refund({ payment_intent: paymentOf(bought, 0), amount: 300 })
  await settled()
  assert.deepEqual(await orderOf(world, bought.session), { state: 'partially_refunded', issue: null, refunded: 300n })
  assert.deepEqual(world.owned('part@sub.example'), ['welcome-tour'])
})

test('payments of a subscription are matched by their invoices, and none of their events is left waiting', async () => {
  await world.settle(minute)
  const left = await world.rows(
    `select type, state, outcome from inbound_event where state in ('pending', 'unmatched')`,
  )
  assert.deepEqual(left, [])
})
