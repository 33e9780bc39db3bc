import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { collect } from './api/pages.ts'
import { shownPath } from './api/send.ts'
import { control, failureOf, schools, value } from './testing.ts'

const school = schools(afterEach)
const amira = 'amira.haddad@example.com'
const dev = 'dev.patel+school@example.com'

test('plus signs and slashes in ids reach the school unharmed', async () => {
  const s = await school()
  assert.equal(value(await s.client.users.get(dev)).email, dev)
  assert.equal(failureOf(await s.client.users.get('../users')).code, 'learnworlds.not_found')
  assert.equal(s.simulator.log().at(-1)?.path, '/admin/api/v2/users/..%2Fusers')
})

test('an address as id appears in no call record, a custom field filter neither', async () => {
  const s = await school()
  value(await s.client.users.get(dev))
  value(await s.client.users.page({ customFields: { passport: 'X123' }, tags: ['a'] }))
  assert.deepEqual(
    s.calls.map((c) => c.path),
    ['/admin/api/v2/users/{email}', '/admin/api/v2/users?page=1'],
  )
  assert.equal(shownPath('/v2/users/a%40b.c/courses'), '/v2/users/{email}/courses')
})

for (const times of ['float', 'whole'] as const)
  test(`times written as ${times} seconds become milliseconds, and filters go back to seconds`, async () => {
    const s = await school({ variants: { times } })
    const start = s.clock.now()
    const user = value(await s.client.users.get(amira))
    assert.equal(user.created, start)
    await s.clock.advance(60_000)
    await control(s, 'users', { email: 'new@example.com', username: 'New' })
    const fresh = value(await s.client.users.page({ registeredAfter: start + 1_000 }))
    assert.deepEqual(
      fresh.items.map((u) => u.email),
      ['new@example.com'],
    )
  })

test('older and newer schools are both read: names, discounts, jobs', async () => {
  for (const spec of ['S25', 'S26'] as const) {
    const s = await school({ variants: { spec, nameMode: 'first_last' } })
    const user = value(await s.client.users.get(amira))
    assert.equal(user.first_name, spec === 'S25' ? null : 'Amira')
    await control(s, 'enroll', { user: amira, course: 'menu-pricing', price: 60 })
    const [payment] = value(await s.client.records.pagePayments()).items
    assert.deepEqual(payment?.discount, spec === 'S25' ? { amount: 0, currency: null } : { amount: 0, currency: 'EUR' })
    const job = value(await s.client.learning.complete(amira, 'menu-pricing', { units: [], email: false }))
    const state = await s.client.learning.job(job.job_id ?? assert.fail())
    if (spec === 'S25') assert.equal(failureOf(state).code, 'learnworlds.not_found')
    else assert.equal(value(state).state, 'in-progress')
    await s.clock.advance(3_000)
    assert.equal(value(await s.client.learning.courseProgress(amira, 'menu-pricing')).status, 'completed')
    value(await s.client.learning.reset(amira, 'menu-pricing', { units: [] }))
    await s.clock.advance(3_000)
    assert.equal(value(await s.client.learning.courseProgress(amira, 'menu-pricing')).progress_rate, 0)
  }
})

test('the justification of a grant comes back in the event log of a newer school', async () => {
  const s = await school()
  const grant = { productId: 'menu-pricing', productType: 'course', price: 0, justification: 'hub:g1' } as const
  value(await s.client.enrollment.enroll(dev, grant))
  const [event] = value(await s.client.records.pageEvents({ activity: 'enrollment' })).items
  assert.equal(event?.additional_info?.justification, 'hub:g1')
  assert.equal(failureOf(await s.client.enrollment.enroll(dev, grant)).code, 'learnworlds.already_owned')
})

test('a price must be named and a revoke must carry its product', async () => {
  const s = await school()
  const withoutPrice = { productId: 'menu-pricing', productType: 'course' } as never
  assert.equal(failureOf(await s.client.enrollment.enroll(dev, withoutPrice)).field, 'price')
  assert.equal(failureOf(await s.client.enrollment.unenroll(dev, {} as never)).field, 'productId')
})

test('users are changed, tagged, suspended and found by what they own', async () => {
  const s = await school({ variants: { requests: 0 } })
  const { users } = s.client
  assert.deepEqual(value(await users.tag(amira, ['vip', 'a'], 'attach')).tags, ['vip', 'a'])
  assert.deepEqual(value(await users.tag(amira, ['a'], 'detach')).tags, ['vip'])
  const { id } = value(await users.update(amira, { email: 'amira@new.example', username: 'Amira H' }))
  assert.equal(value(await users.get('amira@new.example')).id, id)
  assert.equal(value(await users.suspend(id)).is_suspended, true)
  assert.equal(failureOf(await users.get(id)).code, 'learnworlds.not_found')
  assert.equal(value(await users.get(id, { includeSuspended: true })).is_suspended, true)
  value(await users.unsuspend(id))
  await control(s, 'enroll', { user: id, bundle: 'baker-bundle' })
  assert.deepEqual(
    value(await users.pageByProduct('baker-bundle', 'bundle')).items.map((u) => u.id),
    [id],
  )
  assert.equal(value(await collect(users.walkBySegment('all-learners'))).length, 6)
  assert.equal(value(await users.segments()).items.length, 1)
})

