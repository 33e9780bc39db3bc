import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Instant, virtualClock } from '@bursar/kit/clock.ts'
import { createIds } from '@bursar/kit/ids.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { createDatabase, type Database } from './database.ts'
import { type Lane, penalise, sharedNow, takeSlot } from './rate.ts'
import { aConnection } from './samples.ts'
import { type TestDatabase, testDatabase } from './testing.ts'

const limit = { requests: 30, windowMs: 10_000 }
const start = Date.UTC(2026, 0, 5, 9)
const ids = createIds({ clock: virtualClock(), random: seededRandom(7) })
let place: TestDatabase
let hosts: Database[]

before(async () => {
  place = await testDatabase()
  // Three processes as PostgreSQL sees them: separate pools, separate sessions.
  hosts = [1, 2, 3].map(() => createDatabase({ url: place.url, clock: virtualClock(start), max: 2 }))
})
after(async () => {
  await Promise.all(hosts.map((db) => db.close()))
  await place.drop()
})

const db = () => hosts[0] as Database
const fresh = () => aConnection(db(), ids)
const most = (grants: readonly Instant[], windowMs: number): number =>
  Math.max(0, ...grants.map((from) => grants.filter((g) => g >= from && g < from + windowMs).length))

type Caller = {
  lane: Lane
  db: Database
  nextAt: Instant
  left: number
  thinkMs: number
  waits: number[]
  since: Instant
}

/** Callers who ask, wait as told, and ask again, all on one virtual time. Returns when each call was granted. */
async function run(connection: string, callers: Caller[], until: Instant): Promise<{ at: Instant; caller: Caller }[]> {
  const grants: { at: Instant; caller: Caller }[] = []
  for (;;) {
    const next = callers.filter((c) => c.left > 0).sort((a, b) => a.nextAt - b.nextAt)[0]
    if (next === undefined || next.nextAt > until) return grants
    const now = next.nextAt
    const together = callers.filter((c) => c.left > 0 && c.nextAt === now)
    await Promise.all(
      together.map(async (c) => {
        const slot = await takeSlot(c.db, { connection, lane: c.lane, limit, now })
        if (!slot.ok) {
          c.nextAt = now + slot.retryAfterMs
          return
        }
        grants.push({ at: now, caller: c })
        c.waits.push(now - c.since)
        c.left--
        c.nextAt = c.since = now + c.thinkMs
      }),
    )
  }
}

const caller = (lane: Lane, at: Instant, left: number, thinkMs = 0, host = 0): Caller => ({
  ...{ lane, nextAt: at, since: at, left, thinkMs, waits: [] },
  db: hosts[host] as Database,
})

test('no limit means no statement at all', async () => {
  const nowhere = { direct: () => assert.fail('asked the database') } as unknown as Database
  const slot = await takeSlot(nowhere, { connection: 'x', lane: 'full', limit: { requests: 0, windowMs: 1_000 } })
  assert.deepEqual(slot, { ok: true })
})

test('three processes together never pass 30 calls in any 10 s, and use what is allowed', async () => {
  const connection = await fresh()
  const callers = [0, 1, 2].map((host) => caller('provisioning', start, 100_000, 1, host))
  const lengthMs = 120_000
  const grants = (await run(connection, callers, start + lengthMs)).map((g) => g.at)
  assert.equal(most(grants, limit.windowMs), 30)
  assert.ok(grants.length >= 0.95 * 30 * (lengthMs / limit.windowMs), `${grants.length} calls`)
})

for (const lane of ['interactive', 'confirmation', 'delta', 'full'] as const) {
  test(`alone, the ${lane} lane reaches the limit within 5 %`, async () => {
    const connection = await fresh()
    const lengthMs = 60_000
    const grants = await run(connection, [caller(lane, start, 100_000, 1)], start + lengthMs)
    assert.ok(grants.length >= 0.95 * 30 * (lengthMs / limit.windowMs), `${grants.length} calls`)
    assert.ok(
      most(
        grants.map((g) => g.at),
        limit.windowMs,
      ) <= 30,
    )
  })
}

