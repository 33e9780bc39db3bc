import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute } from '@bursar/kit/clock.ts'
import { applySeed, seedSchema } from '#main/seed.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy, deliverBackwards, orderOf } from './buyer.ts'
import { assertPromise } from './promise.ts'

let world: World
before(async () => {
  world = await createWorld()
  await applySeed(
    world.app,
    seedSchema.parse({
      organizations: [
        {
          name: 'school',
          slug: 'school',
          payments: [
            {
              name: 'Stripe',
              platform: 'stripe',
              config: { secretKey: null, apiBase: world.stripe.url, livemode: false },
            },
          ],
          products: [
            {
              name: 'Sourdough',
              courses: [{ connection: 'Harbour School', id: 'sourdough-basics' }],
              prices: [{ connection: 'Stripe', id: 'price_sourdough', currency: 'usd', amount: '4900' }],
              metadata: [{ connection: 'Stripe', key: 'courseId', value: '42' }],
            },
          ],
        },
      ],
    }),
  )
})
after(() => world.close())

const metadata = { courseId: '42', studentId: '7', partnerId: '3', programId: '9' }
const priceOf = (amount: number) => world.stripe.addPrice({ name: 'A form of a shop', amount }).id

test('F5: without a Stripe key a late word of failure does not undo what was paid, and an old form changes nothing', async () => {
  const session = await world.checkout([priceOf(4900)], { metadata })
  world.stripe.pay({ session, email: 'stated@f5.example', card: '4000000000000002' })
  await world.clock.advance(minute)
  world.stripe.pay({ session, email: 'stated@f5.example' })
  await deliverBackwards(world)
  await world.settle(minute)
  assert.equal((await orderOf(world, session))?.state, 'paid')
  assert.deepEqual(world.owned('stated@f5.example'), ['sourdough-basics'])
  await assertPromise(world)
})

test('F5: a bank debit told backwards: paid first, then "awaiting funds"', async () => {
  const bought = await buy(world, 'debit@f5.example', [priceOf(4900)], { card: 'bank_debit', metadata })
  await world.clock.advance(3 * day)
  world.stripe.payAsyncSucceed(bought.session)
  await deliverBackwards(world)
  await world.settle(minute)
  assert.equal((await orderOf(world, bought.session))?.state, 'paid')
  assert.deepEqual(world.owned('debit@f5.example'), ['sourdough-basics'])
  await assertPromise(world)
})

test('F6: without a key, an unpaid form opens nothing; a failed debit and an expired form close the order', async () => {
  const failing = await buy(world, 'fail@f6.example', [priceOf(4900)], { card: 'bank_debit', metadata })
  const left = await world.checkout([priceOf(4900)], { metadata })
  await world.settle()
  assert.equal((await orderOf(world, failing.session))?.state, 'awaiting_funds')
  await world.clock.advance(day)
  world.stripe.payAsyncFail(failing.session)
  world.stripe.expire(left)
  await world.settle(minute)
  assert.equal((await orderOf(world, failing.session))?.state, 'canceled')
  assert.equal((await orderOf(world, left))?.state, 'expired')
  assert.deepEqual(world.owned('fail@f6.example'), [])
  await assertPromise(world)
})

test('metadata is a hint: one that was paid too little for opens nothing and is shown', async () => {
  const cheap = await buy(world, 'cheap@meta.example', [priceOf(100)], { metadata })
  await world.settle(minute)
  assert.deepEqual(world.owned('cheap@meta.example'), [])
  assert.equal((await orderOf(world, cheap.session))?.issue, 'amount_mismatch')
  await assertPromise(world)
})

test('F16: without a key, a refund stays a refund when the payment is told again', async () => {
  const bought = await buy(world, 'back@f16.example', [priceOf(4900)], { metadata })
  await world.settle(minute)
  assert.deepEqual(world.owned('back@f16.example'), ['sourdough-basics'])
  world.stripe.refund({ payment_intent: bought.payment })
  await world.settle(minute)
  assert.deepEqual(world.owned('back@f16.example'), [])
  await world.rows(
    `update inbound_event set state = 'pending', attempts = 0, next_try_at = now() - interval '1 year' returning 1`,
  )
  await world.app.db.tx('system', (tx) => tx.run({ name: '', text: replayText, values: [] }))
  await world.settle(minute)
  assert.deepEqual(world.owned('back@f16.example'), [])
  await assertPromise(world)
})

const replayText = `select bursar_enqueue(jsonb_agg(jsonb_build_object('task', 'inbound.process', 'key', id,
  'runAt', received_at, 'payload', jsonb_build_object('eventId', id, 'organization', organization_id)))) from inbound_event`
