import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { day, hour, minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { createDrain } from '#db/jobs/drain.ts'
import { inboundTasks } from './jobs.ts'
import { type Handled, type Handler, processInbound, type StoredEvent } from './process.ts'
import { createIntake } from './receive.ts'
import { sweepPending } from './replay.ts'
import type { EventRow } from './store.ts'
import { createGround, delivery, type Ground } from './testing.ts'

let ground: Ground
before(async () => {
  ground = await createGround()
})
beforeEach(() => ground.clear())
after(() => ground.close())

const accept = (id: string, more = {}) => createIntake(ground.app).accept(delivery(ground, id, more))
const row = async (externalId = 'evt_a'): Promise<EventRow> => {
  const [found] = await ground.rows<EventRow>('select * from inbound_event where external_id = $1', [externalId])
  assert.ok(found)
  return found
}
const drainOf = (handler: Handler) =>
  createDrain({
    url: ground.pool,
    tasks: inboundTasks(ground.app, { stripe: handler }),
    clock: ground.clock,
    random: seededRandom(3),
    node: 'node_test',
    log: ground.app.log,
  })

test('a handler sees the event with its bytes, and what it says is written on the row', async () => {
  const seen: StoredEvent[] = []
  await accept('evt_a')
  const steps = await drainOf(async (ctx, event) => {
    seen.push(event)
    assert.deepEqual([ctx.organization, ctx.traceId], [ground.organization, 'trc_0'])
    return { state: 'done', outcome: 'Order paid.' }
  }).drain()
  assert.equal(steps.steps, 1)
  assert.deepEqual(
    [seen[0]?.provider, seen[0]?.connection, seen[0]?.body?.toString(), seen[0]?.occurredAt],
    ['stripe', ground.connection, '{"id":"evt_a"}', ground.clock.now()],
  )
  const { state, outcome, processed_at, attempts } = await row()
  assert.deepEqual([state, outcome, processed_at, attempts], ['done', 'Order paid.', ground.clock.now(), 1])
})

test('F2: an event that finds no order yet is kept and applied when the order is there', async () => {
  await accept('evt_a')
  let orderExists = false
  const handler: Handler = async (ctx) =>
    orderExists
      ? { state: 'done', outcome: 'Order paid.' }
      : { state: 'retry', at: ctx.clock.now() + minute, outcome: 'The order is not here yet.' }
  const drain = drainOf(handler)
  const start = ground.clock.now()
  await drain.drain({ until: start + minute - 1 })
  const waiting = await row()
  assert.deepEqual(
    [waiting.state, waiting.outcome, waiting.next_try_at],
    ['pending', 'The order is not here yet.', start + minute],
  )
  orderExists = true
  await drain.drain()
  assert.deepEqual([(await row()).state, ground.clock.now()], ['done', start + minute])
  assert.equal((await ground.jobs()).length, 0)
})

test('a handler that throws is tried again with growing waits, then the row waits for a person', async () => {
  await accept('evt_a')
  const tries: number[] = []
  await drainOf(async (ctx) => {
    tries.push(ctx.clock.now())
    throw Object.assign(new Error('secret sk_live_123 refused'), { code: '23505' })
  }).drain()
  const { state, outcome, attempts, next_try_at } = await row()
  assert.deepEqual([state, attempts, next_try_at], ['failed', 15, null])
  assert.equal(outcome, 'Given up after 15 tries. A try failed (Error 23505).')
  assert.equal(tries.length, 15)
  const waits = tries.slice(1).map((t, i) => t - (tries[i] ?? 0))
  assert.ok((waits[0] ?? 0) <= 5_000 && (waits.at(-1) ?? 0) >= hour / 2)
  assert.equal((await ground.jobs()).length, 0)
})

test('F1: waiting for a platform that is known to be down spends no tries', async () => {
  await accept('evt_a')
  const back = ground.clock.now() + 4 * hour
  const handler = async (): Promise<Handled> =>
    ground.clock.now() < back
      ? { state: 'retry', at: ground.clock.now() + minute, outcome: 'Stripe is down.', frozen: true }
      : { state: 'done', outcome: 'Order paid.' }
  const { steps } = await drainOf(handler).drain()
  assert.equal(steps, 241)
  const { state, attempts } = await row()
  assert.deepEqual([state, attempts], ['done', 1])
})

test('an error of ours tells its code on the row', async () => {
  await accept('evt_a')
  await drainOf(async () => {
    throw new CodedError('conflict')
  }).step()
  assert.equal((await row()).outcome, 'A try failed (conflict: The state does not allow this.).')
})

test('an event of a provider nobody handles fails visibly', async () => {
  await accept('evt_a', { source: 'moodle:con_1' })
  await drainOf(async () => ({ state: 'done', outcome: '' })).drain()
  const { state, outcome } = await row()
  assert.deepEqual([state, outcome], ['failed', 'Nothing here handles events of moodle.'])
})

test('an event that is done is left alone, and so is one of another tenant', async () => {
  await accept('evt_a')
  const { id } = await row()
  let calls = 0
  const handlers = {
    stripe: async (): Promise<Handled> => {
      calls += 1
      return { state: 'ignored', outcome: 'Means nothing to us.' }
    },
  }
  assert.equal(await processInbound(ground.app, { eventId: id, organization: ground.other }, handlers), 'nothing_to_do')
  assert.equal(calls, 0)
  const job = { eventId: id, organization: ground.organization }
  assert.equal(await processInbound(ground.app, job, handlers), 'ignored')
  assert.equal(await processInbound(ground.app, job, handlers), 'nothing_to_do')
  assert.equal(calls, 1)
})

test('an event whose payload was dropped is handed over without bytes', async () => {
  await accept('evt_a')
  await ground.rows('truncate inbound_payload')
  let body: Buffer | null | undefined
  await drainOf(async (_, event) => {
    body = event.body
    return { state: 'done', outcome: 'Read back.' }
  }).drain()
  assert.equal(body, null)
})

test('the sweep finds a pending event whose job got lost, once it is overdue', async () => {
  await accept('evt_a')
  await ground.rows('delete from graphile_worker._private_jobs')
  assert.equal(await sweepPending(ground.app), 0)
  await ground.clock.advance(11 * minute)
  assert.equal(await sweepPending(ground.app), 1)
  await drainOf(async () => ({ state: 'done', outcome: 'Order paid.' })).drain()
  assert.equal((await row()).state, 'done')
  await ground.clock.advance(day)
  assert.equal(await sweepPending(ground.app), 0)
})
