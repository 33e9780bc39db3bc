import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { createLearnWorlds } from './index.ts'
import { control, failureOf, schools, type TestSchool, value } from './testing.ts'

const school = schools(afterEach)

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

const grantOf = (
  s: TestSchool,
  account: string,
  ref: { kind: 'course' | 'bundle' | 'subscription'; externalId: string },
) => entitlements(s).grant({ account, course: ref, key: 'hub:g', uncertain: false })
const idOf = async (s: TestSchool, email: string) =>
  (value(await accounts(s).find(email)) ?? assert.fail(`no ${email}`)).externalId

test('F7: a 404 soon after our own create is "not yet visible", later it is a missing account', async () => {
  const s = await school({ variants: { visibilityDelayMs: 5_000 } })
  const fresh = value(await accounts(s).ensure({ email: 'fresh@example.com', name: 'Fresh' }))
  const early = failureOf(await grantOf(s, fresh.externalId, course('menu-pricing')))
  assert.equal(early.class, 'not_yet_visible')
  await s.clock.advance(5_000)
  value(await grantOf(s, fresh.externalId, course('menu-pricing')))
  const gone = failureOf(await grantOf(s, '0123456789abcdef01234567', course('menu-pricing')))
  assert.deepEqual([gone.class, gone.code], ['conflict', 'learnworlds.account_not_found'])
})

test('F7: the window also holds when another process created the account', async () => {
  const s = await school()
  const request = { account: '0123456789abcdef01234567', course: course('menu-pricing'), key: 'k', uncertain: false }
  const at = s.clock.now()
  await s.clock.advance(14_000)
  const early = failureOf(await entitlements(s).grant({ ...request, accountCreatedAt: at }))
  assert.equal(early.class, 'not_yet_visible')
  await s.clock.advance(2_000)
  const late = failureOf(await entitlements(s).grant({ ...request, accountCreatedAt: at }))
  assert.equal(late.class, 'conflict')
})

test('F7: an account that exists but cannot be read yet is waited for, not given up', async () => {
  const s = await school({ variants: { visibilityDelayMs: 5_000 } })
  value(await accounts(s).ensure({ email: 'fresh@example.com', name: 'Fresh' }))
  const again = await accounts(s).ensure({ email: 'fresh@example.com', name: 'Fresh' })
  assert.equal(failureOf(again).class, 'not_yet_visible')
  await s.clock.advance(5_000)
  assert.equal(value(await accounts(s).ensure({ email: 'fresh@example.com', name: 'Fresh' })).created, false)
})

for (const status of [400, 409, 422] as const)
  test(`F8: a duplicate address told with status ${status} leads to the existing account`, async () => {
    const s = await school({ variants: { duplicateStatus: status } })
    assert.equal(value(await accounts(s).ensure({ email: 'ben.okafor@example.com', name: 'B' })).created, false)
  })

test('F8: "already owned" is success only while the access is open', async () => {
  const s = await school({ variants: { requests: 0 } })
  const amira = await idOf(s, 'amira.haddad@example.com')
  await control(s, 'enroll', { user: amira, course: 'food-safety', expires: s.clock.now() + 60_000 })
  assert.deepEqual(value(await grantOf(s, amira, course('food-safety'))), { state: 'active', already: true })
  await s.clock.advance(60_000)
  const expired = failureOf(await grantOf(s, amira, course('food-safety')))
  assert.deepEqual([expired.class, expired.code], ['needs_person', 'learnworlds.access_expired'])
  value(await grantOf(s, amira, { kind: 'bundle', externalId: 'baker-bundle' }))
  assert.equal(value(await grantOf(s, amira, { kind: 'bundle', externalId: 'baker-bundle' })).already, true)
})

