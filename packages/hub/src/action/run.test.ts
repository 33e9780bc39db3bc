import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { sql, ts } from '#db/sql.ts'
import type { Caller } from './caller.ts'
import { action, defineActions } from './define.ts'
import { instant, integer, secret } from './fields.ts'
import { leaseMs } from './idempotency.ts'
import { type ActionRequest, runAction } from './run.ts'
import { type TestApp, testApp } from './testing.ts'

let it: TestApp
let org: string
let other: string

// Products stand in for whatever an action may write.
const insertProduct = (name: string, organization: string, id: string, now: number) =>
  sql('test_product_insert')`
    insert into product (id, organization_id, name, created_at) values (${id}, ${organization}, ${name}, ${ts(now)})`

let gate: Promise<void> | null = null
let outsideCalls = 0
let crash: Error | null = null

const add = action({
  name: 'products.add',
  summary: 'Add a product.',
  input: z.object({ name: z.string().min(2), fail: z.boolean().default(false) }),
  output: z.object({ id: z.string(), at: instant, price: integer }),
  access: 'products:write',
  effect: 'write',
  run: async (ctx, input) => {
    const id = ctx.ids.next('prod')
    await ctx.tx.run(insertProduct(input.name, ctx.organization, id, ctx.tx.now))
    if (gate !== null) await gate
    if (input.fail) throw new CodedError('conflict', 'not now')
    return { id, at: ctx.tx.now, price: 12n }
  },
})

const list = action({
  name: 'products.list',
  summary: 'List products.',
  input: z.object({}),
  output: z.object({ names: z.array(z.string()) }),
  access: 'products:read',
  effect: 'read',
  run: async (ctx) => ({
    names: (await ctx.tx.many<{ name: string }>(sql('test_product_list')`select name from product order by name`)).map(
      (row) => row.name,
    ),
  }),
})

const sneaky = action({
  name: 'products.sneak',
  summary: 'Say that it reads, and write.',
  input: z.object({}),
  output: z.object({}),
  access: 'products:read',
  effect: 'read',
  run: async (ctx) => {
    await ctx.tx.run(insertProduct('sneaked', ctx.organization, 'prod_x', ctx.tx.now))
    return {}
  },
})

const peek = action({
  name: 'people.peek',
  summary: 'Show personal data.',
  input: z.object({ who: z.string() }),
  output: z.object({}),
  access: 'people:read',
  effect: 'read',
  sensitive: true,
  run: async () => ({}),
})

const wrong = action({
  name: 'products.wrong',
  summary: 'Answer something else than promised.',
  input: z.object({}),
  output: z.object({ count: z.number() }),
  access: 'products:write',
  effect: 'write',
  run: async (ctx) => {
    await ctx.tx.run(insertProduct('wrong', ctx.organization, 'prod_wrong', ctx.tx.now))
    return { count: 'many' } as unknown as { count: number }
  },
})

const connect = action({
  name: 'schools.connect',
  summary: 'Call another system with a secret.',
  input: z.object({ url: z.string(), login: z.object({ value: secret(z.string()), apiKey: z.string() }) }),
  output: z.object({ said: z.string(), link: secret(z.string().nullable()) }),
  access: 'schools:write',
  effect: 'outside',
  run: async (ctx, input) => {
    if (ctx.dryRun) return { said: `would call ${input.url}`, link: null }
    outsideCalls += 1
    if (gate !== null) await gate
    if (crash !== null) throw crash
    return { said: 'called', link: 'https://secret.example/one-time' }
  },
})

const about = action({
  name: 'hub.about',
  summary: 'Say hello to anyone.',
  input: z.object({}),
  output: z.object({ products: z.number() }),
  access: 'public',
  effect: 'read',
  run: async (ctx) => ({ products: (await ctx.tx.many(sql('test_public')`select from product`)).length }),
})

const registry = defineActions([add, list, sneaky, peek, wrong, connect, about])

const caller = (organization: string, ...scopes: string[]): Caller => ({
  organization,
  actor: { kind: 'key', id: 'key_test', name: 'Test key' },
  scopes,
})

