import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hour, minute } from '@bursar/kit/clock.ts'
import { inTx, systemCtx } from '#action/context.ts'
import { createProduct, mapPrice, publishVersion } from '#catalog/products.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { setEntitlements } from '#entitlements/seats.ts'
import { applyJob } from '#entitlements/store.ts'
import { createWorld, type World } from '#main/world.ts'
import { buy, orderOf, seatsOf, subscriptionOf } from './buyer.ts'
import { assertPromise } from './promise.ts'

let world: World
let bread: string
let pastry: string
before(async () => {
  world = await createWorld()
  bread = await world.sell('Sourdough', 4900, ['sourdough-basics'])
  pastry = await world.sell('Pastry', 7900, ['pastry-foundations'])
})
after(() => world.close())
const settled = async () => {
  await world.settle(minute)
  await assertPromise(world)
}
const liveReasons = async (email: string) =>
  (
    await world.rows<{ reason: string }>(`
      select e.reason from entitlement e join person p on p.id = e.person_id
      where p.email = '${email}' and e.revoked_at is null and e.suspended_at is null order by e.id`)
  ).map((r) => r.reason)

test('F11: a refund of one course line ends that course only', async () => {
  const bought = await buy(world, 'line@f11.example', [bread, pastry])
  await settled()
  world.stripe.refund({ payment_intent: bought.payment, amount: 7900 })
  await settled()
  assert.deepEqual(world.owned('line@f11.example'), ['sourdough-basics'])
  assert.equal((await orderOf(world, bought.session))?.state, 'partially_refunded')
})

test('F11: a refund of a line that is no course ends none', async () => {
  const book = world.stripe.addPrice({ name: 'Textbook', amount: 2500 }).id
  const ctx = systemCtx(world.app, world.organization, 'test')
  const [payments] = await world.rows<{ id: string }>(`select id from connection where category = 'payment'`)
  await inTx(ctx, async (tx) => {
    const productId = await createProduct(tx, ctx, 'Textbook')
    await publishVersion(tx, ctx, productId, [])
    const connectionId = payments?.id ?? ''
    await mapPrice(tx, ctx, { connectionId, productId, externalId: book, currency: 'USD', amount: 2500n })
  })
  const bought = await buy(world, 'book@f11.example', [bread, book])
  await settled()
  world.stripe.refund({ payment_intent: bought.payment, amount: 2500 })
  await settled()
  assert.deepEqual(world.owned('book@f11.example'), ['sourdough-basics'])
  assert.deepEqual(await orderOf(world, bought.session), { state: 'partially_refunded', issue: null, refunded: 2500n })
})

test('F11: a partial refund that could be for either line takes nothing away and asks a person', async () => {
  const menu = await world.sell('Menu', 4900, ['menu-pricing'])
  const bought = await buy(world, 'unclear@f11.example', [bread, menu])
  await settled()
  world.stripe.refund({ payment_intent: bought.payment, amount: 4900 })
  await settled()
  assert.deepEqual(world.owned('unclear@f11.example'), ['menu-pricing', 'sourdough-basics'])
  assert.equal((await orderOf(world, bought.session))?.issue, 'refund_unattributed')
  world.stripe.refund({ payment_intent: bought.payment })
  await settled()
  assert.deepEqual(world.owned('unclear@f11.example'), [])
  assert.deepEqual(await orderOf(world, bought.session), { state: 'refunded', issue: null, refunded: 9800n })
})

test('F12: of two orders for one course, also of the same product, one refund leaves the access and names the other', async () => {
  const first = await buy(world, 'two@f12.example', [bread])
  await settled()
  await buy(world, 'two@f12.example', [bread])
  await settled()
  world.stripe.refund({ payment_intent: first.payment })
  await settled()
  assert.deepEqual(world.owned('two@f12.example'), ['sourdough-basics'])
  assert.deepEqual(await liveReasons('two@f12.example'), ['Bought: Sourdough'])
  const closed = await world.rows(`
    select 1 from timeline_entry t join person p on p.id = t.person_id
    where p.email = 'two@f12.example' and t.kind = 'enrollment.closed'`)
  assert.equal(closed.length, 0, 'the seat was never shut in between')
})

test('F12: order and subscription, order and a seat given by hand: the last reason alone ends it', async () => {
  const monthly = await world.sell('Sourdough monthly', 900, ['sourdough-basics'], 'month')
  const once = await buy(world, 'both@f12.example', [bread])
  const sub = await buy(world, 'both@f12.example', [monthly], { mode: 'subscription' })
  await settled()
  world.stripe.cancel(subscriptionOf(world, sub))
  await settled()
  assert.deepEqual(world.owned('both@f12.example'), ['sourdough-basics'])
  await giveByHand('both@f12.example', 'live')
  world.stripe.refund({ payment_intent: once.payment })
  await settled()
  assert.deepEqual(await liveReasons('both@f12.example'), ['Given by hand'])
  assert.deepEqual(world.owned('both@f12.example'), ['sourdough-basics'])
  await giveByHand('both@f12.example', 'ended')
  await settled()
  assert.deepEqual(world.owned('both@f12.example'), [])
})

