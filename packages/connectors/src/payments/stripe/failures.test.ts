import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { hour } from '@bursar/kit/clock.ts'
import type { Failure } from '#failure.ts'
import type { Fault } from '#simulator/faults.ts'
import { createStripe } from './index.ts'
import { inspectWebhookSecret } from './probe.ts'
import { type Stage, stageStripe, testKey, value } from './testing.ts'

let stage: Stage
let price: string
before(async () => {
  stage = await stageStripe()
  price = stage.sim.addPrice({ name: 'Course', amount: 1000 }).id
})
after(() => stage.close())
afterEach(() => {
  stage.sim.faults.clear()
  stage.calls.length = 0
})

const request = (idempotencyKey: string, extra: object = {}) => ({
  ui: 'hosted_page' as const,
  mode: 'payment' as const,
  lines: [{ priceId: price, quantity: 1 }],
  successUrl: 'https://hub.example/ok',
  cancelUrl: 'https://hub.example/no',
  metadata: {},
  idempotencyKey,
  ...extra,
})

async function under(fault: Fault): Promise<Failure> {
  stage.sim.faults.set([fault])
  stage.sim.clearLog()
  const outcome = await stage.stripe.createCheckout(request(`fault ${JSON.stringify(fault)}`))
  assert.ok(!outcome.ok)
  assert.equal(stage.sim.log().length, 1, 'one request: the SDK does not retry by itself')
  assert.deepEqual(stage.calls.at(-1)?.failure, outcome.failure, 'the call record tells the same failure')
  return outcome.failure
}

test('Each way to fail is the decision it calls for', async () => {
  const rateLimit = { error: { message: 'Too many', type: 'invalid_request_error', code: 'rate_limit' } }
  const limited = await under({ kind: 'status', status: 429, body: rateLimit, headers: { 'retry-after': '7' } })
  assert.deepEqual([limited.class, limited.retryAfterMs, limited.uncertain], ['rate_limited', 7_000, undefined])

  const down = await under({ kind: 'status', status: 503, body: { error: { message: 'Down', type: 'api_error' } } })
  assert.deepEqual([down.class, down.status, down.uncertain], ['unavailable', 503, true])

  const locked = await under({
    kind: 'status',
    status: 429,
    body: { error: { message: 'Locked', type: 'invalid_request_error', code: 'lock_timeout' } },
  })
  assert.deepEqual([locked.class, locked.code, locked.retryAfterMs], ['rate_limited', 'stripe.lock_timeout', 1_000])

  for (const kind of ['html', 'truncate'] as const) {
    const strange = await under({ kind })
    assert.equal(strange.class, 'unavailable', kind)
    assert.equal(strange.uncertain, true, kind)
  }
  for (const kind of ['reset', 'reset_after_commit'] as const) {
    const lost = await under({ kind })
    assert.deepEqual([lost.class, lost.code, lost.uncertain], ['unavailable', 'stripe.reset', true], kind)
  }
})

test('A refused key is unauthorized and does not appear in the message or the record', async () => {
  const key = 'sk_test_wrongwrongwrongwrongwrong'
  const stranger = createStripe({ secretKey: key, apiBase: stage.sim.url }, stage.io)
  const outcome = await stranger.read({ kind: 'checkout', externalId: 'cs_test_1' })
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.failure.class, outcome.failure.status], ['unauthorized', 401])
  assert.ok(!JSON.stringify([outcome.failure, stage.calls]).includes('wrongwrong'))
})

test('A parameter Stripe refuses is invalid and named', async () => {
  const outcome = await stage.stripe.createCheckout(
    request('bad price', { lines: [{ priceId: 'price_no', quantity: 1 }] }),
  )
  assert.ok(!outcome.ok)
  assert.deepEqual(
    [outcome.failure.class, outcome.failure.code, outcome.failure.field],
    ['invalid', 'stripe.resource_missing', 'line_items[0][price]'],
  )
})

test('A refund that goes too far is a conflict or invalid; one Stripe cannot express is never sent', async () => {
  const { externalId } = value(await stage.stripe.createCheckout(request('refunds')))
  stage.sim.pay({ session: externalId })
  const paymentId = stage.sim.truth().payments.at(-1)?.paymentIntent ?? ''
  const refund = (amount: bigint | undefined, currency: string, idempotencyKey: string) =>
    stage.stripe.refund({
      paymentId,
      currency,
      metadata: {},
      idempotencyKey,
      ...(amount === undefined ? {} : { amount }),
    })
  const codeOf = async (outcome: ReturnType<typeof refund>) => {
    const found = await outcome
    return found.ok ? 'ok' : `${found.failure.class} ${found.failure.code}`
  }
  assert.equal(await codeOf(refund(5_000n, 'USD', 'r1')), 'invalid stripe.invalid_request_error')
  stage.calls.length = 0
  assert.equal(await codeOf(refund(5_001n, 'KWD', 'r2')), 'invalid stripe.amount_not_representable')
  assert.equal(stage.calls.length, 0)
  assert.equal(await codeOf(refund(undefined, 'USD', 'r3')), 'ok')
  assert.equal(await codeOf(refund(undefined, 'USD', 'r4')), 'conflict stripe.charge_already_refunded')
})

