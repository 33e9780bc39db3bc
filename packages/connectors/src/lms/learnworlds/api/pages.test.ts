import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { control, failureOf, schools, type TestSchool, value } from '../testing.ts'
import { collect } from './pages.ts'

const school = schools(afterEach)

async function withUsers(count: number): Promise<TestSchool> {
  const s = await school({ variants: { requests: 0 }, school: { seed: 'empty' } })
  for (let i = 0; i < count; i++) await control(s, 'users', { email: `u${i}@example.com`, username: `U ${i}` })
  s.calls.length = 0
  return s
}

test('a walk ends at the last page although the school repeats it for ever', async () => {
  const s = await withUsers(43)
  const pages: number[] = []
  for await (const page of s.client.users.walk()) pages.push(value(page).items.length)
  assert.deepEqual(pages, [20, 20, 5])
  const beyond = value(await s.client.users.page({}, { page: 9 }))
  assert.deepEqual([beyond.items.length, beyond.page], [5, 3], 'the trap is there: page 9 shows page 3')
})

test('a page of 200 is asked where it is allowed, larger wishes are cut, and elsewhere nothing is asked', async () => {
  const s = await withUsers(30)
  assert.equal(value(await collect(s.client.users.walk({}, { itemsPerPage: 5_000 }))).length, 32)
  assert.deepEqual(
    s.calls.map((c) => c.path),
    ['/admin/api/v2/users?page=1&items_per_page=200'],
  )
  value(await s.client.catalog.pageBundles({ itemsPerPage: 200 }))
  assert.equal(s.calls.at(-1)?.path, '/admin/api/v2/bundles?page=1')
})

test('totals are the school’s own', async () => {
  const s = await withUsers(43)
  const page = value(await s.client.users.page({}, { page: 2 }))
  assert.deepEqual([page.totalItems, page.totalPages, page.page], [45, 3, 2])
})

test('a walk resumes where it stopped and passes a failure on instead of ending quietly', async () => {
  const s = await withUsers(43)
  s.simulator.faults.add({ kind: 'status', status: 502, path: '/v2/users', times: 1 })
  const outcomes = []
  for await (const page of s.client.users.walk({}, { page: 2 })) outcomes.push(page)
  assert.equal(outcomes.length, 1)
  assert.equal(failureOf(outcomes[0] ?? assert.fail()).class, 'unavailable')
  assert.equal(value(await collect(s.client.users.walk({}, { page: 2 }))).length, 25)
})

test('users who appear during a walk shift the pages: a row comes twice, none is lost', async () => {
  const s = await withUsers(38)
  const seen: string[] = []
  for await (const page of s.client.users.walk()) {
    seen.push(...value(page).items.map((u) => u.email))
    if (seen.length === 20) await control(s, 'users', { email: 'late@example.com', username: 'L' })
  }
  const expected = [...Array.from({ length: 38 }, (_, i) => `u${i}@example.com`), 'owner@school.example']
  for (const email of expected) assert.ok(seen.includes(email), email)
  assert.equal(seen.length, new Set(seen).size + 1)
})

test('lists without meta count as one page', async () => {
  const s = await school()
  const products = value(await s.client.users.products('amira.haddad@example.com'))
  assert.deepEqual([products.totalPages, products.items.length], [1, 0])
})
