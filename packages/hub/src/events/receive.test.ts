import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { day } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { createIntake } from './receive.ts'
import { createGround, delivery, type Ground } from './testing.ts'

let ground: Ground
before(async () => {
  ground = await createGround()
})
beforeEach(() => ground.clear())
after(() => ground.close())

type Stored = { id: string; external_id: string; deliveries: number; state: string }
const events = () =>
  ground.rows<Stored>('select id, external_id, deliveries, state from inbound_event order by external_id')
const payloads = () => ground.rows<{ event_id: string; body: Buffer }>('select event_id, body from inbound_payload')
const isCoded = (code: string) => (error: unknown) => error instanceof CodedError && error.code === code

test('a delivery is one row, its bytes and one job, all there when accept answers', async () => {
  const body = Buffer.from([0x7b, 0x00, 0xff, 0x27, 0x5c, 0x7d])
  const accepted = await createIntake(ground.app).accept(delivery(ground, 'evt_a', { body, occurredAt: null }))
  assert.equal(accepted, 'stored')
  const [row] = await events()
  assert.deepEqual(await payloads(), [{ event_id: row?.id, body }])
  assert.deepEqual(await ground.jobs(), [
    {
      key: row?.id,
      payload: { eventId: row?.id, organization: ground.organization },
      run_at: ground.clock.now(),
    },
  ])
})

test('F4: fifty deliveries at once are one row and one job, and each is counted', async () => {
  const intake = createIntake(ground.app)
  const accepted = await Promise.all(Array.from({ length: 50 }, () => intake.accept(delivery(ground, 'evt_a'))))
  assert.equal(accepted.filter((a) => a === 'stored').length, 1)
  assert.deepEqual(
    (await events()).map((e) => e.deliveries),
    [50],
  )
  assert.equal((await payloads()).length, 1)
  assert.equal((await ground.jobs()).length, 1)
})

test('F4: fifty deliveries at once through several nodes are one row, and each is counted', async () => {
  const intakes = Array.from({ length: 5 }, () => createIntake(ground.app, { connections: 2, batchMax: 2 }))
  const accepted = await Promise.all(
    Array.from({ length: 50 }, (_, i) => intakes[i % intakes.length]?.accept(delivery(ground, 'evt_a'))),
  )
  assert.equal(accepted.filter((a) => a === 'stored').length, 1)
  assert.deepEqual(
    (await events()).map((e) => e.deliveries),
    [50],
  )
  assert.equal((await ground.jobs()).length, 1)
})

test('nodes that store the same events in opposite orders do not lock each other out', async () => {
  const names = Array.from({ length: 60 }, (_, i) => `evt_${i}`)
  const [a, b] = [createIntake(ground.app), createIntake(ground.app)]
  const accepted = await Promise.all([
    ...names.map((n) => a.accept(delivery(ground, n))),
    ...names.toReversed().map((n) => b.accept(delivery(ground, n))),
  ])
  assert.equal(accepted.filter((x) => x === 'stored').length, 60)
  assert.ok((await events()).every((e) => e.deliveries === 2))
})

test('F4: thirty days later, with the payload dropped, the event is still a duplicate', async () => {
  const intake = createIntake(ground.app)
  await intake.accept(delivery(ground, 'evt_a'))
  await ground.rows('delete from graphile_worker._private_jobs')
  await ground.rows('truncate inbound_payload')
  await ground.clock.advance(30 * day)
  assert.equal(await intake.accept(delivery(ground, 'evt_a')), 'duplicate')
  assert.equal((await payloads()).length, 0)
  assert.equal((await ground.jobs()).length, 0)
})

test('the same external id from another source is another event', async () => {
  const intake = createIntake(ground.app)
  const test = delivery(ground, 'evt_a', { source: `stripe:${ground.connection}:test`, livemode: false })
  assert.deepEqual(await Promise.all([intake.accept(delivery(ground, 'evt_a')), intake.accept(test)]), [
    'stored',
    'stored',
  ])
})

