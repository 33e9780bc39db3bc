import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { virtualClock } from '@bursar/kit/clock.ts'
import type pg from 'pg'
import { createDatabase, createPool, type Database } from './database.ts'
import { dropPartitions, ensurePartitions } from './partitions.ts'
import { type TestDatabase, testDatabase } from './testing.ts'

let place: TestDatabase
let db: Database
let owner: pg.Pool

before(async () => {
  place = await testDatabase()
  db = createDatabase({ url: place.url, clock: virtualClock() })
  owner = createPool({ url: place.url, role: null, max: 2 })
  await owner.query(`
    create table diary (at timestamptz not null, note text) partition by range (at);
    create index diary_at on diary (at);
    grant select, insert on diary to bursar_system;
    create table plain (at timestamptz)`)
})
after(async () => {
  await Promise.all([db.close(), owner.end()])
  await place.drop()
})

const parts = async () =>
  (
    await owner.query<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'diary'::regclass order by 1`,
    )
  ).rows.map((r) => r.name)

test('partitions are made ahead, once, also when several processes ask at the same time', async () => {
  const made = await Promise.all([1, 2, 3].map(() => ensurePartitions(db, 'diary', '2026-02-27', 3)))
  assert.deepEqual(made.sort(), [0, 0, 3])
  assert.deepEqual(await parts(), ['diary_p20260227', 'diary_p20260228', 'diary_p20260301'])
  await owner.query(`insert into diary values ('2026-03-01 23:59:59.999+00', 'last moment')`)
  await assert.rejects(owner.query(`insert into diary values ('2026-03-02 00:00:00+00', 'too late')`), /no partition/)
})

test('a partition carries the index of its parent', async () => {
  const { rows } = await owner.query(`select from pg_indexes where tablename = 'diary_p20260227'`)
  assert.equal(rows.length, 1)
})

test('old days are dropped, the given day stays', async () => {
  assert.equal(await dropPartitions(db, 'diary', '2026-02-28'), 1)
  assert.deepEqual(await parts(), ['diary_p20260228', 'diary_p20260301'])
})

test('nothing but a partitioned table is touched, and the tenant role may not ask', async () => {
  await assert.rejects(ensurePartitions(db, 'plain', '2026-01-01', 1), /not a partitioned table/)
  await assert.rejects(
    db.tx({ organization: `org_${'0'.repeat(26)}` }, (tx) => ensurePartitions(tx, 'diary', '2026-01-01', 1)),
    /permission denied/,
  )
})
