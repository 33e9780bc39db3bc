import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signStripe } from '@bursar/kit/signature/stripe.ts'
import Stripe from 'stripe'
import { createStripe } from './index.ts'
import { verifyDelivery } from './verify.ts'

// The oracle: the SDK's own signer, not ours.
const sdk = new Stripe('sk_test_unused', { telemetry: false })
const secret = 'whsec_the_secret_of_this_endpoint'
const other = 'whsec_another_secret_being_rolled'
const nowMs = Date.UTC(2026, 10, 20, 12)
const nowS = nowMs / 1_000

const event = (change: object = {}) =>
  JSON.stringify({
    id: 'evt_1',
    object: 'event',
    type: 'checkout.session.completed',
    created: nowS,
    livemode: false,
    api_version: '2026-10-28.endive',
    data: { object: { id: 'cs_test_1', object: 'checkout.session' } },
    ...change,
  })

const header = (payload: string, options: { secret?: string; timestamp?: number } = {}) =>
  sdk.webhooks.generateTestHeaderString({
    payload,
    secret: options.secret ?? secret,
    timestamp: options.timestamp ?? nowS,
  })

const verify = (
  body: string | Buffer,
  signature: string | string[] | undefined,
  secrets: readonly string[] = [secret],
) => verifyDelivery({ headers: { 'stripe-signature': signature }, body: Buffer.from(body) }, secrets, nowMs)

test('A snapshot signed by the SDK is accepted and keeps where it came from', () => {
  const body = event({ account: 'acct_1', livemode: true })
  const verified = verify(body, header(body))
  assert.ok(verified.ok)
  const { stated: _, ...rest } = verified.event
  assert.deepEqual(rest, {
    externalId: 'evt_1',
    type: 'checkout.session.completed',
    occurredAt: nowMs,
    livemode: true,
    account: 'acct_1',
    apiVersion: '2026-10-28.endive',
    form: 'snapshot',
    subjects: [{ kind: 'checkout', externalId: 'cs_test_1' }],
  })
})

test('A thin event signed by the SDK is accepted on the same entry and states nothing', () => {
  const body = JSON.stringify({
    id: 'evt_65TDGN',
    object: 'v2.core.event',
    type: 'v1.refund.created',
    created: '2026-11-20T12:00:00.123Z',
    livemode: false,
    context: 'acct_2',
    related_object: { id: 're_1', type: 'refund', url: '/v1/refunds/re_1' },
  })
  const verified = verify(body, header(body))
  assert.ok(verified.ok)
  assert.deepEqual(verified.event, {
    externalId: 'evt_65TDGN',
    type: 'v1.refund.created',
    occurredAt: nowMs + 123,
    livemode: false,
    account: 'acct_2',
    apiVersion: null,
    form: 'thin',
    subjects: [{ kind: 'refund', externalId: 're_1' }],
    stated: [],
  })
})

test('W2: while a secret is rolled both secrets count, and several v1 values are all tried', () => {
  const body = event()
  assert.ok(verify(body, header(body, { secret: other }), [secret, other]).ok)
  const both = `${header(body, { secret: 'whsec_of_somebody_else_entirely' })},${header(body).split(',')[1]}`
  assert.ok(verify(body, both).ok)
})

test('W7, W8: a delivery counts for 300 seconds in both directions', () => {
  const body = event()
  const at = (shift: number) => verify(body, header(body, { timestamp: nowS + shift }))
  for (const shift of [-300, 0, 300]) assert.ok(at(shift).ok, String(shift))
  for (const shift of [-301, 301, 302, 365 * 24 * 3600])
    assert.deepEqual(at(shift), { ok: false, reason: 'signature_expired' }, String(shift))
})

test('W4: one changed byte in the body is refused', () => {
  const body = event()
  assert.deepEqual(verify(body.replace('cs_test_1', 'cs_test_2'), header(body)), {
    ok: false,
    reason: 'signature_invalid',
  })
})

test('W10: garbage in the signature is a reason and never an exception', () => {
  const body = event()
  const cases: readonly (readonly [string | string[] | undefined, string])[] = [
    [`t=${nowS},v1=${'é'.repeat(64)}`, 'signature_invalid'],
    [`t=${nowS},v1=${'é'.repeat(32)}`, 'signature_invalid'],
    [`t=${nowS},v1=`, 'signature_invalid'],
    [`t=${nowS},v1=abc`, 'signature_invalid'],
    [`t=${nowS},v1=${'z'.repeat(64)}`, 'signature_invalid'],
    [`t=${nowS}`, 'signature_malformed'],
    [`v1=${'a'.repeat(64)}`, 'signature_malformed'],
    ['t=soon,v1=aa', 'signature_malformed'],
    ['\u0000', 'signature_malformed'],
    ['', 'signature_malformed'],
    ['x'.repeat(100_000), 'signature_malformed'],
    [undefined, 'signature_missing'],
    [[header(body), header(body)], 'signature_missing'],
  ]
  for (const [signature, reason] of cases)
    assert.deepEqual(verify(body, signature), { ok: false, reason }, JSON.stringify(signature)?.slice(0, 40))
})

test('W14: without a proper secret nothing verifies', () => {
  const body = event()
  for (const secrets of [[], [''], ['   '], ['short']])
    assert.deepEqual(verify(body, header(body), secrets), { ok: false, reason: 'secret_weak' })
})

test('A signed body that is not an event in UTF-8 JSON is unreadable, and says nothing more', () => {
  const bodies: readonly Buffer[] = [
    Buffer.from(''),
    Buffer.from('not json'),
    Buffer.from('null'),
    Buffer.from('[]'),
    Buffer.from('42'),
    Buffer.from('{}'),
    Buffer.from('{"object":"event"}'),
    Buffer.from(event({ id: '' })),
    Buffer.from(event({ id: 7 })),
    Buffer.from(event({ data: null })),
    Buffer.from(event({ object: 'customer' })),
    Buffer.from(`{"id":"evt_1","object":"v2.core.event","type":"v1.x","created":"yesterday","livemode":false}`),
    Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(event())]),
    Buffer.from(event(), 'utf16le'),
    Buffer.concat([Buffer.from(event().slice(0, -1)), Buffer.from([0x2c, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])]),
  ]
  for (const body of bodies) {
    const { signature } = signBytes(body)
    assert.deepEqual(verify(body, signature), { ok: false, reason: 'body_unreadable' }, body.toString().slice(0, 40))
  }
})

/** The SDK signs text only; bytes that are no text are signed as latin1 would be, by the same arithmetic. */
function signBytes(body: Buffer): { signature: string } {
  const text = body.toString('utf8')
  if (Buffer.from(text).equals(body)) return { signature: header(text) }
  return { signature: signStripe(body, secret, nowS) }
}

test('The connector verifies without a key, and says that it cannot read', async () => {
  const io = {
    http: () => Promise.reject(new Error('no call may be made')),
    clock: { now: () => nowMs, sleep: async () => undefined },
    random: { next: () => 0, bytes: (length: number) => new Uint8Array(length) },
  }
  const stripe = createStripe({ secretKey: null }, io)
  const body = event()
  assert.equal(stripe.canRead, false)
  assert.ok(
    stripe.verify({ headers: { 'stripe-signature': header(body) }, body: Buffer.from(body) }, [secret], nowMs).ok,
  )
  const read = await stripe.read({ kind: 'checkout', externalId: 'cs_test_1' })
  assert.ok(!read.ok)
  assert.deepEqual(
    [read.failure.class, read.failure.code, read.failure.unsent],
    ['unauthorized', 'stripe.no_key', true],
  )
})
