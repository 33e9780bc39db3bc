import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { minute, second, virtualClock } from '@bursar/kit/clock.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import type pg from 'pg'
import { createDatabase, createPool, type Database } from '#db/database.ts'
import { type TestDatabase, testDatabase } from '#db/testing.ts'
import { createDrain, type Drain, reap } from './drain.ts'
import { enqueue, type JobSpec } from './queue.ts'
import type { Tasks } from './task.ts'

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
let place: TestDatabase
let pool: pg.Pool
let db: Database
let clock = virtualClock()

before(async () => {
  place = await testDatabase()
  pool = createPool({ url: place.url, role: null })
  db = createDatabase({ url: place.url, clock: { ...clock, now: () => clock.now() } })
})
beforeEach(async () => {
  clock = virtualClock()
  await pool.query('delete from graphile_worker._private_jobs')
})
after(async () => {
  await Promise.all([db.close(), pool.end()])
  await place.drop()
})

const add = (...jobs: JobSpec[]) => db.tx('system', (tx) => enqueue(tx, jobs))
const drainOf = (tasks: Tasks, node = 'node_a', seed = 1): Drain =>
  createDrain({ url: pool, tasks, clock, random: seededRandom(seed), node, log })
const rowsLeft = async () =>
  (
    await pool.query<{ attempts: number; last_error: string | null; locked_by: string | null; key: string | null }>(
      'select attempts, last_error, locked_by, key from graphile_worker._private_jobs order by id',
    )
  ).rows

test('a job runs once, with its payload, and is gone', async () => {
  const seen: unknown[] = []
  await add({ task: 'greet', payload: { name: 'Ada' } })
  const drain = drainOf({ greet: async (payload) => void seen.push(payload) })
  assert.equal(await drain.step(), 'ran')
  assert.equal(await drain.step(), 'idle')
  assert.deepEqual(seen, [{ name: 'Ada' }])
})

test('jobs of a transaction that rolls back do not exist', async () => {
  await assert.rejects(
    db.tx('system', async (tx) => {
      await enqueue(tx, [{ task: 'greet', payload: {} }])
      throw new Error('changed my mind')
    }),
  )
  assert.equal(await drainOf({ greet: async () => undefined }).step(), 'idle')
})

test('a job of later waits for its moment, and drain moves time there', async () => {
  const ranAt: number[] = []
  const start = clock.now()
  await add({ task: 'late', payload: {}, runAt: start + 10 * minute })
  const drain = drainOf({ late: async () => void ranAt.push(clock.now() - start) })
  assert.equal(await drain.step(), 'idle')
  assert.equal(await drain.nextRunAt(), start + 10 * minute)
  await drain.drain({ until: start + 5 * minute })
  assert.deepEqual([ranAt, clock.now()], [[], start + 5 * minute])
  await drain.drain()
  assert.deepEqual(ranAt, [10 * minute])
})

test('a snooze counts no attempt and keeps the earlier error', async () => {
  const attempts: number[] = []
  await add({ task: 'wait', payload: {} })
  const drain = drainOf({
    wait: async (_, job) => {
      attempts.push(job.attempts)
      return attempts.length < 4 ? { snoozeUntil: clock.now() + minute } : undefined
    },
  })
  await drain.drain()
  assert.deepEqual(attempts, [1, 1, 1, 1])
})

test('F21: a job that always fails waits longer each time, stops after 25 attempts and stays to be seen', async () => {
  const times: number[] = []
  await add({ task: 'poison', payload: {} })
  await drainOf({
    poison: async () => {
      times.push(clock.now())
      throw new Error('cannot be')
    },
  }).drain()
  assert.equal(times.length, 25)
  const gaps = times.slice(1).map((t, i) => t - (times[i] ?? 0))
  assert.ok((gaps[0] ?? 0) >= second / 2 && (gaps[0] ?? 0) <= second, `first gap ${gaps[0]}`)
  assert.ok(gaps.every((g) => g <= 5 * minute) && (gaps.at(-1) ?? 0) >= 2.5 * minute)
  const [row] = await rowsLeft()
  assert.deepEqual([row?.attempts, row?.last_error, row?.locked_by], [25, 'Error: cannot be', null])
})