test('F9: a refused name says which field, and no look-up hides it', async () => {
  const s = await school({ variants: { usernameMax: 30 } })
  const name = 'A name that is much longer than thirty characters'
  const failure = failureOf(await accounts(s).ensure({ email: 'long@example.com', name }))
  assert.deepEqual([failure.class, failure.field], ['invalid', 'username'])
})

test('F12: revoking a course names the bundle that still opens it', async () => {
  const s = await school({ variants: { requests: 0 } })
  const amira = await idOf(s, 'amira.haddad@example.com')
  value(await grantOf(s, amira, course('sourdough-basics')))
  value(await grantOf(s, amira, { kind: 'bundle', externalId: 'baker-bundle' }))
  value(await grantOf(s, amira, { kind: 'bundle', externalId: 'cafe-owner' }))
  const revoked = value(
    await entitlements(s).revoke({ account: amira, course: course('sourdough-basics'), key: 'k', uncertain: false }),
  )
  assert.deepEqual(revoked, {
    mode: 'remove',
    already: false,
    collateral: [{ kind: 'bundle', externalId: 'baker-bundle' }],
  })
})

test('F12: a bundle that leaves its courses behind says which stay open', async () => {
  const s = await school({ variants: { requests: 0, bundleUnenroll: 'keeps_courses' } })
  const amira = await idOf(s, 'amira.haddad@example.com')
  value(await grantOf(s, amira, { kind: 'bundle', externalId: 'baker-bundle' }))
  const revoked = value(
    await entitlements(s).revoke({
      account: amira,
      course: { kind: 'program', externalId: 'baker-bundle' },
      key: 'k',
      uncertain: false,
    }),
  )
  assert.deepEqual(revoked.collateral, [course('sourdough-basics'), course('pastry-foundations')])
})

test('a 404 on a revoke counts as done only when the list agrees', async () => {
  const s = await school()
  const amira = await idOf(s, 'amira.haddad@example.com')
  value(await grantOf(s, amira, course('menu-pricing')))
  s.simulator.faults.add({ kind: 'status', status: 404, method: 'DELETE', body: { error: 'Sorry' } })
  const request = { account: amira, course: course('menu-pricing'), key: 'k', uncertain: false }
  assert.equal(failureOf(await entitlements(s).revoke(request)).code, 'learnworlds.not_found')
  assert.equal(s.simulator.school().enrollments.get(amira)?.size, 1)
})

test('a revoke costs two calls, one when reading back is switched off', async () => {
  for (const readBackRevoke of [true, false]) {
    const s = await school({ config: { flags: { readBackRevoke } } })
    const amira = await idOf(s, 'amira.haddad@example.com')
    value(await grantOf(s, amira, course('menu-pricing')))
    const before = s.simulator.school().counts.calls
    const request = { account: amira, course: course('menu-pricing'), key: 'k', uncertain: false }
    assert.equal(value(await entitlements(s).revoke(request)).already, false)
    assert.equal(s.simulator.school().counts.calls - before, readBackRevoke ? 2 : 1)
  }
})

test('the list shows what is owned with its dates, and what opens through a bundle as indirect', async () => {
  const s = await school({ variants: { requests: 0 } })
  const amira = await idOf(s, 'amira.haddad@example.com')
  const at = s.clock.now()
  value(await grantOf(s, amira, course('food-safety')))
  value(await grantOf(s, amira, { kind: 'bundle', externalId: 'baker-bundle' }))
  const listed = value(await entitlements(s).list(amira)).map((g) => [g.course.externalId, g.expiresAt, g.indirect])
  assert.deepEqual(listed, [
    ['food-safety', at + 365 * 86_400_000, undefined],
    ['baker-bundle', null, undefined],
    ['pastry-foundations', null, true],
    ['sourdough-basics', null, true],
  ])
})

