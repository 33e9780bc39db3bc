import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hour, minute, second } from '@bursar/kit/clock.ts'
import { systemCtx } from '#action/context.ts'
import { openLms } from '#catalog/open.ts'
import { openingLimitMs } from '#contract/opening.ts'
import { assertPromise } from './promise.ts'
import { type Answer, type Begun, createShop, type Shop } from './shop.ts'

let shop: Shop
let price: string
before(async () => {
  shop = await createShop()
  price = await shop.world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => shop.close())

/** Paid at the provider; nothing has been delivered, so the buyer is quicker than every webhook. */
async function paidUnheard(email: string, prices: readonly unknown[] = [price]): Promise<Begun> {
  const order = await shop.begin({ prices })
  await shop.pay(order, email)
  await shop.world.clock.advance(3 * second)
  return order
}

const buyer = (email: string) => shop.session(email, { email, fresh: true })
const onboard = (email: string, order: Begun, more: Record<string, unknown> = {}): Promise<Answer> =>
  shop.post(
    '/api/onboard-learner',
    { orderRef: order.orderRef, claimSecret: order.claimSecret, ...more },
    { token: buyer(email) },
  )
const posts = () =>
  shop.world.school
    .log()
    .filter((c) => c.method === 'POST' && c.path.includes('/v2/'))
    .map((c) => c.path.replace(/[0-9a-f]{24}/, ':id'))

test('edge "User already exists in LW": the account is found and used, none is made', async () => {
  const users = shop.world.school.school().users.size
  const order = await paidUnheard('amira.haddad@example.com')
  const done = await onboard('amira.haddad@example.com', order)
  assert.deepEqual([done.status, done.body.status], [200, 'open'], JSON.stringify(done.body))
  assert.equal(shop.world.school.school().users.size, users)
  assert.deepEqual(shop.world.owned('amira.haddad@example.com'), ['sourdough-basics'])
})

test('edge "User already enrolled": it counts as open, and the purchase is a reason of its own', async () => {
  const ben = [...shop.world.school.school().users.values()].find((u) => u.email === 'ben.okafor@example.com')
  const ctx = systemCtx(shop.world.app, shop.organization, 'test')
  const [school] = await shop.world.rows<{ id: string }>(`select id from connection where category = 'lms'`)
  const byHand = await openLms(ctx, school?.id ?? '', { lane: 'interactive' })
  const course = { kind: 'course', externalId: 'sourdough-basics' } as const
  await byHand.entitlements?.grant({ account: ben?.id ?? '', course, key: 'by the school', uncertain: false })
  const order = await paidUnheard('ben.okafor@example.com')
  assert.equal((await onboard('ben.okafor@example.com', order)).body.status, 'open')
  const reasons = await shop.world.rows(`select 1 from entitlement where order_id = '${order.orderRef}'`)
  assert.equal(reasons.length, 1)
})

test('edge "Stripe payment not found/not paid": refused before anything is made at the school, and it can be repeated', async () => {
  const order = await shop.begin({ prices: [price] })
  await shop.world.clock.advance(3 * second)
  shop.world.school.clearLog()
  const early = await onboard('early@edge.example', order)
  assert.deepEqual([early.status, early.code], [409, 'not_paid'])
  const body = { stripePaymentIntentId: 'pi_of_nobody' }
  const unknown = await shop.post('/api/onboard-learner', body, { token: buyer('early@edge.example') })
  assert.equal(unknown.status, 404)
  assert.deepEqual(shop.world.school.log(), [])
  await shop.pay(order, 'early@edge.example')
  await shop.world.clock.advance(3 * second)
  assert.equal((await onboard('early@edge.example', order)).body.status, 'open')
})

test('edge "LW user creation fails": the payment stands, the answer says what is happening, and it opens by itself', async () => {
  shop.world.school.faults.set([{ kind: 'status', status: 500, path: '/v2/users' }])
  const order = await paidUnheard('creation@edge.example')
  const first = await onboard('creation@edge.example', order)
  assert.deepEqual(
    [first.status, first.body.success, first.body.status, first.body.loginUrl, first.body.action],
    [200, true, 'preparing', null, 'wait'],
  )
  shop.world.school.faults.clear()
  await shop.world.settle(hour)
  const later = await onboard('creation@edge.example', order)
  assert.deepEqual([later.body.status, typeof later.body.loginUrl], ['open', 'string'])
  await assertPromise(shop.world)
})

test('edge "LW user creation fails" for good: failed, with what to do, and nothing charged again', async () => {
  shop.world.school.set({ usernameMax: 3 })
  const order = await paidUnheard('refused@edge.example')
  const done = await onboard('refused@edge.example', order)
  shop.world.school.set({ usernameMax: null })
  assert.deepEqual(
    [done.status, done.body.success, done.body.status, done.body.action],
    [200, false, 'failed', 'contact'],
  )
  assert.match(String(done.body.message), /need not do or pay anything/)
})

test('edge "SSO URL generation fails": no login is made here at all, so nothing can fail or leak', async () => {
  const order = await paidUnheard('sso@edge.example')
  shop.world.school.clearLog()
  shop.world.school.faults.set([{ kind: 'status', status: 500, path: '/sso' }])
  const done = await onboard('sso@edge.example', order)
  shop.world.school.faults.clear()
  assert.equal(done.body.status, 'open')
  assert.match(String(done.body.loginUrl), /^\/api\/partner-launch\/enr_[0-9a-z]{26}$/)
  assert.equal(shop.world.school.log().filter((c) => c.path.includes('sso')).length, 0)
  assert.ok(!JSON.stringify(done.body).includes(shop.world.school.url), 'no address of the school in the answer')
})

test('edge "Auth0 account exists but LW doesn’t": one account is made, one seat opened', async () => {
  const order = await paidUnheard('auth0@edge.example')
  const token = shop.session('auth0|1234', {
    issuer: 'https://tenant.auth0.example/',
    email: 'auth0@edge.example',
    emailVerified: true,
  })
  shop.world.school.clearLog()
  const body = { orderRef: order.orderRef, claimSecret: order.claimSecret }
  assert.equal((await shop.post('/api/onboard-learner', body, { token })).body.status, 'open')
  assert.deepEqual(posts(), ['/admin/api/v2/users', '/admin/api/v2/users/:id/enrollment'])
})

test('edge "User closes browser after Stripe, before Auth0": the seat is prepared and a link waits in the mailbox', async () => {
  const order = await paidUnheard('closed@edge.example')
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('closed@edge.example'), ['sourdough-basics'])
  const [link] = await shop.links('closed@edge.example')
  assert.match(link ?? '', /\/claim\/[A-Za-z0-9_-]{43}$/)
  assert.equal(
    (await onboard('closed@edge.example', { ...order, claimSecret: null as never }, { claimSecret: undefined })).body
      .status,
    'open',
  )
})

