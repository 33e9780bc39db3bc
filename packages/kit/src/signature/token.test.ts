import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { minute } from '../clock.ts'
import { CodedError } from '../errors.ts'
import { hmacSha256, verifyHexHmac } from './hmac.ts'
import { signJwtHs256 } from './jwt.ts'
import { signLink, verifyLink } from './link.ts'
import { hashSecret, tokenEquals, verifySecretHash } from './token.ts'

const now = Date.UTC(2026, 10, 20, 12)

test('a token matches any of the known secrets, of any length, and nothing else', () => {
  assert.equal(tokenEquals('second', ['first', 'second']), true)
  assert.equal(tokenEquals('secon', ['first', 'second']), false)
  assert.equal(tokenEquals(undefined, ['first']), false)
  assert.equal(tokenEquals('', ['first']), false)
  assert.equal(tokenEquals('x', []), false)
})

test('W14: an unset secret matches no token, not even a blank one', () => {
  assert.equal(tokenEquals('', ['']), false)
  assert.equal(tokenEquals('  ', ['  ']), false)
  assert.equal(verifyHexHmac(Buffer.from('x'), 'a'.repeat(64), ['']), false)
  assert.throws(() => hmacSha256('', 'x'), RangeError)
})

test('a stored hash accepts its secret only, and a broken hash none', () => {
  const hash = hashSecret('s3cret')
  assert.match(hash, /^[0-9a-f]{64}$/)
  assert.equal(verifySecretHash('s3cret', hash), true)
  assert.equal(verifySecretHash('s3cres', hash), false)
  assert.equal(verifySecretHash('s3cret', 'zz'), false)
})

test('a bare hex HMAC is compared as bytes: case does not matter, length and content do', () => {
  const body = Buffer.from('{}')
  const hex = createHmac('sha256', 'key').update(body).digest('hex')
  assert.equal(verifyHexHmac(body, hex, ['other', 'key']), true)
  assert.equal(verifyHexHmac(body, hex.toUpperCase(), ['key']), true)
  assert.equal(verifyHexHmac(body, hex.slice(2), ['key']), false)
  assert.equal(verifyHexHmac(body, 'é'.repeat(64), ['key']), false)
  assert.equal(verifyHexHmac(Buffer.from('{ }'), hex, ['key']), false)
})

test('a JWT is the one of RFC 7515 for the same bytes', () => {
  const [head, claims, mac] = signJwtHs256({ email: 'a@example.org', iat: 1 }, 'api-key').split('.')
  assert.equal(Buffer.from(head ?? '', 'base64url').toString(), '{"alg":"HS256","typ":"JWT"}')
  assert.equal(Buffer.from(claims ?? '', 'base64url').toString(), '{"email":"a@example.org","iat":1}')
  assert.equal(mac, createHmac('sha256', 'api-key').update(`${head}.${claims}`).digest('base64url'))
})

const key = Buffer.alloc(32, 1)
const claims = { purpose: 'claim', subject: 'ord_1', expiresAt: now + 15 * minute, nonce: 'n1' }

test('a link token returns its claims until it expires', () => {
  const token = signLink(claims, key)
  assert.match(token, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
  assert.deepEqual(verifyLink(token, [Buffer.alloc(32, 2), key], 'claim', now), { ok: true, claims })
  assert.equal(verifyLink(token, [key], 'claim', claims.expiresAt - 1).ok, true)
  assert.deepEqual(verifyLink(token, [key], 'claim', claims.expiresAt), { ok: false, reason: 'link_expired' })
})

test('a link token for one purpose, key or person opens nothing else', () => {
  const token = signLink(claims, key)
  const [payload = '', mac = ''] = token.split('.')
  const forged = Buffer.from(JSON.stringify(['claim', 'ord_2', claims.expiresAt, 'n1'])).toString('base64url')
  const invalid = { ok: false, reason: 'signature_invalid' }
  assert.deepEqual(verifyLink(token, [key], 'unsubscribe', now), invalid)
  assert.deepEqual(verifyLink(token, [Buffer.alloc(32, 3)], 'claim', now), invalid)
  assert.deepEqual(verifyLink(`${forged}.${mac}`, [key], 'claim', now), invalid)
  for (const broken of ['', payload, `${payload}.`, `${payload}.é`, `${token}x`, 'a'.repeat(5000)])
    assert.deepEqual(verifyLink(broken, [key], 'claim', now), { ok: false, reason: 'signature_malformed' }, broken)
})

test('a link key under 24 bytes neither signs nor verifies', () => {
  assert.throws(() => signLink(claims, Buffer.alloc(8)), CodedError)
  const verdict = verifyLink(signLink(claims, key), [Buffer.alloc(8)], 'claim', now)
  assert.deepEqual(verdict, { ok: false, reason: 'secret_weak' })
})
