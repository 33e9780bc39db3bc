import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { day } from '@bursar/kit/clock.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { createDrain } from '#db/jobs/drain.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { inboundTasks, payloadTask } from './jobs.ts'
import { createIntake } from './receive.ts'
import { dropOldPayloads, preparePayloadDays } from './retention.ts'
import { dayOf } from './store.ts'
import { createGround, delivery, type Ground } from './testing.ts'

let ground: Ground
before(async () => {
  ground = await createGround()
})
beforeEach(async () => {
  await ground.clear()
  await dropOldPayloads(ground.app, -10_000)
})
after(() => ground.close())

const accept = (id: string) => createIntake(ground.app).accept(delivery(ground, id))
const suffix = (at: number) => `inbound_payload_p${dayOf(at).replaceAll('-', '')}`
const homes = async () =>
  (
    await ground.rows<{ home: string }>(
      'select tableoid::regclass::text as home from inbound_payload order by event_id',
    )
  ).map((r) => r.home)

test('today and the next two days have their partitions, made once', async () => {
  assert.equal(await preparePayloadDays(ground.app), 3)
  assert.equal(await preparePayloadDays(ground.app), 0)
  await accept('evt_a')
  assert.deepEqual(await homes(), [suffix(ground.clock.now())])
})

test('a delivery of a day without a partition is stored, not refused', async () => {
  await accept('evt_a')
  assert.deepEqual(await homes(), ['inbound_payload_default'])
  assert.equal(await preparePayloadDays(ground.app), 2, 'today cannot be made any more, the next days can')
  assert.ok(ground.logged.some((l) => l.level === 'warn'))
  await accept('evt_b')
  assert.deepEqual(await homes(), ['inbound_payload_default', 'inbound_payload_default'])
})

test('F4: payloads leave by whole days, and thirty days later the event is still a duplicate', async () => {
  await accept('evt_stray')
  await ground.clock.advance(day)
  await preparePayloadDays(ground.app)
  await accept('evt_a')
  await ground.clock.advance(30 * day)
  await preparePayloadDays(ground.app)
  assert.deepEqual(await dropOldPayloads(ground.app, 30), { partitions: 0, rows: 1 }, 'the thirtieth day is still kept')
  assert.equal((await homes()).length, 1)
  const dropped = await dropOldPayloads(ground.app, 29)
  assert.equal(dropped.partitions, 1)
  assert.deepEqual(await homes(), [])
  const [row] = await ground.rows<{ n: bigint }>('select count(*) as n from inbound_event')
  assert.equal(row?.n, 2n)
  assert.equal(await accept('evt_a'), 'duplicate')
  assert.deepEqual(await homes(), [])
})

test('the daily task keeps ninety days unless told otherwise', async () => {
  await preparePayloadDays(ground.app)
  await accept('evt_a')
  const runTask = async (payloadDays?: number) => {
    await ground.app.db.tx('system', (tx) => enqueue(tx, [{ task: payloadTask, payload: {} }]))
    const tasks = inboundTasks(ground.app, {}, payloadDays === undefined ? {} : { payloadDays })
    const drain = createDrain({
      url: ground.pool,
      tasks: { [payloadTask]: tasks[payloadTask] ?? (async () => undefined) },
      clock: ground.clock,
      random: seededRandom(1),
      node: 'node_test',
      log: ground.app.log,
    })
    await drain.step()
  }
  await ground.clock.advance(90 * day)
  await runTask()
  assert.equal((await homes()).length, 1)
  await runTask(89)
  assert.equal((await homes()).length, 0)
})

test('the tenants rule holds in a day partition too', async () => {
  await preparePayloadDays(ground.app)
  await accept('evt_a')
  const seen = (organization: string) =>
    ground.app.db.tx({ organization }, (tx) =>
      tx.one<{ n: bigint }>({ name: '', text: 'select count(*) as n from inbound_payload', values: [] }),
    )
  assert.equal((await seen(ground.organization)).n, 1n)
  assert.equal((await seen(ground.other)).n, 0n)
})