test('each event of a batch keeps its own bytes', async () => {
  const intake = createIntake(ground.app, { connections: 1 })
  const bodies = ['', 'a', 'é€', '{"x":1}'].map((text) => Buffer.from(text))
  await Promise.all(bodies.map((body, i) => intake.accept(delivery(ground, `evt_${i}`, { body }))))
  const stored = await ground.rows<{ body: Buffer }>(
    'select p.body from inbound_payload p join inbound_event e on e.id = p.event_id order by e.external_id',
  )
  assert.deepEqual(
    stored.map((s) => s.body),
    bodies,
  )
})

test('one row that cannot be stored does not refuse its neighbours', async () => {
  const intake = createIntake(ground.app, { connections: 1 })
  const form = 'letter' as 'snapshot'
  const results = await Promise.allSettled([
    intake.accept(delivery(ground, 'evt_first')),
    intake.accept(delivery(ground, 'evt_a')),
    intake.accept(delivery(ground, 'evt_bad', { form })),
    intake.accept(delivery(ground, 'evt_c')),
  ])
  assert.deepEqual(
    results.map((r) => r.status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  )
  const [, , bad] = results
  assert.ok(bad?.status === 'rejected' && isCoded('input_invalid')(bad.reason))
  assert.deepEqual(
    (await events()).map((e) => e.external_id),
    ['evt_a', 'evt_c', 'evt_first'],
  )
  assert.equal((await ground.jobs()).length, 3)
})

test('a NUL in a field is refused before it meets the database', async () => {
  await assert.rejects(
    createIntake(ground.app).accept(delivery(ground, 'evt_a', { type: 'a\u0000b' })),
    isCoded('input_invalid'),
  )
})

test('a full queue answers overloaded, stores nothing of it, and takes deliveries again later', async () => {
  const intake = createIntake(ground.app, { connections: 1, batchMax: 1, queueMax: 2 })
  const first = [1, 2, 3].map((i) => intake.accept(delivery(ground, `evt_${i}`)))
  await assert.rejects(
    intake.accept(delivery(ground, 'evt_4')),
    (error) => isCoded('overloaded')(error) && (error as CodedError).details.retryAfter === 5,
  )
  await Promise.all(first)
  assert.equal((await events()).length, 3)
  assert.equal(await intake.accept(delivery(ground, 'evt_4')), 'stored')
})

test('waiting bytes are bounded as well as waiting deliveries', async () => {
  const intake = createIntake(ground.app, { connections: 1, batchMax: 1 })
  const body = Buffer.alloc(20 * 1024 * 1024)
  const all = [1, 2, 3, 4, 5].map((i) => intake.accept(delivery(ground, `evt_${i}`, { body })))
  const results = await Promise.allSettled(all)
  assert.deepEqual(
    results.map((r) => r.status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  )
})

test('a database that does not answer is not_ready, never a lost delivery answered as stored', async () => {
  const direct = async () => {
    throw Object.assign(new Error('terminating connection'), { code: '57P01' })
  }
  const intake = createIntake({ ...ground.app, db: { ...ground.app.db, direct } })
  await assert.rejects(
    Promise.all([intake.accept(delivery(ground, 'evt_a')), intake.accept(delivery(ground, 'evt_b'))]),
    isCoded('not_ready'),
  )
})

test('draining answers what waits and refuses what comes after', async () => {
  const intake = createIntake(ground.app, { connections: 1, batchMax: 1 })
  const waiting = [1, 2, 3].map((i) => intake.accept(delivery(ground, `evt_${i}`)))
  const drained = intake.drain()
  await assert.rejects(intake.accept(delivery(ground, 'evt_4')), isCoded('not_ready'))
  await drained
  assert.equal(intake.depth(), 0)
  assert.deepEqual(await Promise.all(waiting), ['stored', 'stored', 'stored'])
})
