import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day } from '@bursar/kit/clock.ts'
import { asking } from '#main/asking.ts'
import { createWorld, type World } from '#main/world.ts'
import { entitlementActions } from './actions.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())
const { answer, codeOf, callerWith } = asking(() => world, entitlementActions)

const nobody = '0'.repeat(26)
const iso = (at: number) => new Date(at).toISOString()
type Granted = { entitlementId: string; enrollmentId: string; personId: string }
type Reason = { id: string; source: string; state: string; orderId: string | null }
const reasons = async (email: string) =>
  (await answer<{ entitlements: Reason[] }>('entitlements.list', { email })).entitlements
const courseId = async (slug: string): Promise<string> => {
  await world.sell(`for ${slug}`, 1000, [slug])
  const [row] = await world.rows<{ id: string }>(`select id from course where external_id = '${slug}'`)
  return row?.id ?? ''
}

test('a course given by hand opens at the school and closes when the reason is ended', async () => {
  const course = await courseId('sourdough-basics')
  const given = await answer<Granted>('entitlements.grant', {
    email: 'Guest@Learner.example',
    courseId: course,
    reason: 'Member of the jury',
  })
  await world.settle()
  assert.deepEqual(world.owned('guest@learner.example'), ['sourdough-basics'])
  const ended = await answer('entitlements.revoke', { entitlementId: given.entitlementId, reason: 'Jury is over' })
  assert.deepEqual(ended, { access: 'ending', keptBecause: [] })
  await world.settle()
  assert.deepEqual(world.owned('guest@learner.example'), [])
  assert.equal(await codeOf('entitlements.revoke', { entitlementId: given.entitlementId, reason: 'Again' }), 'conflict')
})

test('F12: ending one reason keeps the access another one carries, and names it', async () => {
  const price = await world.sell('Pastry', 7900, ['pastry-foundations'])
  const session = await world.checkout([price])
  world.stripe.pay({ session, email: 'two@learner.example' })
  await world.settle()
  const [bought] = await reasons('two@learner.example')
  const given = await answer<Granted>('entitlements.grant', {
    email: 'two@learner.example',
    courseId: await courseId('pastry-foundations'),
    reason: 'A present',
  })
  const ended = await answer<{ access: string; keptBecause: { entitlementId: string }[] }>('entitlements.revoke', {
    entitlementId: given.entitlementId,
    reason: 'No present',
  })
  assert.deepEqual([ended.access, ended.keptBecause.map((k) => k.entitlementId)], ['kept', [bought?.id]])
  await world.settle()
  assert.deepEqual(world.owned('two@learner.example'), ['pastry-foundations'])
})

test('F16: what a person ended stays ended when the order speaks again', async () => {
  const price = await world.sell('Menu', 6000, ['menu-pricing'])
  const session = await world.checkout([price])
  const paid = world.stripe.pay({ session, email: 'ended@learner.example' })
  assert.ok(paid)
  await world.settle()
  const [bought] = await reasons('ended@learner.example')
  await answer('entitlements.revoke', { entitlementId: bought?.id, reason: 'Shared the login' })
  await world.settle()
  assert.deepEqual(world.owned('ended@learner.example'), [])
  await world.rows(`update inbound_event set state = 'pending', attempts = 0, next_try_at = null`)
  await world.rows(`select bursar_enqueue(jsonb_agg(jsonb_build_object('task', 'inbound.process', 'key', id, 'runAt', received_at,
    'payload', jsonb_build_object('eventId', id, 'organization', organization_id)))) from inbound_event`)
  await world.settle()
  assert.deepEqual(world.owned('ended@learner.example'), [])
  assert.deepEqual(
    (await reasons('ended@learner.example')).map((r) => r.state),
    ['ended'],
  )
})

test('a reason with a start and an end opens and closes by itself', async () => {
  const course = await courseId('food-safety')
  const now = world.clock.now()
  await answer('entitlements.grant', {
    email: 'term@learner.example',
    courseId: course,
    reason: 'Spring term',
    startsAt: iso(now + day),
    endsAt: iso(now + 3 * day),
  })
  await world.settle()
  assert.deepEqual(world.owned('term@learner.example'), [])
  assert.deepEqual(
    (await reasons('term@learner.example')).map((r) => r.state),
    ['not_started'],
  )
  await world.settle(day + 1000)
  await world.settle()
  assert.deepEqual(world.owned('term@learner.example'), ['food-safety'])
  await world.settle(2 * day)
  await world.settle()
  assert.deepEqual(world.owned('term@learner.example'), [])
})

test('a dry run of a grant leaves nothing behind', async () => {
  const course = await courseId('cafe-bookkeeping')
  const input = { email: 'dry@learner.example', courseId: course, reason: 'Only looking' }
  await answer('entitlements.grant', input, { dryRun: true })
  assert.deepEqual(await reasons('dry@learner.example'), [])
})

test('what is wrong, missing or of others is refused by code', async () => {
  const course = await courseId('sourdough-basics')
  const good = { email: 'x@learner.example', courseId: course, reason: 'A reason' }
  assert.equal(await codeOf('entitlements.grant', { ...good, email: 'no address' }), 'input_invalid')
  assert.equal(await codeOf('entitlements.grant', { ...good, email: undefined }), 'input_invalid')
  assert.equal(await codeOf('entitlements.grant', { ...good, endsAt: iso(world.clock.now() - 1) }), 'input_invalid')
  assert.equal(await codeOf('entitlements.grant', { ...good, courseId: `crs_${nobody}` }), 'not_found')
  assert.equal(
    await codeOf('entitlements.grant', { courseId: course, reason: 'A reason', personId: `prs_${nobody}` }),
    'not_found',
  )
  assert.equal(await codeOf('entitlements.revoke', { entitlementId: `ent_${nobody}`, reason: 'Gone' }), 'not_found')
  assert.equal(await codeOf('entitlements.grant', good, { by: callerWith(['entitlements:read']) }), 'forbidden')
  assert.equal(await codeOf('entitlements.grant', good, { by: null }), 'unauthenticated')
  const other = callerWith(['*'], `org_${'1'.repeat(26)}`)
  assert.equal(await codeOf('entitlements.grant', good, { by: other }), 'not_found')
})
