import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { createPool } from '#db/database.ts'
import { createDrain, reap } from '#db/jobs/drain.ts'
import { freeLeases } from '#entitlements/jobs.ts'
import { tasksOf } from '#main/tasks.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy, type Purchase } from './buyer.ts'
import { mortal } from './mortal.ts'
import { assertPromise } from './promise.ts'

const momentsMax = 60
let world: World
let price: string
before(async () => {
  world = await createWorld()
  price = await world.sell('The baker', 9900, ['sourdough-basics', 'pastry-foundations'])
})
after(() => world.close())

/** Runs what is due on a process that dies at its `moment`-th step; another finds it dead and goes on. */
async function dieAt(moment: number): Promise<boolean> {
  const process = mortal(world, `mortal-${moment}`, moment)
  await world.deliver()
  const died = await process.run()
  if (died) {
    const pool = createPool({ url: world.database.url, role: null, max: 1 })
    await reap(pool, process.node)
    await pool.end()
    await freeLeases(world.app, process.node)
  }
  await world.settle(minute)
  await process.bury()
  await world.settle(minute)
  return died
}

const isOnce = async (email: string) => {
  const { users } = world.school.school()
  assert.equal([...users.values()].filter((u) => u.email === email).length, 1)
  await assertPromise(world)
}

test('a worker killed at any step of a purchase: opened once, one account, nothing asked for twice', async () => {
  let moment = 0
  for (let died = true; died; ) {
    moment += 1
    assert.ok(moment < momentsMax, 'it never gets through')
    const email = `buy${moment}@crash.example`
    await buy(world, email, [price])
    died = await dieAt(moment)
    assert.deepEqual(world.owned(email), ['pastry-foundations', 'sourdough-basics'], `killed at step ${moment}`)
    await isOnce(email)
  }
  assert.ok(moment > 15, `only ${moment} steps were killed`)
})

test('a worker killed at any step of a refund: closed once', async () => {
  const bought: Purchase[] = []
  for (let i = 1; i < momentsMax / 2; i++) bought.push(await buy(world, `refund${i}@crash.example`, [price]))
  await world.settle(minute)
  let moment = 0
  for (let died = true; died; ) {
    const purchase = bought[moment]
    moment += 1
    if (purchase === undefined) break
    world.stripe.refund({ payment_intent: purchase.payment })
    died = await dieAt(moment)
    assert.deepEqual(world.owned(purchase.email), [], `killed at step ${moment}`)
    await isOnce(purchase.email)
  }
  assert.ok(moment > 10, `only ${moment} steps were killed`)
})

test('two processes on one database with the same events, each delivered three times: one effect each', async () => {
  const buyers = 12
  for (let i = 0; i < buyers; i++) await buy(world, `pair${i}@nodes.example`, [price])
  await world.stripe.deliverAll({ duplicate: 3, parallel: 12, shuffle: true })
  const other = { ...world.app, node: 'node-2' }
  const { url } = world.database
  const second = createDrain({
    url,
    tasks: tasksOf(other),
    clock: world.clock,
    random: other.random,
    node: 'node-2',
    log: other.log,
    pick: 'any',
  })
  const work = async (drain: typeof second) => {
    let steps = 0
    while ((await drain.step()) === 'ran') steps += 1
    return steps
  }
  const steps = await Promise.all([work(world.drain), work(second)])
  await second.close()
  assert.ok(
    steps.every((n) => n > 0),
    'both worked',
  )
  await world.settle(minute)
  for (let i = 0; i < buyers; i++)
    assert.deepEqual(world.owned(`pair${i}@nodes.example`), ['pastry-foundations', 'sourdough-basics'])
  await assertPromise(world)
})
