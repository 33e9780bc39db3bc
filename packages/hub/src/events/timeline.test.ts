import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { systemCtx } from '#action/context.ts'
import { createGround, type Ground } from './testing.ts'
import { record, type TimelineEntry, type TimelineRow } from './timeline.ts'

let ground: Ground
before(async () => {
  ground = await createGround()
})
beforeEach(() => ground.rows('truncate timeline_entry'))
after(() => ground.close())

const write = (entries: readonly TimelineEntry[], organization = ground.organization) =>
  ground.app.db.tx({ organization }, (tx) => record(tx, systemCtx(ground.app, organization, 'test', 'trc_1'), entries))
const read = () => ground.rows<TimelineRow>('select * from timeline_entry order by id')

test('entries keep the order of the array, their subject and their data', async () => {
  const note = (text: string): TimelineEntry => ({ kind: 'note', orderId: 'ord_1', data: { text, by: 'Ada' } })
  await write([
    note('one'),
    {
      kind: 'order.paid',
      orderId: 'ord_1',
      personId: 'per_1',
      data: { amount: 9_007_199_254_740_993n, currency: 'EUR' },
    },
    note('"quoted" {braces} \\ é'),
  ])
  const rows = await read()
  assert.deepEqual(
    rows.map((r) => [r.kind, r.order_id, r.person_id, r.enrollment_id, r.data]),
    [
      ['note', 'ord_1', null, null, { text: 'one', by: 'Ada' }],
      ['order.paid', 'ord_1', 'per_1', null, { amount: '9007199254740993', currency: 'EUR' }],
      ['note', 'ord_1', null, null, { text: '"quoted" {braces} \\ é', by: 'Ada' }],
    ],
  )
  assert.ok(rows.every((r) => r.at === ground.clock.now() && r.trace_id === 'trc_1'))
})

test('no entries is no statement', async () => {
  await write([])
  assert.equal((await read()).length, 0)
})

test('an entry goes with its transaction', async () => {
  const { organization } = ground
  await assert.rejects(
    ground.app.db.tx({ organization }, async (tx) => {
      await record(tx, systemCtx(ground.app, organization, 'test'), [{ kind: 'note', data: { text: 'x', by: 'y' } }])
      throw new Error('changed my mind')
    }),
  )
  assert.equal((await read()).length, 0)
})

test('an entry cannot be written into another tenant', async () => {
  await assert.rejects(
    ground.app.db.tx({ organization: ground.other }, (tx) =>
      record(tx, systemCtx(ground.app, ground.organization, 'test'), [{ kind: 'note', data: { text: 'x', by: 'y' } }]),
    ),
    /row-level security/,
  )
})