test('edge "LW API rate limiting": preparing at once instead of a long wait, open when there is room', async () => {
  shop.world.school.faults.set([{ kind: 'status', status: 429, headers: { 'retry-after': '30' }, times: 3 }])
  const order = await paidUnheard('limited@edge.example')
  const first = await onboard('limited@edge.example', order)
  assert.equal(first.body.status, 'preparing')
  await shop.world.settle(10 * minute)
  assert.equal((await onboard('limited@edge.example', order)).body.status, 'open')
})

test('a school that does not answer: after eight seconds the buyer is told "preparing"; the work goes on', async () => {
  const order = await paidUnheard('slow@edge.example')
  shop.world.school.faults.set([{ kind: 'slow', delayMs: 400, times: 1 }])
  const answer = onboard('slow@edge.example', order)
  // The sleeper that ends the wait is there once the school has been asked.
  while (shop.world.clock.nextWake() === null) await new Promise((resolve) => setImmediate(resolve))
  await shop.world.clock.advance(openingLimitMs)
  const told = await answer
  assert.deepEqual([told.status, told.body.status, told.body.loginUrl], [200, 'preparing', null])
  shop.world.school.faults.clear()
  await shop.world.settle(minute)
  for (let i = 0; shop.world.owned('slow@edge.example').length === 0 && i < 200; i++) await shop.world.settle(second)
  assert.deepEqual(shop.world.owned('slow@edge.example'), ['sourdough-basics'])
})

