import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { type Ctx, inTx, systemCtx } from '#action/context.ts'
import { createPool } from '#db/database.ts'
import { reap } from '#db/jobs/drain.ts'
import { freeLeases } from '#entitlements/jobs.ts'
import { ensureMailboxPerson } from '#identity/people.ts'
import { createWorld, type World } from '#main/world.ts'
import { changeEmail } from '#people/email.ts'
import { mergePeople } from '#people/merge.ts'
import { openRequest } from '#people/privacy.ts'
import { buy } from './buyer.ts'
import { mortal } from './mortal.ts'

const momentsMax = 60
let world: World
let ctx: Ctx
let prices: [string, string]
before(async () => {
  world = await createWorld()
  ctx = systemCtx(world.app, world.organization, 'test')
  prices = [await world.sell('One', 900, ['sourdough-basics']), await world.sell('Two', 900, ['menu-pricing'])]
})
after(() => world.close())

/** Runs what is due on a process that dies at its `moment`-th step; another finds it dead and goes on. */
async function dieAt(moment: number): Promise<boolean> {
  const process = mortal(world, `mortal-${moment}-${world.clock.now()}`, moment)
  const died = await process.run()
  if (died) {
    const pool = createPool({ url: world.database.url, role: null, max: 1 })
    await reap(pool, process.node)
    await pool.end()
    await freeLeases(world.app, process.node)
  }
  await world.settle(10 * minute)
  await process.bury()
  await world.settle(10 * minute)
  return died
}

async function bought(email: string, price: string): Promise<string> {
  await buy(world, email, [price])
  await world.settle(minute)
  return (await inTx(ctx, (tx) => ensureMailboxPerson(tx, ctx, { email, name: null }))).id
}

async function untilItGetsThrough(kill: (moment: number) => Promise<boolean>, momentsMin: number): Promise<void> {
  let moment = 0
  for (let died = true; died; ) {
    moment += 1
    assert.ok(moment < momentsMax, 'it never gets through')
    died = await kill(moment)
  }
  assert.ok(moment > momentsMin, `only ${moment} steps were killed`)
}

test('a worker killed at any step of a merge: the seats end on one account, the merge ends done', async () => {
  await untilItGetsThrough(async (moment) => {
    const [old, kept] = [`old${moment}@merge.example`, `kept${moment}@merge.example`]
    const [from, into] = [await bought(old, prices[0]), await bought(kept, prices[1])]
    const evidence = { kind: 'proof', how: 'test' } as const
    const { id } = await inTx(ctx, (tx) => mergePeople(tx, ctx, { from, into, evidence }))
    const died = await dieAt(moment)
    assert.deepEqual(
      [world.owned(old), world.owned(kept)],
      [[], ['menu-pricing', 'sourdough-basics']],
      `step ${moment}`,
    )
    const [row] = await world.rows<{ state: string }>(`select state from person_merge where id = '${id}'`)
    assert.equal(row?.state, 'done', `step ${moment}`)
    return died
  }, 10)
})

test('a worker killed at any step of an erasure with an open seat: every step is carried out, once', async () => {
  await untilItGetsThrough(async (moment) => {
    const email = `gone${moment}@erase.example`
    const personId = await bought(email, prices[0])
    const { request } = await inTx(ctx, (tx) => openRequest(tx, ctx, { kind: 'erase', personId, reason: 'test' }))
    const died = await dieAt(moment)
    assert.deepEqual(world.owned(email), [], `step ${moment}`)
    const steps = await world.rows<{ kind: string; state: string }>(
      `select kind, state from privacy_step where request_id = '${request.id}' and state not in ('done', 'retained')`,
    )
    assert.deepEqual(
      steps.map((s) => s.kind),
      ['payments'],
      `step ${moment}`,
    )
    const [mails] = await world.rows<{ n: bigint }>(
      `select count(*) as n from mail_message where kind = 'person_erased' and created_at > now() - interval '100 years'`,
    )
    assert.equal(mails?.n, BigInt(moment), 'told once each')
    return died
  }, 12)
})

test('a worker killed at any step of telling the school a new address: the school has it in the end', async () => {
  await untilItGetsThrough(async (moment) => {
    const [old, fresh] = [`was${moment}@email.example`, `is${moment}@email.example`]
    const personId = await bought(old, prices[0])
    const by = { kind: 'operator', reason: 'test' } as const
    await inTx(ctx, (tx) => changeEmail(tx, ctx, personId, { newEmail: fresh, by }))
    const died = await dieAt(moment)
    assert.deepEqual([world.owned(old), world.owned(fresh)], [[], ['sourdough-basics']], `step ${moment}`)
    return died
  }, 4)
})
