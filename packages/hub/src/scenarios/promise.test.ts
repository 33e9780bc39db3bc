import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy } from './buyer.ts'
import { violations } from './promise.ts'

let world: World
let price: string
before(async () => {
  world = await createWorld()
  price = await world.sell('Sourdough', 4900, ['sourdough-basics', 'menu-pricing'])
})
after(() => world.close())

const codes = async () => [...new Set((await violations(world)).map((v) => v.code))].sort()
const set = (text: string) => world.app.db.tx('system', (tx) => tx.run({ name: '', text, values: [] }))

/** Breaks one thing, sees it named, and mends it. */
async function notices(expected: readonly string[], wrong: string, right: string): Promise<void> {
  await set(wrong)
  assert.deepEqual(await codes(), expected, wrong)
  await set(right)
  assert.deepEqual(await codes(), [], right)
}

test('each side of the promise that is bent in silence is named', async () => {
  const kept = await buy(world, 'kept@promise.example', [price])
  const back = await buy(world, 'back@promise.example', [price])
  await world.settle(minute)
  world.stripe.refund({ payment_intent: back.payment })
  await world.settle(minute)
  assert.deepEqual(await codes(), [])
  const mine = `person_id = (select id from person where email = 'kept@promise.example')`
  const gone = `person_id = (select id from person where email = 'back@promise.example')`
  await notices(
    ['reasons_differ', 'wanted_differs'],
    `update entitlement set revoked_at = now() where ${mine}`,
    `update entitlement set revoked_at = null where ${mine}`,
  )
  await notices(
    ['reasons_differ', 'wanted_differs'],
    `update entitlement set revoked_at = null where ${gone}`,
    `update entitlement set revoked_at = now() where ${gone}`,
  )
  await notices(
    ['nobody_acts'],
    `update enrollment set actual = 'none' where ${mine}`,
    `update enrollment set actual = 'granted' where ${mine}`,
  )
  await notices(
    ['not_open', 'opened_for_nobody'],
    `update course set external_id = 'elsewhere' where external_id = 'menu-pricing'`,
    `update course set external_id = 'menu-pricing' where external_id = 'elsewhere'`,
  )
  await notices(
    ['lease_left'],
    `update lms_account set lease_token = 'x' where ${mine}`,
    `update lms_account set lease_token = null`,
  )
  await notices(
    ['paid_differs', 'prepared_unpaid'],
    `update "order" set paid_at = null where ${mine}`,
    `update "order" set paid_at = now() where ${mine}`,
  )
  await notices(
    ['amount_differs'],
    `update "order" set amount = 1 where ${mine}`,
    `update "order" set amount = 4900 where ${mine}`,
  )
  await notices(['refund_differs'], `update refund set amount = 1`, `update refund set amount = 4900`)
  await notices(
    ['event_overdue'],
    `update inbound_event set state = 'pending', next_try_at = '2000-01-01' where type = 'refund.created'`,
    `update inbound_event set state = 'done', next_try_at = null where type = 'refund.created'`,
  )
  await notices(
    ['paid_without_order', 'reasons_differ'],
    `update "order" set checkout_id = 'other' where checkout_id = '${kept.session}'`,
    `update "order" set checkout_id = '${kept.session}' where checkout_id = 'other'`,
  )
})

test('what the school shows and nobody ordered is named', async () => {
  const { users, enrollments } = world.school.school()
  const user = [...users.values()].find((u) => u.email === 'kept@promise.example')
  const owned = enrollments.get(user?.id ?? '')
  const course = owned?.get('course:menu-pricing')
  if (owned === undefined || course === undefined) throw new Error('nothing is owned')
  course.duplicates = 1
  assert.deepEqual(await codes(), ['granted_twice'])
  course.duplicates = 0
  owned.delete('course:menu-pricing')
  assert.deepEqual(await codes(), ['not_open'])
  owned.set('course:menu-pricing', course)
  const other = [...users.values()].find((u) => u.email === 'back@promise.example')
  const theirs = enrollments.get(other?.id ?? '')
  theirs?.set('course:menu-pricing', course)
  assert.deepEqual(await codes(), ['opened_for_nobody'])
  theirs?.delete('course:menu-pricing')
  assert.deepEqual(await codes(), [])
})
