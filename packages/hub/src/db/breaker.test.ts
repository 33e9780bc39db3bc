import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute, second, virtualClock } from '@bursar/kit/clock.ts'
import { createIds } from '@bursar/kit/ids.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { allow, breakerOf, type Outcome, recordOutcome, resetBreaker, type Transition } from './breaker.ts'
import { createDatabase, createPool, type Database } from './database.ts'
import { aConnection, anOrganization } from './samples.ts'
import { type TestDatabase, testDatabase } from './testing.ts'

const start = Date.UTC(2026, 0, 5, 9)
const random = seededRandom(3)
const ids = createIds({ clock: virtualClock(), random })
let place: TestDatabase
let db: Database

before(async () => {
  place = await testDatabase()
  db = createDatabase({ url: place.url, clock: virtualClock() })
})
after(async () => {
  await db.close()
  await place.drop()
})

const told = async (connection: string, outcomes: Outcome[], now = start): Promise<Transition[]> => {
  const transitions: Transition[] = []
  for (const outcome of outcomes) transitions.push(await recordOutcome(db, { connection, outcome, now, random }))
  return transitions
}
const down = (n: number): Outcome[] => Array.from({ length: n }, () => 'unavailable')

/** Fails `n` probes in a row; returns how long each wait was. */
async function failProbes(connection: string, n: number, outcome: Outcome): Promise<number[]> {
  const waits: number[] = []
  let now = start
  for (let i = 0; i < n; i++) {
    const held = await allow(db, { connection, now })
    assert.ok(held.state === 'open')
    waits.push(held.until - now)
    now = held.until
    assert.deepEqual(await allow(db, { connection, now }), { state: 'half_open' })
    assert.deepEqual(await told(connection, [outcome], now), [null])
  }
  return waits
}

test('F1: five failures in a row open it, once; attempts wait from then on', async () => {
  const connection = await aConnection(db, ids)
  assert.deepEqual(await told(connection, down(7)), [null, null, null, null, 'opened', null, null])
  const held = await allow(db, { connection, now: start + second })
  assert.ok(held.state === 'open' && held.cause === 'unavailable')
  assert.ok(held.until >= start + 2.5 * second && held.until <= start + 5 * second)
})

test('one answer in between starts the count anew', async () => {
  const connection = await aConnection(db, ids)
  const mixed: Outcome[] = [...down(4), 'ok', ...down(4)]
  assert.ok((await told(connection, mixed)).every((t) => t === null))
  assert.deepEqual(await allow(db, { connection, now: start }), { state: 'closed' })
})

test('one probe at a time; its success closes, and says so once', async () => {
  const connection = await aConnection(db, ids)
  await told(connection, down(5))
  const now = start + minute
  const answers = await Promise.all(Array.from({ length: 10 }, () => allow(db, { connection, now })))
  assert.deepEqual(answers.filter((a) => a.state === 'half_open').length, 1)
  assert.deepEqual(answers.filter((a) => a.state === 'open').length, 9)
  assert.deepEqual(await told(connection, ['ok', 'ok'], now), ['closed', null])
  assert.deepEqual(await allow(db, { connection, now }), { state: 'closed' })
})

test('failing probes wait 5, 10, 20, 40, 60, 60 s, each between its half and its whole', async () => {
  const connection = await aConnection(db, ids)
  await told(connection, down(5))
  const waits = await failProbes(connection, 6, 'unavailable')
  for (const [i, whole] of [5, 10, 20, 40, 60, 60].entries()) {
    const wait = waits[i] ?? 0
    assert.ok(wait >= whole * 500 && wait <= whole * 1_000, `probe ${i}: ${wait} ms`)
  }
})

test('refused credentials open it at once, with longer waits', async () => {
  const connection = await aConnection(db, ids)
  assert.deepEqual(await told(connection, ['unauthorized']), ['opened'])
  assert.equal((await breakerOf(db, connection)).cause, 'unauthorized')
  const waits = await failProbes(connection, 5, 'unauthorized')
  assert.ok((waits[0] ?? 0) >= 30 * second && (waits[4] ?? 0) >= 5 * minute && (waits[4] ?? 0) <= 10 * minute)
})

test('a probe whose process died is given to another after a minute', async () => {
  const connection = await aConnection(db, ids)
  await told(connection, down(5))
  const now = start + minute
  assert.deepEqual(await allow(db, { connection, now }), { state: 'half_open' })
  assert.equal((await allow(db, { connection, now: now + 59 * second })).state, 'open')
  assert.deepEqual(await allow(db, { connection, now: now + 60 * second }), { state: 'half_open' })
})

test('changed credentials close it', async () => {
  const connection = await aConnection(db, ids)
  await told(connection, ['unauthorized'])
  assert.equal(await resetBreaker(db, connection), 'closed')
  assert.deepEqual(await allow(db, { connection, now: start }), { state: 'closed' })
})

test('a success while all is well touches no row', async () => {
  const pool = createPool({ url: place.url, role: null, max: 1 })
  const connection = await aConnection(db, ids)
  const version = async () =>
    (await pool.query<{ xmin: string }>('select xmin::text from breaker where connection_id = $1', [connection]))
      .rows[0]
  await told(connection, ['unavailable', 'ok'])
  const before = await version()
  await told(connection, ['ok', 'ok'])
  assert.ok(before !== undefined)
  assert.deepEqual(await version(), before)
  await pool.end()
})

test('inside a tenant\u2019s transaction it works for that tenant\u2019s connection and no other', async () => {
  const organization = await anOrganization(db, ids)
  const mine = await aConnection(db, ids, organization)
  const other = await aConnection(db, ids)
  const record = (connection: string) =>
    db.tx({ organization }, (tx) => recordOutcome(tx, { connection, outcome: 'unauthorized', now: start, random }))
  assert.equal(await record(mine), 'opened')
  await assert.rejects(record(other), /no connection/)
})
