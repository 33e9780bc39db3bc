import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { control, failureOf, schools, type TestSchool, value } from './testing.ts'

const school = schools(afterEach)
const amira = 'amira.haddad@example.com'

async function spend(s: TestSchool, calls: number): Promise<number> {
  let limited = 0
  for (let i = 0; i < calls; i++) {
    const outcome = await s.client.users.products(amira)
    if (!outcome.ok) {
      assert.equal(outcome.failure.class, 'rate_limited')
      limited += 1
    }
  }
  return limited
}

test('thirty calls in ten seconds pass and the next is refused with the time to wait', async () => {
  const s = await school()
  assert.equal(await spend(s, 30), 0)
  await s.clock.advance(4_000)
  const failure = failureOf(await s.client.users.products(amira))
  assert.deepEqual([failure.status, failure.retryAfterMs], [429, 6_000])
  assert.equal(s.simulator.school().counts.limited, 1)
  await s.clock.advance(6_000)
  assert.equal(await spend(s, 30), 0)
})

test('a sliding window frees calls one by one, a fixed one all at once', async () => {
  const open = async (limiter: 'sliding' | 'fixed') => {
    const s = await school({ variants: { limiter } })
    await spend(s, 15)
    await s.clock.advance(9_000)
    await spend(s, 15)
    await s.clock.advance(1_000)
    return 30 - (await spend(s, 30))
  }
  assert.equal(await open('sliding'), 15)
  assert.equal(await open('fixed'), 30)
})

test('Retry-After may be a date or be missing', async () => {
  for (const [retryAfter, expected] of [
    ['date', 10_000],
    ['none', undefined],
  ] as const) {
    const s = await school({ variants: { retryAfter, requests: 1 } })
    await spend(s, 1)
    assert.equal(failureOf(await s.client.users.products(amira)).retryAfterMs, expected)
  }
})

test('a limit of 0 is no limit', async () => {
  const s = await school({ variants: { requests: 0 } })
  assert.equal(await spend(s, 100), 0)
})

test('a wrong client id and a missing token are refused in the way of the school', async () => {
  const s = await school({ config: { clientId: 'ffffffffffffffffffffffff' } })
  assert.equal(failureOf(await s.client.users.page()).code, 'learnworlds.access_denied')
  s.simulator.set({ denied: 'html_200' })
  assert.equal(failureOf(await s.client.users.page()).code, 'learnworlds.not_json')
  assert.equal(s.simulator.school().counts.denied, 2)
})

test('unknown paths are 404, unknown query parameters change nothing', async () => {
  const s = await school()
  const get = async (path: string) => {
    const headers = { 'lw-client': s.simulator.clientId, authorization: `Bearer ${s.simulator.accessToken}` }
    const outcome = await s.io.http({ method: 'GET', url: `${s.simulator.url}/admin/api${path}`, headers })
    assert.ok(outcome.ok)
    return { status: outcome.response.status, body: JSON.parse(outcome.response.body.toString()) }
  }
  assert.equal((await get('/v2/users/x/enrollments')).status, 404)
  const all = await get('/v2/users?limit=1&search=amira&sort=-created')
  assert.equal(all.body.data.length, 6)
  assert.equal((await get('/v2/users/dev.patel+school@example.com')).status, 404, 'a raw plus sign is a space')
})

test('the new user is invisible for a while, differently long, but never longer than told', async () => {
  const s = await school({ variants: { visibilityDelayMs: 5_000, requests: 0 } })
  const { id } = value(await s.client.users.create({ email: 'v@example.com', username: 'V' }))
  assert.equal(failureOf(await s.client.users.get(id)).status, 404)
  await s.clock.advance(5_000)
  assert.equal(value(await s.client.users.get(id)).id, id)
})

test('duplicate grants are counted and change nothing', async () => {
  const s = await school()
  const grant = { productId: 'menu-pricing', productType: 'course', price: 0, justification: 'hub:1' } as const
  value(await s.client.enrollment.enroll(amira, grant))
  for (const status of [400, 422] as const) {
    s.simulator.set({ alreadyOwnedStatus: status })
    assert.equal(failureOf(await s.client.enrollment.enroll(amira, grant)).status, status)
  }
  const enrollments = [...s.simulator.school().enrollments.values()].flatMap((owned) => [...owned.values()])
  assert.deepEqual(
    enrollments.map((e) => [e.productId, e.justification, e.duplicates]),
    [['menu-pricing', 'hub:1', 2]],
  )
})

