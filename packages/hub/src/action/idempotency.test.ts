import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Attempt, claim, finish, hashInput, purgeIdempotencyKeys } from './idempotency.ts'
import { type TestApp, testApp } from './testing.ts'

let it: TestApp
let org: string

before(async () => {
  it = await testApp()
  org = await it.organization('first')
})
after(() => it.close())

const attempt = (key: string, leaseToken = 'lease_1'): Attempt => ({
  organization: org,
  key,
  action: 'a.b',
  inputHash: 'h',
  leaseToken,
})

test('a key that another transaction holds too long is in progress', async () => {
  const inside = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  const first = it.app.db.tx({ organization: org }, async (tx) => {
    await claim(tx, attempt('k1'))
    inside.resolve()
    await leave.promise
  })
  await inside.promise
  const second = it.app.db.tx({ organization: org }, (tx) => claim(tx, attempt('k1', 'lease_2'), 50))
  await assert.rejects(second, { code: 'idempotency_in_progress' })
  leave.resolve()
  await first
})

test('only the attempt that holds the lease can finish, and its answer stays', async () => {
  const inTx = <T>(work: Parameters<typeof it.app.db.tx<T>>[1]) => it.app.db.tx({ organization: org }, work)
  assert.deepEqual(await inTx((tx) => claim(tx, attempt('k2'))), { kind: 'run' })
  assert.equal(await inTx((tx) => finish(tx, attempt('k2', 'lease_other'), { by: 'other' })), 0)
  assert.equal(await inTx((tx) => finish(tx, attempt('k2'), { big: 12n })), 1)
  assert.deepEqual(await inTx((tx) => claim(tx, attempt('k2', 'lease_3'))), { kind: 'replay', output: { big: '12' } })
})

test('old keys are purged in portions', async () => {
  await it.app.db.tx({ organization: org }, async (tx) => {
    for (const key of ['p1', 'p2', 'p3']) await claim(tx, attempt(key))
  })
  const purge = (at: number, limit?: number) => it.app.db.tx('system', (tx) => purgeIdempotencyKeys(tx, at, limit))
  const all = (await it.rows('select from idempotency_key')).length
  assert.equal(await purge(it.clock.now()), 0)
  assert.equal(await purge(it.clock.now() + 1, 2), 2)
  assert.equal(await purge(it.clock.now() + 1), all - 2)
})

test('the hash of an input ignores the order of fields and heeds everything else', () => {
  const hash = hashInput('a.b', { x: 1, y: { p: 'q', r: [1, 2] } })
  assert.equal(hashInput('a.b', { y: { r: [1, 2], p: 'q' }, x: 1 }), hash)
  for (const other of [{ x: 1, y: { p: 'q', r: [2, 1] } }, { x: '1', y: { p: 'q', r: [1, 2] } }, { x: 1 }]) {
    assert.notEqual(hashInput('a.b', other), hash)
  }
  assert.notEqual(hashInput('a.c', { x: 1, y: { p: 'q', r: [1, 2] } }), hash)
})
