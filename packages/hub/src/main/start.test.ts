import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp, type HttpClient } from '@bursar/kit/http.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { testDatabase } from '#db/testing.ts'
import { freePort, type Program, postgresOf, processesOf, stage } from './start-testing.ts'

const on = stage()
let http: HttpClient
before(() => {
  http = createHttp({ clock: systemClock, random: secureRandom, guard: createGuard({ allowLoopback: true }) })
})
after(async () => {
  await on.clean()
  await http.close()
})

const demo = async () => ({ PORT: String(await freePort()) })
const key = () => randomBytes(32).toString('base64url')

async function get<T>(url: string): Promise<{ readonly status: number; readonly body: T }> {
  const outcome = await http({ method: 'GET', url, headers: { accept: 'application/json' } })
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.failure.message)
  return { status: outcome.response.status, body: JSON.parse(outcome.response.body.toString()) as T }
}

async function post(url: string, body: unknown): Promise<void> {
  const outcome = await http({ method: 'POST', url, body: JSON.stringify(body) })
  assert.ok(outcome.ok && outcome.response.status === 200)
}

type Sandbox = {
  readonly simulators: readonly { readonly name: string; readonly url: string }[]
  readonly prices: readonly { readonly name: string; readonly price: string }[]
}
type School = { readonly users: readonly { readonly email: string }[]; readonly enrollments: readonly object[] }

const sandboxOf = async (hub: Program): Promise<Sandbox> => (await get<Sandbox>(`${hub.url}/sandbox`)).body
const simulator = (sandbox: Sandbox, name: string): string => sandbox.simulators.find((s) => s.name === name)?.url ?? ''
const schoolOf = async (hub: Program): Promise<School> =>
  (await get<School>(`${simulator(await sandboxOf(hub), 'learnworlds')}/_sim/state`)).body

async function buy(folder: string, email: string): Promise<{ readonly orderId: string; readonly checkoutId: string }> {
  const { code, out, err } = await on.bursar(folder, ['demo', 'purchase', '--json', '--email', email])
  assert.equal(code, 0, out + err)
  assert.equal(out.trimEnd().split('\n').length, 1)
  return JSON.parse(out) as { orderId: string; checkoutId: string }
}

async function seatsOf(folder: string, email: string): Promise<readonly string[]> {
  const { code, out, err } = await on.bursar(folder, ['timeline.get', '--json', '--email', email])
  assert.equal(code, 0, out + err)
  return (JSON.parse(out) as { seats: { kind: string }[] }).seats.map((seat) => seat.kind)
}

test('a demo lives: ready, remembers over a stop and over kill -9, and leaves nothing running', async () => {
  const folder = await on.folder()
  const env = await demo()
  const first = await on.start(folder, env)
  const before = await sandboxOf(first)
  await buy(folder, 'ada@learner.example')
  assert.deepEqual(await first.end('SIGINT').then(({ code, err }) => ({ code, err })), { code: 0, err: '' })
  assert.equal(await postgresOf(folder), null)
  assert.deepEqual(await processesOf(folder), [])

  const second = await on.start(folder, env)
  assert.deepEqual(await sandboxOf(second), before, 'the same ports, the same prices')
  assert.deepEqual(await seatsOf(folder, 'ada@learner.example'), ['open'])
  assert.ok((await schoolOf(second)).users.some((u) => u.email === 'ada@learner.example'))
  await buy(folder, 'bea@learner.example')
  // What is asked of the simulators last is written down within a second.
  await systemClock.sleep(0.6 * 1_000)
  await second.end('SIGKILL')
  assert.notEqual(await postgresOf(folder), null, 'the database of a killed program goes on')

  const third = await on.start(folder, env)
  assert.deepEqual(await sandboxOf(third), before)
  assert.deepEqual(await seatsOf(folder, 'bea@learner.example'), ['open'])
  const school = await schoolOf(third)
  assert.equal(school.enrollments.length, 2)
  await third.end('SIGTERM')
  assert.deepEqual(await processesOf(folder), [])
})

test('a payment made while the hub was away opens its seat at the next start', async () => {
  const folder = await on.folder()
  const env = await demo()
  const first = await on.start(folder, env)
  const { prices, ...rest } = await sandboxOf(first)
  const stripe = simulator({ prices, ...rest }, 'stripe')
  const asked = await on.bursar(folder, [
    'orders.create_checkout',
    '--json',
    '--input',
    JSON.stringify({ lines: [{ priceId: prices[0]?.price }], successUrl: `${stripe}/done`, cancelUrl: first.url }),
  ])
  const { checkoutId } = JSON.parse(asked.out) as { checkoutId: string }
  // Deliveries go nowhere, as if the hub were not there.
  await post(`${stripe}/_sim/webhook`, {
    url: `http://127.0.0.1:${await freePort()}/`,
    secret: 'whsec_0123456789abcdef',
  })
  await post(`${stripe}/_sim/pay`, { session: checkoutId, email: 'dee@learner.example' })
  await first.end('SIGTERM')
  await on.start(folder, env)
  let seats: readonly string[] = []
  for (let i = 0; i < 20 && !seats.includes('open'); i++) seats = await seatsOf(folder, 'dee@learner.example')
  assert.deepEqual(seats, ['open'])
})

