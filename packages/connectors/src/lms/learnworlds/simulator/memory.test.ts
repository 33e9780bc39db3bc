import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { control, schools, type TestSchool, value } from '../testing.ts'

const school = schools(afterEach)
const amira = 'amira.haddad@example.com'
const course = { type: 'course', id: 'sourdough-basics' } as const

async function successor(of: TestSchool): Promise<TestSchool> {
  const next = await school({ school: { seed: 'empty' } })
  await next.clock.advanceTo(of.clock.now())
  next.simulator.restore(of.simulator.snapshot())
  return next
}

const idOf = (s: TestSchool, email: string) => s.simulator.school().userByEmail.get(email) ?? ''

test('a successor knows the people, what they own, how far they are and the school’s own quirks', async () => {
  const first = await school({ variants: { spec: 'S25' } })
  await control(first, 'enroll', { user: amira, course: course.id })
  await control(first, `learners/${idOf(first, amira)}/progress`, { course: course.id, percent: 50 })
  await control(first, `learners/${idOf(first, amira)}/complete`, { course: course.id, certificate: true })
  await control(first, 'variants', { duplicateStatus: 409 })
  const next = await successor(first)
  const { counts: _, ...before } = first.simulator.state()
  const { counts: __, ...after } = next.simulator.state()
  assert.deepEqual(after, before)
  assert.deepEqual(
    value(await next.client.users.products(amira)).items.map((p) => p.id),
    ['sourdough-basics'],
  )
})

test('a job that waits takes effect at its time in the successor', async () => {
  const first = await school()
  await control(first, 'enroll', { user: amira, course: course.id })
  const asked = await first.io.http({
    method: 'POST',
    url: `${first.simulator.url}/admin/api/v2/users/${idOf(first, amira)}/courses/${course.id}/complete`,
    headers: {
      'lw-client': first.simulator.clientId,
      authorization: `Bearer ${first.simulator.accessToken}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ units: [], send_course_complete_email: false }),
  })
  assert.equal(asked.ok && asked.response.status, 200)
  const next = await successor(first)
  const done = () => next.simulator.school().progress.get(`${idOf(next, amira)}/${course.id}`)?.completedAt ?? null
  await next.client.users.products(amira)
  assert.equal(done(), null)
  await next.clock.advance(2_000)
  await next.client.users.products(amira)
  assert.equal(done(), next.clock.now())
})

test('webhooks that were not delivered are sent by the successor', async () => {
  const first = await school()
  await control(first, 'users', { email: 'new@learner.example' })
  const waiting = first.simulator.state().webhooks.waiting
  assert.ok(waiting > 0)
  const next = await successor(first)
  assert.equal(next.simulator.state().webhooks.waiting, waiting)
  // Any address that answers 2xx will do.
  next.simulator.webhooks.configure({ target: `${first.simulator.url}/_sim/variants` })
  assert.deepEqual(await next.simulator.webhooks.flush(), { sent: waiting, failed: 0 })
})

test('bytes that are no memory are refused and change nothing', async () => {
  const { simulator } = await school()
  const before = simulator.state()
  assert.throws(() => simulator.restore(Buffer.from('not a memory')))
  assert.throws(() => simulator.restore(simulator.snapshot().subarray(0, 40)))
  assert.deepEqual(simulator.state(), before)
})
