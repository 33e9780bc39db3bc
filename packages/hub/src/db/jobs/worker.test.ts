import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, afterEach, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Clock, second, systemClock } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import type pg from 'pg'
import { createDatabase, createPool, type Database } from '#db/database.ts'
import { type TestDatabase, testDatabase } from '#db/testing.ts'
import { holdNode } from './nodes.ts'
import { enqueue, type JobSpec } from './queue.ts'
import type { Tasks } from './task.ts'
import { startWorker, type Worker, type WorkerOptions } from './worker.ts'

const complaints: string[] = []
const log = { info: () => undefined, warn: () => undefined, error: (message: string) => void complaints.push(message) }
const clock = systemClock
let place: TestDatabase
let pool: pg.Pool
let db: Database
let running: Worker[] = []

before(async () => {
  place = await testDatabase()
  pool = createPool({ url: place.url, role: null })
  db = createDatabase({ url: place.url, clock })
})
afterEach(async () => {
  await Promise.all(running.map((w) => w.stop({ graceMs: 100 })))
  running = []
  await pool.query('delete from graphile_worker._private_jobs')
  const expected = ['a job failed', 'this process cannot prove that it is alive; it takes no more jobs']
  assert.deepEqual(
    complaints.splice(0).filter((c) => !expected.includes(c)),
    [],
  )
})
after(async () => {
  await Promise.all([db.close(), pool.end()])
  await place.drop()
})

async function worker(tasks: Tasks, more: Partial<WorkerOptions> = {}): Promise<Worker> {
  const options = { url: place.url, tasks, concurrency: 4, clock, random: secureRandom, node: 'node_here', log }
  const started = await startWorker({ ...options, ...more })
  running.push(started)
  return started
}
const add = (...jobs: JobSpec[]) => db.tx('system', (tx) => enqueue(tx, jobs))
const jobs = async () =>
  (
    await pool.query<{ attempts: number; last_error: string; locked_by: string | null; wait: number }>(
      `select attempts, last_error, locked_by, extract(epoch from run_at - now())::float as wait
     from graphile_worker._private_jobs order by id`,
    )
  ).rows

/** Real processes and a real server: things happen when they happen, and a failure is that they do not in time. */
async function until<T>(what: string, look: () => Promise<T | false> | T | false, msMax = 5_000): Promise<T> {
  const from = clock.now()
  for (;;) {
    const found = await look()
    if (found !== false) return found
    if (clock.now() - from > msMax) assert.fail(`${what}: not within ${msMax} ms`)
    await clock.sleep(10)
  }
}

test('a job runs once and is gone', async () => {
  const seen: unknown[] = []
  await worker({ greet: async (payload) => void seen.push(payload) })
  await add({ task: 'greet', payload: { n: 1 } }, { task: 'greet', payload: { n: 2 } })
  await until('both ran', () => seen.length === 2)
  await until('none left', async () => (await jobs()).length === 0)
})

test('a snooze holds no slot and counts no attempt', async () => {
  const seen: string[] = []
  const tasks: Tasks = {
    wait: async (_, job) => {
      seen.push(`wait ${job.attempts}`)
      return seen.length < 4 ? { snoozeUntil: clock.now() + 150 } : undefined
    },
    other: async () => void seen.push('other'),
  }
  await worker(tasks, { concurrency: 1 })
  await add({ task: 'wait', payload: {} })
  await until('first snooze', async () => seen.length === 1 && (await jobs())[0]?.locked_by === null)
  await add({ task: 'other', payload: {} })
  await until('all', () => seen.length === 4)
  assert.deepEqual(seen.slice(0, 2), ['wait 1', 'other'])
  assert.ok(seen.slice(2).every((s) => s === 'wait 1'))
})

test('a failed job comes again by our own table, with its error kept', async () => {
  await worker({
    bad: async () => {
      throw new TypeError('no such luck')
    },
  })
  await add({ task: 'bad', payload: {} })
  const row = await until('a failure', async () => (await jobs()).find((j) => j.last_error !== null) ?? false)
  assert.deepEqual([row.attempts, row.last_error, row.locked_by], [1, 'TypeError: no such luck', null])
  assert.ok(row.wait > 0.3 && row.wait <= 1, `comes again in ${row.wait} s`)
})

test('stopping waits for what runs', async () => {
  let done = false
  let started = false
  const w = await worker({
    slow: async () => {
      started = true
      await clock.sleep(150)
      done = true
      return undefined
    },
  })
  await add({ task: 'slow', payload: {} })
  await until('start', () => started)
  await w.stop()
  running = []
  assert.ok(done)
  assert.deepEqual(await jobs(), [])
})

