import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { day, second } from '../clock.ts'
import { CodedError } from '../errors.ts'
import { seededRandom } from '../random.ts'
import {
  generateSecret,
  type IncomingHeaders,
  parseSecret,
  parseSigningKey,
  parseVerifyingKey,
  type StandardKey,
  signStandard,
  verifyStandard,
} from './standard.ts'

const now = Date.UTC(2026, 10, 20, 12)
const timestampS = now / 1000
const text = generateSecret(seededRandom(1))
const secret = parseSecret(text)
const key: StandardKey = { kind: 'v1', secret, id: 'k1' }
const other: StandardKey = { kind: 'v1', secret: parseSecret(generateSecret(seededRandom(2))), id: 'k2' }
const body = Buffer.from('{"total":1.10,"n":12345678901234567890}')
const headers = signStandard({ id: 'msg_1', timestampS, body }, [{ kind: 'v1', secret }])

const verdict = (change: { body?: Buffer; headers?: IncomingHeaders; keys?: readonly StandardKey[]; at?: number }) => {
  const result = verifyStandard(
    change.body ?? body,
    { ...headers, ...change.headers },
    change.keys ?? [key],
    change.at ?? now,
  )
  return result.ok ? 'ok' : result.reason
}

function ed25519() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url').toString('base64')
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')
  return { seed, signing: parseSigningKey(`whsk_${seed}`), verifying: parseVerifyingKey(`whpk_${point}`) }
}

test('W1: a delivery signed by the npm package standardwebhooks is accepted', () => {
  const signature = new Webhook(text).sign('msg_1', new Date(now), body.toString())
  assert.deepEqual(verifyStandard(body, { ...headers, 'webhook-signature': signature }, [key], now), {
    ok: true,
    id: 'msg_1',
    timestamp: timestampS,
  })
})

test('W1: what we sign is accepted by the npm package standardwebhooks', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now })
  assert.equal((new Webhook(text).verify(body.toString(), { ...headers }) as { total: number }).total, 1.1)
})

test('W2: with two active keys, a delivery signed with the second is accepted', () => {
  assert.equal(verdict({ keys: [other, key] }), 'ok')
  assert.equal(verdict({ keys: [other] }), 'signature_invalid')
})

test('W3: an Ed25519 signature beside an unreadable one is accepted', () => {
  const { signing, verifying } = ed25519()
  const signed = signStandard({ id: 'msg_1', timestampS, body }, [signing])['webhook-signature']
  assert.match(signed, /^v1a,/)
  const both = { 'webhook-signature': `v1,AAAA ${signed}` }
  assert.equal(verdict({ keys: [verifying], headers: both }), 'ok')
  assert.equal(verdict({ keys: [verifying], headers: both, body: Buffer.from('{}') }), 'signature_invalid')
  assert.equal(verdict({ keys: [ed25519().verifying], headers: both }), 'signature_invalid')
})

test('W4: a body changed by one zero is refused', () => {
  assert.equal(verdict({ body: Buffer.from(body.toString().replace('1.10', '1.1')) }), 'signature_invalid')
})

test('W5: a replay with a fresh timestamp is refused', () => {
  assert.equal(verdict({ headers: { 'webhook-timestamp': String(timestampS + 60) } }), 'signature_invalid')
})

test('W6: a replay with another id is refused', () => {
  assert.equal(verdict({ headers: { 'webhook-id': 'msg_2' } }), 'signature_invalid')
})

test('W7: 300 seconds after signing is accepted, 301 are too late', () => {
  assert.equal(verdict({ at: now + 300 * second }), 'ok')
  assert.equal(verdict({ at: now + 301 * second }), 'signature_expired')
})

test('W8: 302 seconds before its timestamp a delivery is refused', () => {
  assert.equal(verdict({ at: now - 300 * second }), 'ok')
  assert.equal(verdict({ at: now - 302 * second }), 'signature_expired')
})

test('W9: a short signature is refused without an exception', () => {
  assert.equal(verdict({ headers: { 'webhook-signature': 'v1,abc' } }), 'signature_invalid')
})

test('W10: a signature of non-ASCII letters is refused without an exception', () => {
  assert.equal(verdict({ headers: { 'webhook-signature': `v1,${'é'.repeat(44)}` } }), 'signature_invalid')
})

