import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute } from '@bursar/kit/clock.ts'
import { signStripe } from '@bursar/kit/signature/stripe.ts'
import { inTx } from '#action/context.ts'
import { replay } from '#events/replay.ts'
import { applySeed, seedSchema } from '#main/seed.ts'
import { createWorld, type World, webhookSecret } from '#main/world.ts'
import { buy, orderOf, seatsOf } from './buyer.ts'
import { assertPromise } from './promise.ts'

let world: World
let price: string
before(async () => {
  world = await createWorld()
  price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => world.close())

const replayAll = async () => {
  const events = await world.rows<{ id: string }>('select id from inbound_event order by id')
  await inTx({ db: world.app.db, organization: world.organization }, (tx) =>
    replay(
      tx,
      world.organization,
      events.map((e) => e.id),
    ),
  )
  await world.settle(minute)
}

test('F16: what was revoked stays revoked, through retries that come late and every event told again', async () => {
  const bought = await buy(world, 'gone@f16.example', [price])
  world.school.faults.set([{ kind: 'status', status: 502, path: '/enrollment' }])
  await world.settle(minute)
  world.stripe.refund({ payment_intent: bought.payment })
  await world.settle(minute)
  world.school.faults.clear()
  await world.settle(30 * minute)
  assert.deepEqual(world.owned('gone@f16.example'), [], 'the grant that waited was called off')
  await replayAll()
  await world.settle(day)
  assert.deepEqual(world.owned('gone@f16.example'), [])
  await assertPromise(world)
})

test('F17: of three courses the refused one waits alone, the others open, and it opens alone once the school has it', async () => {
  const program = await world.sell('Program', 15_000, ['menu-pricing', 'not-yet-made', 'pastry-foundations'])
  await buy(world, 'bundle@f17.example', [program])
  await world.settle(minute)
  const seats = await seatsOf(world, 'bundle@f17.example')
  assert.deepEqual(
    seats.map((s) => [s.course, s.actual, s.failureClass]),
    [
      ['menu-pricing', 'granted', null],
      ['not-yet-made', 'none', 'invalid'],
      ['pastry-foundations', 'granted', null],
    ],
  )
  await assertPromise(world)
  const { courses } = world.school.school()
  const like = courses.get('menu-pricing')
  if (like !== undefined) courses.set('not-yet-made', { ...like, id: 'not-yet-made' })
  world.school.clearLog()
  await world.rows(
    `update enrollment set next_try_at = now() - interval '20 years' where failure_class = 'invalid' returning id`,
  )
  await world.settle(minute)
  assert.deepEqual(world.owned('bundle@f17.example'), ['menu-pricing', 'not-yet-made', 'pastry-foundations'])
  const writes = world.school.log().filter((c) => c.method === 'POST' && c.path.endsWith('/enrollment'))
  assert.equal(writes.length, 1, 'the other two were left alone')
  await assertPromise(world)
})

test('unknown price: money taken for something unknown is shown, and heals when it is mapped and told again', async () => {
  const unknown = world.stripe.addPrice({ name: 'New thing', amount: 3000 }).id
  const bought = await buy(world, 'unmapped@price.example', [unknown])
  await world.settle(minute)
  assert.deepEqual(await orderOf(world, bought.session), { state: 'paid', issue: 'price_unknown', refunded: 0n })
  await assertPromise(world)
  await applySeed(world.app, productSeed('New thing', unknown, 'cafe-bookkeeping', 'new'))
  await replayAll()
  assert.equal((await orderOf(world, bought.session))?.issue, null)
  assert.deepEqual(world.owned('unmapped@price.example'), ['cafe-bookkeeping'])
  await assertPromise(world)
})

test('metadata of older shops is a hint: right is silent, wrong is shown and what was paid for opens', async () => {
  const other = world.stripe.addPrice({ name: 'Menu', amount: 6000 }).id
  await applySeed(world.app, productSeed('Menu', other, 'menu-pricing', '77'))
  const known = { studentId: '7', partnerId: '3', programId: '9' }
  const right = await buy(world, 'right@meta.example', [other], { metadata: { ...known, courseId: '77' } })
  const wrong = await buy(world, 'wrong@meta.example', [price, other], { metadata: { ...known, courseId: 'new' } })
  await world.settle(minute)
  assert.deepEqual(
    [(await orderOf(world, right.session))?.issue, world.owned('right@meta.example')],
    [null, ['menu-pricing']],
  )
  assert.equal((await orderOf(world, wrong.session))?.issue, 'metadata_mismatch')
  assert.deepEqual(world.owned('wrong@meta.example'), ['menu-pricing', 'sourdough-basics'])
  await assertPromise(world)
})

const productSeed = (name: string, priceId: string, course: string, courseId: string) =>
  seedSchema.parse({
    organizations: [
      {
        name: 'school',
        slug: 'school',
        products: [
          {
            name,
            courses: [{ connection: 'Harbour School', id: course }],
            prices: [{ connection: 'Stripe', id: priceId, currency: 'usd', amount: '3000' }],
            metadata: [{ connection: 'Stripe', key: 'courseId', value: courseId }],
          },
        ],
      },
    ],
  })

const knock = async (body: Buffer, headers: Readonly<Record<string, string>>) => {
  const url = `${world.url}/api/stripe/webhook`
  const answer = await world.app.http({
    method: 'POST',
    url,
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })
  return answer.ok ? answer.response.status : null
}

test('F24: unsigned, signed over other bytes, or replayed with a fresh time: refused before it has an effect, and told', async () => {
  const bought = await buy(world, 'forged@f24.example', [price])
  const event = world.stripe.events().findLast((e) => e.type === 'checkout.session.completed')
  if (event === undefined) throw new Error('nothing was paid')
  const { body, headers } = world.stripe.signedDelivery(event)
  const signature = headers['stripe-signature'] ?? ''
  const other = Buffer.from(body.toString().replace('forged@f24.example', 'thief@f24.example'))
  const fresh = signature.replace(/t=\d+/, `t=${Math.floor(world.clock.now() / 1_000) + 60}`)
  const foreign = signStripe(body, 'whsec_of_somebody_else_0123456789', Math.floor(world.clock.now() / 1_000))
  await world.stripe.deliverAll({ drop: 1 })
  const before = await world.rows('select 1 from inbound_event')
  assert.equal(await knock(body, {}), 400, '(a) unsigned')
  assert.equal(await knock(other, { 'stripe-signature': signature }), 400, '(b) other bytes')
  assert.equal(await knock(body, { 'stripe-signature': fresh }), 400, '(c) fresh timestamp')
  assert.equal(await knock(body, { 'stripe-signature': foreign }), 400, 'another key')
  assert.equal((await world.rows('select 1 from inbound_event')).length, before.length)
  await world.settle(minute)
  assert.equal(await orderOf(world, bought.session), null)
  assert.ok(world.lines.some((l) => l.level === 'warn' && l.message === 'inbound delivery refused'))
  const now = Math.floor(world.clock.now() / 1_000)
  assert.equal(await knock(body, { 'stripe-signature': signStripe(body, webhookSecret, now) }), 200, 'the real one')
  await world.settle(minute)
  assert.deepEqual(world.owned('forged@f24.example'), ['sourdough-basics'])
})
