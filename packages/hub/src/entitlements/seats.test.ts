import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startRealDeadline } from '@bursar/kit/clock.ts'
import { inTx, systemCtx } from '#action/context.ts'
import { ensureMailboxPerson } from '#identity/people.ts'
import { createWorld, type World } from '#main/world.ts'
import { type Desired, setEntitlements } from './seats.ts'

let world: World
before(async () => {
  world = await createWorld()
  await world.sell('Tour', 100, ['welcome-tour'])
})
after(() => world.close())

// Enough for the second transaction to read what it reads while the first is open.
const overlapMs = 150
const pause = () => new Promise<void>((resolve) => void startRealDeadline(overlapMs, resolve))

test('two reasons of one learner that end at the same moment both count: nobody keeps a seat by a race', async () => {
  const ctx = systemCtx(world.app, world.organization, 'test')
  const [course] = await world.rows<{ id: string }>(`select id from course limit 1`)
  const person = await inTx(ctx, (tx) => ensureMailboxPerson(tx, ctx, { email: 'race@seats.example', name: null }))
  const reason = (sourceId: string, access: Desired['access']): Desired => ({
    source: 'manual',
    sourceId,
    orderId: null,
    personId: person.id,
    courseId: course?.id ?? '',
    access,
    endsAt: null,
    reason: 'By hand',
  })
  await inTx(ctx, (tx) => setEntitlements(tx, ctx, [reason('one', 'live'), reason('two', 'live')]))
  let second: Promise<unknown> = Promise.resolve()
  await inTx(ctx, async (tx) => {
    await setEntitlements(tx, ctx, [reason('one', 'ended')])
    second = inTx(ctx, (other) => setEntitlements(other, ctx, [reason('two', 'ended')]))
    await pause()
  })
  await second
  const [seat] = await world.rows<{ wanted: string }>(`select wanted from enrollment where person_id = '${person.id}'`)
  assert.equal(seat?.wanted, 'revoked')
})