const call = (name: string, input: unknown, more: Partial<ActionRequest> = {}) =>
  runAction(it.app, registry, { name, input, caller: caller(org, '*'), ...more })

const codeOf = (result: Awaited<ReturnType<typeof call>>) => (result.ok ? 'ok' : result.code)
const products = async () =>
  (await it.rows<{ name: string }>('select name from product order by name')).map((r) => r.name)
const audits = () =>
  it.rows<{ action: string; outcome: string; input: unknown; actor_name: string; trace_id: string }>(
    'select action, outcome, input, actor_name, trace_id from audit order by id',
  )

/** A door that holds the action inside until it is opened. */
function hold(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  gate = promise
  return () => {
    gate = null
    resolve()
  }
}

before(async () => {
  it = await testApp()
  org = await it.organization('first')
  other = await it.organization('second')
})
after(() => it.close())

test('a write answers in wire form, and leaves its row and its audit line together', async () => {
  const result = await call('products.add', { name: 'Algebra' }, { traceId: 'trc_1' })
  assert.ok(result.ok)
  const output = result.output as { id: string; at: string; price: string }
  assert.equal(output.at, '2026-01-05T09:00:00.000Z')
  assert.equal(output.price, '12')
  assert.equal(result.replayed, false)
  assert.deepEqual(await products(), ['Algebra'])
  assert.deepEqual((await audits()).at(-1), {
    action: 'products.add',
    outcome: 'ok',
    input: { name: 'Algebra' },
    actor_name: 'Test key',
    trace_id: 'trc_1',
  })
})

test('400: wrong and unknown fields are named, and organizationId is not a field', async () => {
  const result = await call('products.add', { name: 'x', organizationId: other })
  assert.ok(!result.ok)
  assert.equal(result.status, 400)
  assert.equal(result.code, 'input_invalid')
  const issues = result.body.error.issues as { path: string; message: string }[]
  assert.ok(issues.some((issue) => issue.path === 'name'))
  assert.ok(issues.some((issue) => issue.message.includes('organizationId')))
  assert.deepEqual(await products(), ['Algebra'])
})

test('401, 403 and 404: nobody, the wrong scope, no such action', async () => {
  assert.equal(codeOf(await call('products.list', {}, { caller: null })), 'unauthenticated')
  const forbidden = await call(
    'products.add',
    { name: 'Biology' },
    { caller: caller(org, 'products:read', 'orders:write') },
  )
  assert.ok(!forbidden.ok)
  assert.equal(forbidden.status, 403)
  assert.equal(forbidden.body.error.scope, 'products:write')
  assert.equal(codeOf(await call('products.nothing', {})), 'not_found')
})

test('a write scope includes its read scope, and no other', async () => {
  assert.equal(codeOf(await call('products.list', {}, { caller: caller(org, 'products:write') })), 'ok')
  assert.equal(codeOf(await call('people.peek', { who: 'x' }, { caller: caller(org, 'products:write') })), 'forbidden')
})

test('a refusal rolls the work back and is written down', async () => {
  const before = (await audits()).length
  const result = await call('products.add', { name: 'Chemistry', fail: true })
  assert.equal(codeOf(result), 'conflict')
  assert.deepEqual(await products(), ['Algebra'])
  const lines = (await audits()).slice(before)
  assert.deepEqual(
    lines.map((line) => [line.action, line.outcome]),
    [['products.add', 'conflict']],
  )
})

test('a read sees its own organization only, and is not written down', async () => {
  const before = (await audits()).length
  await call('products.add', { name: 'Elsewhere' }, { caller: caller(other, '*') })
  const mine = await call('products.list', {})
  const theirs = await call('products.list', {}, { caller: caller(other, '*') })
  assert.ok(mine.ok && theirs.ok)
  assert.deepEqual(mine.output, { names: ['Algebra'] })
  assert.deepEqual(theirs.output, { names: ['Elsewhere'] })
  assert.equal((await audits()).length, before + 1)
})

