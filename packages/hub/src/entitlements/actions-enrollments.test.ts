import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { asking } from '#main/asking.ts'
import { createWorld, type World } from '#main/world.ts'
import { entitlementActions } from './actions.ts'
import { closeAlerts } from './alerts.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())
const { answer, codeOf, callerWith, stranger } = asking(() => world, entitlementActions)

type Shown = { id: string; state: string; failure: { class: string; code: string } | null }
type Alert = { failureCode: string; seats: number; count: number; closedAt: string | null }
const seatOf = async (email: string): Promise<Shown> => {
  const { enrollments } = await answer<{ enrollments: Shown[] }>('enrollments.list', { email })
  const [seat] = enrollments
  if (seat === undefined) throw new Error(`no seat of ${email}`)
  return seat
}
async function buy(email: string, price: string, name = 'A Learner'): Promise<Shown> {
  const session = await world.checkout([price])
  world.stripe.pay({ session, email, name })
  // The school's call limit makes some of this wait.
  await world.settle(minute)
  return seatOf(email)
}
const alerts = async (closed = false) => (await answer<{ alerts: Alert[] }>('alerts.list', { closed })).alerts

test('F21: seats that fail for one cause are one group and one alert, and one retry mends them all', async () => {
  const ghost = await world.sell('Ghost', 1000, ['not-there-yet'])
  for (let i = 0; i < 4; i++) assert.equal((await buy(`ghost${i}@learner.example`, ghost)).state, 'stuck')
  const { failures } = await answer<{ failures: { sentence: string; stuck: number; failureCode: string }[] }>(
    'enrollments.failures',
    {},
  )
  const group = failures.find((f) => f.stuck === 4)
  assert.match(group?.sentence ?? '', /^4 seats at Harbour School: /)
  assert.deepEqual(
    (await alerts()).map((a) => [a.failureCode, a.seats, a.count]),
    [[group?.failureCode, 4, 4]],
  )
  await closeAlerts(world.app)
  assert.equal((await alerts()).length, 1)

  const input = { failureCode: group?.failureCode, limit: 3 }
  assert.deepEqual(await answer('enrollments.retry', input, { dryRun: true }), {
    seats: 3,
    learners: 3,
    aboutSeconds: 2,
    more: true,
  })
  assert.equal((await seatOf('ghost0@learner.example')).state, 'stuck')
  await world.rows(`update course set external_id = 'sourdough-basics' where external_id = 'not-there-yet'`)
  await answer('enrollments.retry', input)
  await answer('enrollments.retry', input)
  await world.settle(minute)
  for (let i = 0; i < 4; i++) assert.deepEqual(world.owned(`ghost${i}@learner.example`), ['sourdough-basics'])
  await closeAlerts(world.app)
  assert.deepEqual(await alerts(), [])
  assert.equal((await alerts(true)).length, 1)
})

test('the estimate of a retry follows the school’s own limit', async () => {
  const ghost = await world.sell('Ghost two', 1000, ['missing-two'])
  for (let i = 0; i < 3; i++) await buy(`slow${i}@learner.example`, ghost)
  await world.rows(
    `update connection set config = config || '{"requests": 2, "windowMs": 10000}' where category = 'lms'`,
  )
  const told = await answer<{ aboutSeconds: number }>(
    'enrollments.retry',
    { failureClass: 'invalid' },
    { dryRun: true },
  )
  const other = await answer<{ aboutSeconds: number }>(
    'enrollments.retry',
    { failureClass: 'needs_person' },
    { dryRun: true },
  )
  const stuck = await answer<{ enrollments: Shown[] }>('enrollments.list', { state: 'stuck' })
  assert.equal(told.aboutSeconds + other.aboutSeconds, stuck.enrollments.length * 10)
  await world.rows(
    `update connection set config = config - 'requests' - 'windowMs' || '{"requests": 0}' where category = 'lms'`,
  )
})

