import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type Clock, second, systemClock, type VirtualClock, virtualClock } from './clock.ts'
import { createGuard, createHttp, type HttpOutcome, type HttpRequest } from './http.ts'
import { seededRandom } from './random.ts'

async function listen(t: TestContext, handle: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function client(t: TestContext, url: string, clock: Clock = systemClock) {
  const http = createHttp({ clock, random: seededRandom(7), guard: createGuard({ trustedOrigins: [url] }) })
  t.after(() => http.close())
  return (request: Partial<HttpRequest> = {}) => http({ method: 'GET', url, ...request })
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const lossOf = (outcome: HttpOutcome) => (outcome.ok ? 'answered' : [outcome.failure.kind, outcome.failure.maybeSent])
const statusOf = (outcome: HttpOutcome) => (outcome.ok ? outcome.response.status : outcome.failure.kind)

/** Moves a standing clock to each next wake until the work is done. */
async function drive<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let done = false
  const finish = work.finally(() => {
    done = true
  })
  while (!done) {
    const wake = clock.nextWake()
    if (wake !== null) await clock.advanceTo(wake)
    await new Promise(setImmediate)
  }
  return finish
}

test('a request arrives as written and the answer comes back whole', async (t) => {
  const seen: unknown[] = []
  const { url } = await listen(t, async (request, response) => {
    seen.push([
      request.method,
      request.url,
      request.headers['x-key'],
      request.headers['user-agent'],
      await bodyOf(request),
    ])
    response.writeHead(201, { 'X-Many': ['a', 'b'], 'Content-Type': 'text/plain' }).end('höre')
  })
  const send = client(t, url)
  const outcome = await send({ method: 'POST', url: `${url}/a/b?c=%20d`, headers: { 'x-key': 'k' }, body: 'bödy' })
  assert.deepEqual(seen, [['POST', '/a/b?c=%20d', 'k', 'bursar', 'bödy']])
  assert.ok(outcome.ok)
  assert.equal(outcome.response.status, 201)
  assert.equal(outcome.response.headers['x-many'], 'a, b')
  assert.equal(outcome.response.headers['content-type'], 'text/plain')
  assert.equal(outcome.response.body.toString(), 'höre')
})

test('connections are kept: twenty calls one after the other need two at most', async (t) => {
  let connections = 0
  const { server, url } = await listen(t, (_request, response) => response.end())
  server.on('connection', () => {
    connections += 1
  })
  const send = client(t, url)
  for (let i = 0; i < 20; i++) assert.equal(statusOf(await send()), 200)
  // The second call may start before the first connection has reported itself free.
  assert.ok(connections <= 2, `${connections} connections`)
})

test('the deadline covers the whole answer, not the pauses in it', async (t) => {
  const { url } = await listen(t, (_request, response) => {
    response.writeHead(200)
    const drip = setInterval(() => response.write('.'), 20)
    response.on('close', () => clearInterval(drip))
  })
  const outcome = await client(t, url)({ timeoutMs: 150 })
  assert.deepEqual(lossOf(outcome), ['timeout', true])
  assert.ok(!outcome.ok && outcome.failure.durationMs >= 140 && outcome.failure.durationMs < 1_500)
})

test('a request that waits for a connection past its deadline is certainly unsent, and stays so', async (t) => {
  const waiting: ServerResponse[] = []
  let late = 0
  const { url } = await listen(t, (request, response) => {
    if (request.url === '/late') late += 1
    if (request.url === '/hold') waiting.push(response)
    else response.end()
  })
  const send = client(t, url)
  const held = Array.from({ length: 64 }, () => send({ url: `${url}/hold` }))
  const outcome = await send({ url: `${url}/late`, timeoutMs: 150 })
  assert.deepEqual(lossOf(outcome), ['timeout', false])
  for (const response of waiting) response.end()
  for (const one of await Promise.all(held)) assert.equal(statusOf(one), 200)
  assert.equal(statusOf(await send()), 200)
  assert.equal(late, 0)
})

test('a refused connection is certainly unsent; one that breaks afterwards is not', async (t) => {
  const { server, url } = await listen(t, (request, response) => {
    if (request.url === '/half') {
      response.writeHead(200, { 'content-length': '10' })
      response.write('half')
      setImmediate(() => response.destroy())
    } else response.destroy()
  })
  const send = client(t, url)
  assert.deepEqual(lossOf(await send()), ['reset', true])
  assert.deepEqual(lossOf(await send({ url: `${url}/half` })), ['reset', true])
  await new Promise((resolve) => server.close(resolve))
  assert.deepEqual(lossOf(await send()), ['refused', false])
})

test('a host without TLS is a tls failure, certainly unsent', async (t) => {
  const { url } = await listen(t, (_request, response) => response.end())
  const secure = url.replace('http:', 'https:')
  assert.deepEqual(lossOf(await client(t, secure)()), ['tls', false])
})

test('W17: an answer over the cap is cut off, whether it announces its length or never ends', async (t) => {
  let written = 0
  let open = 0
  const { url } = await listen(t, (request, response) => {
    open += 1
    response.on('close', () => {
      open -= 1
    })
    if (request.url === '/announced')
      return void response.writeHead(200, { 'content-length': String(1024 * 1024) }).end('x')
    const pour = () => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) written += 64 * 1024
    }
    response.on('drain', pour)
    pour()
  })
  const send = client(t, url)
  assert.deepEqual(lossOf(await send({ maxBodyBytes: 256 * 1024 })), ['too_large', true])
  assert.deepEqual(lossOf(await send({ url: `${url}/announced`, maxBodyBytes: 256 * 1024 })), ['too_large', true])
  while (open > 0) await new Promise(setImmediate)
  assert.ok(written < 32 * 1024 * 1024, `the server could pour ${written} bytes`)
})

