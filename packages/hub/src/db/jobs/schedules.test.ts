import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { day, hour, type Instant, minute, virtualClock } from '@bursar/kit/clock.ts'
import { createIds } from '@bursar/kit/ids.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import type pg from 'pg'
import { createDatabase, createPool, type Database } from '#db/database.ts'
import { type TestDatabase, testDatabase } from '#db/testing.ts'
import { deadJobGroups, deadJobs, reviveJob } from './dead.ts'
import { createDrain, type Drain } from './drain.ts'
import { enqueue } from './queue.ts'
import { listSchedules, nextRun, putSchedule, tick, tickOf, tickTask, wakeTick } from './schedules.ts'
import type { Tasks } from './task.ts'

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
const random = seededRandom(5)
const start = Date.UTC(2026, 0, 5, 9)
let clock = virtualClock(start)
const ids = createIds({ clock: { ...clock, now: () => clock.now() }, random })
let place: TestDatabase
let db: Database
let pool: pg.Pool

before(async () => {
  place = await testDatabase()
  db = createDatabase({ url: place.url, clock: { ...clock, now: () => clock.now() } })
  pool = createPool({ url: place.url, role: null })
})
beforeEach(async () => {
  clock = virtualClock(start)
  await pool.query('delete from schedule; delete from graphile_worker._private_jobs')
})
after(async () => {
  await Promise.all([db.close(), pool.end()])
  await place.drop()
})

const at = (text: string): Instant => Date.parse(text)
const iso = (moment: Instant): string => new Date(moment).toISOString()
const berlin = (cron: string) => ({ cron, timezone: 'Europe/Berlin' })
const runs = (schedule: { cron: string; timezone: string }, after: string, n: number): string[] => {
  const found: Instant[] = []
  for (let i = 0; i < n; i++) found.push(nextRun(schedule, found.at(-1) ?? at(after)))
  return found.map(iso)
}
const hourly = { name: 'sync', task: 'sync', payload: { a: 1 }, cron: '0 * * * *', timezone: 'UTC' }
const drainOf = (tasks: Tasks) =>
  createDrain({ url: pool, tasks: { [tickTask]: tickOf(db), ...tasks }, clock, random, node: 'node', log })

test('noon in Berlin is noon there on both sides of the spring change', () => {
  assert.deepEqual(runs(berlin('0 12 * * *'), '2026-03-28T00:00:00Z', 2), [
    '2026-03-28T11:00:00.000Z',
    '2026-03-29T10:00:00.000Z',
  ])
})

test('half past two runs on the day that has none as soon as that hour is over', () => {
  assert.deepEqual(runs(berlin('30 2 * * *'), '2026-03-28T12:00:00Z', 2), [
    '2026-03-29T01:00:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ])
})

test('half past two runs once on the day that has it twice', () => {
  const found = runs(berlin('30 2 * * *'), '2026-10-24T12:00:00Z', 2)
  assert.equal(found.filter((r) => r.startsWith('2026-10-25')).length, 1)
  assert.equal(found[1], '2026-10-26T01:30:00.000Z')
})

test('a schedule that is wrong is refused when it is made, not when it is due', async () => {
  await assert.rejects(putSchedule(db, ids, { ...hourly, cron: 'every now and then' }))
  await assert.rejects(putSchedule(db, ids, { ...hourly, timezone: 'Europe/Atlantis' }))
  await assert.rejects(putSchedule(db, ids, { ...hourly, cron: '0 0 30 2 *' }), /no moment/)
})

test('what is due runs at its time, with its payload', async () => {
  const seen: [Instant, unknown][] = []
  await putSchedule(db, ids, hourly)
  await drainOf({ sync: async (payload) => void seen.push([clock.now() - start, payload]) }).drain({
    until: start + 3 * hour + 1,
  })
  assert.deepEqual(
    seen,
    [1, 2, 3].map((h) => [h * hour, { a: 1 }]),
  )
})

test('after a day of downtime what was missed is one run', async () => {
  await putSchedule(db, ids, hourly)
  await clock.advanceTo(start + day + 10 * minute)
  let ran = 0
  await drainOf({ sync: async () => void ran++ }).drain({ until: clock.now() })
  assert.equal(ran, 1)
  assert.equal((await listSchedules(db))[0]?.nextRunAt, start + day + hour)
})

test('a run that is not done keeps the next from starting', async () => {
  await putSchedule(db, ids, hourly)
  await clock.advanceTo(start + hour)
  await tick(db)
  const slow: Drain = drainOf({ sync: async () => void slow.kill() })
  while (
    (await slow.step()) === 'ran' &&
    (await pool.query('select from graphile_worker._private_jobs where locked_by is not null')).rowCount === 0
  );
  await clock.advanceTo(start + 2 * hour)
  await tick(db)
  const [row] = await listSchedules(db)
  assert.deepEqual(
    [row?.lastRunAt, row?.lastSkippedAt, row?.nextRunAt],
    [start + hour, start + 2 * hour, start + 3 * hour],
  )
})

test('a run that died for good does not stop the schedule', async () => {
  await putSchedule(db, ids, hourly)
  let healthy = false
  let ran = 0
  const drain = drainOf({
    sync: async () => {
      if (!healthy) throw new Error('down')
      ran++
    },
  })
  await drain.drain({ until: start + 6 * hour })
  healthy = true
  await drain.drain({ until: start + 8 * hour })
  assert.ok(ran >= 1)
})

test('a disabled schedule does not run; enabled again it starts from now', async () => {
  await putSchedule(db, ids, { ...hourly, enabled: false })
  await clock.advanceTo(start + 5 * hour)
  await tick(db)
  await putSchedule(db, ids, hourly)
  const [row] = await listSchedules(db)
  assert.deepEqual([row?.lastRunAt, row?.nextRunAt], [null, start + 6 * hour])
})

test('two ticks at once start a run once; waking twice leaves one tick', async () => {
  await putSchedule(db, ids, hourly)
  await clock.advanceTo(start + hour)
  await Promise.all([tick(db), tick(db), tick(db)])
  await db.tx('system', (tx) => wakeTick(tx))
  const { rows } = await pool.query<{ key: string }>('select key from graphile_worker._private_jobs order by key')
  assert.deepEqual(
    rows.map((r) => r.key.split(':')[0]),
    ['schedule', tickTask],
  )
})

test('F21: dead jobs are listed, grouped by cause, and can be revived', async () => {
  let healthy = false
  const drain = drainOf({
    seat: async (payload) => {
      if (!healthy) throw new Error(`no course ${(payload as { n: number }).n}`)
    },
  })
  await db.tx('system', (tx) =>
    enqueue(
      tx,
      [1, 2, 3].map((n) => ({ task: 'seat', payload: { n } })),
    ),
  )
  await drain.drain({ until: start + day })
  const dead = await deadJobs(db)
  assert.deepEqual(
    dead.map((j) => [j.task, j.attempts, j.error]),
    [3, 2, 1].map((n) => ['seat', 25, `Error: no course ${n}`]),
  )
  assert.equal((await deadJobs(db, { before: dead[0]?.id ?? 0n, limit: 1 }))[0]?.id, dead[1]?.id)
  assert.deepEqual(
    (await deadJobGroups(db)).map((g) => [g.error, g.jobs]),
    [['Error: no course #', 3]],
  )
  healthy = true
  assert.equal(await reviveJob(db, dead[0]?.id ?? 0n, clock.now()), true)
  await drain.drain({ until: clock.now() })
  assert.equal((await deadJobs(db)).length, 2)
  assert.equal(await reviveJob(db, dead[0]?.id ?? 0n, clock.now()), false)
})
