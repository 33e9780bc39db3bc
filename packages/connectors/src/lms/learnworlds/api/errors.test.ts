import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { failureOf, schools } from '../testing.ts'
import { classifyAnswer, classifyLost } from './errors.ts'

const school = schools(afterEach)
const now = Date.UTC(2026, 0, 5, 9)
const answer = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  classifyAnswer({ status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) }, now)

const codeOf = (failure: ReturnType<typeof answer>) => [failure?.class, failure?.code.replace('learnworlds.', '')]

test('the list form with access_denied is unauthorized even with status 400', () => {
  const body = { errors: [{ code: '400', context: 'access_denied', message: 'denied' }], success: false }
  assert.deepEqual(codeOf(answer(400, body)), ['unauthorized', 'access_denied'])
  const other = { errors: [{ code: '400', context: 'something', message: 'Bad' }], success: false }
  assert.deepEqual(codeOf(answer(400, other)), ['invalid', 'rejected'])
})

test('the bare form, the form keyed by field and a page are read', () => {
  assert.deepEqual(codeOf(answer(404, { error: 'Sorry' })), ['invalid', 'not_found'])
  const keyed = {
    statusCode: 422,
    error: 'Validation Failed',
    message: 'm',
    errors: { username: [{ '0': 'too long' }] },
  }
  const failure = answer(422, keyed)
  assert.deepEqual([failure?.class, failure?.field, failure?.message], ['invalid', 'username', 'username: too long'])
  assert.deepEqual(codeOf(answer(200, '<!doctype html><p>Sign in')), ['unauthorized', 'not_json'])
  assert.deepEqual(codeOf(answer(200, '', { 'content-type': 'text/html' })), ['unauthorized', 'not_json'])
  assert.deepEqual(codeOf(answer(502, '<html>')), ['unavailable', 'server_error'])
})

test('a broken JSON answer is unavailable, not a wrong setting', () => {
  assert.deepEqual(codeOf(answer(200, '{"success":tr')), ['unavailable', 'unreadable'])
})

test('success false counts as a refusal whatever the status', () => {
  const body = { errors: [{ code: '422', context: 'x', message: 'Product is already owned' }], success: false }
  assert.deepEqual(codeOf(answer(200, body)), ['conflict', 'already_owned'])
})

test('F8: already owned and a duplicate user are told apart by their text, at any 4xx', () => {
  for (const status of [400, 409, 422]) {
    assert.deepEqual(codeOf(answer(status, { error: 'Product is already owned' })), ['conflict', 'already_owned'])
    assert.deepEqual(codeOf(answer(status, { error: 'This email is already in use.' })), ['conflict', 'user_exists'])
  }
})

test('F10: Retry-After is read as seconds and as a date, and may be absent', () => {
  const limited = (headers: Readonly<Record<string, string>>) => answer(429, { error: 'Too many requests' }, headers)
  assert.equal(limited({ 'retry-after': '7' })?.retryAfterMs, 7_000)
  assert.equal(limited({ 'retry-after': new Date(now + 9_000).toUTCString() })?.retryAfterMs, 9_000)
  assert.equal(limited({})?.retryAfterMs, undefined)
  assert.equal(limited({ 'retry-after': 'soon' })?.class, 'rate_limited')
})

test('a redirect means a wrong address; 403 a missing right', () => {
  assert.deepEqual(codeOf(answer(301, '')), ['unauthorized', 'redirected'])
  assert.deepEqual(codeOf(answer(403, { error: 'Your plan has no API' })), ['unauthorized', 'forbidden'])
})

test('success is null: 200 with JSON, 201, and 204 without a body', () => {
  assert.deepEqual([answer(200, { success: true }), answer(201, {}), answer(204, '')], [null, null, null])
})

test('addresses in the school’s messages are cut out', () => {
  assert.ok(!answer(422, { error: 'nora@example.com is no good' })?.message.includes('nora'))
})

test('a lost write is uncertain only if it may have been sent', () => {
  const lost = (maybeSent: boolean) => ({ kind: 'reset', message: '', maybeSent, durationMs: 1 }) as const
  assert.equal(classifyLost(lost(true), true).uncertain, true)
  assert.equal(classifyLost(lost(false), true).uncertain, undefined)
  assert.equal(classifyLost(lost(true), false).uncertain, undefined)
})

test('nobody listening is unavailable and certain: nothing was sent', async () => {
  const s = await school()
  const { client } = s
  await s.simulator.close()
  const failure = failureOf(await client.users.create({ email: 'a@example.com', username: 'A' }))
  assert.deepEqual([failure.class, failure.uncertain], ['unavailable', undefined])
})