test('a body of exactly the cap passes', async (t) => {
  const { url } = await listen(t, (_request, response) => response.end('12345678'))
  const send = client(t, url)
  assert.equal(statusOf(await send({ maxBodyBytes: 8 })), 200)
  assert.deepEqual(lossOf(await send({ maxBodyBytes: 7 })), ['too_large', true])
})

test('W20: a redirect is an answer, never a second request', async (t) => {
  let inside = 0
  const target = await listen(t, (_request, response) => {
    inside += 1
    response.end()
  })
  const { url } = await listen(t, (request, response) =>
    response.writeHead(Number(request.url?.slice(1)), { location: target.url }).end(),
  )
  const send = client(t, url)
  for (const status of [301, 302, 303, 307, 308])
    assert.equal(statusOf(await send({ method: 'POST', url: `${url}/${status}`, body: '{}' })), status)
  assert.equal(inside, 0)
})

test('a line break in a header is refused before anything is sent', async (t) => {
  let hits = 0
  const { url } = await listen(t, (_request, response) => {
    hits += 1
    response.end()
  })
  const send = client(t, url)
  for (const headers of [
    { a: 'b\r\nx: y' },
    { a: 'b\n' },
    { a: '\0' },
    { 'a\r\nb': 'c' },
    { '': 'x' },
    { a: '\u20ac' },
  ])
    assert.deepEqual(lossOf(await send({ headers })), ['invalid', false], JSON.stringify(headers))
  assert.equal(hits, 0)
})

test('retries wait for the full Retry-After of the virtual clock, then succeed', async (t) => {
  const clock = virtualClock()
  const at: number[] = []
  const { url } = await listen(t, (_request, response) => {
    at.push(clock.now())
    if (at.length === 1) return void response.writeHead(429, { 'retry-after': '7' }).end()
    if (at.length === 2) {
      const date = new Date(clock.now() + 90 * second).toUTCString()
      return void response.writeHead(503, { 'retry-after': date }).end()
    }
    response.end('done')
  })
  const outcome = await drive(clock, client(t, url, clock)({ attempts: 3 }))
  assert.equal(statusOf(outcome), 200)
  assert.deepEqual(
    at.map((moment) => moment - (at[0] ?? 0)),
    [0, 7_000, 97_000],
  )
})

test('without a hint the waits grow, and the last answer is returned as it is', async (t) => {
  const clock = virtualClock()
  const at: number[] = []
  const { url } = await listen(t, (_request, response) => {
    at.push(clock.now())
    response.writeHead(502).end()
  })
  assert.equal(statusOf(await drive(clock, client(t, url, clock)({ attempts: 3 }))), 502)
  assert.equal(at.length, 3)
  const [first = 0, next = 0, last = 0] = at
  assert.ok(next - first >= 250 && next - first <= 500)
  assert.ok(last - next >= 500 && last - next <= 1_000)
})

test('nothing is repeated unless asked, and a refusal that will not change never', async (t) => {
  const clock = virtualClock()
  let hits = 0
  const { url } = await listen(t, (request, response) => {
    hits += 1
    response.writeHead(Number(request.url?.slice(1))).end()
  })
  const send = client(t, url, clock)
  assert.equal(statusOf(await send({ url: `${url}/503` })), 503)
  for (const status of [400, 404, 500]) await send({ url: `${url}/${status}`, attempts: 5 })
  assert.equal(hits, 4)
})

test('a doubt stays: after an attempt that may have arrived, a later refused one says maybe sent', async (t) => {
  const clock = virtualClock()
  const { server, url } = await listen(t, (_request, response) => {
    server.close()
    response.destroy()
  })
  const outcome = await drive(clock, client(t, url, clock)({ method: 'POST', attempts: 2 }))
  assert.deepEqual(lossOf(outcome), ['refused', true])
})

test('closing waits for what runs and refuses what comes after', async (t) => {
  const { url } = await listen(t, (_request, response) => void setImmediate(() => response.end('done')))
  const guard = createGuard({ trustedOrigins: [url] })
  const http = createHttp({ clock: systemClock, random: seededRandom(1), guard })
  const running = http({ method: 'GET', url })
  const closing = http.close()
  assert.equal(statusOf(await running), 200)
  await closing
  assert.deepEqual(lossOf(await http({ method: 'GET', url })), ['reset', false])
})
