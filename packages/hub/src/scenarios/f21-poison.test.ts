import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute } from '@bursar/kit/clock.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy, seatsOf } from './buyer.ts'
import { assertPromise } from './promise.ts'

const triesMax = 41
let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

test('F21: six months of rows that can never succeed: tries end, causes are grouped, new failures stay in sight', async () => {
  const price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
  const ghost = await world.sell('Ghost', 1900, ['no-such-course'])
  const amira = [...world.school.school().users.values()].find((u) => u.email === 'amira.haddad@example.com')
  world.school.faults.set([{ kind: 'status', status: 500, path: `/${amira?.id}/enrollment` }])
  const unreadable = await buy(world, 'unreadable@f21.example', [price])
  world.stripe.faults.set([{ kind: 'status', status: 500, path: unreadable.session }])
  for (let i = 0; i < 5; i++) await buy(world, `ghost${i}@f21.example`, [ghost])
  await buy(world, 'amira.haddad@example.com', [price])
  await world.settle(minute)
  world.school.clearLog()
  world.stripe.clearLog()
  for (let half = 0; half < 360; half++) await world.settle(day / 2)

  const tries = world.school.log().filter((c) => c.method === 'POST' && c.path.includes(amira?.id ?? '?')).length
  assert.ok(tries > 5 && tries <= triesMax, `${tries} tries at a row that cannot succeed`)
  const reads = world.stripe.log().filter((c) => c.path.includes(unreadable.session)).length
  assert.ok(reads > 5 && reads <= 1_000, `${reads} reads of an object that cannot be read`)
  const groups = await world.rows<{ code: string; rows: number }>(`
    select failure_code as code, count(*)::int as rows from enrollment where failure_class is not null group by 1 order by 2 desc`)
  assert.deepEqual(
    groups.map((g) => ({ ...g })),
    [
      { code: 'learnworlds.course_not_found', rows: 5 },
      { code: 'learnworlds.server_error', rows: 1 },
    ],
  )
  const loud = world.lines.filter((l) => l.level !== 'info').length
  assert.ok(loud < 100, `${loud} lines of log`)
  const [event] = await world.rows<{ state: string }>(`
    select state from inbound_event where type = 'checkout.session.completed' and state <> 'done'`)
  assert.equal(event?.state, 'failed')

  await buy(world, 'fresh@f21.example', [price])
  world.school.set({ usernameMax: 5 })
  await buy(world, 'refused@f21.example', [price], { name: 'Too Long For This School' })
  await world.settle(minute)
  assert.deepEqual(world.owned('fresh@f21.example'), [], 'the same refusal')
  world.school.set({ usernameMax: null })
  await buy(world, 'well@f21.example', [price])
  await world.settle(minute)
  assert.deepEqual(world.owned('well@f21.example'), ['sourdough-basics'], 'the poison holds nobody up')
  assert.equal((await seatsOf(world, 'refused@f21.example'))[0]?.failureClass, 'invalid')
  await assertPromise(world)
})
