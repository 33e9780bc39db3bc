import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { day, hour } from '@bursar/kit/clock.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { type Caller, systemCaller } from '#action/caller.ts'
import { defineActions } from '#action/define.ts'
import { runAction } from '#action/run.ts'
import { createDrain } from '#db/jobs/drain.ts'
import { eventActions } from './actions.ts'
import { inboundTasks } from './jobs.ts'
import { listStatement } from './list.ts'
import { createIntake } from './receive.ts'
import { createGround, delivery, type Ground } from './testing.ts'

const registry = defineActions(eventActions)
let ground: Ground
before(async () => {
  ground = await createGround()
})
beforeEach(() => ground.clear())
after(() => ground.close())

const caller = (scopes: string[]): Caller => ({
  organization: ground.organization,
  actor: { kind: 'key', id: 'key_1', name: 'test' },
  scopes,
})
const ask = (name: string, input: unknown, by: Caller | null = caller(['events:write']), dryRun = false) =>
  runAction(ground.app, registry, { name, caller: by, input, dryRun })
const answer = async <T>(name: string, input: unknown, by?: Caller): Promise<T> => {
  const result = await ask(name, input, by)
  if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.body)}`)
  return result.output as T
}
const codeOf = async (name: string, input: unknown, by?: Caller | null) => {
  const result = await ask(name, input, by)
  return result.ok ? 'ok' : result.code
}
type Shown = { id: string; externalId: string; type: string; state: string; receivedAt: string; deliveries: number }
type Page = { events: Shown[]; next: string | null }
const names = (page: Page) => page.events.map((e) => e.externalId)

const accept = (id: string, more = {}) => createIntake(ground.app).accept(delivery(ground, id, more))
const drain = (state: 'done' | 'ignored' | 'unmatched' = 'done') =>
  createDrain({
    url: ground.pool,
    tasks: inboundTasks(ground.app, { stripe: async (_, e) => ({ state, outcome: `Handled ${e.externalId}.` }) }),
    clock: ground.clock,
    random: seededRandom(3),
    node: 'node_test',
    log: ground.app.log,
  }).drain()

test('events are listed newest first, page by page, without a gap or a repeat', async () => {
  for (const id of ['a', 'b', 'c', 'd', 'e']) {
    await accept(`evt_${id}`)
    if (id !== 'c') await ground.clock.advance(hour)
  }
  const first = await answer<Page>('events.list', { limit: 2 })
  const second = await answer<Page>('events.list', { limit: 2, after: first.next })
  const third = await answer<Page>('events.list', { limit: 2, after: second.next })
  assert.deepEqual([names(first), names(second), names(third)], [['evt_e', 'evt_d'], ['evt_c', 'evt_b'], ['evt_a']])
  assert.equal(third.next, null)
})

test('filters narrow the list', async () => {
  const start = ground.clock.now()
  await accept('evt_a')
  await drain('done')
  await ground.clock.advance(hour)
  await accept('evt_b', { type: 'refund.created' })
  await drain('unmatched')
  await ground.clock.advance(hour)
  await accept('evt_c', { source: `stripe:${ground.connection}:test` })
  const iso = (at: number) => new Date(at).toISOString()
  const expect: [Record<string, unknown>, string[]][] = [
    [{ state: 'pending' }, ['evt_c']],
    [{ state: 'unmatched' }, ['evt_b']],
    [{ state: 'done' }, ['evt_a']],
    [{ type: 'refund.created' }, ['evt_b']],
    [{ source: `stripe:${ground.connection}:test` }, ['evt_c']],
    [{ externalId: 'evt_a' }, ['evt_a']],
    [{ since: iso(start + hour) }, ['evt_c', 'evt_b']],
    [{ until: iso(start + hour) }, ['evt_a']],
    [{ since: iso(start + hour), until: iso(start + 2 * hour), type: 'refund.created', state: 'unmatched' }, ['evt_b']],
  ]
  for (const [filter, ids] of expect) assert.deepEqual(names(await answer<Page>('events.list', filter)), ids)
})

test('a list asks for no more than a hundred', async () => {
  assert.equal(await codeOf('events.list', { limit: 101 }), 'input_invalid')
})

test('get shows the payload as JSON, text or base64, and null once it was dropped', async () => {
  type Got = { event: Shown; payload: { encoding: string; body: unknown; headers: object; bytes: number } | null }
  const get = async (body: Buffer): Promise<Got> => {
    await ground.clear()
    await accept('evt_a', { body })
    const [event] = (await answer<Page>('events.list', {})).events
    return answer<Got>('events.get', { eventId: event?.id })
  }
  const json = await get(Buffer.from('{"a":[1]}'))
  assert.deepEqual(json.payload, {
    headers: { 'content-type': 'application/json' },
    bytes: 9,
    encoding: 'json',
    body: { a: [1] },
  })
  const text = await get(Buffer.from('a=1'))
  assert.deepEqual([text.payload?.encoding, text.payload?.body], ['text', 'a=1'])
  const binary = await get(Buffer.from([0xff, 0xfe]))
  assert.deepEqual([binary.payload?.encoding, binary.payload?.body], ['base64', '//4='])
  await ground.rows('truncate inbound_payload')
  assert.equal((await answer<Got>('events.get', { eventId: binary.event.id })).payload, null)
})

test('replay by id processes a finished event again, once', async () => {
  await accept('evt_a')
  await drain()
  const [event] = (await answer<Page>('events.list', {})).events
  assert.deepEqual(await answer('events.replay', { eventId: event?.id }), {
    replayed: 1,
    eventIds: [event?.id],
    more: false,
  })
  assert.equal((await answer<Page>('events.list', { state: 'pending' })).events.length, 1)
  assert.equal((await drain('ignored')).steps, 1)
  assert.equal((await answer<Page>('events.list', { state: 'ignored' })).events.length, 1)
})

test('replay by filter takes at most its limit and says whether there is more', async () => {
  for (const id of ['a', 'b', 'c']) await accept(`evt_${id}`)
  await drain('unmatched')
  const first = await answer<{ replayed: number; more: boolean }>('events.replay', { state: 'unmatched', limit: 2 })
  assert.deepEqual([first.replayed, first.more], [2, true])
  assert.equal((await ground.jobs()).length, 2)
  const rest = await answer<{ replayed: number; more: boolean }>('events.replay', { state: 'unmatched' })
  assert.deepEqual([rest.replayed, rest.more], [1, false])
})

test('replay needs one event or a filter, not both and not neither', async () => {
  await accept('evt_a')
  const [event] = (await answer<Page>('events.list', {})).events
  assert.equal(await codeOf('events.replay', {}), 'input_invalid')
  assert.equal(await codeOf('events.replay', { limit: 5 }), 'input_invalid')
  assert.equal(await codeOf('events.replay', { eventId: event?.id, state: 'done' }), 'input_invalid')
  assert.equal(await codeOf('events.replay', { eventId: ground.ids.next('evt') }), 'not_found')
})

test('a dry run of replay tells what it would do and does nothing', async () => {
  await accept('evt_a')
  await drain()
  const result = await ask('events.replay', { state: 'done' }, caller(['events:write']), true)
  assert.ok(result.ok)
  assert.equal((result.output as { replayed: number }).replayed, 1)
  assert.equal((await ground.jobs()).length, 0)
  assert.equal((await answer<Page>('events.list', { state: 'done' })).events.length, 1)
})

test('stats count by day, type and state', async () => {
  await accept('evt_a')
  await accept('evt_a')
  await accept('evt_b', { type: 'refund.created' })
  await drain()
  await ground.clock.advance(day)
  await accept('evt_c')
  const today = new Date(ground.clock.now()).toISOString().slice(0, 10)
  const until = new Date(ground.clock.now() + 1).toISOString()
  const since = new Date(ground.clock.now() - 2 * day).toISOString()
  const { counts } = await answer<{ counts: { day: string; events: number; deliveries: number; state: string }[] }>(
    'events.stats',
    { since, until },
  )
  assert.deepEqual(
    counts.map((c) => [c.day === today, c.state, c.events, c.deliveries]),
    [
      [true, 'pending', 1, 1],
      [false, 'done', 1, 2],
      [false, 'done', 1, 1],
    ],
  )
  assert.equal(await codeOf('events.stats', { since: until, until: since }), 'input_invalid')
})

test('another tenant sees, gets and replays nothing of ours', async () => {
  await accept('evt_a')
  const [event] = (await answer<Page>('events.list', {})).events
  const stranger = systemCaller(ground.other, 'test')
  assert.deepEqual((await answer<Page>('events.list', {}, stranger)).events, [])
  assert.deepEqual((await answer<{ counts: [] }>('events.stats', {}, stranger)).counts, [])
  assert.equal(await codeOf('events.get', { eventId: event?.id }, stranger), 'not_found')
  assert.equal(await codeOf('events.replay', { eventId: event?.id }, stranger), 'not_found')
  assert.equal((await answer<{ replayed: number }>('events.replay', { state: 'pending' }, stranger)).replayed, 0)
})

test('row-level security reaches the payload through its parent, and its partitions not at all', async () => {
  await accept('evt_a')
  const seen = (organization: string, table: string) =>
    ground.app.db.tx({ organization }, (tx) =>
      tx.one<{ n: bigint }>({ name: '', text: `select count(*) as n from ${table}`, values: [] }),
    )
  assert.equal((await seen(ground.organization, 'inbound_payload')).n, 1n)
  assert.equal((await seen(ground.other, 'inbound_payload')).n, 0n)
  const [partition] = await ground.rows<{ name: string }>('select tableoid::regclass as name from inbound_payload')
  await assert.rejects(seen(ground.organization, partition?.name ?? ''), /permission denied/)
})

test('reading asks for events:read, replaying for events:write', async () => {
  assert.equal(await codeOf('events.list', {}, null), 'unauthenticated')
  assert.equal(await codeOf('events.list', {}, caller(['orders:read'])), 'forbidden')
  assert.equal(await codeOf('events.replay', { state: 'done' }, caller(['events:read'])), 'forbidden')
})

test('the lists that the console shows are served by their indexes', async () => {
  await ground.rows(
    `insert into inbound_event (id, organization_id, source, external_id, type, form, received_at, payload_day, state, trace_id)
     select 'evt_' || lpad(n::text, 26, '0'), case when n % 2 = 0 then $1 else $2 end, 's', n::text, 'type_' || n % 50, 'snapshot',
       now() - n * interval '1 minute', current_date, case when n % 100 = 0 then 'failed' else 'done' end, 't'
     from generate_series(1, 20000) n`,
    [ground.organization, ground.other],
  )
  await ground.rows('analyze inbound_event')
  const explain = async (filter: Parameters<typeof listStatement>[0], after?: string) => {
    const s = listStatement(filter, { limit: 50, after })
    return ground.app.db.tx({ organization: ground.organization }, async (tx) => {
      const rows = await tx.many<{ 'QUERY PLAN': string }>({ name: '', text: `explain ${s.text}`, values: s.values })
      return rows.map((r) => r['QUERY PLAN']).join('\n')
    })
  }
  assert.match(await explain({}), /inbound_event_newest/)
  assert.match(await explain({}, 'evt_00000000000000000000000100'), /inbound_event_newest/)
  assert.match(await explain({ since: ground.clock.now() }), /inbound_event_newest/)
  assert.match(await explain({ type: 'type_4' }), /inbound_event_by_type/)
  assert.match(await explain({ state: 'failed' }), /inbound_event_open/)
  assert.match(await explain({ externalId: '4711' }), /inbound_event_external_id_source_key/)
})