test('a sensitive read is written down', async () => {
  await call('people.peek', { who: 'somebody' })
  const last = (await audits()).at(-1)
  assert.deepEqual([last?.action, last?.outcome, last?.input], ['people.peek', 'ok', { who: 'somebody' }])
})

test('an action that says it reads cannot write', async () => {
  assert.equal(codeOf(await call('products.sneak', {})), 'internal')
  assert.ok(!(await products()).includes('sneaked'))
})

test('an answer that breaks its own schema is a fault: rolled back, logged with the trace id', async () => {
  const result = await call('products.wrong', {}, { traceId: 'trc_wrong' })
  assert.ok(!result.ok)
  assert.equal(result.status, 500)
  assert.equal(result.body.error.traceId, 'trc_wrong')
  assert.ok(!JSON.stringify(result.body).includes('count'))
  assert.ok(!(await products()).includes('wrong'))
  const line = it.log.lines.findLast((l) => l.message === 'action failed')
  assert.equal(line?.facts.traceId, 'trc_wrong')
})

test('a public read needs no key and sees no tenant', async () => {
  const result = await call('hub.about', {}, { caller: null })
  assert.ok(result.ok)
  assert.deepEqual(result.output, { products: 0 })
})

test('a dry run answers like the real one and leaves nothing: no row, no key, no audit', async () => {
  const before = [await products(), await audits()]
  const result = await call('products.add', { name: 'Drama' }, { dryRun: true, idempotencyKey: 'dry' })
  assert.equal(codeOf(result), 'ok')
  const failed = await call('products.add', { name: 'Drama', fail: true }, { dryRun: true })
  assert.equal(codeOf(failed), 'conflict')
  assert.deepEqual([await products(), await audits()], before)
  assert.deepEqual(await it.rows(`select from idempotency_key where key = 'dry'`), [])
})

test('a dry run of an outside action calls nobody', async () => {
  const before = outsideCalls
  const input = { url: 'https://school.example', login: { value: 'v', apiKey: 'k' } }
  const result = await call('schools.connect', input, { dryRun: true })
  assert.ok(result.ok)
  assert.deepEqual(result.output, { said: 'would call https://school.example', link: null })
  assert.equal(outsideCalls, before)
})

test('the same key and input are answered from memory; other input or another action is a mismatch', async () => {
  const first = await call('products.add', { name: 'Ethics' }, { idempotencyKey: 'k1' })
  const again = await call('products.add', { fail: false, name: 'Ethics' }, { idempotencyKey: 'k1' })
  assert.ok(first.ok && again.ok)
  assert.deepEqual(again.output, first.output)
  assert.deepEqual([first.replayed, again.replayed], [false, true])
  const mismatch = await call('products.add', { name: 'French' }, { idempotencyKey: 'k1' })
  assert.ok(!mismatch.ok)
  assert.deepEqual([mismatch.code, mismatch.status], ['idempotency_mismatch', 422])
  const secretInput = { url: 'u', login: { value: 'v', apiKey: 'k' } }
  assert.equal(codeOf(await call('schools.connect', secretInput, { idempotencyKey: 'k1' })), 'idempotency_mismatch')
  assert.equal(codeOf(await call('products.add', { name: 'French' }, { idempotencyKey: 'k 1' })), 'input_invalid')
})

test('two organizations may use the same key for different things', async () => {
  await call('products.add', { name: 'Geology' }, { idempotencyKey: 'same' })
  const theirs = await call('products.add', { name: 'Greek' }, { idempotencyKey: 'same', caller: caller(other, '*') })
  assert.ok(theirs.ok)
  assert.equal(theirs.replayed, false)
})

test('a failed attempt frees its key', async () => {
  assert.equal(
    codeOf(await call('products.add', { name: 'History', fail: true }, { idempotencyKey: 'k2' })),
    'conflict',
  )
  assert.equal(codeOf(await call('products.add', { name: 'History' }, { idempotencyKey: 'k2' })), 'ok')
})

