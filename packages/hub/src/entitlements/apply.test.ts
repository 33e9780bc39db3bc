import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { createWorld, type World } from '#main/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

test('settings that cannot be used hold no account, say so, and open the seat once they are mended', async () => {
  const price = await world.sell('Sourdough', 4_900, ['sourdough-basics'])
  const [before] = await world.rows<{ config: { clientId: string } }>(
    `select config from connection where category = 'lms'`,
  )
  await world.rows(`update connection set config = config - 'clientId' where category = 'lms'`)
  const session = await world.checkout([price])
  world.stripe.pay({ session, email: 'waits@learner.example' })
  await world.settle()
  const [row] = await world.rows<{ failure_code: string; lease_node: string | null; attempts: number }>(
    'select n.failure_code, a.lease_node, n.attempts from enrollment n join lms_account a on a.id = n.account_id',
  )
  assert.deepEqual({ ...row }, { failure_code: 'connection_unusable', lease_node: null, attempts: 0 })
  assert.deepEqual(world.owned('waits@learner.example'), [])
  await world.rows(
    `update connection set config = config || '{"clientId": "${before?.config.clientId}"}' where category = 'lms'`,
  )
  await world.settle(6 * minute)
  assert.deepEqual(world.owned('waits@learner.example'), ['sourdough-basics'])
})