test('F10: while a full sync runs, a purchase waits about one slot', async () => {
  const connection = await fresh()
  const sync = caller('full', start, 100_000, 1, 0)
  const buyer = caller('interactive', start + 20_000, 20, 3_000, 1)
  await run(connection, [sync, buyer], start + 90_000)
  const slotMs = (limit.windowMs + 250) / limit.requests
  assert.equal(buyer.left, 0)
  assert.ok(Math.max(...buyer.waits) <= 1.5 * slotMs, `waited ${Math.max(...buyer.waits)} ms`)
})

test('a refused higher lane overtakes the lower ones that ask before it comes back', async () => {
  const connection = await fresh()
  await run(connection, [caller('provisioning', start, 30)], start)
  const refused = await takeSlot(db(), { connection, lane: 'interactive', limit, now: start + 5_000 })
  assert.ok(!refused.ok)
  const back = start + 5_000 + refused.retryAfterMs
  // The 30 slots of the burst free at the same moment: one is kept, the others are anyone's.
  const lower = await run(connection, [caller('confirmation', back, 30, 0, 1)], back)
  assert.equal(lower.length, 29)
  assert.deepEqual(await takeSlot(db(), { connection, lane: 'interactive', limit, now: back + 20 }), { ok: true })
})

test('a waiter that never comes back blocks nobody for long', async () => {
  const connection = await fresh()
  await run(connection, [caller('provisioning', start, 30)], start)
  const refused = await takeSlot(db(), { connection, lane: 'interactive', limit, now: start })
  assert.ok(!refused.ok)
  const late = start + refused.retryAfterMs + 5_100
  const lower = await run(connection, [caller('confirmation', late, 30, 0, 1)], late)
  assert.equal(lower.length, 30)
})

test('200 at once are told 200 different turns, and the last is served within 5 % of the limit\u2019s own time', async () => {
  const connection = await fresh()
  const callers = Array.from({ length: 200 }, (_, n) => caller('provisioning', start, 1, 0, n % 3))
  const grants = (await run(connection, callers, start + 120_000)).map((g) => g.at)
  assert.equal(grants.length, 200)
  assert.ok(most(grants, limit.windowMs) <= 30)
  const idealMs = Math.floor(199 / 30) * limit.windowMs
  assert.ok(Math.max(...grants) - start <= 1.05 * idealMs, `${Math.max(...grants) - start} ms`)
})

test('after a 429 nothing goes until it may, then half the rate for a minute', async () => {
  const connection = await fresh()
  await penalise(db(), { connection, retryAfterMs: 7_000, now: start })
  const slot = await takeSlot(db(), { connection, lane: 'interactive', limit, now: start + 1_000 })
  assert.deepEqual(slot, { ok: false, retryAfterMs: 6_000 })
  const grants = (await run(connection, [caller('interactive', start, 100_000, 1)], start + 140_000)).map((g) => g.at)
  assert.equal(grants[0], start + 7_000)
  assert.equal(
    most(
      grants.filter((g) => g < start + 67_000),
      limit.windowMs,
    ),
    15,
  )
  assert.ok(
    most(
      grants.filter((g) => g > start + 70_000),
      limit.windowMs,
    ) > 25,
  )
})

test('without a given time the database\u2019s clock decides', async () => {
  const connection = await fresh()
  const small = { requests: 1, windowMs: 60_000 }
  assert.deepEqual(await takeSlot(db(), { connection, lane: 'full', limit: small }), { ok: true })
  const second = await takeSlot(db(), { connection, lane: 'full', limit: small })
  assert.ok(!second.ok && second.retryAfterMs > 50_000 && second.retryAfterMs <= 60_250)
})

test('only a virtual clock passes its own time', () => {
  assert.equal(sharedNow(virtualClock(5)), 5)
})
