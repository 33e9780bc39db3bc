import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute, second } from '@bursar/kit/clock.ts'
import { createShop, type Shop } from './shop.ts'

let shop: Shop
let price: string
before(async () => {
  shop = await createShop()
  price = await shop.world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => shop.close())

const statusOf = async (order: { orderRef: string; claimSecret: string | null }) =>
  (await shop.post('/api/checkout/status', { orderRef: order.orderRef, claimSecret: order.claimSecret ?? undefined }))
    .body

const charges = () => shop.world.stripe.truth().payments.filter((p) => p.status === 'succeeded').length

const onboard = (token: string, body: Record<string, unknown>) => shop.post('/api/onboard-learner', body, { token })

test('F3a: the browser returns before the webhook; the page settles in line and the webhook finds the work done', async () => {
  const order = await shop.begin({ prices: [price] })
  assert.equal((await statusOf(order)).payment, 'pending')
  await shop.pay(order, 'early@f3.example')
  await shop.world.clock.advance(3 * second)
  assert.equal((await statusOf(order)).payment, 'paid')
  const token = shop.session('early', { email: 'early@f3.example', fresh: true })
  const done = await onboard(token, { orderRef: order.orderRef, claimSecret: order.claimSecret })
  assert.deepEqual([done.status, done.body.status], [200, 'open'], JSON.stringify(done.body))
  assert.match(String(done.body.loginUrl), /^\/api\/partner-launch\/enr_[0-9a-z]{26}$/)
  assert.deepEqual(shop.world.owned('early@f3.example'), ['sourdough-basics'])
  shop.world.school.clearLog()
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('early@f3.example'), ['sourdough-basics'])
  assert.equal(shop.world.school.log().filter((c) => c.method === 'POST' && c.path.includes('/v2/')).length, 0)
})

test('F3b: the tab is closed after paying; the webhook alone prepares the same seat, and a code to the mailbox opens it later', async () => {
  const order = await shop.begin({ prices: [price] })
  await shop.pay(order, 'gone@f3.example')
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('gone@f3.example'), ['sourdough-basics'])
  const token = shop.session('gone', { email: 'gone@f3.example', fresh: true })
  const done = await onboard(token, { orderRef: order.orderRef })
  assert.deepEqual([done.status, done.body.status], [200, 'open'], JSON.stringify(done.body))
})

test('F3c: pay pressed twice, a reload and two tabs with one cart are one order, one form, one charge', async () => {
  const key = 'cart-7f1d3e9a-one-of-many'
  const before = charges()
  const [first, second_] = await Promise.all([
    shop.begin({ prices: [price] }, { key }),
    shop.begin({ prices: [price] }, { key }),
  ])
  assert.equal(first.orderRef, second_.orderRef)
  assert.equal(first.clientSecret, second_.clientSecret)
  assert.notEqual(first.claimSecret, second_.claimSecret)
  await shop.pay(first, 'twice@f3.example')
  await shop.world.clock.advance(4 * second)
  const again = await shop.begin({ prices: [price] }, { key })
  assert.deepEqual(
    [again.orderRef, again.status, again.clientSecret, again.claimSecret, again.url],
    [first.orderRef, 'paid', null, null, null],
    'what is paid is not offered again, and nobody gets hold of it by repeating',
  )
  await shop.world.settle(minute)
  const rows = await shop.world.rows(`select 1 from "order" where email = 'twice@f3.example'`)
  assert.equal(rows.length, 1)
  assert.equal(charges(), before + 1)
  assert.equal((await statusOf(first)).payment, 'paid')
  assert.equal((await statusOf(second_)).payment, 'paid', 'the other tab still holds a secret of its own')
})

test('F3c: another cart under the same key is refused', async () => {
  const key = 'cart-of-somebody-0001'
  await shop.begin({ prices: [price] }, { key })
  const other = await shop.post(
    '/api/checkout',
    { organization: shop.slug, mode: 'elements', prices: [{ price, quantity: 2 }] },
    { key },
  )
  assert.deepEqual([other.status, other.code], [422, 'idempotency_mismatch'])
})

test('a widget must name its cart, with a key nobody can guess', async () => {
  const body = { organization: shop.slug, mode: 'elements', prices: [price] }
  assert.equal((await shop.post('/api/checkout', body)).code, 'input_invalid')
  assert.equal((await shop.post('/api/checkout', body, { key: 'cart-17' })).code, 'input_invalid')
})

test('price tampering: no amount, currency or course is ever taken from a request', async () => {
  const key = 'cart-of-an-attacker-1'
  for (const more of [
    { amount: 1 },
    { currency: 'usd' },
    { courseIds: ['pastry-foundations'] },
    { prices: [{ price, unit_amount: 1 }] },
    { prices: [{ price, quantity: 0 }] },
    { prices: [{ price, quantity: 1.5 }] },
    { prices: [] },
    { prices: Array.from({ length: 51 }, () => price) },
    { prices: [{ price_data: { unit_amount: 1 } }] },
    { organization: '' },
    { mode: 'free' },
    { email: 'no address' },
    { gift: { sendAt: 'tomorrow' } },
    { promotionCode: 'x'.repeat(5_000) },
  ]) {
    const answer = await shop.post(
      '/api/checkout',
      { organization: shop.slug, mode: 'elements', prices: [price], ...more },
      { key },
    )
    assert.deepEqual([answer.status, answer.code], [400, 'input_invalid'], JSON.stringify(more))
  }
  for (const body of [[], 'text', null, 1]) assert.equal((await shop.post('/api/checkout', body, { key })).status, 400)
  const unknown = { organization: shop.slug, mode: 'elements', prices: ['price_of_another'] }
  assert.equal((await shop.post('/api/checkout', unknown, { key })).code, 'price_unknown')
  const nowhere = { organization: 'nobody', mode: 'elements', prices: [price] }
  assert.equal((await shop.post('/api/checkout', nowhere, { key })).code, 'not_found')
})

