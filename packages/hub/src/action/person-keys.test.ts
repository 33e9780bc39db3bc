import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { type Caller, nobody } from './caller.ts'
import { action, defineActions } from './define.ts'
import { type ActionResult, runAction } from './run.ts'
import { type TestApp, testApp } from './testing.ts'

let it: TestApp
let organization: string
before(async () => {
  it = await testApp()
  organization = await it.organization('keys')
})
after(() => it.close())

const registry = defineActions([
  action({
    name: 'own.make',
    summary: 'Make something of one’s own.',
    input: z.object({}),
    output: z.object({ whose: z.string() }),
    access: 'person',
    effect: 'write',
    run: async (ctx) => ({ whose: ctx.user?.personId ?? 'nobody' }),
  }),
  action({
    name: 'shop.make',
    summary: 'Make something of the shop’s.',
    input: z.object({}),
    output: z.object({ by: z.string() }),
    access: 'shop:write',
    effect: 'write',
    run: async ({ actor }) => ({ by: actor.kind === 'system' ? '' : actor.id }),
  }),
])

const person = (id: string, scopes: readonly string[] = []): Caller => ({
  ...nobody,
  organization,
  actor: { kind: 'user', id, name: id },
  scopes,
  user: {
    ...{ personId: id, sessionId: `s-${id}`, issuer: 'https://issuer.test', subject: id, email: null },
    ...{ emailVerified: false, mailboxProvenAt: null, authenticatedAt: 0, secondFactorAt: null, scopesWait: false },
  },
})
const key = (id: string): Caller => ({ organization, actor: { kind: 'key', id, name: id }, scopes: ['*'] })

const ask = (name: string, caller: Caller, idempotencyKey = '1'): Promise<ActionResult> =>
  runAction(it.app, registry, { name, caller, input: {}, idempotencyKey })

test('a person who repeats another person’s idempotency key gets an answer of their own', async () => {
  const ada = await ask('own.make', person('prs_ada'))
  const eve = await ask('own.make', person('prs_eve'))
  assert.deepEqual(ada.ok && [ada.output, ada.replayed], [{ whose: 'prs_ada' }, false])
  assert.deepEqual(eve.ok && [eve.output, eve.replayed], [{ whose: 'prs_eve' }, false])
  const again = await ask('own.make', person('prs_ada'))
  assert.deepEqual(again.ok && [again.output, again.replayed], [{ whose: 'prs_ada' }, true])
})

test('nobody can use up a key beforehand: neither people a shop’s, nor shops a person’s', async () => {
  const staff = await ask('shop.make', person('prs_staff', ['*']), 'night-run')
  assert.ok(staff.ok)
  const server = await ask('shop.make', key('key_1'), 'night-run')
  assert.deepEqual(server.ok && [server.output, server.replayed], [{ by: 'key_1' }, false])
  // Servers of one shop take turns: that is what the key is for.
  const second = await ask('shop.make', key('key_2'), 'night-run')
  assert.deepEqual(second.ok && [second.output, second.replayed], [{ by: 'key_1' }, true])
})
