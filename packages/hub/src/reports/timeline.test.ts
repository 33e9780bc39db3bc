import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import type { Caller } from '#action/caller.ts'
import { defineActions } from '#action/define.ts'
import { runAction } from '#action/run.ts'
import { createWorld, type World } from '#main/world.ts'
import { reportActions, type TimelineWire } from './actions.ts'
import { renderTimeline } from './render.ts'

const registry = defineActions(reportActions)
let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

const caller = (scopes: string[] = ['timeline:read']): Caller => ({
  organization: world.organization,
  actor: { kind: 'key', id: 'key_1', name: 'test' },
  scopes,
})
const ask = (input: unknown, by: Caller | null = caller()) =>
  runAction(world.app, registry, { name: 'timeline.get', caller: by, input })
const timeline = async (input: unknown): Promise<TimelineWire> => {
  const result = await ask(input)
  if (!result.ok) throw new Error(JSON.stringify(result.body))
  return result.output as TimelineWire
}
const codeOf = async (input: unknown, by?: Caller | null) => {
  const result = await ask(input, by)
  return result.ok ? 'ok' : result.code
}

async function buy(email: string, price: string) {
  const session = await world.checkout([price])
  world.stripe.pay({ session, email, name: 'A Learner' })
  await world.settle()
  const [order] = await world.rows<{ id: string; payment_id: string; charge_id: string }>(
    `select id, payment_id, charge_id from "order" where checkout_id = '${session}'`,
  )
  if (order === undefined) throw new Error('no order')
  return { session, ...order }
}

test('a purchase is told from the first event to the open seat, in sentences without ids', async () => {
  const price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
  const { id } = await buy('anna@learner.example', price)
  const told = await timeline({ orderId: id })
  const text = told.entries.map((e) => e.sentence)
  for (const expected of [
    /^Stripe told us checkout\.session\.completed/,
    /^\$49\.00 was paid\.$/,
    /^The right to "sourdough-basics" began/,
    /^Opening the seat at Harbour School, try 1\.$/,
    /^Harbour School answered 201 to POST .*\/users in /,
    /^The seat is open at Harbour School\.$/,
  ])
    assert.equal(text.filter((t) => expected.test(t)).length, 1, `${expected}\n${text.join('\n')}`)
  assert.match(text[0] ?? '', /^Stripe told us/)
  assert.deepEqual(
    told.seats.map((s) => [s.kind, s.course, s.school]),
    [['open', 'sourdough-basics', 'Harbour School']],
  )
  assert.match(told.seats[0]?.sentence ?? '', /^Open at Harbour School since .*Bought: Sourdough/)
  assert.doesNotMatch(text.join(), /(crs|con|prs|enr|ent)_/)
})

test('the same purchase is found by every name somebody may have', async () => {
  const price = await world.sell('Pastry', 7900, ['pastry-foundations'])
  const bought = await buy('Bea@Learner.example', price)
  const [event] = await world.rows<{ external_id: string }>(
    `select external_id from inbound_event where outcome like '%${bought.id}%' limit 1`,
  )
  const [seat] = await world.rows<{ id: string }>(
    `select n.id from enrollment n join "order" o using (person_id) where o.id = '${bought.id}'`,
  )
  for (const input of [
    { orderId: bought.id },
    { email: 'bea@learner.example' },
    { enrollmentId: seat?.id },
    { externalId: bought.session },
    { externalId: bought.payment_id },
    { externalId: bought.charge_id },
    { externalId: event?.external_id },
  ]) {
    const told = await timeline(input)
    assert.deepEqual([input, told.orders.map((o) => o.id)], [input, [bought.id]])
    assert.equal(told.seats[0]?.kind, 'open')
  }
})

test('while the school is down the verdict says what it answers, since when, and when the next try is', async () => {
  const price = await world.sell('Menu', 6000, ['menu-pricing'])
  world.school.faults.set([{ kind: 'status', status: 503, path: '/v2/' }])
  const { id } = await buy('carl@learner.example', price)
  const told = await timeline({ orderId: id })
  assert.equal(told.seats[0]?.kind, 'waiting')
  assert.match(told.seats[0]?.sentence ?? '', /^Waiting\. Harbour School: .*Since .*Next try in /)
  assert.ok(told.entries.some((e) => /^Harbour School answered 503 to /.test(e.sentence)))
  world.school.faults.clear()
  await world.settle(10 * minute)
  assert.equal((await timeline({ orderId: id })).seats[0]?.kind, 'open')
})

test('a payment for a price nobody mapped says which price to map', async () => {
  const { id: price } = world.stripe.addPrice({ name: 'Unmapped', amount: 1000 })
  const { id } = await buy('dora@learner.example', price)
  const told = await timeline({ orderId: id })
  assert.equal(told.seats[0]?.kind, 'needs_person')
  assert.match(
    told.seats[0]?.sentence ?? '',
    new RegExp(`price ${price} is not mapped to a course; map it with prices.map`),
  )
  assert.equal(told.orders[0]?.issue, 'price_unknown')
})

test('an attempt that began and never reported shows as interrupted', async () => {
  const price = await world.sell('Safety', 3500, ['food-safety'])
  const { id } = await buy('emil@learner.example', price)
  const [seat] = await world.rows<{ id: string; person_id: string }>(
    `select n.id, n.person_id from enrollment n join "order" o using (person_id) where o.id = '${id}'`,
  )
  await world.rows(`insert into timeline_entry (id, organization_id, at, kind, trace_id, person_id, enrollment_id, data)
    select '${world.app.ids.next('tle')}', '${world.organization}', now(), 'apply.started', 'trc_dead', '${seat?.person_id}', '${seat?.id}',
      '{"connectionId":"x","wanted":"granted","attempt":2,"uncertain":false}'`)
  const told = await timeline({ orderId: id })
  const cut = told.entries.filter((e) => e.interrupted)
  assert.equal(cut.length, 1)
  assert.match(cut[0]?.sentence ?? '', /cut off and never reported/)
})

test('as text it is aligned, calm and steers no terminal', async () => {
  const price = await world.sell('Books', 12_000, ['cafe-bookkeeping'])
  const { id } = await buy('fay@learner.example', price)
  const told = await timeline({ orderId: id })
  const text = renderTimeline({ ...told, seats: told.seats.map((s) => ({ ...s, course: 'x\u001b[31m' })) })
  assert.match(text, /^ord_\w+ · fay@learner\.example · \$120\.00 · paid\n/)
  assert.match(text, /\n {2}\d\d:\d\d:\d\d {2,}\+\d+.* {2}The seat is open at Harbour School\.\n/)
  assert.match(text, /\n● x\ufffd\[31m {2}Open at Harbour School since /)
})

test('what cannot be asked or is not there is refused by code', async () => {
  assert.equal(await codeOf({}), 'input_invalid')
  assert.equal(await codeOf({ email: 'a@b.example', externalId: 'pi_1' }), 'input_invalid')
  assert.equal(await codeOf({ externalId: 'pi_nobody' }), 'not_found')
  assert.equal(await codeOf({ email: 'nobody@learner.example' }), 'not_found')
  assert.equal(await codeOf({ externalId: 'x' }, null), 'unauthenticated')
  assert.equal(await codeOf({ externalId: 'x' }, caller(['orders:read'])), 'forbidden')
})