test('v1 row 1, v2 row 19: course ids are a check, never a grant', async () => {
  const order = await paidUnheard('checks@edge.example')
  for (const more of [
    { courseIds: ['pastry-foundations'] },
    { bundleIds: ['sourdough-basics'] },
    { courseIds: ['sourdough-basics', 'x'] },
  ]) {
    const refused = await onboard('checks@edge.example', order, more)
    assert.deepEqual([refused.status, refused.code], [422, 'courses_not_paid'])
  }
  const [row] = await shop.world.rows<{ claimed: number | null }>(
    `select claimed_at as claimed from "order" where id = '${order.orderRef}'`,
  )
  assert.equal(row?.claimed, null, 'a refused check claims nothing')
  const good = await onboard('checks@edge.example', order, { courseIds: ['sourdough-basics'] })
  assert.equal(good.body.status, 'open')
  assert.deepEqual(shop.world.owned('checks@edge.example'), ['sourdough-basics'])
})

test('v1 row 8: an e-mail or a user id in the body is nobody’s identity, and is told to be ignored', async () => {
  const order = await paidUnheard('me@edge.example')
  const done = await onboard('me@edge.example', order, {
    email: 'victim@edge.example',
    auth0UserId: 'auth0|victim',
    firstName: 'Vic',
  })
  assert.match(String(done.body.message), /e-mail address in the request .* ignored.*user id .* ignored/)
  assert.deepEqual(
    [shop.world.owned('me@edge.example'), shop.world.owned('victim@edge.example')],
    [['sourdough-basics'], []],
  )
})

test('v1 row 9: a landing page is a path of the school or nothing', async () => {
  const order = await paidUnheard('path@edge.example')
  const good = await onboard('path@edge.example', order, { redirectTo: '/course/sourdough-basics?unit=2' })
  assert.match(String(good.body.loginUrl), /\?redirectTo=%2Fcourse%2Fsourdough-basics%3Funit%3D2$/)
  for (const redirectTo of ['//evil.example', 'https://evil.example/', '/\\evil.example', 'javascript:alert(1)']) {
    const done = await onboard('path@edge.example', order, { redirectTo })
    assert.ok(!String(done.body.loginUrl).includes('redirectTo'), redirectTo)
    assert.match(String(done.body.message), /redirectTo is no path/)
  }
})

test('a payment’s own name leads to the same order, with the same proof asked', async () => {
  const order = await paidUnheard('named@edge.example')
  await shop.world.settle(minute)
  const [row] = await shop.world.rows<{ payment: string }>(
    `select payment_id as payment from "order" where id = '${order.orderRef}'`,
  )
  const body = { stripePaymentIntentId: row?.payment, courseIds: ['sourdough-basics'], email: 'named@edge.example' }
  const done = await shop.post('/api/onboard-learner', body, { token: buyer('named@edge.example') })
  assert.deepEqual([done.status, done.body.status], [200, 'open'], JSON.stringify(done.body))
  const [first] = done.body.enrollments as { courseId: string; title: string; status: string }[]
  assert.deepEqual([first?.courseId, first?.status], ['sourdough-basics', 'open'])
})

test('several courses: open only when all are, and a part that is open can be entered', async () => {
  const two = await shop.world.sell('Pastry', 7900, ['pastry-foundations', 'menu-pricing'])
  const order = await paidUnheard('several@edge.example', [price, two])
  const done = await onboard('several@edge.example', order)
  assert.equal(done.body.status, 'open')
  assert.equal((done.body.enrollments as unknown[]).length, 3)
  assert.deepEqual(shop.world.owned('several@edge.example'), ['menu-pricing', 'pastry-foundations', 'sourdough-basics'])
})

test('huge, empty and odd bodies are refused by code', async () => {
  const token = buyer('odd@edge.example')
  for (const body of [
    {},
    { orderRef: 'ord_1' },
    { orderRef: `ord_${'0'.repeat(26)}`, stripePaymentIntentId: 'pi_1' },
    { orderRef: `ord_${'0'.repeat(26)}`, courseIds: Array.from({ length: 101 }, String) },
    { orderRef: `ord_${'0'.repeat(26)}`, amount: 1 },
    { stripePaymentIntentId: "pi_1' or true --" },
  ])
    assert.deepEqual(
      (await shop.post('/api/onboard-learner', body, { token })).code,
      'input_invalid',
      JSON.stringify(body),
    )
  const huge = await shop.post('/api/onboard-learner', { orderRef: 'x'.repeat(70_000) }, { token })
  assert.equal(huge.status, 413)
  assert.equal((await shop.post('/api/onboard-learner', {}, { token: 'test_forged' })).status, 401)
})
