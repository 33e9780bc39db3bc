import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { minute, second } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { parseSigningKey, signStandard } from '@bursar/kit/signature/standard.ts'
import { Webhook } from 'standardwebhooks'
import {
  type Answer,
  type Door,
  openDoor,
  standardSecret,
  stripeEvent,
  stripeHeaders,
  stripeSecret,
} from './door-testing.ts'
import { createGround, type Ground } from './testing.ts'

let ground: Ground
let door: Door
before(async () => {
  ground = await createGround()
})
beforeEach(async () => {
  await ground.clear()
  await ground.clock.advance(minute)
  await ground.addSecret(standardSecret, 0)
  door = await openDoor(ground)
})
afterEach(() => door.close())
after(() => ground.close())

const inbound = '/in/standard'
const body = Buffer.from('{"type":"course.completed","timestamp":"2026-01-05T09:00:00Z","data":{"amount":1.10}}')
const nowS = () => Math.floor(ground.clock.now() / 1000)
const sign = (
  id: string,
  secret = standardSecret,
  timestampS = nowS(),
  bytes: Buffer = body,
): Record<string, string> => ({
  'content-type': 'application/json',
  ...signStandard({ id, timestampS, body: bytes }, [parseSigningKey(secret)]),
})
const stored = async () => (await ground.rows('select 1 from inbound_event')).length
async function refusedAs(answer: Promise<Answer>, status: number, code: string, what = code): Promise<void> {
  const { status: got, json } = await answer
  assert.deepEqual([got, json.error?.code], [status, code], what)
  assert.equal(await stored(), 0, what)
}

test('W1: a delivery signed by the standardwebhooks package is accepted and stored under its id', async () => {
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(nowS()),
    'webhook-signature': new Webhook(standardSecret).sign('msg_1', new Date(nowS() * 1000), body.toString()),
  }
  const answer = await door.send(inbound, headers, body)
  assert.deepEqual([answer.status, answer.json], [200, { received: true, duplicate: false }])
  const [row] = await ground.rows<{ external_id: string; type: string; occurred_at: number; source: string }>(
    'select external_id, type, occurred_at, source from inbound_event',
  )
  assert.deepEqual(row, {
    external_id: 'msg_1',
    type: 'course.completed',
    occurred_at: Date.UTC(2026, 0, 5, 9),
    source: `stripe:${ground.connection}`,
  })
})

test('W2: of two valid keys, the second counts as well', async () => {
  const second = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
  await ground.addSecret(second, 0)
  assert.equal((await door.send(inbound, sign('msg_1', second), body)).status, 200)
})

test('W3: an Ed25519 signature after a strange one is accepted', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = (key: { export(options: { format: 'jwk' }): { x?: string; d?: string } }, part: 'x' | 'd') =>
    Buffer.from(key.export({ format: 'jwk' })[part] ?? '', 'base64url').toString('base64')
  await ground.rows('truncate connection_secret')
  await ground.addSecret(`whpk_${raw(publicKey, 'x')}`, 0)
  const headers = sign('msg_1', `whsk_${raw(privateKey, 'd')}`)
  const signature = `v1,AAAA ${headers['webhook-signature']}`
  assert.equal((await door.send(inbound, { ...headers, 'webhook-signature': signature }, body)).status, 200)
})

test('W4: a tampered body is refused', async () => {
  const tampered = Buffer.from(body.toString().replace('1.10', '1.1'))
  await refusedAs(door.send(inbound, sign('msg_1'), tampered), 400, 'signature_invalid')
})

test('W5: a replay with a fresh timestamp is refused', async () => {
  const headers = { ...sign('msg_1'), 'webhook-timestamp': String(nowS() + 60) }
  await refusedAs(door.send(inbound, headers, body), 400, 'signature_invalid')
})

