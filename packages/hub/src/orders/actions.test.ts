import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { catalogActions } from '#catalog/actions.ts'
import { entitlementActions } from '#entitlements/actions.ts'
import { asking } from '#main/asking.ts'
import { createWorld, type World } from '#main/world.ts'
import { orderActions } from './actions.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())
const { ask, answer, codeOf, callerWith } = asking(
  () => world,
  [...catalogActions, ...entitlementActions, ...orderActions],
)

const back = {
  successUrl: 'https://shop.example/thanks?s={CHECKOUT_SESSION_ID}',
  cancelUrl: 'https://shop.example/cart',
}
type Begun = { orderId: string; checkoutId: string; url: string; claimSecret: string | null }
type Order = {
  order: { id: string; state: string; issue: string | null; amountRefunded: string }
  lines: { id: string; amount: string; description: string }[]
}
type Refunded = {
  refundId: string | null
  state: string
  amount: string
  access: { course: string; access: string; keptBecause: unknown[] }[]
}

async function bought(email: string, prices: readonly string[]): Promise<Order> {
  const session = await world.checkout(prices)
  world.stripe.pay({ session, email })
  await world.settle()
  const { orders } = await answer<{ orders: { id: string }[] }>('orders.list', { email })
  return answer<Order>('orders.get', { orderId: orders[0]?.id })
}
const orderOf = async (orderId: string) => (await answer<Order>('orders.get', { orderId })).order

test('a checkout begun by the hub becomes an open seat; the claim secret is shown once and stored as a hash', async () => {
  const price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
  const input = { lines: [{ priceId: price }], email: 'own@learner.example', ...back }
  const begun = await answer<Begun>('orders.create_checkout', input, { key: 'cart-1' })
  assert.equal(begun.claimSecret?.length, 43)
  const again = await answer<Begun>('orders.create_checkout', input, { key: 'cart-1' })
  assert.deepEqual(again, { ...begun, claimSecret: null })
  world.stripe.pay({ session: begun.checkoutId, email: 'own@learner.example' })
  await world.settle()
  assert.equal((await orderOf(begun.orderId)).state, 'paid')
  assert.deepEqual(world.owned('own@learner.example'), ['sourdough-basics'])
  const stored = JSON.stringify([
    await world.rows(`select "order"::text from "order"`),
    await world.rows('select * from audit'),
    world.lines,
  ])
  assert.ok(begun.claimSecret !== null && !stored.includes(begun.claimSecret))
})

test('a crash between Stripe and us leaves a pending order that the payment still finds', async () => {
  const price = await world.sell('Pastry', 7900, ['pastry-foundations'])
  world.stripe.faults.set([{ kind: 'reset_after_commit', path: '/v1/checkout/sessions', times: 1 }])
  const input = { lines: [{ priceId: price }], ...back }
  const lost = await ask('orders.create_checkout', input, { key: 'cart-2' })
  world.stripe.faults.clear()
  assert.ok(lost.ok || lost.code === 'upstream_failed')
  const begun = await answer<Begun>('orders.create_checkout', input, { key: 'cart-2' })
  await world.rows(`update "order" set checkout_id = null where id = '${begun.orderId}'`)
  world.stripe.pay({ session: begun.checkoutId, email: 'crash@learner.example' })
  await world.settle()
  const rows = await world.rows<{ id: string; state: string }>(
    `select id, state from "order" where email = 'crash@learner.example'`,
  )
  assert.deepEqual(
    rows.map((r) => ({ ...r })),
    [{ id: begun.orderId, state: 'paid' }],
  )
})

test('an unknown price, an odd address and foreign fields are refused before anything is made', async () => {
  const before = await world.rows(`select id from "order"`)
  const price = await world.sell('Menu', 6000, ['menu-pricing'])
  const good = { lines: [{ priceId: price }], ...back }
  assert.equal(
    await codeOf('orders.create_checkout', { ...good, lines: [{ priceId: 'price_nobody' }] }),
    'price_unknown',
  )
  assert.equal(await codeOf('orders.create_checkout', { ...good, successUrl: 'javascript:alert(1)' }), 'input_invalid')
  assert.equal(await codeOf('orders.create_checkout', { ...good, amount: 1 }), 'input_invalid')
  assert.equal(await codeOf('orders.create_checkout', good, { by: callerWith(['orders:read']) }), 'forbidden')
  assert.equal(
    await codeOf('orders.create_checkout', good, { by: callerWith(['*'], `org_${'1'.repeat(26)}`) }),
    'conflict',
  )
  await answer('orders.create_checkout', good, { dryRun: true })
  assert.equal((await world.rows(`select id from "order"`)).length, before.length)
})

