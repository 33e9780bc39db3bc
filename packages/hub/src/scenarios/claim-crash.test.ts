import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute, second } from '@bursar/kit/clock.ts'
import { onboardLearner } from '#contract/onboard.ts'
import { createPool } from '#db/database.ts'
import { reap } from '#db/jobs/drain.ts'
import { freeLeases } from '#entitlements/jobs.ts'
import { signedInAs } from '#identity/signed-in-testing.ts'
import { mortal } from './mortal.ts'
import { assertPromise } from './promise.ts'
import { type Begun, createShop, type Shop } from './shop.ts'

const momentsMax = 80
let shop: Shop
let price: string
before(async () => {
  shop = await createShop()
  price = await shop.world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => shop.close())

/** One onboarding in a process that dies at its `moment`-th step; true when it died. */
async function dieAt(moment: number, order: Begun, email: string): Promise<boolean> {
  const process = mortal(shop.world, `mortal-claim-${moment}`, moment)
  const signedIn = signedInAs(email, { email, emailVerified: true, mailboxProvenAt: shop.world.clock.now() })
  const deps = { app: process.app, sources: [async () => signedIn] }
  const body = { orderRef: order.orderRef, claimSecret: order.claimSecret, confirmEmail: true }
  const request = { method: 'POST', headers: {} }
  const died = await process.during(() => onboardLearner(deps, body, { request, traceId: `trc_${moment}` }))
  if (died) {
    const pool = createPool({ url: shop.world.database.url, role: null, max: 1 })
    await reap(pool, process.node)
    await pool.end()
    await freeLeases(shop.world.app, process.node)
  }
  await shop.world.settle(minute)
  await process.bury()
  await shop.world.settle(minute)
  return died
}

test('a process killed at any step of an onboarding: claimed at most once, open once, for the claimant alone', async () => {
  let moment = 0
  for (let died = true; died; ) {
    moment += 1
    assert.ok(moment < momentsMax, 'it never gets through')
    const order = await shop.begin({ prices: [price] })
    await shop.pay(order, `payer${moment}@crash.example`)
    await shop.world.clock.advance(3 * second)
    const email = `learner${moment}@crash.example`
    died = await dieAt(moment, order, email)
    const body = { orderRef: order.orderRef, claimSecret: order.claimSecret, confirmEmail: true }
    const token = shop.session(email, { email, fresh: true, issuer: 'https://issuer.test' })
    const done = await shop.post('/api/onboard-learner', body, { token })
    assert.deepEqual(
      [done.status, done.body.status],
      [200, 'open'],
      `killed at step ${moment}: ${JSON.stringify(done.body)}`,
    )
    await shop.world.settle(minute)
    assert.deepEqual(shop.world.owned(email), ['sourdough-basics'], `killed at step ${moment}`)
    assert.deepEqual(shop.world.owned(`payer${moment}@crash.example`), [], `killed at step ${moment}`)
    const claims = await shop.world.rows(`select 1 from claim where order_id = '${order.orderRef}'`)
    assert.equal(claims.length, 1)
    const mails = await shop.kinds(`payer${moment}@crash.example`)
    assert.deepEqual(mails, ['receipt', 'claim_notice'], `killed at step ${moment}`)
  }
  assert.ok(moment > 10, `only ${moment} steps were killed`)
  await assertPromise(shop.world)
})