test('the form leads back to the hub or to a registered site only', async () => {
  const body = { organization: shop.slug, mode: 'hosted_page', prices: [price] }
  for (const returnUrl of [
    'https://evil.example/x',
    'javascript:alert(1)',
    'https://shop.example@evil.example/',
    '//evil.example',
    'https://shop.example.evil.example/',
  ]) {
    const answer = await shop.post('/api/checkout', { ...body, returnUrl }, { key: 'cart-that-comes-back' })
    assert.deepEqual([answer.status, answer.code], [400, 'input_invalid'], returnUrl)
  }
  await shop.world.rows(
    `insert into organization_origin (organization_id, origin, created_at) values ('${shop.organization}', 'https://shop.example', now())`,
  )
  const good = await shop.begin({ ...body, returnUrl: 'https://shop.example/thanks?a=1' })
  const [row] = await shop.world.rows<{ session: string }>(
    `select checkout_id as session from "order" where id = '${good.orderRef}'`,
  )
  const session = shop.world.stripe.session(row?.session ?? '')
  assert.equal(session?.success_url, `https://shop.example/thanks?a=1&bursar_order=${good.orderRef}`)
  assert.ok(good.url !== null && good.clientSecret === null)
})

test('a signed-in buyer with a proven address owns the order from the start; nothing is left to claim', async () => {
  const token = shop.session('member', { email: 'member@f3.example', emailVerified: true })
  const order = await shop.begin({ prices: [price] }, { token })
  assert.equal(order.claimSecret, null)
  await shop.pay(order, 'other-mailbox@f3.example')
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('member@f3.example'), ['sourdough-basics'])
  assert.deepEqual(shop.world.owned('other-mailbox@f3.example'), [])
  const seen = await shop.post('/api/checkout/status', { orderRef: order.orderRef }, { token })
  assert.deepEqual([seen.body.claimed, seen.body.payment], [true, 'paid'])
  const stranger = shop.session('nosy', { email: 'nosy@f3.example', fresh: true })
  assert.equal(
    (await shop.post('/api/checkout/status', { orderRef: order.orderRef }, { token: stranger })).code,
    'not_found',
  )
  const mine = await shop.action('purchases.list', {}, token)
  assert.equal((mine.body.purchases as unknown[]).length, 1)
  const seats = (await shop.action('seats.list', {}, token)).body.seats as { state: string; progress: null }[]
  assert.deepEqual([seats[0]?.state, seats[0]?.progress], ['open', null])
})

test('an order says nothing to a stranger: unknown and not theirs look alike', async () => {
  const order = await shop.begin({ prices: [price] })
  const wrong = await shop.post('/api/checkout/status', { orderRef: order.orderRef, claimSecret: 'A'.repeat(43) })
  const unknown = await shop.post('/api/checkout/status', {
    orderRef: `ord_${'0'.repeat(26)}`,
    claimSecret: 'A'.repeat(43),
  })
  const bare = await shop.post('/api/checkout/status', { orderRef: order.orderRef })
  for (const answer of [wrong, unknown, bare]) {
    const { traceId, ...error } = answer.body.error as Record<string, unknown>
    assert.deepEqual(
      [answer.status, error],
      [404, (({ traceId: _, ...rest }) => rest)(wrong.body.error as Record<string, unknown>)],
    )
    assert.ok(traceId)
  }
})

test('polling asks the provider at most every other second', async () => {
  const order = await shop.begin({ prices: [price] })
  await shop.world.clock.advance(10 * second)
  shop.world.stripe.clearLog()
  for (let i = 0; i < 5; i++) await statusOf(order)
  const asked = shop.world.stripe.log().filter((c) => c.path.includes('/checkout/sessions/'))
  assert.equal(asked.length, 1)
})

test('a promotion code passes through; an unknown one is told and leaves the cart free for another try', async () => {
  const key = 'cart-with-a-wrong-code'
  const wrong = await shop.post(
    '/api/checkout',
    { organization: shop.slug, mode: 'elements', prices: [price], promotionCode: 'NOSUCH' },
    { key },
  )
  assert.deepEqual([wrong.status, wrong.code], [422, 'promotion_unknown'])
  assert.equal((await shop.begin({ prices: [price] }, { key })).status, 'pending')
})

test('a price that comes back every month becomes a subscription by itself', async () => {
  const monthly = await shop.world.sell('Club', 900, ['cafe-bookkeeping'], 'month')
  for (const email of ['club1@f3.example', 'club2@f3.example']) {
    const order = await shop.begin({ prices: [monthly] })
    await shop.pay(order, email)
    await shop.world.settle(minute)
    assert.deepEqual(shop.world.owned(email), ['cafe-bookkeeping'])
  }
})

test('an order that was left alone expires and can be paid no more', async () => {
  const order = await shop.begin({ prices: [price] })
  const [row] = await shop.world.rows<{ session: string }>(
    `select checkout_id as session from "order" where id = '${order.orderRef}'`,
  )
  shop.world.stripe.expire(row?.session ?? '')
  await shop.world.clock.advance(3 * second)
  assert.equal((await statusOf(order)).payment, 'expired')
  const token = shop.session('late', { email: 'late@f3.example', fresh: true })
  const refused = await onboard(token, { orderRef: order.orderRef, claimSecret: order.claimSecret })
  assert.deepEqual([refused.status, refused.code], [409, 'order_closed'])
  await shop.world.clock.advance(day)
})
