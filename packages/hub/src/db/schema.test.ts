import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { virtualClock } from '@bursar/kit/clock.ts'
import { createIds } from '@bursar/kit/ids.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import type pg from 'pg'
import { createDatabase, createPool, type Database } from './database.ts'
import { migrate } from './migrate.ts'
import { aConnection, anOrganization } from './samples.ts'
import { schemaText } from './schema-text.ts'
import { sql } from './sql.ts'
import { type TestDatabase, testDatabase } from './testing.ts'

/** Tables that belong to no tenant, each with its reason. A new one is added here on purpose or gets organization_id. */
const withoutTenant: Record<string, string> = {
  organization: 'is the tenant; has a policy of its own',
  schema_migration: 'the owner\u2019s alone',
  installation: 'one row about the whole installation, for the system role only',
  node: 'the owner\u2019s alone: which processes live',
  rate_budget: 'counts per connection, for the system role only',
  issuer_keys: 'public keys of identity providers, which belong to the issuer; for the system role only',
  schedule: 'the program\u2019s own clockwork, for the system role only',
}

const ids = createIds({ clock: virtualClock(), random: seededRandom(11) })
let place: TestDatabase
let db: Database
let owner: pg.Pool

before(async () => {
  place = await testDatabase()
  db = createDatabase({ url: place.url, clock: virtualClock() })
  owner = createPool({ url: place.url, role: null, max: 1 })
})
after(async () => {
  await Promise.all([db.close(), owner.end()])
  await place.drop()
})

test('the committed schema is what the migrations result in', async () => {
  const committed = await readFile(new URL('./schema.generated.sql', import.meta.url), 'utf8')
  assert.equal(
    await schemaText(place.url),
    committed,
    'the schema changed: run npm run generate and look at the difference',
  )
})

test('migrating again changes nothing', async () => {
  assert.deepEqual(await migrate(place.url), { applied: [] })
})

test('every table with an organization is protected; the others are known one by one', async () => {
  type Row = { table: string; tenant: boolean; forced: boolean; policies: string[] }
  const { rows } = await owner.query<Row>(`
    select c.relname as table, c.relrowsecurity and c.relforcerowsecurity as forced,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id' and a.attnum > 0) as tenant,
      array(select policyname || ': ' || coalesce(qual, '') || ' / ' || coalesce(with_check, '') from pg_policies p
            where p.schemaname = 'public' and p.tablename = c.relname and 'bursar_app' = any(p.roles)) as policies
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`)
  const own = '(organization_id = bursar_organization())'
  for (const row of rows.filter((r) => r.tenant)) {
    assert.ok(row.forced, `${row.table} has organization_id but no forced row security: call bursar_protect`)
    assert.ok(
      row.policies.every((p) => p.includes(own)),
      `${row.table}: ${row.policies.join('; ')}`,
    )
  }
  const others = rows.filter((r) => !r.tenant && withoutTenant[r.table] === undefined).map((r) => r.table)
  assert.deepEqual(others, [], 'tables without organization_id must be listed here with their reason')
})

test('tables without a tenant are closed to the tenant role', async () => {
  const { rows } = await owner.query<{ table_name: string; privilege_type: string }>(
    `select table_name, privilege_type from information_schema.role_table_grants
     where table_schema = 'public' and grantee = 'bursar_app' and table_name = any($1)`,
    [Object.keys(withoutTenant)],
  )
  assert.deepEqual(rows, [{ table_name: 'organization', privilege_type: 'SELECT' }])
})

const names = (organization: string) =>
  db.tx({ organization }, (tx) =>
    tx.many<{ id: string }>(sql('test_connections')`select id from connection order by id`),
  )

test('a tenant sees and changes its own rows and no others', async () => {
  const [a, b] = [await anOrganization(db, ids), await anOrganization(db, ids)]
  const [mine, theirs] = [await aConnection(db, ids, a), await aConnection(db, ids, b)]
  assert.deepEqual(await names(a), [{ id: mine }])
  const touch = (id: string) =>
    db.tx({ organization: a }, (tx) => tx.run(sql('test_touch')`update connection set platform = 'x' where id = ${id}`))
  assert.deepEqual([await touch(mine), await touch(theirs)], [1, 0])
  const steal = db.tx({ organization: a }, (tx) =>
    tx.run(sql('test_steal')`update connection set organization_id = ${b} where id = ${mine}`),
  )
  await assert.rejects(steal, /row-level security/)
  await assert.rejects(aConnectionAs(a, b), /row-level security/)
})

const aConnectionAs = (scope: string, organization: string) =>
  db.tx({ organization: scope }, (tx) =>
    tx.run(sql('test_plant')`
      insert into connection (id, organization_id, category, platform, name, config, created_at, updated_at)
      values (${ids.next('con')}, ${organization}, 'lms', 'x', 'planted', '{}', now(), now())`),
  )

test('the tenant role without a tenant sees nothing', async () => {
  await aConnection(db, ids)
  const pool = createPool({ url: place.url, max: 1 })
  try {
    for (const table of ['connection', 'organization', '"order"', 'person']) {
      assert.equal((await pool.query(`select from ${table}`)).rowCount, 0, table)
    }
    await assert.rejects(pool.query('select from graphile_worker._private_jobs'), /permission denied/)
    await assert.rejects(pool.query('create table mine (a int)'), /permission denied/)
  } finally {
    await pool.end()
  }
})

test('a tenant does not leak into the next transaction on the same connection', async () => {
  const one = createDatabase({ url: place.url, clock: virtualClock(), max: 1 })
  const a = await anOrganization(db, ids)
  await aConnection(db, ids, a)
  const b = await anOrganization(db, ids)
  const count = (organization: string) =>
    one.tx({ organization }, (tx) => tx.many(sql('test_connections')`select id from connection order by id`))
  assert.equal((await count(a)).length, 1)
  assert.equal((await count(b)).length, 0)
  await one.close()
})
