import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Caller, systemCaller } from '#action/caller.ts'
import { systemCtx } from '#action/context.ts'
import { action, defineActions } from '#action/define.ts'
import { runAction } from '#action/run.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import { ensurePerson } from './people.ts'
import { grantRole, revokeRole, rolesOf, scopesOfRoles } from './roles.ts'
import { cookieCounts, type SignedIn } from './signed-in.ts'
import { signedInAs } from './signed-in-testing.ts'
import { callerOfUser } from './user-caller.ts'

let it: TestApp
let alder: string
let birch: string

before(async () => {
  it = await testApp()
  alder = await it.organization('alder')
  birch = await it.organization('birch')
})
after(() => it.close())

const ada = signedInAs('ada', { email: 'ada@example.com', emailVerified: true })
const strong = (signedIn: SignedIn): SignedIn => ({ ...signedIn, secondFactorAt: it.clock.now() })
const personIn = async (organization: string, signedIn: SignedIn): Promise<string> =>
  (await it.app.db.tx({ organization }, (tx) => ensurePerson(tx, { ids: it.app.ids, organization }, signedIn))).id
const grant = (organization: string, personId: string, role: 'owner' | 'support' | 'payee') =>
  it.app.db.tx({ organization }, (tx) =>
    grantRole(tx, systemCtx(it.app, organization, 'test'), { personId, role, reason: 'test' }),
  )
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'ok'
  } catch (error) {
    if (error instanceof CodedError) return error.code
    throw error
  }
}

const mine = action({
  name: 'test.mine',
  summary: 'What is mine.',
  input: z.object({}),
  output: z.object({ person: z.string() }),
  access: 'person',
  effect: 'read',
  run: async (ctx) => ({ person: ctx.user?.personId ?? 'nobody' }),
})
const orders = action({
  name: 'test.orders',
  summary: 'What operators see.',
  input: z.object({}),
  output: z.object({}),
  access: 'orders:read',
  effect: 'read',
  run: async () => ({}),
})
const refund = action({
  name: 'test.refund',
  summary: 'What needs a fresh second factor.',
  input: z.object({}),
  output: z.object({}),
  access: 'orders:write',
  effect: 'write',
  secondFactor: true,
  run: async () => ({}),
})
const registry = defineActions([mine, orders, refund])
const run = async (name: string, caller: Caller | null) => {
  const result = await runAction(it.app, registry, { name, caller, input: {} })
  return result.ok ? 'ok' : result.code
}

test('a person who is known in one organization acts there without naming it; known in two, they must', async () => {
  const who = signedInAs('two-homes')
  assert.equal(await codeOf(callerOfUser(it.app, who, null)), 'organization_needed')
  const here = await personIn(alder, who)
  const caller = await callerOfUser(it.app, who, null)
  assert.deepEqual([caller.organization, caller.actor.kind, caller.user?.personId], [alder, 'user', here])
  await personIn(birch, who)
  assert.equal(await codeOf(callerOfUser(it.app, who, null)), 'organization_needed')
  assert.equal((await callerOfUser(it.app, who, 'birch')).organization, birch)
  assert.equal((await callerOfUser(it.app, who, alder)).organization, alder)
  assert.equal(await codeOf(callerOfUser(it.app, who, 'nowhere')), 'not_found')
})

test('a session of one organization counts in no other', async () => {
  const bound = signedInAs('bound', { organization: alder })
  assert.equal((await callerOfUser(it.app, bound, null)).organization, alder)
  assert.equal(await codeOf(callerOfUser(it.app, bound, 'birch')), 'not_found')
})

test('roles of one organization give nothing in another, and nothing before the second factor', async () => {
  const person = await personIn(alder, ada)
  await personIn(birch, ada)
  await grant(alder, person, 'support')
  const weak = await callerOfUser(it.app, ada, 'alder')
  assert.equal(await run('test.orders', weak), 'second_factor_required')
  assert.equal(await run('test.mine', weak), 'ok')
  assert.equal(await run('test.orders', await callerOfUser(it.app, strong(ada), 'alder')), 'ok')
  assert.equal(await run('test.orders', await callerOfUser(it.app, strong(ada), 'birch')), 'forbidden')
})

