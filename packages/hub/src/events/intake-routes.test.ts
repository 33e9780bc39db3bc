import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { hour, minute, second } from '@bursar/kit/clock.ts'
import { type Door, openDoor, stripeEvent, stripeHeaders, stripeSecret } from './door-testing.ts'
import { createGround, type Ground } from './testing.ts'

let ground: Ground
let door: Door
before(async () => {
  ground = await createGround()
})
beforeEach(async () => {
  await ground.clear()
  await ground.clock.advance(hour)
  await ground.addSecret(stripeSecret, 0)
  door = await openDoor(ground)
})
after(() => ground.close())

const path = () => `/api/stripe/webhook/${ground.connection}`
const count = async () => (await ground.rows<{ n: bigint }>('select count(*) as n from inbound_event'))[0]?.n
const withDoor = (name: string, run: () => Promise<void>) =>
  test(name, async () => {
    try {
      await run()
    } finally {
      await door.close()
    }
  })

withDoor('F2: a signed event is answered 200 only when it is stored with its job', async () => {
  const body = stripeEvent('evt_1')
  const answer = await door.send(path(), stripeHeaders(body, ground.clock.now()), body)
  assert.deepEqual([answer.status, answer.json], [200, { received: true, duplicate: false }])
  const [row] = await ground.rows<Record<string, unknown>>(
    'select e.*, p.body, p.headers from inbound_event e join inbound_payload p on p.event_id = e.id',
  )
  assert.deepEqual(row?.body, body)
  assert.deepEqual(Object.keys(row?.headers as object).sort(), ['content-type', 'stripe-signature'])
  assert.deepEqual(
    [row?.source, row?.external_id, row?.type, row?.form, row?.livemode, row?.connection_id, row?.organization_id],
    [
      `stripe:${ground.connection}:live`,
      'evt_1',
      'customer.created',
      'snapshot',
      true,
      ground.connection,
      ground.organization,
    ],
  )
  assert.match(String(row?.trace_id), /^trc_/)
  assert.equal((await ground.jobs()).length, 1)
  const again = await door.send('/api/stripe/webhook', stripeHeaders(body, ground.clock.now()), body)
  assert.deepEqual([again.status, again.json], [200, { received: true, duplicate: true }])
})

withDoor('F4: fifty deliveries over HTTP at once have one effect', async () => {
  const body = stripeEvent('evt_1')
  const headers = stripeHeaders(body, ground.clock.now())
  const answers = await Promise.all(Array.from({ length: 50 }, () => door.send(path(), headers, body)))
  assert.ok(answers.every((a) => a.status === 200))
  assert.equal(answers.filter((a) => a.json.duplicate === false).length, 1)
  assert.equal((await ground.jobs()).length, 1)
})

withDoor(
  'F24: unsigned, wrongly signed and replayed deliveries are refused, stored nowhere and alarm once',
  async () => {
    const body = stripeEvent('evt_1')
    const now = ground.clock.now()
    const good = stripeHeaders(body, now)
    const cases: [string, Record<string, string>, Buffer, string][] = [
      ['a: no signature', { 'content-type': 'application/json' }, body, 'signature_missing'],
      ['b: a signature over other bytes', good, stripeEvent('evt_2'), 'signature_invalid'],
      [
        'b: signed with another secret',
        stripeHeaders(body, now, 'whsec_somebody_elses_secret_00'),
        body,
        'signature_invalid',
      ],
      [
        'c: replayed with a fresh timestamp',
        { 'stripe-signature': (good['stripe-signature'] ?? '').replace(/t=\d+/, `t=${Math.floor(now / 1000) + 60}`) },
        body,
        'signature_invalid',
      ],
    ]
    for (const [name, headers, bytes, code] of cases) {
      const answer = await door.send(path(), headers, bytes)
      assert.deepEqual([answer.status, answer.json.error?.code], [400, code], name)
      assert.match(answer.json.error?.traceId ?? '', /^trc_/)
    }
    assert.equal(await count(), 0n)
    assert.deepEqual(
      door.refused.map((r) => [r.reason, r.source]),
      [
        ['signature_missing', `stripe:${ground.connection}`],
        ['signature_invalid', `stripe:${ground.connection}`],
      ],
    )
    assert.ok(!JSON.stringify([ground.logged, door.refused]).includes('evt_'), 'no body in logs or alerts')
  },
)

withDoor('W15: both secrets work during a rotation; after it the retired one is refused and named', async () => {
  const start = ground.clock.now()
  await ground.rows('truncate connection_secret')
  const old = await ground.addSecret('whsec_old_old_old_old_old_old_old', 0, start + 72 * hour)
  await ground.addSecret('whsec_new_new_new_new_new_new_new', start)
  const sendWith = async (id: string, secret: string) => {
    const body = stripeEvent(id)
    return door.send(path(), stripeHeaders(body, ground.clock.now(), secret), body)
  }
  assert.equal((await sendWith('evt_1', 'whsec_old_old_old_old_old_old_old')).status, 200)
  assert.equal((await sendWith('evt_2', 'whsec_new_new_new_new_new_new_new')).status, 200)
  await ground.clock.advance(72 * hour)
  const late = await sendWith('evt_3', 'whsec_old_old_old_old_old_old_old')
  assert.deepEqual([late.status, late.json.error?.code], [400, 'signature_invalid'])
  assert.equal((await sendWith('evt_4', 'whsec_new_new_new_new_new_new_new')).status, 200)
  assert.deepEqual(
    door.refused.map((r) => r.keyId),
    [old],
  )
})

