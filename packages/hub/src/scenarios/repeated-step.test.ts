import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { processInbound } from '#events/process.ts'
import { createWorld, type World } from '#main/world.ts'
import { handlePaymentEvent } from '#orders/handle.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

test('an event that is repeated after a death between its two steps opens the seat at once, without the sweep', async () => {
  const price = await world.sell('Pastry', 7_900, ['pastry-foundations'])
  const session = await world.checkout([price])
  world.stripe.pay({ session, email: 'again@learner.example' })
  await world.settle()
  // As a process leaves it that settled the payment and died before it asked the school.
  const [seat] = await world.rows<{ id: string }>(
    `update enrollment n set actual = 'none', next_try_at = n.created_at from person p
     where p.id = n.person_id and p.email = 'again@learner.example' returning n.id`,
  )
  const [event] = await world.rows<{ id: string }>(
    `update inbound_event set state = 'pending' where id = (select id from inbound_event
     where type = 'checkout.session.completed' order by received_at desc, id desc limit 1) returning id`,
  )
  const handled = await processInbound(
    world.app,
    { eventId: event?.id ?? '', organization: world.organization },
    { stripe: handlePaymentEvent },
  )
  assert.equal(handled, 'done')
  const [after] = await world.rows<{ actual: string }>(`select actual from enrollment where id = '${seat?.id}'`)
  assert.equal(after?.actual, 'granted')
})