test('F9: a username the school refuses is corrected for this school and the seat opens', async () => {
  world.school.set({ usernameMax: 10 })
  const price = await world.sell('Pastry', 1000, ['pastry-foundations'])
  const seat = await buy('long@learner.example', price, 'A Name Far Too Long For It')
  assert.deepEqual([seat.state, seat.failure?.class], ['stuck', 'invalid'])
  assert.equal(await codeOf('enrollments.fix_account', { enrollmentId: seat.id }), 'input_invalid')
  await answer('enrollments.fix_account', { enrollmentId: seat.id, username: 'Short' })
  await world.settle(minute)
  assert.equal((await seatOf('long@learner.example')).state, 'open')
  assert.equal(await codeOf('enrollments.fix_account', { enrollmentId: seat.id, username: 'Other' }), 'conflict')
  world.school.set({ usernameMax: null })
})

test('a staff account gets its seat only after a person confirmed it', async () => {
  const price = await world.sell('Menu', 1000, ['menu-pricing'])
  const seat = await buy('ines.moreau@school.example', price)
  assert.deepEqual([seat.state, seat.failure?.code], ['stuck', 'account_privileged'])
  await answer('enrollments.accept_account', { enrollmentId: seat.id, reason: 'She takes the course herself' })
  await world.settle(minute)
  assert.equal((await seatOf('ines.moreau@school.example')).state, 'open')
  const plain = await buy('plain@learner.example', price)
  assert.equal(await codeOf('enrollments.accept_account', { enrollmentId: plain.id, reason: 'None' }), 'conflict')
})

test('a seat explains itself by its reasons', async () => {
  const price = await world.sell('Books', 1000, ['cafe-bookkeeping'])
  const seat = await buy('why@learner.example', price)
  const told = await answer<{ sentence: string; reasons: { id: string; state: string }[] }>('enrollments.explain', {
    enrollmentId: seat.id,
  })
  assert.equal(told.sentence, 'Should be open, because: Bought: Books. It is open at Harbour School.')
  await answer('entitlements.revoke', { entitlementId: told.reasons[0]?.id, reason: 'Mistake' })
  await world.settle(minute)
  const closed = await answer<{ sentence: string }>('enrollments.explain', { enrollmentId: seat.id })
  assert.equal(closed.sentence, 'Should be closed: Ended by hand: Mistake. It is closed at Harbour School.')
})

test('a seat that waits can be tried at once, one that is well cannot', async () => {
  const price = await world.sell('Safety', 1000, ['food-safety'])
  world.school.faults.set([{ kind: 'status', status: 503, path: '/v2/' }])
  const seat = await buy('waits@learner.example', price)
  assert.equal(seat.state, 'waiting')
  world.school.faults.clear()
  await answer('enrollments.retry', { enrollmentId: seat.id })
  await world.settle(minute)
  assert.equal((await seatOf('waits@learner.example')).state, 'open')
  assert.equal(await codeOf('enrollments.retry', { enrollmentId: seat.id }), 'conflict')
})

test('refusals by outcome, and another tenant sees none of it', async () => {
  const { id } = await seatOf('why@learner.example')
  const other = callerWith(['*'], await stranger())
  for (const [name, more] of [
    ['retry', {}],
    ['fix_account', { username: 'x' }],
    ['accept_account', { reason: 'None' }],
    ['explain', {}],
  ] as const)
    assert.equal(await codeOf(`enrollments.${name}`, { enrollmentId: id, ...more }, { by: other }), 'not_found', name)
  assert.deepEqual(await answer('enrollments.list', {}, { by: other }), { enrollments: [], next: null })
  assert.equal(await codeOf('enrollments.retry', {}), 'input_invalid')
  assert.equal(
    await codeOf('enrollments.retry', { enrollmentId: id }, { by: callerWith(['enrollments:read']) }),
    'forbidden',
  )
})
