import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hour } from '../clock.ts'
import type { Random } from '../random.ts'
import { isRetryable, parseRetryAfter, retryDelayMs } from './retry.ts'
import type { HttpFailure, HttpOutcome } from './types.ts'

const now = Date.UTC(2026, 10, 20, 12)
const answered = (status: number, headers: Record<string, string> = {}): HttpOutcome => ({
  ok: true,
  response: { status, headers, body: Buffer.alloc(0), durationMs: 1 },
})
const lost = (kind: HttpFailure['kind']): HttpOutcome => ({
  ok: false,
  failure: { kind, message: '', maybeSent: false, durationMs: 1 },
})

test('Retry-After is read as seconds or as any of the three HTTP dates', () => {
  const cases: [string | undefined, number | null][] = [
    ['0', 0],
    ['7', 7_000],
    [' 120 ', 120_000],
    ['1.5', 1_500],
    ['Fri, 20 Nov 2026 12:00:30 GMT', 30_000],
    ['Friday, 20-Nov-26 12:00:30 GMT', 30_000],
    ['Fri Nov 20 12:00:30 2026', 30_000],
    ['Fri, 20 Nov 2026 11:00:00 GMT', 0],
    [undefined, null],
    ['', null],
    ['soon', null],
    ['-5', null],
    ['Fri, 99 Nov 2026', null],
    ['2026-11-20T12:00:30Z', null],
  ]
  for (const [value, expected] of cases) assert.equal(parseRetryAfter(value, now), expected, String(value))
})

test('nobody can make us wait for more than an hour', () => {
  assert.equal(parseRetryAfter('999999999999', now), hour)
  assert.equal(parseRetryAfter('Fri, 20 Nov 2036 12:00:00 GMT', now), hour)
})

test('only what may pass by itself is tried again', () => {
  for (const status of [429, 502, 503, 504]) assert.equal(isRetryable(answered(status)), true, String(status))
  for (const status of [200, 301, 400, 401, 404, 409, 422, 500, 501])
    assert.equal(isRetryable(answered(status)), false, String(status))
  for (const kind of ['timeout', 'reset', 'refused'] as const) assert.equal(isRetryable(lost(kind)), true, kind)
  for (const kind of ['dns', 'tls', 'blocked', 'too_large', 'invalid'] as const)
    assert.equal(isRetryable(lost(kind)), false, kind)
})

test('the wait doubles from 500 ms to at most 30 s, jittered over its upper half', () => {
  const random = (value: number): Random => ({ next: () => value, bytes: (n) => new Uint8Array(n) })
  const wait = (attempt: number, chance: number) => retryDelayMs(lost('reset'), attempt, now, random(chance))
  assert.deepEqual(
    [1, 2, 3, 6, 7, 50].map((n) => wait(n, 1)),
    [500, 1_000, 2_000, 16_000, 30_000, 30_000],
  )
  assert.deepEqual(
    [1, 7].map((n) => wait(n, 0)),
    [250, 15_000],
  )
})

test('the wait is never shorter than the other side asks for', () => {
  const random: Random = { next: () => 1, bytes: (n) => new Uint8Array(n) }
  assert.equal(retryDelayMs(answered(429, { 'retry-after': '42' }), 1, now, random), 42_000)
  assert.equal(retryDelayMs(answered(429, { 'retry-after': '0' }), 1, now, random), 500)
})
