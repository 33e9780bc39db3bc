import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { day, second } from '../clock.ts'
import { type ContractKey, signContract, verifyContract } from './contract.ts'
import type { IncomingHeaders } from './verdict.ts'

const now = Date.UTC(2026, 10, 20, 12)
const timestampS = now / 1000
const key: ContractKey = { kid: 'lms-in-1', secret: Buffer.alloc(32, 7) }
const message = {
  id: 'grant-42',
  timestampS,
  method: 'POST',
  path: '/api/v2/commerce/entitlements/grant?x=1.5',
  body: Buffer.from('{"total":10.00}'),
}
const headers = signContract(message, key)

type Change = {
  method?: string
  path?: string
  body?: Buffer
  headers?: IncomingHeaders
  keys?: ContractKey[]
  at?: number
}
const verdict = (change: Change = {}) => {
  const result = verifyContract(
    {
      method: change.method ?? message.method,
      path: change.path ?? message.path,
      body: change.body ?? message.body,
      headers: { ...headers, ...change.headers },
    },
    change.keys ?? [key],
    change.at ?? now,
  )
  return result.ok ? 'ok' : result.reason
}

test('the compatible form signs version, key, id, time, method, path and body', () => {
  const signed = `v1.lms-in-1.grant-42.${timestampS}.POST.${message.path}.{"total":10.00}`
  const mac = createHmac('sha256', Buffer.alloc(32, 7)).update(signed).digest('hex')
  assert.equal(headers['x-webhook-signature'], `t=${timestampS},kid=lms-in-1,v1=${mac}`)
  assert.equal(headers['x-idempotency-key'], 'grant-42')
  assert.equal(verdict(), 'ok')
})

test('F24: nothing that is signed can be changed, and a replay under another id or time is refused', () => {
  const later = headers['x-webhook-signature'].replace(`t=${timestampS}`, `t=${timestampS + 1}`)
  const changes: Change[] = [
    { body: Buffer.from('{"total":10.0}') },
    { path: '/api/v2/commerce/entitlements/revoke' },
    { method: 'PUT' },
    { headers: { 'x-idempotency-key': 'grant-43' } },
    { headers: { 'x-webhook-signature': later, 'x-webhook-timestamp': undefined } },
    { keys: [{ kid: 'lms-in-1', secret: Buffer.alloc(32, 8) }] },
    { keys: [{ kid: 'lms-out-1', secret: key.secret }] },
  ]
  for (const change of changes) assert.equal(verdict(change), 'signature_invalid', JSON.stringify(change))
})

test('F24: the body-only form of the original contract is refused', () => {
  const mac = createHmac('sha256', key.secret).update(message.body).digest('hex')
  assert.equal(verdict({ headers: { 'x-webhook-signature': `sha256=${mac}` } }), 'signature_malformed')
})

test('a signed text cannot be read as another path with another body', () => {
  const moved = { path: '/api/v2/commerce/entitlements/grant?x=1', body: Buffer.from('5.{"total":10.00}') }
  assert.equal(verdict(moved), 'signature_malformed')
  assert.equal(verdict({ path: `${message.path}.{"total":10`, body: Buffer.from('00}') }), 'signature_malformed')
  assert.throws(() => signContract({ ...message, body: 'text' }, key), RangeError)
})

test('missing, doubled and malformed headers get their reason', () => {
  const good = headers['x-webhook-signature']
  assert.equal(verdict({ headers: { 'x-webhook-signature': undefined } }), 'signature_missing')
  assert.equal(verdict({ headers: { 'x-webhook-signature': [good, good] } }), 'signature_missing')
  assert.equal(verdict({ headers: { 'x-idempotency-key': undefined } }), 'signature_missing')
  assert.equal(verdict({ headers: { 'x-idempotency-key': 'a.b' } }), 'signature_malformed')
  assert.equal(verdict({ headers: { 'x-webhook-signature': `${good}, ${good}` } }), 'signature_malformed')
  assert.equal(verdict({ headers: { 'x-webhook-timestamp': String(timestampS + 1) } }), 'signature_malformed')
})

test('the window is five minutes on both sides, and weak keys never verify', () => {
  assert.equal(verdict({ at: now + 301 * second }), 'signature_expired')
  assert.equal(verdict({ at: now - 302 * second }), 'signature_expired')
  assert.equal(verdict({ keys: [] }), 'secret_weak')
  assert.equal(verdict({ keys: [{ kid: 'lms-in-1', secret: Buffer.alloc(0) }] }), 'secret_weak')
})

test('W15: a key past its end is refused and named', () => {
  const request = { ...message, headers }
  const retired = { ...key, notAfter: now - day }
  assert.deepEqual(verifyContract(request, [retired], now), {
    ok: false,
    reason: 'signature_invalid',
    keyId: 'lms-in-1',
  })
})