test('what needs a fresh second factor refuses one of eleven minutes ago', async () => {
  const boss = signedInAs('boss')
  await grant(alder, await personIn(alder, boss), 'owner')
  const session = strong(boss)
  assert.equal(await run('test.refund', await callerOfUser(it.app, session, 'alder')), 'ok')
  it.clock.advance(11 * minute)
  assert.equal(await run('test.refund', await callerOfUser(it.app, session, 'alder')), 'second_factor_required')
  assert.equal(await run('test.orders', await callerOfUser(it.app, session, 'alder')), 'ok')
})

test('a key is no person, and a stranger is nobody', async () => {
  const key: Caller = { organization: alder, actor: { kind: 'key', id: 'key_1', name: 'key' }, scopes: ['*'] }
  assert.equal(await run('test.mine', key), 'forbidden')
  assert.equal(await run('test.mine', systemCaller(alder, 'job')), 'forbidden')
  assert.equal(await run('test.mine', null), 'unauthenticated')
  assert.equal(await run('test.refund', key), 'ok', 'a key is a secret of its own and is asked for no second factor')
})

test('what a person does stands in the audit under their own name', async () => {
  const person = await personIn(alder, ada)
  await runAction(it.app, registry, {
    name: 'test.refund',
    caller: await callerOfUser(it.app, ada, 'alder'),
    input: {},
  })
  const rows = await it.rows<{ kind: string; id: string; outcome: string }>(
    `select actor_kind as kind, actor_id as id, outcome from audit where actor_id = '${person}' order by id desc`,
  )
  assert.deepEqual(rows[0], { kind: 'user', id: person, outcome: 'second_factor_required' })
})

test('an organization keeps its last owner', async () => {
  const organization = await it.organization('cedar')
  const ctx = systemCtx(it.app, organization, 'test')
  const [first, second] = [await personIn(organization, signedInAs('a')), await personIn(organization, signedInAs('b'))]
  await grant(organization, first, 'owner')
  const revoke = (personId: string) =>
    it.app.db.tx({ organization }, (tx) => revokeRole(tx, ctx, { personId, role: 'owner', reason: 'gone' }))
  assert.equal(await codeOf(revoke(first)), 'conflict')
  await grant(organization, second, 'owner')
  assert.equal(await codeOf(revoke(first)), 'ok')
  assert.deepEqual(await it.app.db.tx({ organization }, (tx) => rolesOf(tx, second)), ['purchaser', 'owner'])
})

test('no role but the owner\u2019s holds everything, and none runs the hub itself', () => {
  assert.deepEqual(scopesOfRoles(['purchaser', 'payee']), [])
  assert.ok(!scopesOfRoles(['commerce-admin', 'operator', 'support', 'finance', 'developer']).includes('*'))
  assert.ok(!scopesOfRoles(['owner']).includes('operator'))
})

test('a cookie speaks for a request only when the request comes from our own pages', () => {
  const hub = 'https://hub.example'
  const post = (headers: Record<string, string>) => cookieCounts({ method: 'POST', headers }, hub)
  assert.equal(cookieCounts({ method: 'GET', headers: { 'sec-fetch-site': 'cross-site' } }, hub), true)
  assert.equal(post({ 'sec-fetch-site': 'same-origin' }), true)
  assert.equal(post({ 'sec-fetch-site': 'cross-site' }), false)
  assert.equal(post({ 'sec-fetch-site': 'same-site' }), false)
  assert.equal(post({ origin: 'https://hub.example' }), true)
  assert.equal(post({ origin: 'https://evil.example' }), false)
  assert.equal(post({}), false)
})