test('a damaged memory costs one warning and never the start', async () => {
  const folder = await on.folder()
  const env = await demo()
  await (await on.start(folder, env)).end('SIGTERM')
  await writeFile(path.join(folder, '.bursar', 'simulators.bin'), 'half of someth')
  const again = await on.start(folder, env)
  assert.equal((await sandboxOf(again)).prices.length, 4)
  assert.ok((await schoolOf(again)).users.length > 0)
  const { code, err } = await again.end('SIGTERM')
  assert.equal(code, 0)
  assert.equal(err.match(/begins anew/g)?.length, 1, err)
})

test('a second start in the folder of a running demo is refused and disturbs nothing', async () => {
  const folder = await on.folder()
  const first = await on.start(folder, await demo())
  const second = await on.refuse(folder, await demo())
  assert.equal(second.code, 1)
  assert.match(second.err, /a demo runs in this folder already \(process \d+\)/)
  const { code, out } = await on.bursar(folder, ['doctor'])
  assert.equal(code, 0, out)
  assert.match(out, /Harbour School: Courses can be read/)
  assert.equal((await first.end('SIGTERM')).code, 0)
})

test('a taken port is told in words, and everything opened before is closed again', async () => {
  const folder = await on.folder()
  const taken = createServer()
  const port = await freePort()
  await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve))
  const { code, err } = await on.refuse(folder, { PORT: String(port) })
  await new Promise((resolve) => taken.close(resolve))
  assert.equal(code, 1)
  assert.match(err, new RegExp(`another program answers on port ${port}.*choose another port with PORT`))
  assert.deepEqual(await processesOf(folder), [])
})

test('outside demo mode missing and weak secrets stop the start, all named at once', async () => {
  const folder = await on.folder()
  const missing = await on.refuse(folder, { NODE_ENV: 'production' })
  assert.equal(missing.code, 2)
  assert.match(missing.err, /STRIPE_WEBHOOK_SECRET is missing/)
  const weak = await on.refuse(folder, {
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    BURSAR_SECRET: 'short',
    STRIPE_WEBHOOK_SECRET: 'whsec_short',
    LEARNWORLDS_BASE_URL: 'https://school.example',
  })
  assert.equal(weak.code, 2)
  for (const name of ['BURSAR_SECRET', 'STRIPE_WEBHOOK_SECRET', 'LEARNWORLDS_CLIENT_ID', 'LEARNWORLDS_CLIENT_SECRET'])
    assert.match(weak.err, new RegExp(`^ {2}- ${name} `, 'm'))
  assert.doesNotMatch(weak.err, /whsec_short/)
  const both = await on.refuse(folder, { NODE_ENV: 'production', BURSAR_DEMO: 'true' })
  assert.equal(both.code, 2)
  assert.match(both.err, /BURSAR_DEMO is not possible with NODE_ENV=production/)
})

test('a database that was encrypted with another key is refused in words that help', async () => {
  const folder = await on.folder()
  const env = await demo()
  await (await on.start(folder, { ...env, BURSAR_SECRET: key() })).end('SIGTERM')
  const { code, err } = await on.refuse(folder, { ...env, BURSAR_SECRET: key() })
  assert.equal(code, 1)
  assert.match(err, /encrypted with another key. Start with the BURSAR_SECRET/)
})

test('one database, a web process and a worker: what the one accepts the other works off', async () => {
  const database = await testDatabase()
  const [web, worker] = [await on.folder(), await on.folder()]
  const shared = { DATABASE_URL: database.url, BURSAR_SECRET: key(), BURSAR_DEMO: 'true' }
  const running = await Promise.all([
    on.start(web, { ...shared, ...(await demo()), BURSAR_ROLE: 'web' }),
    on.start(worker, { ...shared, BURSAR_ROLE: 'worker' }),
  ])
  assert.equal(running[1].url, '')
  await buy(web, 'gus@learner.example')
  const ends = await Promise.all(running.map((p) => p.end('SIGTERM')))
  assert.deepEqual(
    ends.map((e) => e.code),
    [0, 0],
  )
  await database.drop()
})

test('a hub that finishes a job before it stops is alive and no longer ready', async () => {
  const folder = await on.folder()
  const hub = await on.start(folder, await demo())
  assert.deepEqual((await get(`${hub.url}/readyz`)).body, { ready: true })
  const sandbox = await sandboxOf(hub)
  const school = simulator(sandbox, 'learnworlds')
  await post(`${school}/_sim/faults`, { faults: [{ kind: 'slow', path: '/enrollment', delayMs: 2_500 }] })
  const buying = on.bursar(folder, ['demo', 'purchase', '--json', '--email', 'hal@learner.example'])
  // The seat's request is on its way: the account exists, the enrollment does not yet.
  while (!(await schoolOf(hub)).users.some((u) => u.email === 'hal@learner.example')) await systemClock.sleep(30)
  const stopping = hub.end('SIGTERM')
  await systemClock.sleep(300)
  assert.equal((await get(`${hub.url}/healthz`)).status, 200)
  assert.equal((await get(`${hub.url}/readyz`)).status, 503)
  assert.equal((await stopping).code, 0)
  await buying
})
