import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Fault } from '@bursar/connectors/simulator/faults.ts'
import { minute } from '@bursar/kit/clock.ts'
import { applySeed, seedSchema } from '#main/seed.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy } from './buyer.ts'
import { assertPromise } from './promise.ts'

const timeoutMs = 150
let world: World
let price: string
before(async () => {
  world = await createWorld()
  price = await world.sell('Sourdough', 4900, ['sourdough-basics', 'menu-pricing'])
  const { url, clientId, clientSecret } = world.school
  const auth = { kind: 'credentials', clientSecret }
  const config = { baseUrl: url, clientId, auth, timeoutMs }
  const schools = [{ name: 'Harbour School', platform: 'learnworlds', config }]
  await applySeed(world.app, seedSchema.parse({ organizations: [{ name: 'school', slug: 'school', schools }] }))
})
after(() => world.close())

const kinds = ['reset', 'reset_after_commit', 'truncate', 'hang', 'hang_after_commit', 'html', 'status'] as const
const calls = [
  { name: 'create', method: 'POST', path: '/v2\\/users$/' },
  { name: 'enrol', method: 'POST', path: '/enrollment' },
  { name: 'look', method: 'GET', path: '/v2/users/' },
] as const

test('an answer that is lost, before or after the work, at any call: one account, each course asked for once', async () => {
  for (const kind of kinds)
    for (const { name, method, path } of calls) {
      const email = `${kind.replaceAll('_', '-')}.${name}@lost.example`
      const fault: Fault = { kind, method, path, times: 1, ...(kind === 'status' ? { status: 502 } : {}) }
      // Only a doubt makes the hub look, so a lost look needs a lost answer before it.
      const first: Fault = { kind: 'reset_after_commit', method: 'POST', path: '/enrollment', times: 1 }
      world.school.faults.set(name === 'look' ? [first, fault] : [fault])
      await buy(world, email, [price])
      await world.settle(10 * minute)
      world.school.faults.clear()
      assert.deepEqual(world.owned(email), ['menu-pricing', 'sourdough-basics'], `${kind} at ${name}`)
      await assertPromise(world)
    }
})

test('a lost answer to a revoke: closed once, and proven by a look', async () => {
  for (const kind of kinds) {
    const email = `${kind.replaceAll('_', '-')}@revoke.example`
    const bought = await buy(world, email, [price])
    await world.settle(minute)
    const fault: Fault = { kind, method: 'DELETE', path: '/enrollment', times: 1 }
    world.school.faults.set([fault])
    world.stripe.refund({ payment_intent: bought.payment })
    await world.settle(10 * minute)
    world.school.faults.clear()
    assert.deepEqual(world.owned(email), [], kind)
    await assertPromise(world)
  }
})

test('an answer of Stripe that is lost or broken off is asked for again', async () => {
  for (const kind of ['reset', 'truncate', 'status', 'html'] as const) {
    const email = `${kind}@stripe.example`
    world.stripe.faults.set([{ kind, method: 'GET', path: '/v1/checkout/sessions/', times: 1 }])
    await buy(world, email, [price])
    await world.settle(2 * minute)
    world.stripe.faults.clear()
    assert.deepEqual(world.owned(email), ['menu-pricing', 'sourdough-basics'], kind)
    await assertPromise(world)
  }
})
