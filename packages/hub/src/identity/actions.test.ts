import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute, second } from '@bursar/kit/clock.ts'
import { type Caller, systemCaller } from '#action/caller.ts'
import { defineActions } from '#action/define.ts'
import { type ActionRequest, runAction } from '#action/run.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import { identityActions } from './actions.ts'
import { authenticate } from './authenticate.ts'
import { importKey } from './keys.ts'

const registry = defineActions(identityActions)
let it: TestApp
let org: string

const caller = (organization: string, ...scopes: string[]): Caller => ({
  organization,
  actor: { kind: 'key', id: 'key_test', name: 'Test' },
  scopes,
})
const call = async (name: string, input: unknown, more: Partial<ActionRequest> = {}) =>
  runAction(it.app, registry, { name, input, caller: caller(org, '*'), ...more })

type Made = { key: { id: string; scopes: string[] }; secret: string }
async function makeKey(input: object, more: Partial<ActionRequest> = {}): Promise<Made> {
  const result = await call('keys.create', { name: 'A key', scopes: ['orders:read'], ...input }, more)
  assert.ok(result.ok, JSON.stringify(result))
  return result.output as Made
}
const who = (secret: string) => authenticate(it.app, `Bearer ${secret}`)

before(async () => {
  it = await testApp()
  org = await it.organization('first')
})
after(() => it.close())

test('a new key opens its own organization with its own scopes, and only its hash is stored', async () => {
  const { key, secret } = await makeKey({})
  assert.match(secret, /^bsk_demo_[0-9a-z]{26}_[\w-]{43}$/)
  const result = await who(secret)
  assert.ok(result.ok)
  assert.deepEqual(result.caller, {
    organization: org,
    actor: { kind: 'key', id: key.id, name: 'A key' },
    scopes: ['orders:read'],
  })
  const stored = JSON.stringify([
    await it.rows('select * from api_key'),
    await it.rows('select input from audit'),
    await it.rows('select output from idempotency_key'),
  ])
  assert.ok(!stored.includes(secret.split('_')[3] ?? 'none'))
})

test('a repeated keys.create tells of the same key, without its secret', async () => {
  const first = await makeKey({}, { idempotencyKey: 'key-1' })
  const again = await makeKey({}, { idempotencyKey: 'key-1' })
  assert.equal(again.key.id, first.key.id)
  assert.equal(again.secret, null)
})

test('401: missing, malformed, unknown and altered keys', async () => {
  const { secret } = await makeKey({})
  assert.deepEqual(await authenticate(it.app, undefined), { ok: false, reason: 'missing' })
  const altered = secret.slice(0, -1) + (secret.endsWith('A') ? 'B' : 'A')
  const unknown = secret.replace(/_[0-9a-z]{26}_/, `_${'0'.repeat(26)}_`)
  for (const bad of ['', 'x', altered, unknown, secret.replace('demo', 'live')]) {
    assert.deepEqual(await who(bad), { ok: false, reason: 'invalid' }, bad)
  }
  assert.deepEqual(await authenticate(it.app, `Basic ${secret}`), { ok: false, reason: 'invalid' })
})

test('a revoked key ends at once here, and within ten seconds in other processes', async () => {
  const { key, secret } = await makeKey({})
  assert.equal((await who(secret)).ok, true)
  await it.rows(`update api_key set revoked_at = created_at where id = '${key.id}'`)
  assert.equal((await who(secret)).ok, true)
  await it.clock.advance(10 * second)
  assert.equal((await who(secret)).ok, false)

  const next = await makeKey({})
  assert.equal((await who(next.secret)).ok, true)
  assert.equal((await call('keys.revoke', { keyId: next.key.id })).ok, true)
  assert.equal((await who(next.secret)).ok, false)
})

test('an expired key is refused from its last moment on, cache or not', async () => {
  const expiresAt = new Date(it.clock.now() + 5 * second).toISOString()
  const { secret } = await makeKey({ expiresAt })
  assert.equal((await who(secret)).ok, true)
  await it.clock.advance(5 * second)
  assert.equal((await who(secret)).ok, false)
})

test('a key that expires in the past is refused', async () => {
  const expiresAt = new Date(it.clock.now() - day).toISOString()
  const result = await call('keys.create', { name: 'Old', scopes: ['orders:read'], expiresAt })
  assert.ok(!result.ok)
  assert.equal(result.code, 'input_invalid')
})

