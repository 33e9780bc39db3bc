import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute } from '@bursar/kit/clock.ts'
import { inTx, systemCtx } from '#action/context.ts'
import { personOf } from '#identity/people.ts'
import { transferOrder } from '#orders/transfer.ts'
import { mergePeople } from '#people/merge.ts'
import { assertPromise } from './promise.ts'
import { type Begun, createShop, type Shop } from './shop.ts'

// What the storm found in claims and merges, each as a story of its own.

let shop: Shop
let price: string
before(async () => {
  shop = await createShop()
  price = await shop.world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => shop.close())

const claim = (token: string, order: Begun) =>
  shop.post(
    '/api/onboard-learner',
    { orderRef: order.orderRef, claimSecret: order.claimSecret, confirmEmail: true },
    { token },
  )

const ctx = () => systemCtx(shop.world.app, shop.organization, 'test')
const personId = async (subject: string): Promise<string> => {
  const found = await inTx(ctx(), (tx) => personOf(tx, shop.organization, 'https://issuer.test', subject))
  if (found === null) throw new Error(`nobody is ${subject}`)
  return found
}
const openCases = (order: Begun) =>
  shop.world.rows<{ id: string }>(`select id from access_case where state = 'open' and order_id = '${order.orderRef}'`)

async function claimedTwice(name: string): Promise<Begun> {
  const order = await shop.begin({ prices: [price] })
  await shop.pay(order, `${name}@storm.example`)
  await shop.world.settle(minute)
  assert.equal(
    (await claim(shop.session(`${name}-first`, { email: `${name}@storm.example`, fresh: true }), order)).status,
    200,
  )
  const second = shop.session(`${name}-second`, { email: `second-${name}@storm.example`, fresh: true })
  assert.equal((await claim(second, order)).code, 'claimed_already')
  assert.equal((await openCases(order)).length, 1)
  return order
}

test('the mailbox that paid counts although the payment is told before its form, and another address was typed first', async () => {
  const { stripe } = shop.world
  const order = await shop.begin({ prices: [price], email: 'typed@storm.example' })
  await shop.pay(order, 'paid@storm.example')
  const waiting = stripe.outbox().filter((d) => d.state === 'waiting')
  const first = waiting.find((d) => d.type === 'payment_intent.succeeded')
  await stripe.deliver(first?.id ?? '')
  while ((await shop.world.drain.step()) === 'ran');
  await shop.world.settle(minute)
  const [row] = await shop.world.rows<{ email: string; learner: string }>(
    `select o.email, p.email as learner from "order" o join person p on p.id = o.person_id where o.id = '${order.orderRef}'`,
  )
  assert.deepEqual(row, { email: 'paid@storm.example', learner: 'paid@storm.example' })
  assert.deepEqual(await shop.kinds('typed@storm.example'), [])
  assert.deepEqual(await shop.kinds('paid@storm.example'), ['receipt'])
})

test('F20d: whoever shows a burnt secret with an address nobody vouches for opens no case in its name', async () => {
  const order = await shop.begin({ prices: [price] })
  await shop.pay(order, 'victim@storm.example')
  await shop.world.settle(minute)
  assert.equal((await claim(shop.session('victim', { email: 'victim@storm.example', fresh: true }), order)).status, 200)
  const impostor = shop.session('impostor', { email: 'victim@storm.example', emailVerified: false })
  assert.equal((await claim(impostor, order)).code, 'email_unproven')
  assert.deepEqual(await openCases(order), [])
})

test('a case ends when its claimant has the order by other means', async () => {
  const order = await claimedTwice('handed')
  const to = { personId: await personId('handed-second') }
  await inTx(ctx(), (tx) =>
    transferOrder({ ...ctx(), tx, scopes: ['*'] }, { orderId: order.orderRef, to, reason: 'They asked on the phone.' }),
  )
  assert.deepEqual(await openCases(order), [])
  await shop.world.settle(minute)
  await assertPromise(shop.world)
})

test('a case ends when its two sides turn out to be one person, whichever of them goes', async () => {
  for (const name of ['one', 'other']) {
    const order = await claimedTwice(name)
    const [holder, claimant] = [await personId(`${name}-first`), await personId(`${name}-second`)]
    const pair = name === 'one' ? { from: claimant, into: holder } : { from: holder, into: claimant }
    await inTx(ctx(), (tx) =>
      mergePeople(tx, ctx(), { ...pair, evidence: { kind: 'operator', reason: 'One and the same.' } }),
    )
    assert.deepEqual(await openCases(order), [], name)
  }
  await shop.world.settle(minute)
  await assertPromise(shop.world)
})

test('F20e: a gift for a later day is delivered although its payment is heard of days late; its giver gets the receipt', async () => {
  const { clock } = shop.world
  const sendAt = new Date(clock.now() + 5 * day).toISOString()
  const order = await shop.begin({ prices: [price], gift: { email: 'friend@storm.example', sendAt } })
  await shop.pay(order, 'giver@storm.example')
  await clock.advance(3 * day)
  assert.deepEqual(await shop.kinds('giver@storm.example'), ['gift_receipt'])
  await shop.world.settle(3 * day)
  assert.deepEqual(await shop.kinds('friend@storm.example'), ['gift'])
  assert.deepEqual(shop.world.owned('friend@storm.example'), ['sourdough-basics'])
  await assertPromise(shop.world)
})

test('an order that was begun here gets its receipt however late its payment is heard of', async () => {
  const order = await shop.begin({ prices: [price] })
  await shop.pay(order, 'late@storm.example')
  await shop.world.clock.advance(2 * day)
  assert.deepEqual(await shop.kinds('late@storm.example'), ['receipt'])
})

test('a merge that claims what waited for a mailbox ends its links too', async () => {
  const order = await shop.begin({ prices: [price] })
  await shop.pay(order, 'waits@storm.example')
  await shop.world.settle(minute)
  await shop.post(
    '/api/v1/purchases.list',
    {},
    { token: shop.session('joiner', { email: 'joiner@storm.example', fresh: true }) },
  )
  const [row] = await shop.world.rows<{ person: string }>(
    `select person_id as person from "order" where id = '${order.orderRef}'`,
  )
  const pair = { from: row?.person ?? '', into: await personId('joiner') }
  await inTx(ctx(), (tx) =>
    mergePeople(tx, ctx(), { ...pair, evidence: { kind: 'operator', reason: 'One and the same.' } }),
  )
  const left = await shop.world.rows(
    `select id from claim_link where order_id = '${order.orderRef}' and used_at is null`,
  )
  assert.deepEqual(left, [])
})

test('a gift that is claimed by a link sent again is not sent once more when its lines are known', async () => {
  const { stripe } = shop.world
  const order = await shop.begin({ prices: [price], gift: { email: 'quick@storm.example' } })
  await shop.pay(order, 'slow@storm.example')
  const told = stripe.outbox().find((d) => d.state === 'waiting' && d.type === 'payment_intent.succeeded')
  await stripe.deliver(told?.id ?? '')
  while ((await shop.world.drain.step()) === 'ran');
  const token = shop.session('quick', { email: 'quick@storm.example', fresh: true })
  await shop.post('/api/onboard-learner', { orderRef: order.orderRef }, { token })
  await shop.world.settle(minute)
  assert.deepEqual(await shop.kinds('quick@storm.example'), [])
  assert.deepEqual(shop.world.owned('quick@storm.example'), ['sourdough-basics'])
  await assertPromise(shop.world)
})
