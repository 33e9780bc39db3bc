import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { Outcome } from '../../failure.ts'
import { control, startSchool, type TestSchool } from './testing.ts'

let open: TestSchool | null = null
const school = async (options?: Parameters<typeof startSchool>[0]) => {
  open = await startSchool(options)
  return open
}
afterEach(async () => {
  await open?.close()
  open = null
})

const value = <T>(outcome: Outcome<T>): T => {
  assert.ok(outcome.ok, outcome.ok ? '' : JSON.stringify(outcome.failure))
  return outcome.value
}
const failureOf = <T>(outcome: Outcome<T>) => {
  assert.ok(!outcome.ok, 'a failure was expected')
  return outcome.failure
}

const accounts = (s: TestSchool) => s.connector.accounts ?? assert.fail()
const entitlements = (s: TestSchool) => s.connector.entitlements ?? assert.fail()
const launch = (s: TestSchool) => s.connector.launch ?? assert.fail()
const course = (externalId: string) => ({ kind: 'course', externalId }) as const

test('a new learner with k courses costs k + 1 calls, a known one k', async () => {
  const s = await school()
  const courses = ['sourdough-basics', 'menu-pricing', 'food-safety']
  s.simulator.school().counts.calls = 0
  const account = value(await accounts(s).ensure({ email: 'Nora@Example.com', name: 'Nora Lind' }))
  assert.equal(account.created, true)
  assert.equal(account.email, 'nora@example.com')
  const grant = (id: string, key: string) =>
    entitlements(s).grant({ account: account.externalId, course: course(id), key, uncertain: false })
  for (const id of courses) assert.deepEqual(value(await grant(id, `hub:${id}`)), { state: 'active', already: false })
  assert.equal(s.simulator.school().counts.calls, 4)
  const { enrollments } = s.simulator.state() as unknown as { enrollments: { justification: string; price: number }[] }
  assert.deepEqual(
    enrollments.map((e) => [e.justification, e.price]),
    courses.map((id) => [`hub:${id}`, 0]),
  )
  value(await grant('pastry-foundations', 'hub:p'))
  assert.equal(s.simulator.school().counts.calls, 5)
})

test('a user who exists is adopted, with or without a suspension', async () => {
  const s = await school()
  await control(s, 'users/ben.okafor@example.com', { suspended: true })
  const before = s.simulator.school().users.size
  const ben = value(await accounts(s).ensure({ email: 'ben.okafor@example.com', name: 'Ben' }))
  assert.deepEqual([ben.created, ben.suspended, ben.privileged], [false, true, false])
  const owner = value(await accounts(s).ensure({ email: 'owner@school.example', name: 'O' }))
  assert.equal(owner.privileged, true)
  assert.equal(s.simulator.school().users.size, before)
})

test('an address with a plus sign finds its own account', async () => {
  const s = await school()
  const dev = value(await accounts(s).find('dev.patel+school@example.com'))
  assert.equal(dev?.email, 'dev.patel+school@example.com')
  assert.equal(value(await accounts(s).find('dev.patel@example.com')), null)
})

test('the login link opens once, on the school only, and never for staff', async () => {
  const s = await school()
  const amira = value(await accounts(s).find('amira.haddad@example.com')) ?? assert.fail()
  value(
    await entitlements(s).grant({
      account: amira.externalId,
      course: course('menu-pricing'),
      key: 'k',
      uncertain: false,
    }),
  )
  const action = value(await launch(s)({ account: amira.externalId, course: course('menu-pricing') }))
  assert.equal(action.kind, 'redirect')
  const visit = async () => {
    const outcome = await s.io.http({ method: 'GET', url: action.url })
    assert.ok(outcome.ok)
    return outcome.response
  }
  const first = await visit()
  assert.equal(first.status, 200)
  assert.match(first.body.toString(), /Amira Haddad[\s\S]*Pricing a menu/)
  assert.equal((await visit()).status, 410)
  const staff = value(await accounts(s).find('owner@school.example')) ?? assert.fail()
  const refused = failureOf(await launch(s)({ account: staff.externalId, course: course('menu-pricing') }))
  assert.equal(refused.code, 'learnworlds.account_privileged')
})

test('a login link to another host is refused unless that host is configured', async () => {
  const s = await school({ school: { origin: 'https://elsewhere.example' } })
  const amira = value(await accounts(s).find('amira.haddad@example.com')) ?? assert.fail()
  const request = { account: amira.externalId, course: course('menu-pricing') }
  const refused = failureOf(await launch(s)(request))
  assert.equal(refused.code, 'learnworlds.launch_other_host')
  assert.ok(!JSON.stringify(refused).includes('/sso/'), 'the link must not stand in the failure')
})