test('kinds that LearnWorlds does not have are refused without a call', async () => {
  const s = await school()
  const voucher = { kind: 'voucher', externalId: 'x' } as const
  const request = { account: 'a', course: voucher, key: 'k', uncertain: false }
  assert.equal(failureOf(await entitlements(s).grant(request)).code, 'learnworlds.kind_unknown')
  assert.equal(failureOf(await entitlements(s).revoke(request)).code, 'learnworlds.kind_unknown')
  assert.equal(failureOf(await launch(s)({ account: 'a', course: voucher })).code, 'learnworlds.kind_unknown')
  assert.equal(s.calls.length, 0)
})

test('progress grows as the learner learns, and completion carries its moment', async () => {
  const s = await school({ variants: { requests: 0 } })
  const amira = await idOf(s, 'amira.haddad@example.com')
  value(await grantOf(s, amira, course('menu-pricing')))
  const read = async () => value(await (s.connector.progress ?? assert.fail()).read(amira))[0] ?? assert.fail()
  assert.deepEqual([(await read()).status, (await read()).percent], ['not_started', 0])
  await control(s, `learners/${amira}/progress`, { course: 'menu-pricing', percent: 50 })
  const half = await read()
  assert.deepEqual([half.status, half.percent, half.grain, half.unitsDone], ['in_progress', 50, 'percent', 2])
  await control(s, `learners/${amira}/complete`, { course: 'menu-pricing', certificate: true })
  const complete = await read()
  assert.deepEqual([complete.status, complete.percent, complete.completedAt], ['completed', 100, s.clock.now()])
  const page = value(await (s.connector.certificates ?? assert.fail()).list({ account: amira }))
  assert.deepEqual([page.items.length, page.items[0]?.state, page.items[0]?.issuedAt], [1, 'active', s.clock.now()])
})

test('a launch reads an unknown account once, and refuses a suspended one', async () => {
  const s = await school({ variants: { requests: 0 } })
  const ben = s.simulator.school().userByEmail.get('ben.okafor@example.com') ?? assert.fail()
  value(await launch(s)({ account: ben, course: course('menu-pricing') }))
  const another = createLearnWorlds(s.settings, s.io)
  value(await (another.launch ?? assert.fail())({ account: ben, course: course('menu-pricing') }))
  assert.deepEqual(
    s.calls.map((c) => c.method),
    ['GET', 'POST', 'POST'],
  )
  await control(s, `users/${ben}`, { suspended: true })
  await s.clock.advance(11 * 60_000)
  const refused = failureOf(await launch(s)({ account: ben, course: course('menu-pricing') }))
  assert.equal(refused.code, 'learnworlds.account_suspended')
})

test('an account follows a changed address and name', async () => {
  const s = await school()
  const amira = await idOf(s, 'amira.haddad@example.com')
  const changed = value(
    (await accounts(s).update?.(amira, { email: 'Amira@New.example', name: 'A H' })) ?? assert.fail(),
  )
  assert.deepEqual([changed.externalId, changed.email], [amira, 'amira@new.example'])
})

test('the probe tells what to mend', async () => {
  const s = await school({ config: { clientId: 'school.example' } })
  const report = await s.connector.probe()
  assert.equal(report.usable, false)
  assert.deepEqual(
    report.findings.map((f) => [f.code, f.level]),
    [
      ['learnworlds.client_id_unusual', 'warning'],
      ['learnworlds.access_denied', 'problem'],
    ],
  )
})

test('a login for somebody else is refused, and its link is told to nobody', async () => {
  const s = await school()
  const amira = await idOf(s, 'amira.haddad@example.com')
  const answer = { success: true, url: `${s.simulator.url}/sso/abc`, user_id: 'ffffffffffffffffffffffff' }
  s.simulator.faults.add({ kind: 'status', status: 200, body: answer, path: '/admin/api/sso' })
  const refused = failureOf(await launch(s)({ account: amira, course: course('menu-pricing') }))
  assert.equal(refused.code, 'learnworlds.launch_other_user')
  assert.ok(!JSON.stringify([refused, s.calls]).includes('/sso/abc'))
})