async function giveByHand(email: string, access: 'live' | 'ended'): Promise<void> {
  const ctx = systemCtx(world.app, world.organization, 'test')
  const [who] = await world.rows<{ person: string; course: string }>(`
    select n.person_id as person, n.course_id as course from enrollment n join person p on p.id = n.person_id
    where p.email = '${email}'`)
  const { person: personId = '', course: courseId = '' } = who ?? {}
  await inTx(ctx, async (tx) => {
    const desired = { source: 'manual', sourceId: 'by hand', orderId: null, personId, courseId } as const
    const accounts = await setEntitlements(tx, ctx, [{ ...desired, access, endsAt: null, reason: 'Given by hand' }])
    await enqueue(
      tx,
      accounts.map((a) => applyJob(ctx.organization, a)),
    )
  })
}

test('F13: a refund in the dashboard closes the seat; while the school is down it reads "refunded, still enrolled"', async () => {
  const shown = await buy(world, 'dashboard@f13.example', [bread])
  const down = await buy(world, 'down@f13.example', [bread])
  await settled()
  world.stripe.refund({ payment_intent: shown.payment })
  await settled()
  assert.deepEqual(world.owned('dashboard@f13.example'), [])
  world.school.faults.set([{ kind: 'status', status: 503 }])
  world.stripe.refund({ payment_intent: down.payment })
  await world.settle(hour)
  const [seat] = await seatsOf(world, 'down@f13.example')
  assert.deepEqual([seat?.wanted, seat?.actual, seat?.failureClass], ['revoked', 'granted', 'unavailable'])
  assert.equal((await orderOf(world, down.session))?.state, 'refunded')
  await assertPromise(world)
  world.school.faults.clear()
  await world.settle(10 * minute)
  assert.deepEqual(world.owned('down@f13.example'), [])
  await assertPromise(world)
})

test('a refund the bank sends back gives the access back, and one on its way counts already', async () => {
  const bought = await buy(world, 'bounced@f13.example', [bread])
  await settled()
  const refund = world.stripe.refund({ payment_intent: bought.payment, pending: true })
  await settled()
  assert.deepEqual(world.owned('bounced@f13.example'), [])
  world.stripe.refundFail(refund.id)
  await settled()
  assert.deepEqual(world.owned('bounced@f13.example'), ['sourdough-basics'])
  assert.equal((await orderOf(world, bought.session))?.state, 'paid')
})

test('F14: a dispute suspends; won restores, lost ends for good; an inquiry changes nothing until it escalates', async () => {
  const who = ['won', 'lost', 'asked'] as const
  const bought = await Promise.all(who.map((w) => buy(world, `${w}@f14.example`, [bread])))
  await settled()
  const dispute = (i: number, inquiry = false) =>
    world.stripe.dispute({ payment_intent: bought[i]?.payment ?? '', ...(inquiry ? { inquiry } : {}) }).id
  const [won, lost, asked] = [dispute(0), dispute(1), dispute(2, true)]
  await settled()
  assert.deepEqual(
    who.map((w) => world.owned(`${w}@f14.example`).length),
    [0, 0, 1],
  )
  assert.equal((await orderOf(world, bought[0]?.session ?? ''))?.state, 'disputed')
  world.stripe.disputeClose(won, 'won')
  world.stripe.disputeClose(lost, 'lost')
  world.stripe.disputeClose(asked, 'escalated')
  await settled()
  assert.deepEqual(
    who.map((w) => world.owned(`${w}@f14.example`).length),
    [1, 0, 0],
  )
  assert.equal((await orderOf(world, bought[1]?.session ?? ''))?.state, 'charged_back')
})

test('F19: refunded, bought again, refunded again: every step names its own line', async () => {
  const first = await buy(world, 'again@f19.example', [bread])
  await settled()
  world.stripe.refund({ payment_intent: first.payment })
  await settled()
  const second = await buy(world, 'again@f19.example', [bread])
  await settled()
  assert.deepEqual(world.owned('again@f19.example'), ['sourdough-basics'])
  assert.equal((await orderOf(world, first.session))?.state, 'refunded')
  world.stripe.refund({ payment_intent: second.payment })
  await settled()
  assert.deepEqual(world.owned('again@f19.example'), [])
  const lines = await world.rows<{ lines: number }>(`
    select count(distinct source_id)::int as lines from entitlement e join person p on p.id = e.person_id where p.email = 'again@f19.example'`)
  assert.equal(lines[0]?.lines, 2)
})
