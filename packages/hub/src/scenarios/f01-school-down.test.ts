import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hour, minute } from '@bursar/kit/clock.ts'
import { failuresToOpen } from '#db/breaker.ts'
import { createWorld, type World, webhookSecret } from '#main/world.ts'
import { buy, seatsOf } from './buyer.ts'
import { assertPromise } from './promise.ts'

const buyers = 200
const batch = 20
let world: World
before(async () => {
  world = await createWorld({ variants: { requests: 30, windowMs: 10_000 } })
})
after(() => world.close())

test('F1: one purchase alone in a school that is down for four hours is open within ten minutes of its return', async () => {
  const price = await world.sell('Sourdough', 4900, ['sourdough-basics'])
  world.school.faults.set([{ kind: 'status', status: 503 }])
  await buy(world, 'alone@f1.example', [price])
  for (let h = 0; h < 4; h++) await world.settle(hour)
  const [waiting] = await seatsOf(world, 'alone@f1.example')
  assert.equal(waiting?.actual, 'none')
  assert.ok((waiting?.attempts ?? 99) <= 5, `the outage burnt ${waiting?.attempts} attempts`)
  world.school.faults.clear()
  await world.settle(10 * minute)
  assert.deepEqual(world.owned('alone@f1.example'), ['sourdough-basics'])
  await assertPromise(world)
})

test('F1: 200 purchases of four dark hours all open within ten minutes, none lost, no attempt spent, no call refused', async () => {
  const price = await world.sell('Pastry', 7900, ['pastry-foundations'])
  world.stripe.setWebhook({ url: `${world.url}/api/stripe/webhook`, secret: webhookSecret, events: [completed] })
  world.school.faults.set([{ kind: 'status', status: 503 }])
  for (let i = 0; i < buyers; i++) {
    await buy(world, `dark${i}@f1.example`, [price])
    if (i % batch === batch - 1) await world.settle((4 * hour * batch) / buyers)
  }
  const [waiting] = await world.rows<Waiting>(waitingText)
  const { attempts, ...seen } = waiting ?? { attempts: 99 }
  assert.deepEqual(seen, { open: 0, waiting: buyers, told: buyers }, 'each page is honest')
  assert.ok(attempts <= failuresToOpen, `${attempts} attempts were spent, more than it takes to open the breaker`)
  const unpaid = await world.rows(`select 1 from "order" where state <> 'paid'`)
  assert.equal(unpaid.length, 0, 'paid is shown as paid, so nobody is asked to pay again')

  world.school.faults.clear()
  await world.settle(10 * minute)
  const [done] = await world.rows<Waiting>(waitingText)
  assert.deepEqual({ ...done }, { open: buyers, waiting: 0, told: 0, attempts: 0 })
  assert.equal(world.school.state().counts.limited, 0, '429 answers')
  await assertPromise(world)
})

type Waiting = { open: number; waiting: number; told: number; attempts: number }
const completed = 'checkout.session.completed'
const waitingText = `
  select count(*) filter (where actual = 'granted')::int as open,
    count(*) filter (where actual <> 'granted' and next_try_at is not null)::int as waiting,
    count(*) filter (where failure_class = 'unavailable' and failure_code = 'breaker_open')::int as told,
    coalesce(sum(attempts), 0)::int as attempts
  from enrollment n join lms_account a on a.id = n.account_id where a.email like 'dark%'`
