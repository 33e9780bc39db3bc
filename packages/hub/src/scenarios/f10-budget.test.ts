import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute, second } from '@bursar/kit/clock.ts'
import { takeSlot } from '#db/rate.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy, seatsOf } from './buyer.ts'
import { assertPromise } from './promise.ts'

const limit = { requests: 30, windowMs: 10 * second }
let world: World
before(async () => {
  world = await createWorld({ variants: limit })
})
after(() => world.close())

test('F10: while a full sync takes every slot it gets, a purchase overtakes it within seconds and nothing answers 429', async () => {
  const price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
  const [school] = await world.rows<{ id: string }>(`select id from connection where category = 'lms'`)
  const full = () =>
    takeSlot(world.app.db, { connection: school?.id ?? '', lane: 'full', limit, now: world.clock.now() })
  let granted = 0
  const sync = async (until: number) => {
    while (world.clock.now() < until) {
      const slot = await full()
      if (slot.ok) granted += 1
      else await world.clock.advance(Math.min(slot.retryAfterMs, until - world.clock.now()))
    }
  }
  await sync(world.clock.now() + 30 * second)
  assert.ok(granted >= 60, `the sync had its share: ${granted}`)
  const start = world.clock.now()
  await buy(world, 'vip@f10.example', [price])
  await world.settle(0)
  for (let i = 0; i < 40 && world.owned('vip@f10.example').length === 0; i++) {
    await sync(world.clock.now() + 250)
    await world.settle(0)
  }
  assert.deepEqual(world.owned('vip@f10.example'), ['sourdough-basics'])
  assert.ok(world.clock.now() - start <= 5 * second, `it took ${world.clock.now() - start} ms`)
  assert.equal(world.school.state().counts.limited, 0)
  await assertPromise(world)
})

test('F10: a storm of 429 with Retry-After is waited out: no attempt is spent and the pause is honoured', async () => {
  const price = await world.sell('Menu', 6000, ['menu-pricing'])
  world.school.faults.set([
    { kind: 'status', status: 429, headers: { 'retry-after': '20' }, body: { error: 'Too many requests' } },
  ])
  world.school.clearLog()
  for (let i = 0; i < 10; i++) await buy(world, `storm${i}@f10.example`, [price])
  await world.settle(2 * minute)
  const calls = world.school.log().length
  assert.ok(calls >= 2 && calls <= 12, `about one call per pause of 20 s, not ${calls}`)
  const [seat] = await seatsOf(world, 'storm0@f10.example')
  assert.deepEqual([seat?.attempts, seat?.failureClass], [0, 'rate_limited'])
  world.school.faults.clear()
  await world.settle(2 * minute)
  for (let i = 0; i < 10; i++) assert.deepEqual(world.owned(`storm${i}@f10.example`), ['menu-pricing'])
  assert.equal(world.school.state().counts.limited, 0, 'none beyond the storm itself')
  await assertPromise(world)
})
