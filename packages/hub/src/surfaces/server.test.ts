import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Action, action, defineActions } from '#action/define.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import { sql, ts } from '#db/sql.ts'
import { identityActions } from '#identity/actions.ts'
import { createKey } from '#identity/keys.ts'
import { acceptBytes } from './bodies.ts'
import { createServer, type Server } from './server.ts'

let it: TestApp
let server: Server
let url: string
let org: string
let key: string
let ready = true

const notes: readonly Action[] = [
  action({
    name: 'notes.add',
    summary: 'Write a note.',
    input: z.object({ text: z.string().min(1), outcome: z.enum(['conflict', 'bug']).optional() }),
    output: z.object({ id: z.string() }),
    access: 'notes:write',
    effect: 'write',
    run: async (ctx, input) => {
      const id = ctx.ids.next('prod')
      await ctx.tx.run(sql('test_note_insert')`
        insert into product (id, organization_id, name, created_at)
        values (${id}, ${ctx.organization}, ${input.text}, ${ts(ctx.tx.now)})`)
      if (input.outcome === 'conflict') throw new CodedError('conflict', 'The note is locked.')
      if (input.outcome === 'bug') throw new Error('secret stack')
      return { id }
    },
  }),
  action({
    name: 'notes.list',
    summary: 'Read the notes.',
    input: z.object({}),
    output: z.object({ notes: z.array(z.string()) }),
    access: 'notes:read',
    effect: 'read',
    run: async (ctx) => ({
      notes: (await ctx.tx.many<{ name: string }>(sql('test_note_list')`select name from product order by id`)).map(
        (row) => row.name,
      ),
    }),
  }),
  action({
    name: 'hub.hello',
    summary: 'Greet.',
    input: z.object({}),
    output: z.object({ hello: z.string() }),
    access: 'public',
    effect: 'read',
    run: async () => ({ hello: 'you' }),
  }),
]

const newKey = (organization: string, scopes: string[]) =>
  it.app.db.tx('system', async (tx) => {
    const wish = { organization, name: 'Test', scopes, expiresAt: null }
    return (await createKey(tx, it.app, wish)).secret
  })

type ErrorAnswer = { error: { code: string; message: string; fix: string; traceId: string; issues?: unknown[] } }