withDoor('a new secret counts within five seconds', async () => {
  const body = stripeEvent('evt_1')
  const secret = 'whsec_added_while_running_000000'
  const send = () => door.send(path(), stripeHeaders(body, ground.clock.now(), secret), body)
  assert.equal((await send()).status, 400)
  await ground.addSecret(secret, 0)
  await ground.clock.advance(5 * second)
  assert.equal((await send()).status, 200)
})

withDoor('a test event at a live endpoint is refused', async () => {
  const body = stripeEvent('evt_1', { livemode: false })
  const answer = await door.send(path(), stripeHeaders(body, ground.clock.now()), body)
  assert.deepEqual([answer.status, answer.json.error?.code], [400, 'livemode_mismatch'])
  assert.equal(await count(), 0n)
})

withDoor('an unknown or malformed connection is not found', async () => {
  const body = stripeEvent('evt_1')
  const headers = stripeHeaders(body, ground.clock.now())
  for (const id of [ground.ids.next('con'), 'con_x', "'--", '%00']) {
    const answer = await door.send(`/api/stripe/webhook/${id}`, headers, body)
    assert.deepEqual([answer.status, answer.json.error?.code], [404, 'not_found'], id)
  }
})

withDoor('other methods are told which one works', async () => {
  const text = await door.raw(`GET /api/stripe/webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  assert.match(text, /^HTTP\/1\.1 405/)
  assert.match(text, /allow: POST/i)
  assert.match(text, /method_not_allowed/)
})

withDoor('the webhook parser stays with the webhooks: other routes still get JSON', async () => {
  const text = Buffer.from('{"a":1}')
  const answer = await door.send('/json', { 'content-type': 'application/json' }, text)
  assert.deepEqual(answer.json, { a: 1 })
})

withDoor('every content type arrives as raw bytes, with or without a charset', async () => {
  for (const [i, type] of [
    'application/json; charset=utf-16',
    'text/plain',
    'application/x-www-form-urlencoded',
  ].entries()) {
    const body = stripeEvent(`evt_${i}`)
    const headers = { ...stripeHeaders(body, ground.clock.now()), 'content-type': type }
    assert.equal((await door.send(path(), headers, body)).status, 200, type)
  }
  const body = stripeEvent('evt_none')
  const { 'stripe-signature': signature } = stripeHeaders(body, ground.clock.now())
  assert.equal((await door.send(path(), { 'stripe-signature': signature ?? '' }, body)).status, 200)
})

withDoor('a signed body that is not UTF-8 or not an event is unreadable', async () => {
  const bodies = [Buffer.from([0xff, 0xfe, 0x7b]), Buffer.from(''), Buffer.from('null'), Buffer.from('{"id":1}')]
  for (const body of bodies) {
    const answer = await door.send(path(), stripeHeaders(body, ground.clock.now()), body)
    assert.deepEqual([answer.status, answer.json.error?.code], [400, 'body_unreadable'], body.toString('hex'))
  }
})

withDoor('garbage in content-type and empty deliveries are answered with a coded 4xx', async () => {
  const answers = [
    await door.send(path(), { 'content-type': ';;;' }, stripeEvent('evt_1')),
    await door.send(path(), { 'content-type': 'é'.repeat(10) }, stripeEvent('evt_1')),
    await door.send(path(), {}, Buffer.alloc(0)),
  ]
  for (const answer of answers) {
    assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status))
    assert.equal(typeof answer.json.error?.code, 'string')
  }
})

withDoor('W16: numbers keep their spelling, because the verifier sees the raw bytes', async () => {
  const body = Buffer.from(
    stripeEvent('evt_1').toString().replace('"cus_1"', '"cus_1","a":10.00,"b":12345678901234567890'),
  )
  assert.notEqual(JSON.stringify(JSON.parse(body.toString())), body.toString())
  assert.equal((await door.send(path(), stripeHeaders(body, ground.clock.now()), body)).status, 200)
  const [row] = await ground.rows<{ body: Buffer }>('select body from inbound_payload')
  assert.deepEqual(row?.body, body)
  const remade = Buffer.from(JSON.stringify(JSON.parse(body.toString())))
  const answer = await door.send(path(), stripeHeaders(body, ground.clock.now()), remade)
  assert.equal(answer.json.error?.code, 'signature_invalid')
})

withDoor('refusals are logged once a minute per reason, with their count', async () => {
  const body = stripeEvent('evt_1')
  const refuse = () => door.send(path(), {}, body)
  await refuse()
  await refuse()
  await refuse()
  assert.equal(door.refused.length, 1)
  await ground.clock.advance(minute)
  await refuse()
  assert.deepEqual(
    door.refused.map((r) => r.count),
    [1, 3],
  )
})

withDoor('an address that is refused too often is told to wait, and its good deliveries still pass', async () => {
  const body = stripeEvent('evt_1')
  for (let i = 0; i < 600; i++) assert.equal((await door.send(path(), {}, body)).status, 400)
  const limited = await door.send(path(), {}, body)
  assert.deepEqual([limited.status, limited.json.error?.code], [429, 'rate_limited'])
  assert.equal(limited.headers['retry-after'], '60')
  assert.equal((await door.send(path(), stripeHeaders(body, ground.clock.now()), body)).status, 200)
  await ground.clock.advance(minute)
  assert.equal((await door.send(path(), {}, body)).status, 400)
})
