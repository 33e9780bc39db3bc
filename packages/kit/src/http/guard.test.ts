import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { systemClock } from '../clock.ts'
import { CodedError } from '../errors.ts'
import { createHttp } from '../http.ts'
import { seededRandom } from '../random.ts'
import { createGuard, type GuardOptions, type Resolve } from './guard.ts'
import { blockedRanges, isForbiddenAddress } from './ranges.ts'

let hits = 0
let port = 0
const server = createServer((_request, response) => {
  hits += 1
  response.end('inside')
})
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
after(() => {
  server.close()
  server.closeAllConnections()
})

/** Registers and sends: what both say. */
async function outcomes(url: string, options: GuardOptions = {}) {
  const guard = createGuard(options)
  const http = createHttp({ clock: systemClock, random: seededRandom(1), guard })
  const sent = await http({ method: 'GET', url, timeoutMs: 2_000 })
  await http.close()
  return { registered: guard.check(url).ok, sent: sent.ok ? 'answered' : sent.failure.kind, outcome: sent }
}

const answers =
  (...addresses: string[]): Resolve =>
  (_hostname, done) =>
    done(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    )

const spellings = [
  '127.0.0.1',
  '127.0.0.1.',
  '2130706433',
  '0x7f.1',
  '127.1',
  '127。0。0。1',
  '１２７.0.0.1',
  '017700000001',
  '0177.0.0.1',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[0:0:0:0:0:0:0:1]',
  '[::]',
  '0',
  '169.254.169.254',
  '[64:ff9b::7f00:1]',
  'localhost',
  'localhost.',
  'LOCALHOST',
  'app.localhost',
  'app.localhost.',
]

test('W18: every spelling of an inner address is refused at registration and at sending', async () => {
  const before = hits
  for (const host of spellings) {
    for (const url of [`http://${host}:${port}/`, `https://${host}/`, `https://${host}:${port}/`]) {
      const { registered, sent } = await outcomes(url, { ports: [port] })
      assert.deepEqual([registered, sent], [false, 'blocked'], url)
    }
  }
  assert.equal(hits, before)
})

test('W18: every range is refused as a literal and as the answer of a resolver', async () => {
  for (const range of blockedRanges) {
    const net = range.split('/')[0] ?? ''
    const host = net.includes(':') ? `[${net}]` : net
    assert.deepEqual(createGuard().check(`https://${host}/`).ok, false, range)
    const { registered, sent } = await outcomes('https://school.example/', { resolve: answers(net) })
    assert.deepEqual([registered, sent], [true, 'blocked'], range)
  }
})

test('W18: the neighbours of the ranges are public', () => {
  const open = [
    '8.8.8.8',
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00::1',
    '::ffff:8.8.8.8',
  ]
  for (const address of open) assert.equal(isForbiddenAddress(address), false, address)
  assert.equal(isForbiddenAddress('not an address'), true)
})

test('only https on an allowed port, without credentials, passes', () => {
  const guard = createGuard({ ports: [8443] })
  const reason = (url: string) => {
    const result = guard.check(url)
    return result.ok ? 'ok' : result.reason
  }
  assert.equal(reason('https://school.example/hooks?x=1'), 'ok')
  assert.equal(reason('https://school.example:443/'), 'ok')
  assert.equal(reason('https://school.example:8443/'), 'ok')
  assert.equal(reason('https://school.example:8444/'), 'port 8444 is not allowed')
  assert.equal(reason('http://school.example/'), 'only https is called')
  assert.equal(reason('file:///etc/passwd'), 'only https is called')
  assert.equal(reason('https://user:pass@school.example/'), 'credentials do not belong in a URL')
  assert.equal(reason('https://'), 'not a URL')
  assert.equal(reason('school.example'), 'not a URL')
})

test('W19: a name that turns to an inner address after registration is refused at sending', async () => {
  let answer = '8.8.8.8'
  const guard = createGuard({ ports: [port], resolve: (name, done) => answers(answer)(name, done) })
  const http = createHttp({ clock: systemClock, random: seededRandom(1), guard })
  const url = `https://rebind.example:${port}/`
  assert.equal(guard.check(url).ok, true)
  answer = '127.0.0.1'
  const before = hits
  const sent = await http({ method: 'POST', url, body: '{}' })
  assert.equal(sent.ok, false)
  assert.deepEqual(!sent.ok && [sent.failure.kind, sent.failure.maybeSent], ['blocked', false])
  assert.equal(hits, before)
  await http.close()
})

test('W19: one inner address among public ones spoils the name', async () => {
  const { sent } = await outcomes('https://mixed.example/', { resolve: answers('8.8.8.8', '10.0.0.1') })
  assert.equal(sent, 'blocked')
})

test('W19: the connection goes to the address that was checked, without asking again', async () => {
  let asked = 0
  const resolve: Resolve = (name, done) => {
    asked += 1
    answers(asked === 1 ? '127.0.0.1' : '8.8.8.8')(name, done)
  }
  const { sent } = await outcomes(`http://localhost:${port}/`, { allowLoopback: true, resolve })
  assert.deepEqual([sent, asked], ['answered', 1])
})

test('a name that does not resolve is a dns failure, certainly unsent', async () => {
  const resolve: Resolve = (name, done) =>
    done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), [])
  for (const options of [{ resolve }, { resolve: answers() }]) {
    const { outcome } = await outcomes('https://gone.example/', options)
    assert.deepEqual(!outcome.ok && [outcome.failure.kind, outcome.failure.maybeSent], ['dns', false])
  }
})

test('a trusted origin is exact: another port, scheme or name gains nothing', async () => {
  const trustedOrigins = [`http://127.0.0.1:${port}`, `http://lms.internal:${port}`]
  const options = { trustedOrigins, resolve: answers('127.0.0.1') }
  assert.equal((await outcomes(`http://127.0.0.1:${port}/x`, options)).sent, 'answered')
  assert.equal((await outcomes(`http://lms.internal:${port}/x`, options)).sent, 'answered')
  for (const url of [
    `https://127.0.0.1:${port}/`,
    `http://127.0.0.1:${port + 1}/`,
    `http://localhost:${port}/`,
    'http://127.0.0.1/',
  ])
    assert.equal((await outcomes(url, options)).sent, 'blocked', url)
  assert.equal((await outcomes('https://lms.internal/', options)).sent, 'blocked')
  assert.throws(() => createGuard({ trustedOrigins: ['lms.internal'] }), CodedError)
})

test('loopback opens for its own names only, and never in production', async () => {
  assert.equal((await outcomes(`http://127.0.0.1:${port}/`, { allowLoopback: true })).sent, 'answered')
  assert.equal((await outcomes(`http://10.0.0.1:${port}/`, { allowLoopback: true })).sent, 'blocked')
  const options = { allowLoopback: true, ports: [port], resolve: answers('127.0.0.1') }
  assert.equal((await outcomes(`https://rebind.example:${port}/`, options)).sent, 'blocked')
  assert.throws(
    () => createGuard({ allowLoopback: true, production: true }),
    (error: unknown) => error instanceof CodedError && error.code === 'address_forbidden',
  )
  assert.equal(createGuard({ production: true }).check('http://127.0.0.1/').ok, false)
})