test('W6: a replay under another id is refused', async () => {
  await refusedAs(door.send(inbound, { ...sign('msg_1'), 'webhook-id': 'msg_2' }, body), 400, 'signature_invalid')
})

test('W7: 301 s after signing is too old, 300 s is not', async () => {
  const headers = sign('msg_1')
  await ground.clock.advance(301 * second)
  await refusedAs(door.send(inbound, headers, body), 400, 'signature_expired')
  const fresh = sign('msg_1')
  await ground.clock.advance(300 * second)
  assert.equal((await door.send(inbound, fresh, body)).status, 200)
})

test('W8: a time 302 s ahead is refused, also at the Stripe address', async () => {
  await refusedAs(door.send(inbound, sign('msg_1', standardSecret, nowS() + 302), body), 400, 'signature_expired')
  await ground.rows('truncate connection_secret')
  await ground.addSecret(stripeSecret, 0)
  await ground.clock.advance(6 * second)
  const event = stripeEvent('evt_1')
  const headers = stripeHeaders(event, ground.clock.now() + 302 * second)
  await refusedAs(door.send('/api/stripe/webhook', headers, event), 400, 'signature_expired')
})

test('W9: a short signature is refused without an exception', async () => {
  await refusedAs(
    door.send(inbound, { ...sign('msg_1'), 'webhook-signature': 'v1,abc' }, body),
    400,
    'signature_invalid',
  )
})

test('W10: a non-ASCII signature is refused, also at the Stripe address', async () => {
  const latin = 'é'.repeat(44)
  const headers = { ...sign('msg_1'), 'webhook-signature': `v1,${latin}` }
  await refusedAs(door.send(inbound, headers, body), 400, 'signature_invalid')
  await ground.rows('truncate connection_secret')
  await ground.addSecret(stripeSecret, 0)
  await ground.clock.advance(6 * second)
  const event = stripeEvent('evt_1')
  for (const [value, code] of [
    [`t=${nowS()},v1=${'é'.repeat(64)}`, 'signature_invalid'],
    [`t=${nowS()},v1=`, 'signature_invalid'],
    ['garbage', 'signature_malformed'],
  ] as const)
    await refusedAs(door.send('/api/stripe/webhook', { 'stripe-signature': value }, event), 400, code, value)
})

test('W11: a signature header that stands twice is refused', async () => {
  const { 'webhook-signature': signature = '', ...rest } = sign('msg_1')
  await refusedAs(
    door.send(inbound, { ...rest, 'webhook-signature': [signature, signature] }, body),
    400,
    'signature_missing',
  )
  const { 'webhook-id': _, ...without } = sign('msg_1')
  await refusedAs(door.send(inbound, without, body), 400, 'signature_missing')
})

test('W12: a dot in the id is malformed', async () => {
  await refusedAs(door.send(inbound, { ...sign('msg_1'), 'webhook-id': 'a.b' }, body), 400, 'signature_malformed')
})

test('W13: an HMAC value under the name of the other scheme is refused', async () => {
  const headers = sign('msg_1')
  const signature = (headers['webhook-signature'] ?? '').replace('v1,', 'v1a,')
  await refusedAs(door.send(inbound, { ...headers, 'webhook-signature': signature }, body), 400, 'signature_invalid')
})

test('W14: an empty or short secret of ours lets nobody in', async () => {
  for (const secret of ['whsec_', 'whsec_c2hvcnQ=', '']) {
    await ground.rows('truncate connection_secret')
    await ground.addSecret(secret, 0)
    await refusedAs(door.send(inbound, sign('msg_1'), body), 422, 'secret_weak')
  }
  await ground.rows('truncate connection_secret')
  await refusedAs(door.send(inbound, sign('msg_1'), body), 422, 'secret_weak', 'no secret at all')
})

const megabyte = Buffer.alloc(1024 * 1024, 0x20)