test('L5: the answer is lost after the work; the same key finds the same refund and no second one', async () => {
  const { externalId } = value(await stage.stripe.createCheckout(request('lost answer')))
  stage.sim.pay({ session: externalId })
  const paymentId = stage.sim.truth().payments.at(-1)?.paymentIntent ?? ''
  const refund = () =>
    stage.stripe.refund({ paymentId, amount: 400n, currency: 'USD', metadata: {}, idempotencyKey: 'refund:lost:v1' })
  stage.sim.faults.set([{ kind: 'reset_after_commit', times: 1 }])
  const lost = await refund()
  assert.ok(!lost.ok && lost.failure.uncertain === true)
  const again = value(await refund())
  const all = stage.sim.truth().refunds.filter((r) => r.paymentIntent === paymentId)
  assert.deepEqual(
    all.map((r) => [r.refund, r.amount]),
    [[again.externalId, 400]],
  )
})

test('A key used with other parameters is a conflict, and a stored 500 stays a 500', async () => {
  value(await stage.stripe.createCheckout(request('same key')))
  const mismatch = await stage.stripe.createCheckout(request('same key', { email: 'other@example.com' }))
  assert.ok(!mismatch.ok)
  assert.deepEqual([mismatch.failure.class, mismatch.failure.code], ['conflict', 'stripe.idempotency_error'])

  stage.sim.failAfterWork(1)
  const before = stage.sim.truth().checkouts.length
  for (let i = 0; i < 2; i++) {
    const failed = await stage.stripe.createCheckout(request('stored failure'))
    assert.ok(!failed.ok)
    assert.deepEqual([failed.failure.class, failed.failure.uncertain], ['unavailable', true])
  }
  assert.equal(stage.sim.truth().checkouts.length, before + 1)
})

test('A key is forgotten after a day: who repeats later must look first', async () => {
  const first = value(await stage.stripe.createCheckout(request('old key')))
  await stage.clock.advance(24 * hour)
  assert.deepEqual(value(await stage.stripe.createCheckout(request('old key'))), first)
  await stage.clock.advance(1)
  assert.notEqual(value(await stage.stripe.createCheckout(request('old key'))).externalId, first.externalId)
})

test('Our own budget holds a call back before it is made', async () => {
  const limited = createStripe(
    { secretKey: testKey, apiBase: stage.sim.url },
    { ...stage.io, acquire: async () => ({ ok: false, retryAfterMs: 1_234 }) },
  )
  stage.sim.clearLog()
  const outcome = await limited.read({ kind: 'checkout', externalId: 'cs_test_1' })
  assert.ok(!outcome.ok)
  assert.deepEqual(
    [outcome.failure.class, outcome.failure.retryAfterMs, outcome.failure.unsent],
    ['rate_limited', 1_234, true],
  )
  assert.equal(stage.sim.log().length, 0)
})

test('A call says its version and key, and nothing about the machine it comes from', async () => {
  const sent: Readonly<Record<string, string>>[] = []
  const watched = createStripe(
    { secretKey: testKey, apiBase: stage.sim.url, account: 'acct_1' },
    {
      ...stage.io,
      http: (call) => {
        sent.push(call.headers ?? {})
        return stage.io.http(call)
      },
    },
  )
  await watched.read({ kind: 'payment', externalId: 'pi_unknown' })
  assert.deepEqual(sent, [
    {
      Accept: 'application/json',
      Authorization: `Bearer ${testKey}`,
      'Content-Type': 'application/x-www-form-urlencoded',
      'Stripe-Account': 'acct_1',
      'Stripe-Version': '2026-10-28.endive',
    },
  ])
})

test('Call records name method and path, without the query', async () => {
  await stage.stripe.read({ kind: 'payment', externalId: 'pi_unknown' })
  const call = stage.calls.at(-1)
  assert.deepEqual([call?.method, call?.path, call?.status], ['GET', '/v1/payment_intents/pi_unknown', 404])
})

test('A bug of ours is thrown on, not dressed up as a failure of Stripe', () => {
  assert.throws(() => stage.stripe.classify(new TypeError('ours')), TypeError)
})

test('The probe tells the mode, the rights and the missing events', async () => {
  const good = await stage.stripe.probe()
  assert.equal(good.usable, true)
  assert.deepEqual(
    good.findings.map((finding) => [finding.code, finding.level]),
    [
      ['stripe.mode', 'ok'],
      ['stripe.key', 'ok'],
      ['stripe.webhook_events', 'ok'],
    ],
  )
  const crossed = await createStripe({ secretKey: testKey, apiBase: stage.sim.url, livemode: true }, stage.io).probe()
  assert.equal(crossed.usable, false)
  stage.sim.faults.set([
    {
      kind: 'status',
      path: '/v1/events',
      status: 403,
      body: { error: { message: 'No right', type: 'invalid_request_error' } },
    },
  ])
  const restricted = await stage.stripe.probe()
  assert.deepEqual(
    restricted.findings.filter((finding) => finding.level === 'problem').map((finding) => finding.code),
    ['stripe.right_events'],
  )
})

test('A signing secret is told from an API key and from half a secret', () => {
  const levels = [
    'whsec_0123456789abcdef0123456789',
    'sk_test_0123456789abcdef012345',
    'whsec_short',
    'abc',
    'whsec_0123456789 abcdef0123456',
  ]
  assert.deepEqual(
    levels.map((secret) => inspectWebhookSecret(secret).level),
    ['ok', 'problem', 'problem', 'problem', 'problem'],
  )
})