test('W11: a signature header sent twice counts as missing, as an array and as Node joins it', () => {
  const good = headers['webhook-signature']
  assert.equal(verdict({ headers: { 'webhook-signature': [good, good] } }), 'signature_missing')
  assert.equal(verdict({ headers: { 'webhook-signature': `${good}, v1,AAAA` } }), 'signature_missing')
  assert.equal(verdict({ headers: { 'webhook-id': undefined } }), 'signature_missing')
})

test('W12: a dot in the id is malformed', () => {
  assert.equal(verdict({ headers: { 'webhook-id': 'a.b' } }), 'signature_malformed')
  assert.equal(verdict({ headers: { 'webhook-timestamp': '1e9' } }), 'signature_malformed')
  assert.equal(verdict({ headers: { 'webhook-signature': 'v1,A '.repeat(1000) } }), 'signature_malformed')
  assert.throws(() => signStandard({ id: 'a.b', timestampS, body }, [{ kind: 'v1', secret }]), RangeError)
})

test('W13: an HMAC presented as v1a to an HMAC key is refused', () => {
  const confused = headers['webhook-signature'].replace('v1,', 'v1a,')
  assert.equal(verdict({ headers: { 'webhook-signature': confused } }), 'signature_invalid')
  assert.equal(
    verdict({ headers: { 'webhook-signature': confused }, keys: [ed25519().verifying] }),
    'signature_invalid',
  )
})

test('W14: an empty, short or missing secret is weak, when verifying, signing and reading it', () => {
  const weak = (error: unknown) => error instanceof CodedError && error.code === 'secret_weak'
  assert.equal(verdict({ keys: [{ kind: 'v1', secret: Buffer.alloc(0) }] }), 'secret_weak')
  assert.equal(verdict({ keys: [key, { kind: 'v1', secret: Buffer.alloc(23) }] }), 'secret_weak')
  assert.equal(verdict({ keys: [] }), 'secret_weak')
  assert.throws(() => signStandard({ id: 'a', timestampS, body }, [{ kind: 'v1', secret: Buffer.alloc(8) }]), weak)
  for (const bad of [
    '',
    'whsec_',
    'whsec_YWJj',
    'whsec_é',
    text.slice(6),
    `whsec_${Buffer.alloc(65).toString('base64')}`,
  ])
    assert.throws(() => parseSecret(bad), weak, bad)
  assert.throws(() => parseVerifyingKey('whpk_YWJj'), weak)
  assert.throws(() => parseSigningKey('whsk_YWJj'), weak)
})

test('W15: during the overlap old and new key count; afterwards the old one is refused by name', () => {
  const rotated = now + 4 * day
  const keys: StandardKey[] = [
    { ...key, notAfter: rotated },
    { ...other, notBefore: now },
  ]
  assert.equal(verdict({ keys }), 'ok')
  const late = signStandard({ id: 'msg_1', timestampS: rotated / 1000, body }, [{ kind: 'v1', secret }])
  assert.deepEqual(verifyStandard(body, late, keys, rotated), {
    ok: false,
    reason: 'signature_invalid',
    keyId: 'k1',
  })
  const both = signStandard({ id: 'msg_1', timestampS: rotated / 1000, body }, [
    { kind: 'v1', secret },
    { kind: 'v1', secret: other.kind === 'v1' ? other.secret : secret },
  ])
  assert.equal(verifyStandard(body, both, keys, rotated).ok, true)
})

test('W16: a body that was parsed and written again no longer verifies', () => {
  const raw = Buffer.from('{"price":10.00,"id":12345678901234567890}')
  const signed = signStandard({ id: 'm', timestampS, body: raw }, [{ kind: 'v1', secret }])
  const rewritten = Buffer.from(JSON.stringify(JSON.parse(raw.toString())))
  assert.equal(verifyStandard(raw, signed, [key], now).ok, true)
  assert.deepEqual(verifyStandard(rewritten, signed, [key], now), { ok: false, reason: 'signature_invalid' })
})

test('an Ed25519 key may be given as seed or as seed and public half', () => {
  const { seed, verifying } = ed25519()
  const long = Buffer.concat([Buffer.from(seed, 'base64'), Buffer.alloc(32)]).toString('base64')
  const signed = signStandard({ id: 'm', timestampS, body }, [parseSigningKey(`whsk_${long}`)])
  assert.equal(verifyStandard(body, signed, [verifying], now).ok, true)
})