test('the last use is written at most once a minute', async () => {
  const { key, secret } = await makeKey({})
  const used = async () =>
    (await it.rows<{ at: number }>(`select last_used_at as at from api_key where id = '${key.id}'`))[0]?.at
  await who(secret)
  const first = await used()
  assert.equal(first, it.clock.now())
  await it.clock.advance(30 * second)
  await who(secret)
  assert.equal(await used(), first)
  await it.clock.advance(minute)
  await who(secret)
  assert.equal(await used(), it.clock.now())
})

test('a key that the operator chose works like a made one, and must be long', async () => {
  const secret = 'chosen-by-hand-and-long-enough-00'
  const given = { organization: org, name: 'Automation', scopes: ['*'], secret }
  const take = (wish: typeof given) => it.app.db.tx('system', (tx) => importKey(tx, it.app, wish))
  const { id } = await take(given)
  assert.equal((await take({ ...given, scopes: ['orders:read'] })).id, id)
  const result = await who(secret)
  assert.ok(result.ok)
  assert.deepEqual(
    [result.caller.actor, result.caller.scopes],
    [{ kind: 'key', id, name: 'Automation' }, ['orders:read']],
  )
  assert.equal((await who(`${secret}x`)).ok, false)
  await assert.rejects(take({ ...given, secret: 'short' }), { code: 'secret_weak' })
  await assert.rejects(take({ ...given, organization: await it.organization('taker') }), { code: 'conflict' })
})

test('403: a key passes on only what it holds, and a star does not hold the operator scope', async () => {
  const few = caller(org, 'keys:write', 'orders:write')
  const wish = (scopes: string[], by: Caller) => call('keys.create', { name: 'More', scopes }, { caller: by })
  assert.equal((await wish(['orders:read', 'orders:write'], few)).ok, true)
  for (const [scopes, by] of [
    [['*'], few],
    [['ledger:read'], few],
    [['operator'], caller(org, '*')],
  ] as const) {
    const result = await wish([...scopes], by)
    assert.ok(!result.ok)
    assert.equal(result.status, 403)
  }
})

test('the operator opens an organization with a first key that works inside it only', async () => {
  const refused = await call('organizations.create', { name: 'Second', slug: 'second' })
  assert.ok(!refused.ok)
  assert.equal(refused.code, 'forbidden')
  const operator = systemCaller(org, 'start')
  const made = await call('organizations.create', { name: 'Second', slug: 'second' }, { caller: operator })
  assert.ok(made.ok, JSON.stringify(made))
  const { organization, secret } = made.output as Made & { organization: { id: string } }
  const result = await who(secret)
  assert.ok(result.ok)
  assert.deepEqual([result.caller.organization, result.caller.scopes], [organization.id, ['*']])
  const own = await call('organizations.get', {}, { caller: result.caller })
  assert.ok(own.ok)
  assert.equal((own.output as { slug: string }).slug, 'second')
  const taken = await call('organizations.create', { name: 'Again', slug: 'second' }, { caller: operator })
  assert.ok(!taken.ok)
  assert.equal(taken.code, 'already_exists')
  const listed = await call('organizations.list', {}, { caller: operator })
  assert.ok(listed.ok)
  const slugs = (listed.output as { organizations: { slug: string }[] }).organizations.map((it) => it.slug)
  assert.deepEqual([slugs[0], slugs.at(-1)], ['first', 'second'])
})

test('keys of other organizations can be neither seen nor revoked', async () => {
  const { key, secret } = await makeKey({})
  const stranger = caller(await it.organization('third'), '*')
  const listed = await call('keys.list', {}, { caller: stranger })
  assert.ok(listed.ok)
  assert.deepEqual(listed.output, { keys: [] })
  const refused = await call('keys.revoke', { keyId: key.id }, { caller: stranger })
  assert.ok(!refused.ok)
  assert.equal(refused.status, 404)
  assert.equal((await who(secret)).ok, true)
})

test('an organization changes its own settings and nobody else’s', async () => {
  const result = await call('organizations.update', { graceDays: 14, disputePolicy: 'keep' })
  assert.ok(result.ok, JSON.stringify(result))
  const rows = await it.rows<{ id: string; grace_days: number }>('select id, grace_days from organization')
  for (const row of rows) assert.equal(row.grace_days, row.id === org ? 14 : 7)
})
