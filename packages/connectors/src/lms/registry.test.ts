import assert from 'node:assert/strict'
import { test } from 'node:test'
import { virtualClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp } from '@bursar/kit/http.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { isLmsPlatform, lmsRegistry, openLms } from './registry.ts'

const clock = virtualClock()
const random = seededRandom(1)
const io = { clock, random, http: createHttp({ clock, random, guard: createGuard() }) }
const config = {
  baseUrl: 'https://school.example/admin/api',
  clientId: '5f2a9c0d1e3b4a5968778695',
  auth: { kind: 'token', accessToken: 'a-secret-token' },
}

test('a stored configuration opens its connector with the defaults filled in', () => {
  const opened = openLms('learnworlds', config, io)
  assert.ok(opened.ok)
  assert.equal(opened.connector.platform, 'learnworlds')
  assert.deepEqual(opened.connector.limits, { requests: 30, windowMs: 10_000 })
})

test('a wrong configuration names the fields and never their values', () => {
  const opened = openLms('learnworlds', { ...config, clientId: 5, auth: { kind: 'token', accessToken: 'short' } }, io)
  assert.ok(!opened.ok)
  assert.deepEqual(
    opened.issues.map((issue) => issue.path),
    ['clientId', 'auth.accessToken'],
  )
  assert.ok(!JSON.stringify(opened).includes('short'))
})

test('an unknown platform is not one', () => {
  assert.deepEqual(['learnworlds', 'toString', 'kajabi '].map(isLmsPlatform), [true, false, false])
})

test('every secret of a configuration is declared', () => {
  assert.deepEqual([...lmsRegistry.learnworlds.secretFields], ['auth.accessToken', 'auth.clientSecret'])
})