test('a price that is mapped after it was paid heals its orders by itself', async () => {
  const { id: price } = world.stripe.addPrice({ name: 'Late', amount: 1500 })
  const { order } = await bought('late@learner.example', [price])
  assert.equal(order.issue, 'price_unknown')
  const { issues } = await answer<{ issues: { issue: string; detail: string; orders: number }[] }>('orders.issues', {})
  assert.ok(issues.some((i) => i.issue === 'price_unknown' && i.detail === price && i.orders === 1))
  const { courses } = await answer<{ courses: { id: string; connectionId: string }[] }>('courses.list', {
    search: 'sourdough',
  })
  const made = await answer<{ product: { id: string } }>('products.create', {
    name: 'Late',
    courseIds: [courses[0]?.id],
  })
  const [account] = await world.rows<{ id: string }>(`select id from connection where category = 'payment'`)
  await answer('prices.map', { connectionId: account?.id, priceId: price, productId: made.product.id })
  await world.settle()
  assert.deepEqual(await orderOf(order.id).then((o) => [o.state, o.issue]), ['paid', null])
  assert.deepEqual(world.owned('late@learner.example'), ['sourdough-basics'])
})

test('F11: refunding one line ends its course only, after a dry run that said so', async () => {
  const [a, b] = [await world.sell('One', 1000, ['menu-pricing']), await world.sell('Two', 2000, ['food-safety'])]
  const { order, lines } = await bought('part@learner.example', [a, b])
  const line = lines.find((l) => l.amount === '1000')
  const input = { orderId: order.id, lines: [{ lineId: line?.id }], reason: 'Changed their mind' }
  const dry = await answer<Refunded>('orders.refund', input, { dryRun: true })
  assert.deepEqual(
    [dry.state, dry.amount, dry.access.map((x) => [x.course, x.access])],
    ['planned', '1000', [['menu-pricing', 'ending']]],
  )
  assert.equal((await orderOf(order.id)).state, 'paid')
  const done = await answer<Refunded>('orders.refund', input, { key: 'refund-1' })
  assert.match(done.refundId ?? '', /^re_/)
  await world.settle()
  assert.deepEqual(world.owned('part@learner.example'), ['food-safety'])
  assert.deepEqual(await orderOf(order.id).then((o) => [o.state, o.amountRefunded]), ['partially_refunded', '1000'])
  assert.equal(await codeOf('orders.refund', input), 'conflict')
})

test('F12: a refund tells which access stays because of what', async () => {
  const price = await world.sell('Again', 3000, ['cafe-bookkeeping'])
  const first = await bought('twice@learner.example', [price])
  await bought('twice@learner.example', [price])
  const done = await answer<Refunded>('orders.refund', { orderId: first.order.id, reason: 'Bought twice' })
  assert.deepEqual(
    done.access.map((x) => [x.access, x.keptBecause.length]),
    [['kept', 1]],
  )
  await world.settle()
  assert.deepEqual(world.owned('twice@learner.example'), ['cafe-bookkeeping'])
})

test('a refund whose answer was lost is paid once when the same request is repeated', async () => {
  const price = await world.sell('Lost', 5000, ['menu-pricing'])
  const { order } = await bought('lostanswer@learner.example', [price])
  const input = { orderId: order.id, reason: 'No longer needed' }
  world.stripe.faults.set([{ kind: 'reset_after_commit', path: '/v1/refunds' }])
  assert.equal(await codeOf('orders.refund', input, { key: 'refund-2' }), 'upstream_failed')
  world.stripe.faults.clear()
  assert.equal(await codeOf('orders.refund', input, { key: 'refund-other' }), 'conflict')
  await answer('orders.refund', input, { key: 'refund-2' })
  await world.settle()
  assert.deepEqual(await orderOf(order.id).then((o) => [o.state, o.amountRefunded]), ['refunded', '5000'])
})

test('a partial refund made elsewhere waits for a person, who says which line it was', async () => {
  const [a, b] = [await world.sell('Left', 4000, ['menu-pricing']), await world.sell('Right', 6000, ['food-safety'])]
  const { order, lines } = await bought('unclear@learner.example', [a, b])
  const [row] = await world.rows<{ payment_id: string }>(`select payment_id from "order" where id = '${order.id}'`)
  world.stripe.refund({ payment_intent: row?.payment_id ?? '', amount: 5000 })
  await world.settle()
  assert.equal((await orderOf(order.id)).issue, 'refund_unattributed')
  const { refunds } = await answer<{ refunds: { id: string }[] }>('orders.get', { orderId: order.id })
  const at = (amount: string) => lines.find((l) => l.amount === amount)?.id
  const say = (parts: unknown) => ({ orderId: order.id, refundId: refunds[0]?.id, lines: parts })
  assert.equal(await codeOf('orders.attribute_refund', say([{ lineId: at('4000'), amount: '5000' }])), 'conflict')
  assert.equal(await codeOf('orders.attribute_refund', say([{ lineId: at('4000'), amount: '4000' }])), 'input_invalid')
  const parts = [
    { lineId: at('4000'), amount: '4000' },
    { lineId: at('6000'), amount: '1000' },
  ]
  assert.deepEqual(await answer('orders.attribute_refund', say(parts)), { state: 'partially_refunded', issue: null })
  assert.equal(await codeOf('orders.attribute_refund', say(parts)), 'conflict')
  await world.settle()
  assert.deepEqual(world.owned('unclear@learner.example'), ['food-safety'])
})