test('of requests at the same moment with one key, one works and the others get its answer', async () => {
  const open = hold()
  const racing = Array.from({ length: 4 }, () => call('products.add', { name: 'Irish' }, { idempotencyKey: 'k3' }))
  await it.rows('select pg_sleep(0.15)')
  open()
  const results = await Promise.all(racing)
  assert.deepEqual(results.map(codeOf), ['ok', 'ok', 'ok', 'ok'])
  assert.equal(results.filter((r) => r.ok && r.replayed).length, 3)
  assert.equal((await products()).filter((name) => name === 'Irish').length, 1)
})

test('input nested without end is refused, not a fault', async () => {
  const deep = JSON.parse(`${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`)
  assert.equal(codeOf(await call('products.add', { name: 'Deep', more: deep })), 'input_invalid')
})

const secretInput = {
  url: 'https://school.example',
  login: { value: 'hunter2-hunter2', apiKey: 'named-like-one' },
}

test('an outside action with a key runs once; meanwhile the key is in progress', async () => {
  const before = outsideCalls
  const open = hold()
  const first = call('schools.connect', secretInput, { idempotencyKey: 'out1' })
  while (outsideCalls === before) await new Promise(setImmediate)
  assert.equal(
    codeOf(await call('schools.connect', secretInput, { idempotencyKey: 'out1' })),
    'idempotency_in_progress',
  )
  open()
  assert.equal(codeOf(await first), 'ok')
  const replay = await call('schools.connect', secretInput, { idempotencyKey: 'out1' })
  assert.ok(replay.ok)
  assert.deepEqual([replay.replayed, outsideCalls], [true, before + 1])
  assert.deepEqual(replay.output, { said: 'called', link: null })
})

test('a start whose process died is taken over when its lease has ended, and its late end changes nothing', async () => {
  const open = hold()
  const before = outsideCalls
  const lost = call('schools.connect', secretInput, { idempotencyKey: 'out2' })
  while (outsideCalls === before) await new Promise(setImmediate)
  gate = null
  await it.clock.advance(leaseMs)
  const taken = await call('schools.connect', secretInput, { idempotencyKey: 'out2' })
  assert.ok(taken.ok)
  assert.deepEqual([taken.replayed, outsideCalls], [false, before + 2])
  const takenAt = it.clock.now()
  await it.clock.advance(1_000)
  open()
  assert.equal(codeOf(await lost), 'ok')
  const rows = await it.rows<{ finished_at: number }>(`select finished_at from idempotency_key where key = 'out2'`)
  assert.deepEqual(rows, [{ finished_at: takenAt }])
})

test('secrets reach neither the audit, nor the log, nor the error, nor the remembered answer', async () => {
  crash = new CodedError('connection_unusable', 'the school refused hunter2-hunter2', { sent: ['named-like-one'] })
  const refused = await call('schools.connect', secretInput)
  crash = new Error('socket closed while sending hunter2-hunter2')
  const broken = await call('schools.connect', secretInput)
  crash = null
  await call('schools.connect', secretInput, { idempotencyKey: 'out3' })
  assert.deepEqual([codeOf(refused), codeOf(broken)], ['connection_unusable', 'internal'])
  assert.match(JSON.stringify(refused), /the school refused \[secret\]/)
  const kept = [
    await it.rows('select input, outcome from audit'),
    await it.rows('select * from idempotency_key'),
    it.log.lines,
    refused,
    broken,
  ]
  const text = JSON.stringify(kept)
  for (const secret of ['hunter2-hunter2', 'named-like-one', 'one-time']) assert.ok(!text.includes(secret), secret)
  const last = (await audits()).at(-1)
  assert.deepEqual(last?.input, {
    url: 'https://school.example',
    login: { value: '[secret]', apiKey: '[secret]' },
  })
})

test('the audit can be neither changed nor deleted, not even by the system role', async () => {
  await assert.rejects(it.rows(`update audit set outcome = 'ok'`), /permission denied/)
  await assert.rejects(it.rows('delete from audit'), /permission denied/)
})