test('the price 0 books no payment, a higher one does', async () => {
  const s = await school()
  const grant = { productId: 'menu-pricing', productType: 'course' } as const
  value(await s.client.enrollment.enroll(amira, { ...grant, price: 0 }))
  value(await s.client.enrollment.enroll('ben.okafor@example.com', { ...grant, price: 60 }))
  const payments = value(await s.client.records.pagePayments()).items
  assert.deepEqual(
    payments.map((p) => p.price),
    [60],
  )
})

test('a subscription grant ends after its duration', async () => {
  const s = await school()
  const plan = { productId: 'all-courses', productType: 'subscription', price: 0 } as const
  value(await s.client.enrollment.enroll(amira, { ...plan, duration_type: 'weeks', duration: 2 }))
  const [first] = value(await s.client.learning.pageCourses(amira)).items
  assert.equal(first?.expires, s.clock.now() + 14 * 86_400_000)
})

test('the login link by e-mail creates the user, and the page shows the course with its buttons', async () => {
  const s = await school({ variants: { requests: 0 } })
  const redirectUrl = `${s.simulator.url}/course/menu-pricing`
  const login = value(await s.client.sso.login({ email: 'sso@example.com', username: 'Sso User', redirectUrl }))
  const { id } = value(await s.client.users.get('sso@example.com'))
  assert.equal(login.user_id, id)
  await control(s, 'enroll', { user: id, course: 'menu-pricing' })
  const open = async (url: string, cookie = '') => {
    const outcome = await s.io.http({ method: 'GET', url, headers: cookie === '' ? {} : { cookie } })
    assert.ok(outcome.ok)
    return outcome.response
  }
  const first = await open(login.url)
  assert.match(first.body.toString(), /Sso User[\s\S]*data-progress="0\/4"/)
  const cookie = first.headers['set-cookie']?.split(';')[0] ?? assert.fail('no session')
  await control(s, `learners/${id}/progress`, { course: 'menu-pricing', percent: 50 })
  assert.match((await open(redirectUrl, cookie)).body.toString(), /data-progress="2\/4"/)
  assert.match((await open(redirectUrl)).body.toString(), /Not logged in/)
  const visits = value(await s.client.records.pageEvents({ activity: 'visit_course', userId: id })).totalItems
  assert.equal(visits, 3)
})

test('the state can be read over HTTP, and a reset brings the seeded school back', async () => {
  const s = await school()
  value(await s.client.users.create({ email: 'x@example.com', username: 'X' }))
  const state = async () => {
    const outcome = await s.io.http({ method: 'GET', url: `${s.simulator.url}/_sim/state` })
    assert.ok(outcome.ok)
    return JSON.parse(outcome.response.body.toString())
  }
  assert.equal((await state()).users.length, 7)
  assert.deepEqual((await state()).counts.byRoute, { 'POST /v2/users': 1 })
  await control(s, 'reset')
  const fresh = await state()
  assert.deepEqual(
    [fresh.name, fresh.users.length, fresh.courses.length, fresh.bundles.length, fresh.plans.length],
    ['Harbour School', 6, 6, 2, 1],
  )
})

test('a hundred learners with three courses each take four hundred calls, and all are enrolled', async () => {
  // A hundred calls at once wait for each other on a busy machine; here nothing is about the timeout.
  const s = await school({ variants: { requests: 0 }, config: { timeoutMs: 30_000 } })
  const accounts = s.connector.accounts ?? assert.fail()
  const entitlements = s.connector.entitlements ?? assert.fail()
  const onboard = async (i: number) => {
    const account = value(await accounts.ensure({ email: `l${i}@example.com`, name: `L ${i}` })).externalId
    for (const externalId of ['menu-pricing', 'food-safety', 'sourdough-basics'])
      value(await entitlements.grant({ account, course: { kind: 'course', externalId }, key: 'k', uncertain: false }))
  }
  await Promise.all(Array.from({ length: 100 }, (_, i) => onboard(i)))
  assert.equal(s.simulator.school().counts.calls, 400)
  assert.equal(s.simulator.state().enrollments.length, 300)
})