test('too little for what the metadata names is asked about until the price is right; then resettle opens it', async () => {
  const price = await world.sell('Dear', 4900, ['welcome-tour'])
  const [product] = await world.rows<{ id: string; connectionId: string }>(
    `select product_id as id, connection_id as "connectionId" from price where external_id = '${price}'`,
  )
  await world.rows(`insert into metadata_map (organization_id, connection_id, key, value, product_id)
    select organization_id, connection_id, 'courseId', '77', product_id from price where external_id = '${price}'`)
  const session = await world.checkout([world.stripe.addPrice({ name: 'A form of a shop', amount: 3900 }).id], {
    metadata: { courseId: '77' },
  })
  world.stripe.pay({ session, email: 'less@learner.example' })
  await world.settle()
  const { orders } = await answer<{ orders: { id: string }[] }>('orders.list', { email: 'less@learner.example' })
  const orderId = orders[0]?.id ?? ''
  assert.equal((await orderOf(orderId)).issue, 'amount_mismatch')
  assert.equal((await answer<{ issue: string | null }>('orders.resettle', { orderId })).issue, 'amount_mismatch')
  const { id: productId, connectionId } = product ?? { id: '', connectionId: '' }
  await answer('prices.map', { connectionId, priceId: price, productId, currency: 'USD', amount: '3900' })
  await world.settle()
  assert.equal((await orderOf(orderId)).issue, null)
  assert.deepEqual(world.owned('less@learner.example'), ['welcome-tour'])
})

test('metadata that names another course is asked about until somebody mends the map', async () => {
  const price = await world.sell('Bought', 1000, ['menu-pricing'])
  const other = await world.sell('Named', 1000, ['food-safety'])
  await world.rows(`insert into metadata_map (organization_id, connection_id, key, value, product_id)
    select organization_id, connection_id, 'courseId', '78', product_id from price where external_id = '${other}'`)
  const session = await world.checkout([price], { metadata: { courseId: '78' } })
  world.stripe.pay({ session, email: 'named@learner.example' })
  await world.settle()
  const { orders } = await answer<{ orders: { id: string }[] }>('orders.list', { email: 'named@learner.example' })
  const orderId = orders[0]?.id ?? ''
  assert.equal((await orderOf(orderId)).issue, 'metadata_mismatch')
  await world.rows(`update metadata_map set product_id = (select product_id from price where external_id = '${price}')
    where value = '78'`)
  assert.deepEqual(await answer('orders.resettle', { orderId }), { read: true, state: 'paid', issue: null })
})

test('resettle fetches what no event told, and changes nothing the second time', async () => {
  const price = await world.sell('Quiet', 2500, ['sourdough-basics'])
  const { order } = await bought('quiet@learner.example', [price])
  await world.rows(`update "order" set state = 'pending', paid_at = null where id = '${order.id}'`)
  assert.deepEqual(await answer('orders.resettle', { orderId: order.id }), { read: true, state: 'paid', issue: null })
  const [first] = await world.rows<{ revision: bigint }>(`select revision from "order" where id = '${order.id}'`)
  await answer('orders.resettle', { orderId: order.id })
  const entries = await world.rows(
    `select 1 from timeline_entry where order_id = '${order.id}' and kind = 'entitlement.granted'`,
  )
  assert.equal(entries.length, 1)
  assert.ok(first)
})

test('lists page, and refusals come by code', async () => {
  const page = await answer<{ orders: { id: string }[]; next: string }>('orders.list', { limit: 1 })
  const second = await answer<{ orders: { id: string }[] }>('orders.list', { limit: 1, after: page.next })
  assert.notEqual(page.orders[0]?.id, second.orders[0]?.id)
  const nobody = { orderId: `ord_${'0'.repeat(26)}` }
  for (const name of ['orders.get', 'orders.resettle']) assert.equal(await codeOf(name, nobody), 'not_found', name)
  assert.equal(await codeOf('orders.refund', { ...nobody, reason: 'None' }), 'not_found')
  assert.equal(await codeOf('orders.list', { limit: 101 }), 'input_invalid')
  assert.equal(await codeOf('orders.list', {}, { by: callerWith(['catalog:read']) }), 'forbidden')
})
