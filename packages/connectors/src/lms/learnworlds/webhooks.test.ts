import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { control, failureOf, schools, type TestSchool, value } from './testing.ts'

const school = schools(afterEach)
let closers: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closers.map((close) => close()))
  closers = []
})

type Received = { readonly headers: IncomingHttpHeaders; readonly body: Buffer }

/** Somebody's endpoint: keeps what arrives and answers with the status it is told. */
async function endpoint() {
  const received: Received[] = []
  let status = 200
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    received.push({ headers: req.headers, body: Buffer.concat(chunks) })
    res.writeHead(status).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/in`,
    received,
    types: () => received.map((r) => (JSON.parse(r.body.toString()) as { type: string }).type),
    answer: (next: number) => {
      status = next
    },
  }
}

const webhooks = (s: TestSchool) => s.connector.webhooks ?? assert.fail()

async function learn(s: TestSchool) {
  const user = 'amira.haddad@example.com'
  await control(s, 'enroll', { user, course: 'menu-pricing' })
  await control(s, `learners/${user}/complete`, { course: 'menu-pricing', certificate: true })
  await control(s, 'unenroll', { user, course: 'menu-pricing' })
}

test('what happens in the school is sent when told, and the connector believes and reads it', async () => {
  const there = await endpoint()
  const s = await school({ webhooks: { target: there.url } })
  await learn(s)
  assert.equal(there.received.length, 0)
  await control(s, 'webhooks/flush')
  assert.deepEqual(there.types(), [
    'productBought',
    'courseCompleted',
    'awardedCertificate',
    'userUnenrolledFromProduct',
  ])
  const account = s.simulator.school().userByEmail.get('amira.haddad@example.com')
  const course = { kind: 'course', externalId: 'menu-pricing' }
  const hints = there.received.flatMap((r) => {
    assert.equal(webhooks(s).authenticate(r, [s.simulator.webhookToken]), 'shared_secret')
    return value(webhooks(s).parse(r)).hints
  })
  assert.deepEqual(hints, [
    { kind: 'enrollment_changed', account, course, ours: null },
    { kind: 'progress_changed', account, course },
    { kind: 'certificate_changed', account, course },
    { kind: 'enrollment_changed', account, course, ours: null },
  ])
  await control(s, 'webhooks/flush')
  assert.equal(there.received.length, 4, 'what is delivered is not sent again')
})

test('F24: the dummy without a header, a wrong token, a doubled header and a strange school are refused', async () => {
  const there = await endpoint()
  const s = await school({ webhooks: { target: there.url } })
  await control(s, 'webhooks/dummy')
  await learn(s)
  await control(s, 'webhooks/flush')
  const [dummy, genuine] = there.received
  const token = s.simulator.webhookToken
  const { authenticate } = webhooks(s)
  assert.equal(authenticate(dummy ?? assert.fail(), [token]), 'refused')
  const good = genuine ?? assert.fail()
  const header = `v1=${token}`
  const withHeader = (value: string | string[]) => ({ ...good, headers: { 'Learnworlds-Webhook-Signature': value } })
  assert.equal(authenticate(withHeader(header), [token]), 'shared_secret')
  assert.equal(authenticate(withHeader(header), [`v1=${token}`]), 'shared_secret', 'pasted with its prefix')
  assert.equal(authenticate(withHeader(token), [token]), 'refused', 'no version')
  assert.equal(authenticate(withHeader([header, header]), [token]), 'refused')
  assert.equal(authenticate(withHeader(`v1=${token}x`), [token]), 'refused')
  assert.equal(authenticate(withHeader('v1='), ['']), 'refused')
  const foreign = Buffer.from(good.body.toString().replace(s.simulator.clientId, 'ffffffffffffffffffffffff'))
  assert.equal(authenticate({ ...good, body: foreign }, [token]), 'refused')
})

test('a body that is not an event is refused with a reason', async () => {
  const s = await school()
  const failure = failureOf(webhooks(s).parse({ headers: {}, body: Buffer.from('<html>') }))
  assert.deepEqual([failure.class, failure.code], ['invalid', 'learnworlds.webhook_unreadable'])
})

test('F4: copies have one key, and reversed or shuffled order loses nothing', async () => {
  const there = await endpoint()
  const s = await school({ webhooks: { target: there.url } })
  await learn(s)
  await control(s, 'webhooks/flush', { copies: 3, order: 'reversed' })
  assert.equal(there.received.length, 12)
  assert.equal(there.types()[0], 'userUnenrolledFromProduct')
  const keys = new Set(there.received.map((r) => value(webhooks(s).parse(r)).dedupeKey))
  assert.equal(keys.size, 4)
})

test('a refused delivery comes again after 1, 2 and 4 minutes', async () => {
  const there = await endpoint()
  const s = await school({ webhooks: { target: there.url } })
  await control(s, 'users', { email: 'n@example.com', username: 'N' })
  there.answer(500)
  for (const [minutes, attempts] of [
    [0, 1],
    [0.9, 1],
    [0.1, 2],
    [1.9, 2],
    [0.1, 3],
  ] as const) {
    await s.clock.advance(minutes * 60_000)
    await s.simulator.webhooks.flush()
    assert.equal(there.received.length, attempts)
  }
  there.answer(200)
  await s.clock.advance(4 * 60_000)
  assert.deepEqual(await s.simulator.webhooks.flush(), { sent: 1, failed: 0 })
})

test('with autoSend a delivery leaves by itself, and a delayed one when its time comes', async () => {
  const there = await endpoint()
  const s = await school({ webhooks: { target: there.url, autoSend: true } })
  await control(s, 'users', { email: 'n@example.com', username: 'N' })
  await s.simulator.webhooks.settled()
  assert.deepEqual(there.types(), ['userUpdated'])
  await control(s, 'webhooks', { delayMs: 30_000 })
  await control(s, 'users', { email: 'o@example.com', username: 'O' })
  assert.equal(there.received.length, 1)
  await s.clock.advance(30_000)
  await s.simulator.webhooks.settled()
  assert.equal(there.received.length, 2)
})

test('a grant of ours comes back as an echo with our key', async () => {
  const s = await school()
  const account = s.simulator.school().userByEmail.get('amira.haddad@example.com') ?? assert.fail()
  const course = { kind: 'course', externalId: 'menu-pricing' } as const
  value(await (s.connector.entitlements ?? assert.fail()).grant({ account, course, key: 'hub:g7', uncertain: false }))
  const body = Buffer.from(s.simulator.webhooks.list().at(-1)?.body ?? '')
  const { hints } = value(webhooks(s).parse({ headers: {}, body }))
  assert.deepEqual(hints, [{ kind: 'enrollment_changed', account, course, ours: 'hub:g7' }])
})

test('a subscription comes with its user nested, a finished bundle as a learning program', async () => {
  const s = await school({ variants: { requests: 0 } })
  const user = 'amira.haddad@example.com'
  const account = s.simulator.school().userByEmail.get(user) ?? assert.fail()
  await control(s, 'enroll', { user, subscription: 'all-courses' })
  await control(s, 'enroll', { user, bundle: 'baker-bundle' })
  for (const course of ['sourdough-basics', 'pastry-foundations'])
    await control(s, `learners/${user}/complete`, { course })
  const read = s.simulator.webhooks
    .list()
    .map((d) => value(webhooks(s).parse({ headers: {}, body: Buffer.from(d.body) })))
  const hintFor = (type: string) => read.filter((d) => d.type === type).map((d) => d.hints[0])
  const plan = { kind: 'subscription', externalId: 'all-courses' }
  assert.deepEqual(hintFor('subscriptionPaymentPlanBought'), [
    { kind: 'enrollment_changed', account, course: plan, ours: null },
  ])
  const program = { kind: 'program', externalId: 'baker-bundle' }
  assert.deepEqual(hintFor('learningProgramCompleted'), [{ kind: 'progress_changed', account, course: program }])
})