test('a killed node keeps its job locked until it is reaped; then another runs it', async () => {
  const ran: string[] = []
  await add({ task: 'greet', payload: {} })
  const first: Drain = drainOf({
    greet: async () => {
      ran.push('a')
      first.kill()
    },
  })
  await first.step()
  const second = drainOf({ greet: async () => void ran.push('b') }, 'node_b')
  assert.equal(await second.step(), 'idle')
  assert.equal((await rowsLeft())[0]?.locked_by, 'node_a')
  await reap(pool, 'node_a')
  assert.equal(await second.step(), 'ran')
  assert.deepEqual(ran, ['a', 'b'])
  await assert.rejects(first.step(), /dead/)
})

test('one key is one waiting job; the last of several in one call counts', async () => {
  const seen: unknown[] = []
  await add({ task: 'sync', payload: { n: 1 }, key: 'k' }, { task: 'sync', payload: { n: 2 }, key: 'k' })
  await add({ task: 'sync', payload: { n: 3 }, key: 'k' })
  await drainOf({ sync: async (payload) => void seen.push(payload) }).drain()
  assert.deepEqual(seen, [{ n: 3 }])
})

for (const [name, end] of [
  ['succeeds', async () => undefined],
  ['snoozes', async () => ({ snoozeUntil: clock.now() })],
  ['fails', async () => Promise.reject(new Error('no'))],
] as const) {
  test(`a job that is asked for again while it runs and then ${name} leaves only the newer one`, async () => {
    const seen: unknown[] = []
    await add({ task: 'sync', payload: { n: 1 }, key: 'k' })
    const drain = drainOf({
      sync: async (payload) => {
        seen.push(payload)
        if (seen.length > 1) return undefined
        await add({ task: 'sync', payload: { n: 2 }, key: 'k' })
        return end()
      },
    })
    await drain.step()
    assert.equal((await rowsLeft()).length, 1)
    await drain.drain()
    assert.deepEqual(seen, [{ n: 1 }, { n: 2 }])
    assert.deepEqual(await rowsLeft(), [])
  })
}

test('a dead job whose key is asked for again gives way to the new one', async () => {
  let healed = false
  await add({ task: 'sync', payload: {}, key: 'k' })
  const drain = drainOf({
    sync: async () => {
      if (!healed) throw new Error('no')
    },
  })
  await drain.drain()
  assert.equal((await rowsLeft())[0]?.attempts, 25)
  healed = true
  await add({ task: 'sync', payload: {}, key: 'k' })
  await drain.drain()
  assert.deepEqual(await rowsLeft(), [])
})

test('key modes: preserve_run_at keeps the time, unsafe_dedupe keeps everything', async () => {
  const seen: [number, unknown][] = []
  const start = clock.now()
  for (const keyMode of ['preserve_run_at', 'unsafe_dedupe'] as const) {
    await add({ task: 'sync', payload: { n: 1 }, key: keyMode, runAt: start + minute, keyMode })
    await add({ task: 'sync', payload: { n: 2 }, key: keyMode, runAt: start + 5 * minute, keyMode })
  }
  await drainOf({ sync: async (payload) => void seen.push([clock.now() - start, payload]) }).drain()
  assert.deepEqual(seen, [
    [minute, { n: 2 }],
    [minute, { n: 1 }],
  ])
})

test('a job that sleeps on the virtual clock is carried along', async () => {
  const start = clock.now()
  await add({ task: 'nap', payload: {} })
  await drainOf({ nap: () => clock.sleep(3 * second).then(() => undefined) }).step()
  assert.equal(clock.now(), start + 3 * second)
})

test('the same seed picks the same order among due jobs, another seed another', async () => {
  const orderOf = async (seed: number) => {
    const seen: unknown[] = []
    await add(...Array.from({ length: 12 }, (_, n) => ({ task: 'n', payload: { n } })))
    const tasks: Tasks = { n: async (payload) => void seen.push((payload as { n: number }).n) }
    await createDrain({ url: pool, tasks, clock, random: seededRandom(seed), node: 'a', log, pick: 'any' }).drain()
    return seen
  }
  const first = await orderOf(1)
  assert.deepEqual(await orderOf(1), first)
  assert.notDeepEqual(await orderOf(2), first)
})