test('what runs longer than the grace is given back', async () => {
  let started = false
  const stuck = new AbortController()
  const w = await worker({
    stuck: async () => {
      started = true
      await clock.sleep(60_000, stuck.signal)
      return undefined
    },
  })
  await add({ task: 'stuck', payload: {} })
  await until('start', () => started)
  await w.stop({ graceMs: 50 })
  running = []
  assert.equal((await jobs())[0]?.locked_by, null)
  stuck.abort()
})

async function workerProcess(node: string) {
  const file = fileURLToPath(new URL('./worker-sample.ts', import.meta.url))
  const child = spawn(process.execPath, [file, place.url, node], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  await until('the process', () => lines.includes('ready'))
  return { child, lines }
}

test('P4: after kill -9 of a worker its jobs run elsewhere within 5 s, and its leases are freed once', async () => {
  const { child, lines } = await workerProcess('node_there')
  await add({ task: 'hang', payload: {} }, { task: 'hang', payload: {} })
  await until('both taken', () => lines.filter((l) => l === 'started').length === 2)
  const dead: string[] = []
  let again = 0
  await worker({ hang: async () => void again++ }, { onDeadNode: async (node) => void dead.push(node) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until('both ran again', () => again === 2, 5 * second)
  await until(
    'the row is gone',
    async () => (await pool.query(`select from node where id = 'node_there'`)).rowCount === 0,
  )
  assert.deepEqual(dead, ['node_there'])
})

test('a process that comes back under its old name frees at once what it held', async () => {
  const { child, lines } = await workerProcess('node_same')
  await add({ task: 'hang', payload: {} })
  await until('taken', () => lines.includes('started'))
  child.kill('SIGKILL')
  await once(child, 'exit')
  let again = 0
  await worker({ hang: async () => void again++ }, { node: 'node_same' })
  await until('ran again', () => again === 1, second)
})

const breakLock = (node: string) =>
  pool.query(
    `select pg_terminate_backend(l.pid) from pg_locks l where locktype = 'advisory' and classid = 7216405
     and objid::bigint = (hashtext($1)::bigint & 4294967295)`,
    [node],
  )
const holds = async (node: string) =>
  (
    await pool.query(
      `select from pg_locks where locktype = 'advisory' and classid = 7216405 and granted
     and objid::bigint = (hashtext($1)::bigint & 4294967295)`,
      [node],
    )
  ).rowCount === 1

test('a broken lock connection is mended before anyone notices, and what runs goes on', async () => {
  let runs = 0
  await worker({
    slow: async () => {
      runs++
      await clock.sleep(1_500)
      return undefined
    },
  })
  await add({ task: 'slow', payload: {} })
  await until('start', () => runs === 1)
  await breakLock('node_here')
  await until('mended', () => holds('node_here'), 1_500)
  await until('done', async () => (await jobs()).length === 0)
  assert.equal(runs, 1)
})

test('a node that was taken for dead goes on under a new generation', async () => {
  const holders: (string | null)[] = []
  await worker({ look: async () => void holders.push((await jobs())[0]?.locked_by ?? null) })
  await add({ task: 'look', payload: {} })
  await until('first', () => holders.length === 1)
  await pool.query(`update node set dead_at = now() where id = 'node_here'`)
  await breakLock('node_here')
  await until(
    'mark gone',
    async () => (await pool.query(`select from node where id = 'node_here' and dead_at is null`)).rowCount === 1,
  )
  await until('another generation', async () => {
    await add({ task: 'look', payload: {}, key: 'look' })
    await clock.sleep(20)
    return holders.includes('node_here/2')
  })
  assert.equal(holders[0], 'node_here/1')
})

test('without a way to prove it lives a worker stops taking jobs before it may be called dead', async () => {
  const events: string[] = []
  const target = new URL(place.url)
  const reach = { url: place.url }
  const held = await holdNode({
    get url() {
      return reach.url
    },
    ...{ node: 'node_cut', clock, log },
    onLost: () => void events.push('lost'),
    onHeld: () => void events.push('held'),
  })
  target.port = '1'
  reach.url = target.href
  const from = clock.now()
  await breakLock('node_cut')
  await until('lost', () => events.includes('lost'))
  assert.ok(clock.now() - from < 2_000)
  reach.url = place.url
  await until('held', () => events.includes('held'))
  await held.release()
  assert.equal((await pool.query(`select from node where id = 'node_cut'`)).rowCount, 0)
})

test('two living processes cannot be the same node', async () => {
  const hurried: Clock = { now: clock.now, sleep: (ms, signal) => clock.sleep(ms / 50, signal) }
  await worker({ x: async () => undefined }, { node: 'node_twice' })
  await assert.rejects(holdNode({ url: place.url, node: 'node_twice', clock: hurried, log }), /another process is node/)
})