test('a group that enrolls opens many courses with one call; a seat can run out', async () => {
  const s = await school({ variants: { requests: 0 } })
  const { groups, seats, users } = s.client
  const courses = ['menu-pricing', 'food-safety']
  const group = value(await groups.create({ title: 'Team', products: { courses }, enroll_users_on_courses: true }))
  const { id } = value(await users.get(amira))
  value(await groups.addUser(group.id, id))
  assert.equal(value(await users.products(id)).items.length, 2)
  assert.equal(value(await collect(groups.walkUsers(group.id))).length, 1)
  assert.equal(value(await groups.of(id)).items[0]?.title, 'Team')
  value(await groups.removeUser(group.id, id))
  const seat = value(await seats.create({ title: 'Seats', products: { courses }, number_of_seats: 1 }))
  value(await seats.addUser(seat.id, id, { addToActiveSeat: true }))
  const other = value(await users.get(dev)).id
  assert.equal(failureOf(await seats.addUser(seat.id, other, { addToActiveSeat: true })).class, 'invalid')
  assert.deepEqual([value(await seats.of(id)).length, value(await seats.of(other)).length], [1, 0])
})

test('every other part of the API answers in the shapes the client expects', async () => {
  const s = await school({ variants: { requests: 0 } })
  const { catalog, learning, promotions, affiliates, community, roles, records } = s.client
  const { id } = value(await s.client.users.get(amira))
  await control(s, 'enroll', { user: id, course: 'menu-pricing', price: 10 })
  await control(s, `learners/${id}/complete`, { course: 'menu-pricing', certificate: true })

  assert.equal(value(await catalog.contents('menu-pricing')).sections[0]?.learningUnits.length, 4)
  assert.equal(value(await catalog.analytics('menu-pricing')).students, 1)
  assert.equal(value(await catalog.unitAnalytics('menu-pricing', 'menu-pricing-unit-1')).users_completed, 1)
  assert.equal(value(await collect(catalog.walkCourses({ access: ['free', 'draft'] }))).length, 1)
  assert.equal(value(await collect(catalog.walkBundles())).length, 2)
  assert.equal(value(await catalog.plan('all-courses')).products.courses.length, 6)
  value(await catalog.createCourse({ titleId: 'new-one', title: 'New', access: 'draft' }))
  assert.equal(value(await catalog.updateCourse('new-one', { title: 'Newer' })).title, 'Newer')

  const [grade] = value(await collect(learning.walkGrades('menu-pricing', { order: 'desc' })))
  assert.equal(grade?.user_id, id)
  const unit = grade?.learningUnit?.id ?? assert.fail()
  assert.equal(value(await collect(learning.walkAssessment(unit, [id]))).length, 1)
  value(await learning.review(grade?.id ?? '', { answers: [] }))
  assert.equal(value(await collect(learning.walkRoster('menu-pricing'))).length, 1)
  assert.equal(value(await collect(learning.walkCourses(id))).length, 1)

  const [certificate] = value(await s.client.certificates.page({ userId: id })).items
  value(await s.client.certificates.reissue(certificate?.id ?? '', { issued: s.clock.now() + 5_000 }))
  value(await s.client.certificates.revoke(certificate?.id ?? ''))
  assert.equal(value(await s.client.certificates.page({ userId: id })).items[0]?.status, 'deleted')

  const [payment] = value(await collect(records.walkPayments({ userId: id })))
  assert.equal(value(await records.payment('Added by admin')).id, payment?.id)
  value(await records.invoiceLink(payment?.id ?? ''))
  assert.equal(value(await collect(records.walkSubscriptions())).length, 0)
  assert.equal(value(await collect(records.walkInstallments())).length, 0)

  const promotion = value(await promotions.create({ name: 'Spring', type: 'percentage', value: 10 }))
  value(await promotions.addCoupon(promotion.id, { code: 'SPRING' }))
  assert.equal(value(await promotions.addCoupons(promotion.id, { prefix: 'P-', quantity: 3 })).length, 3)
  assert.equal(value(await promotions.coupons(promotion.id)).items.length, 4)
  value(await promotions.usage(promotion.id, 'SPRING'))
  assert.equal(value(await promotions.get(promotion.id)).name, 'Spring')
  assert.equal(value(await affiliates.create(id)).email, amira)
  for (const which of ['upcoming', 'due', 'completed'] as const) value(await collect(affiliates.walkPayouts(id, which)))
  assert.equal(value(await collect(affiliates.walk())).length, 1)
  value(await collect(affiliates.walkCustomers(id)))
  value(await collect(s.client.leads.walk()))
  value(await community.addMembers('lounge', [id]))
  assert.equal(value(await collect(community.walkMembers('lounge'))).length, 1)
  value(await community.removeMember('lounge', id))
  value(await community.collections())
  value(await collect(community.walkPosts()))
  assert.equal(value(await s.client.school.events()).items.length, 1)
  assert.equal(value(await roles.list()).items.length, 5)
  value(await roles.set(id, { role_id: 'instructor' }))
  assert.equal(value(await roles.of(id)).role_id, 'instructor')
})

test('an answer in an unknown shape names the place, not the content', async () => {
  const s = await school()
  s.simulator.faults.add({ kind: 'status', status: 200, body: { data: [{ id: 7, email: 'secret@example.com' }] } })
  const failure = failureOf(await s.client.users.page())
  assert.deepEqual([failure.class, failure.code], ['needs_person', 'learnworlds.unexpected_shape'])
  assert.match(failure.message, /data\.0\.id/)
  assert.ok(!failure.message.includes('secret'))
})
