import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute, second } from '@bursar/kit/clock.ts'
import { systemCtx } from '#action/context.ts'
import { openLms } from '#catalog/open.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy, callsOf, orderOf, seatsOf } from './buyer.ts'
import { assertPromise } from './promise.ts'

let world: World
let price: string
before(async () => {
  world = await createWorld()
  price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => world.close())

test('F6: an unpaid form opens nothing until the money is there; a failed debit or an expired form closes the order', async () => {
  const good = await buy(world, 'good@f6.example', [price], { card: 'bank_debit' })
  const bad = await buy(world, 'bad@f6.example', [price], { card: 'bank_debit' })
  const left = await world.checkout([price])
  await world.settle(minute)
  assert.equal((await orderOf(world, good.session))?.state, 'awaiting_funds')
  assert.deepEqual([world.owned('good@f6.example'), world.owned('bad@f6.example')], [[], []])
  await assertPromise(world)
  await world.clock.advance(5 * day)
  world.stripe.payAsyncSucceed(good.session)
  world.stripe.payAsyncFail(bad.session)
  world.stripe.expire(left)
  await world.settle(minute)
  const states = await Promise.all([good.session, bad.session, left].map((s) => orderOf(world, s)))
  assert.deepEqual(
    states.map((o) => o?.state),
    ['paid', 'canceled', 'expired'],
  )
  assert.deepEqual(world.owned('good@f6.example'), ['sourdough-basics'])
  assert.deepEqual(world.owned('bad@f6.example'), [])
  await assertPromise(world)
})

test('F7: a school that does not see the new account for some seconds costs a few looks, not a dead letter', async () => {
  world.school.set({ visibilityDelayMs: 8_000 })
  await buy(world, 'unseen@f7.example', [price])
  await world.settle(20 * second)
  assert.deepEqual(world.owned('unseen@f7.example'), ['sourdough-basics'])
  const [seat] = await seatsOf(world, 'unseen@f7.example')
  assert.deepEqual(seat, {
    course: 'sourdough-basics',
    wanted: 'granted',
    actual: 'granted',
    attempts: 0,
    nextTryAt: null,
    failureClass: null,
    failureCode: null,
  })
  const waits = await world.rows(`select 1 from timeline_entry where kind = 'enrollment.waiting'`)
  assert.ok(waits.length > 0, 'it did have to wait')
  world.school.set({ visibilityDelayMs: 0 })
  await assertPromise(world)
})

test('F8: an account that exists and a course that is owned already are success, confirmed by a read', async () => {
  world.school.clearLog()
  await buy(world, 'amira.haddad@example.com', [price])
  await world.settle(minute)
  assert.deepEqual(world.owned('amira.haddad@example.com'), ['sourdough-basics'])
  assert.equal((await seatsOf(world, 'amira.haddad@example.com'))[0]?.actual, 'granted')

  const ben = [...world.school.school().users.values()].find((u) => u.email === 'ben.okafor@example.com')
  const ctx = systemCtx(world.app, world.organization, 'test')
  const [connection] = await world.rows<{ id: string }>(`select id from connection where category = 'lms'`)
  const byHand = await openLms(ctx, connection?.id ?? '', { lane: 'interactive' })
  await byHand.entitlements?.grant({
    account: ben?.id ?? '',
    course: { kind: 'course', externalId: 'sourdough-basics' },
    key: 'added by the school',
    uncertain: false,
  })
  await buy(world, 'ben.okafor@example.com', [price])
  await world.settle(minute)
  assert.equal((await seatsOf(world, 'ben.okafor@example.com'))[0]?.actual, 'granted')
  const accounts = [...world.school.school().users.values()].filter((u) => u.email === 'ben.okafor@example.com')
  assert.equal(accounts.length, 1)
  await assertPromise(world)
})

test('F8: an account of staff is never opened in silence: it waits for a person, in sight', async () => {
  await buy(world, 'ines.moreau@school.example', [price])
  await world.settle(minute)
  const [seat] = await seatsOf(world, 'ines.moreau@school.example')
  assert.deepEqual(
    [seat?.actual, seat?.failureClass, seat?.failureCode],
    ['none', 'needs_person', 'account_privileged'],
  )
  await assertPromise(world)
})

test('F9: a learner the school refuses waits for a person, without another call', async () => {
  world.school.set({ usernameMax: 10 })
  await buy(world, 'long@f9.example', [price], { name: 'Somebody With A Long Name' })
  await world.settle(minute)
  const [seat] = await seatsOf(world, 'long@f9.example')
  assert.deepEqual([seat?.actual, seat?.failureClass, seat?.nextTryAt], ['none', 'invalid', null])
  world.school.clearLog()
  await world.settle(30 * day)
  assert.deepEqual(callsOf(world), [])
  world.school.set({ usernameMax: null })
  await assertPromise(world)
})

test('calls: k courses cost k + 1 calls for a new learner and k for a known one', async () => {
  const all = await world.sell('Three', 20_000, ['cafe-bookkeeping', 'menu-pricing', 'pastry-foundations'])
  world.school.clearLog()
  await buy(world, 'three@calls.example', [all])
  await world.settle(minute)
  assert.equal(callsOf(world).length, 4, callsOf(world).join('\n'))
  world.school.clearLog()
  await buy(world, 'three@calls.example', [price])
  await world.settle(minute)
  assert.deepEqual(callsOf(world), ['POST /admin/api/v2/users/:id/enrollment'])
  await assertPromise(world)
})