/** A door whose verifier tells whether it was asked: nothing that is refused early may be hashed. */
async function watched(
  run: (send: Door['send'], asked: () => number, raw: Door['raw']) => Promise<void>,
): Promise<void> {
  let asked = 0
  const other = await openDoor(ground, {
    standard: () => {
      asked += 1
      return { ok: false, reason: 'signature_invalid' }
    },
  })
  try {
    await run(other.send, () => asked, other.raw)
  } finally {
    await other.close()
  }
}

test('W17: a megabyte is refused before hashing, announced or chunked', async () => {
  await watched(async (send, asked) => {
    const announced = await send(inbound, sign('msg_1'), megabyte)
    assert.deepEqual([announced.status, announced.json.error?.code], [413, 'body_too_large'])
    assert.equal(announced.json.error?.limit, 256 * 1024)
    const chunks = Array.from({ length: 16 }, (_, i) => megabyte.subarray(i * 65_536, (i + 1) * 65_536))
    const chunked = await send(inbound, { ...sign('msg_1'), 'transfer-encoding': 'chunked' }, chunks)
    assert.deepEqual([chunked.status, chunked.json.error?.code], [413, 'body_too_large'])
    assert.equal(asked(), 0)
    await send(inbound, sign('msg_1'), megabyte.subarray(0, 256 * 1024))
    assert.equal(asked(), 1, 'the limit itself is allowed')
  })
})

test('W17: a content-length that lies neither crashes nor lets more in', async () => {
  await watched(async (_, asked, raw) => {
    const head = `POST ${inbound} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`
    const short = await raw(`${head}content-length: 2\r\n\r\n{}${'x'.repeat(2_000)}`)
    assert.match(short, /^HTTP\/1\.1 4\d\d/)
    assert.match(await raw(`${head}content-length: 99999999999\r\n\r\n{}`), /^HTTP\/1\.1 413/)
    assert.match(await raw(`${head}content-length: -1\r\n\r\n{}`), /^HTTP\/1\.1 400/)
    assert.match(
      await raw(`${head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
      /^HTTP\/1\.1 400/,
    )
    assert.ok(asked() <= 1)
  })
})

test('W17: a compressed body is refused before it is read', async () => {
  await watched(async (send, asked) => {
    for (const encoding of ['gzip', 'br', 'deflate, gzip', 'x']) {
      const answer = await send(inbound, { ...sign('msg_1'), 'content-encoding': encoding }, megabyte)
      assert.deepEqual([answer.status, answer.json.error?.code], [415, 'encoding_unsupported'], encoding)
      assert.equal(answer.headers.connection, 'close')
    }
    assert.equal(asked(), 0)
  })
})

test('a full queue answers 503 with Retry-After, and the same delivery is stored when it comes again', async () => {
  let full = true
  const accept = async () => {
    if (full) throw new CodedError('overloaded', undefined, { retryAfter: 5 })
    return 'stored' as const
  }
  const other = await openDoor(ground, { intake: { accept } })
  try {
    const first = await other.send(inbound, sign('msg_1'), body)
    assert.deepEqual([first.status, first.json.error?.code, first.headers['retry-after']], [503, 'overloaded', '5'])
    assert.equal(other.refused.length, 0, 'not the sender’s fault')
    full = false
    assert.equal((await other.send(inbound, sign('msg_1'), body)).status, 200)
  } finally {
    await other.close()
  }
})

test('a verifier that throws is a refusal and an error in our log, without the bytes', async () => {
  const other = await openDoor(ground, {
    standard: (delivery) => {
      throw new RangeError(`cannot read ${delivery.body.toString()}`)
    },
  })
  try {
    await refusedAs(other.send(inbound, sign('msg_1'), body), 400, 'body_unreadable')
    assert.ok(ground.logged.some((l) => l.level === 'error' && l.message === 'a webhook verifier threw'))
    assert.ok(!JSON.stringify(ground.logged).includes('course.completed'))
  } finally {
    await other.close()
  }
})