async function post(name: string, body: unknown, headers: Record<string, string> = {}, at = url) {
  const response = await fetch(`${at}/api/v1/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as ErrorAnswer }
}

const notesOf = async () => {
  const { body } = await post('notes.list', {})
  return (body as unknown as { notes: string[] }).notes
}

before(async () => {
  it = await testApp()
  org = await it.organization('first')
  key = await newKey(org, ['*'])
  server = await createServer(it.app, {
    registry: defineActions([...notes, ...identityActions]),
    ready: () => ready,
    routes: [
      (fastify) => {
        acceptBytes(fastify)
        fastify.post('/api/raw/webhook', async (request) => ({ bytes: (request.body as Buffer).toString('hex') }))
      },
    ],
    limits: { bodyBytesMax: 10_000 },
  })
  url = await server.listen({ host: '127.0.0.1', port: 0 })
})
after(async () => {
  await server.stop()
  await it.close()
})

test('200: the body is the output, with a trace id and the strict headers', async () => {
  const { status, body, headers } = await post('notes.add', { text: 'one' })
  assert.equal(status, 200)
  assert.match((body as unknown as { id: string }).id, /^prod_/)
  assert.match(headers.get('x-trace-id') ?? '', /^trc_/)
  assert.equal(headers.get('x-content-type-options'), 'nosniff')
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.equal(headers.get('access-control-allow-origin'), null)
  assert.deepEqual(await notesOf(), ['one'])
})

test('400: bad fields, bad JSON, bad UTF-8 and __proto__ each say what is wrong', async () => {
  const invalid = await post('notes.add', { text: '', more: 1 })
  assert.deepEqual([invalid.status, invalid.body.error.code], [400, 'input_invalid'])
  assert.equal(invalid.body.error.issues?.length, 2)
  for (const body of ['{"text":', '{"__proto__":{}, "text":"x"}', Buffer.from([0x22, 0xff, 0x22])]) {
    const { status, body: answer } = await post('notes.add', body)
    assert.deepEqual([status, answer.error.code], [400, 'body_unreadable'])
    assert.match(answer.error.traceId, /^trc_/)
  }
  assert.equal((await post('notes.add', '[]')).body.error.code, 'input_invalid')
})

test('401: without a key, with a wrong key, and not even told whether the action exists', async () => {
  for (const headers of [{ authorization: '' }, { authorization: 'Bearer bsk_demo_x_y' }]) {
    const { status, body } = await post('notes.add', { text: 'x' }, headers)
    assert.deepEqual([status, body.error.code], [401, 'unauthenticated'])
  }
  assert.equal((await post('notes.nothing', {}, { authorization: '' })).status, 401)
})

test('403: the missing scope is named', async () => {
  const { status, body } = await post('notes.add', {}, { authorization: `Bearer ${await newKey(org, ['notes:read'])}` })
  assert.equal(status, 403)
  assert.equal((body.error as unknown as { scope: string }).scope, 'notes:write')
})

test('404 and 405: unknown actions and addresses, and the method that would work', async () => {
  assert.deepEqual((await post('notes.nothing', {})).status, 404)
  const lost = await fetch(`${url}/nowhere`)
  assert.deepEqual([lost.status, ((await lost.json()) as ErrorAnswer).error.code], [404, 'not_found'])
  const get = await fetch(`${url}/api/v1/notes.list`)
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST'])
  assert.equal(((await get.json()) as ErrorAnswer).error.code, 'method_not_allowed')
  const wrong = await fetch(`${url}/healthz`, { method: 'DELETE' })
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET'])
  const unreadable = await fetch(`${url}/%zz`)
  assert.deepEqual([unreadable.status, ((await unreadable.json()) as ErrorAnswer).error.code], [404, 'not_found'])
})

test('409 and 500: a refusal keeps its words, a fault keeps its secrets; both leave nothing', async () => {
  const refused = await post('notes.add', { text: 'two', outcome: 'conflict' })
  assert.deepEqual([refused.status, refused.body.error.message], [409, 'The note is locked.'])
  const broken = await post('notes.add', { text: 'two', outcome: 'bug' })
  assert.deepEqual([broken.status, broken.body.error.code], [500, 'internal'])
  assert.ok(!JSON.stringify(broken.body).includes('secret stack'))
  assert.equal(broken.body.error.traceId, broken.headers.get('x-trace-id'))
  assert.deepEqual(await notesOf(), ['one'])
})

test('413 and 415: too large, wrong type, compressed', async () => {
  const large = await post('notes.add', { text: 'x'.repeat(10_001) })
  assert.deepEqual([large.status, large.body.error.code], [413, 'body_too_large'])
  assert.equal((large.body.error as unknown as { limit: number }).limit, 10_000)
  const form = await post('notes.add', 'text=x', { 'content-type': 'text/plain' })
  assert.deepEqual([form.status, form.body.error.code], [415, 'encoding_unsupported'])
  const zipped = await post('notes.add', '{}', { 'content-encoding': 'gzip' })
  assert.deepEqual([zipped.status, zipped.body.error.code], [415, 'encoding_unsupported'])
})

test('422: a key used for other input; the same input is answered from memory', async () => {
  const headers = { 'idempotency-key': 'one-time' }
  const first = await post('notes.add', { text: 'once' }, headers)
  const again = await post('notes.add', { text: 'once' }, headers)
  assert.deepEqual(again.body, first.body)
  assert.deepEqual(
    [first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')],
    [null, 'true'],
  )
  const other = await post('notes.add', { text: 'twice' }, headers)
  assert.deepEqual([other.status, other.body.error.code], [422, 'idempotency_mismatch'])
  assert.deepEqual(await notesOf(), ['one', 'once'])
})

test('a dry run by header or query changes nothing; an unclear wish is refused', async () => {
  const before = await notesOf()
  const dry = await post('notes.add', { text: 'dry' }, { 'x-bursar-dry-run': 'true' })
  assert.deepEqual([dry.status, dry.headers.get('x-bursar-dry-run')], [200, 'true'])
  assert.equal((await post('notes.add?dry_run=true', { text: 'dry' })).status, 200)
  assert.equal((await post('notes.add', { text: 'dry' }, { 'x-bursar-dry-run': 'yes' })).status, 400)
  assert.deepEqual(await notesOf(), before)
})

test('a key reads its own organization only', async () => {
  const stranger = await newKey(await it.organization('second'), ['*'])
  const { body } = await post('notes.list', {}, { authorization: `Bearer ${stranger}` })
  assert.deepEqual(body, { notes: [] })
})

test('a public action answers without a key, and refuses a wrong one', async () => {
  assert.deepEqual((await post('hub.hello', {}, { authorization: '' })).body, { hello: 'you' })
  assert.equal((await post('hub.hello', {}, { authorization: 'Bearer x' })).status, 401)
  const bare = await fetch(`${url}/api/v1/hub.hello`, { method: 'POST' })
  assert.equal(bare.status, 200)
})

test('a route of others gets its bytes untouched, and the actions keep their own parser', async () => {
  const bytes = Buffer.from('{"a" : 1 }\xff', 'latin1')
  const response = await fetch(`${url}/api/raw/webhook`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: bytes,
  })
  assert.deepEqual(await response.json(), { bytes: bytes.toString('hex') })
})

test('429: after too many failures an address is refused before its key is looked at', async () => {
  const strict = await createServer(it.app, {
    registry: defineActions(notes),
    ready: () => true,
    limits: { failuresPerMinute: 3, requestsPerMinute: 100 },
  })
  const at = await strict.listen({ host: '127.0.0.1', port: 0 })
  const wrong = { authorization: 'Bearer wrong' }
  const statuses: number[] = []
  for (let i = 0; i < 4; i++) statuses.push((await post('notes.list', {}, wrong, at)).status)
  assert.deepEqual(statuses, [401, 401, 401, 429])
  const good = await post('notes.list', {}, {}, at)
  assert.deepEqual([good.status, good.body.error.code], [429, 'rate_limited'])
  assert.ok(Number(good.headers.get('retry-after')) > 0)
  await strict.stop()
})

test('429: one key may not ask without end, and another is not held up by it', async () => {
  const strict = await createServer(it.app, {
    registry: defineActions(notes),
    ready: () => true,
    limits: { requestsPerMinute: 2 },
  })
  const at = await strict.listen({ host: '127.0.0.1', port: 0 })
  const statuses: number[] = []
  for (let i = 0; i < 3; i++) statuses.push((await post('notes.list', {}, {}, at)).status)
  assert.deepEqual(statuses, [200, 200, 429])
  const other = { authorization: `Bearer ${await newKey(org, ['*'])}` }
  assert.equal((await post('notes.list', {}, other, at)).status, 200)
  await strict.stop()
})

test('health says alive; readiness follows the process', async () => {
  assert.equal((await fetch(`${url}/healthz`)).status, 200)
  assert.equal((await fetch(`${url}/readyz`)).status, 200)
  ready = false
  const response = await fetch(`${url}/readyz`)
  ready = true
  assert.deepEqual([response.status, ((await response.json()) as ErrorAnswer).error.code], [503, 'not_ready'])
})

test('the access log has the route and the key’s id, never a query, an id in a path or a key', async () => {
  await fetch(`${url}/somewhere/learner@example.com?token=topsecret`)
  await post('notes.list?token=topsecret', {})
  const lines = it.log.lines.filter((line) => line.message === 'request')
  const last = lines.at(-1)?.facts
  assert.equal(last?.route, '/api/v1/:action')
  assert.equal(last?.status, 200)
  assert.equal(last?.caller, `key_${key.split('_')[2]}`)
  assert.equal(lines.at(-2)?.facts.route, 'unmatched')
  const text = JSON.stringify(it.log.lines)
  for (const secret of ['topsecret', 'learner@example.com', key]) assert.ok(!text.includes(secret))
})

test('stopping lets a running request end and takes no new one', async () => {
  const running = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  const stopping = await createServer(it.app, {
    registry: defineActions(notes),
    ready: () => true,
    routes: [
      (fastify) => {
        fastify.get('/slow', async () => {
          running.resolve()
          await finish.promise
          return { done: true }
        })
      },
    ],
  })
  const at = await stopping.listen({ host: '127.0.0.1', port: 0 })
  const slow = fetch(`${at}/slow`)
  await running.promise
  const stopped = stopping.stop()
  await assert.rejects(fetch(`${at}/healthz`))
  finish.resolve()
  assert.deepEqual(await (await slow).json(), { done: true })
  await stopped
})

test('the description and its page are served, the page under a strict policy', async () => {
  const document = await fetch(`${url}/api/openapi.json`)
  assert.equal(((await document.json()) as { openapi: string }).openapi, '3.1.0')
  const page = await fetch(`${url}/api/docs`)
  assert.match(page.headers.get('content-type') ?? '', /text\/html/)
  assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self';/)
  for (const [, file] of (await page.text()).matchAll(/(?:src|href)="(\/api\/docs\/[^"]+)"/g)) {
    assert.equal((await fetch(`${url}${file}`)).status, 200, file)
  }
})

test('bytes that are not HTTP get one readable refusal', async () => {
  const { port } = new URL(url)
  const text = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write('nonsense\r\n\r\n'))
    let all = ''
    socket.on('data', (chunk) => {
      all += chunk.toString()
    })
    socket.on('close', () => resolve(all))
  })
  assert.match(text, /^HTTP\/1\.1 400 /)
  assert.match(text, /body_unreadable/)
})
