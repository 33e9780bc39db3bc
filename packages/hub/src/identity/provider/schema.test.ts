import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { getMigrations } from 'better-auth/db/migration'
import { type TestApp, testApp } from '#action/testing.ts'
import { type AuthHome, createAuthHome } from './auth.ts'
import { disabledPaths, openPaths } from './paths.ts'
import { secretForTests } from './testing.ts'

let it: TestApp
let home: AuthHome
before(async () => {
  it = await testApp()
  const deliverCode = async () => undefined
  home = createAuthHome({
    app: it.app,
    databaseUrl: it.database.url,
    secret: secretForTests,
    deliverCode,
    serviceScopes: [],
  })
})
after(async () => {
  await home.close()
  await it.close()
})

test('better-auth finds nothing to add to the tables of migration 0011', async () => {
  const { toBeCreated, toBeAdded, compileMigrations } = await getMigrations(home.auth().options)
  assert.deepEqual([toBeCreated, toBeAdded], [[], []])
  assert.equal((await compileMigrations()).trim(), ';')
})

test('only the system role reaches the provider’s tables', async () => {
  const rows = await it.rows<{ grantee: string }>(
    `select distinct grantee::regrole::text as grantee from pg_class c, aclexplode(c.relacl)
     where relnamespace = 'auth'::regnamespace and grantee <> c.relowner`,
  )
  assert.deepEqual(rows, [{ grantee: 'bursar_system' }])
})

test('every route of the library is either open on purpose or switched off', () => {
  const endpoints = Object.values(home.auth().api) as { readonly path?: string }[]
  const paths = endpoints.flatMap((endpoint) => (typeof endpoint.path === 'string' ? [endpoint.path] : []))
  assert.ok(paths.length > 60)
  const known = new Set<string>([...Object.keys(openPaths), ...disabledPaths])
  assert.deepEqual(
    paths.filter((path) => !known.has(path)),
    [],
    'a new route: open it in paths.ts on purpose, or switch it off there',
  )
})
