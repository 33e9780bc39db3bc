import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { inTx, systemCtx } from '#action/context.ts'
import { ensureMailboxPerson } from '#identity/people.ts'
import { createWorld, type World } from '#main/world.ts'
import { setEntitlements } from './seats.ts'
import { type Claim, claim, settleClaim } from './store.ts'

let world: World
before(async () => {
  world = await createWorld()
})
after(() => world.close())

test('a holder that comes back after its lease writes nothing, and takes nothing from the holder after it', async () => {
  const price = await world.sell('Tour', 100, ['welcome-tour'])
  const session = await world.checkout([price])
  world.school.faults.set([{ kind: 'status', status: 500, path: '/v2/' }])
  world.stripe.pay({ session, email: 'late@claim.example' })
  await world.settle()
  const [account] = await world.rows<{ id: string }>(`select id from lms_account`)
  await world.clock.advance(minute)
  await world.rows(`update enrollment set next_try_at = created_at`)
  const ctx = systemCtx(world.app, world.organization, 'test')
  const take = async (): Promise<Claim> => {
    const taken = await inTx(ctx, (tx) => claim(tx, ctx, account?.id ?? ''))
    assert.ok(typeof taken === 'object', String(taken))
    return taken
  }
  const give = (taken: Claim, actual: 'granted' | 'none') =>
    inTx(ctx, (tx) => {
      const results = taken.work.map((item) => ({
        item,
        actual,
        uncertain: false,
        attempts: 0,
        nextTryAt: null,
        failure: null,
      }))
      return settleClaim(tx, ctx, taken, null, results, [])
    })
  const first = await take()
  await world.clock.advance(11 * minute)
  const second = await take()
  assert.equal(second.work[0]?.wasUncertain, true, 'nobody knows what the first has done')
  assert.equal(await give(first, 'granted'), 'lost')
  const [row] = await world.rows<{ actual: string; token: string }>(`
    select n.actual, a.lease_token as token from enrollment n join lms_account a on a.id = n.account_id`)
  assert.deepEqual({ ...row }, { actual: 'none', token: second.token })
  assert.deepEqual(await give(second, 'granted'), { dueAt: null })
})

/** Nothing pokes here but the sweep, which leaves a row two seconds. */
async function swept(): Promise<void> {
  await world.settle(minute)
  await world.settle(minute)
}

test('a seat that is wanted again after a revoke was cut off is looked at: it may have got through', async () => {
  const ctx = systemCtx(world.app, world.organization, 'test')
  const email = 'again@claim.example'
  world.school.faults.clear()
  const { id: person } = await inTx(ctx, (tx) => ensureMailboxPerson(tx, ctx, { email, name: null }))
  const [{ id: course } = { id: '' }] = await world.rows<{ id: string }>(`select id from course limit 1`)
  const wish = (access: 'live' | 'ended') =>
    inTx(ctx, (tx) =>
      setEntitlements(tx, ctx, [
        {
          source: 'manual',
          sourceId: 'x',
          orderId: null,
          personId: person,
          courseId: course,
          access,
          endsAt: null,
          reason: 'r',
        },
      ]),
    )
  await wish('live')
  await swept()
  assert.deepEqual(world.owned(email), ['welcome-tour'])
  const [{ id: account } = { id: '' }] = await world.rows<{ id: string }>(
    `select id from lms_account where email = '${email}'`,
  )
  await wish('ended')
  const cut = await inTx(ctx, (tx) => claim(tx, ctx, account))
  assert.ok(typeof cut === 'object', String(cut))
  const { users, enrollments } = world.school.school()
  const user = [...users.values()].find((u) => u.email === email)
  enrollments.get(user?.id ?? '')?.delete('course:welcome-tour')
  await world.rows(`update lms_account set lease_node = null, lease_token = null, lease_until = null`)
  assert.deepEqual(await wish('live'), [account])
  await swept()
  assert.deepEqual(world.owned(email), ['welcome-tour'])
})
