import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { second } from '../clock.ts'
import { signStripe, verifyStripe } from './stripe.ts'

const now = Date.UTC(2026, 10, 20, 12)
const timestamp = now / 1000
const secret = 'whsec_0123456789abcdefghijklmnop'
const other = 'whsec_zyxwvutsrqponmlkjihgfedcba'
const body = Buffer.from('{"id":"evt_1"}')
const header = signStripe(body, secret, timestamp)
const mac = header.slice(header.indexOf('v1=') + 3)

const verdict = (given: string | string[] | undefined, secrets = [secret], at = now, bytes = body) => {
  const result = verifyStripe(bytes, given, secrets, at)
  return result.ok ? 'ok' : result.reason
}

test('a delivery signed as Stripe signs is accepted', () => {
  assert.deepEqual(verifyStripe(body, header, [secret], now), { ok: true, timestamp })
})

test('the MAC is the one of the published scheme', () => {
  // Computed with OpenSSL: printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_0123456789abcdefghijklmnop
  const known = 'e2d473c5873fd0f3f33e6f710f188918c91db2610473ef9ee7cc56bdf4ee430a'
  assert.equal(signStripe('{}', secret, 1_700_000_000), `t=1700000000,v1=${known}`)
})

test('several v1 and several secrets are all tried, v0 never', () => {
  assert.equal(verdict(`t=${timestamp},v1=${'0'.repeat(64)},v1=${mac},v0=${'1'.repeat(64)}`), 'ok')
  assert.equal(verdict(header, [other, secret]), 'ok')
  assert.equal(verdict(header, [other]), 'signature_invalid')
  assert.equal(verdict(`t=${timestamp},v0=${mac}`), 'signature_malformed')
  assert.equal(verdict(`t=${timestamp},v1=${mac.toUpperCase()}`), 'ok')
})

test('a changed body or time is refused', () => {
  assert.equal(verdict(header, [secret], now, Buffer.from('{"id":"evt_2"}')), 'signature_invalid')
  assert.equal(verdict(`t=${timestamp + 1},v1=${mac}`), 'signature_invalid')
})

test('W8: the window of 300 s counts into the future as into the past', () => {
  assert.equal(verdict(header, [secret], now + 300 * second), 'ok')
  assert.equal(verdict(header, [secret], now + 301 * second), 'signature_expired')
  assert.equal(verdict(header, [secret], now - 300 * second), 'ok')
  assert.equal(verdict(header, [secret], now - 302 * second), 'signature_expired')
  const nextYear = timestamp + 365 * 86_400
  assert.equal(verdict(signStripe(body, secret, nextYear)), 'signature_expired')
})

test('W10: garbage gets a reason and no exception', () => {
  assert.equal(verdict(`t=${timestamp},v1=${'é'.repeat(64)}`), 'signature_invalid')
  assert.equal(verdict(`t=${timestamp},v1=`), 'signature_invalid')
  assert.equal(verdict(`t=,v1=${mac}`), 'signature_malformed')
  assert.equal(verdict('t=1'.repeat(5000)), 'signature_malformed')
  assert.equal(verdict(''), 'signature_malformed')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (junk) => {
      assert.notEqual(verdict(junk), 'ok')
      assert.notEqual(verdict(`t=${timestamp},v1=${junk}`), 'ok')
    }),
  )
})

test('W11: a header sent twice is refused, as an array and as Node joins it', () => {
  assert.equal(verdict([header, header]), 'signature_missing')
  assert.equal(verdict(undefined), 'signature_missing')
  assert.equal(verdict(`${header}, ${header}`), 'signature_malformed')
})

test('W14: a blank, short or missing secret is weak', () => {
  for (const weak of [[], [''], ['   '], ['whsec_short'], [secret, '']])
    assert.equal(verdict(header, weak), 'secret_weak')
})
