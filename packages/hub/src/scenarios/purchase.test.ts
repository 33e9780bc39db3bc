import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, type World } from '#main/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

test('a paid checkout becomes an open seat with two calls to the school', async () => {
  const price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
  const session = await world.checkout([price])
  world.school.clearLog()
  world.stripe.pay({ session, email: 'new@learner.example', name: 'New Learner' })
  await world.settle()
  assert.deepEqual(world.owned('new@learner.example'), ['sourdough-basics'])
  const calls = world.school.log().filter((entry) => entry.path.includes('/v2/'))
  assert.deepEqual(
    calls.map((c) => `${c.method} ${c.path.replace(/[0-9a-f]{24}/, ':id')}`),
    ['POST /admin/api/v2/users', 'POST /admin/api/v2/users/:id/enrollment'],
  )
  const [row] = await world.rows<{ state: string; actual: string }>(
    `select o.state, n.actual from "order" o join enrollment n using (person_id)`,
  )
  assert.deepEqual({ ...row }, { state: 'paid', actual: 'granted' })
})
