import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Caller } from '#action/caller.ts'
import { mayGrant, roleFromPlatform } from '#identity/actions-roles.ts'
import { grantableRoles, scopesOfRoles } from '#identity/roles.ts'
import { type PeopleWorld, peopleWorld } from '#main/people-testing.ts'

let it: PeopleWorld
before(async () => {
  it = await peopleWorld()
})
after(() => it.close())

const keyWith = (...scopes: string[]): Caller => ({
  organization: it.world.organization,
  actor: { kind: 'key', id: 'key_other', name: 'other' },
  scopes,
})
const strong = async (subject: string) =>
  it.caller({ ...it.signedIn(subject, `${subject}@roles.example`), secondFactorAt: it.world.clock.now() })

test('the first owner: the role waits at the mailbox until its owner has answered a code and has a second factor', async () => {
  const granted = await it.answer<{ personId: string; waitsForProof: boolean }>('roles.grant', {
    email: 'Boss@Roles.example',
    role: 'owner',
    reason: 'Runs the school',
  })
  assert.equal(granted.waitsForProof, true)
  const stranger = it.signedIn('stranger', 'boss@roles.example', {
    issuer: 'https://other.test',
    mailboxProvenAt: null,
  })
  assert.deepEqual((await it.caller({ ...stranger, secondFactorAt: it.world.clock.now() })).scopes, [])
  const proven = it.signedIn('boss', 'boss@roles.example')
  assert.equal(await it.person(proven), granted.personId)
  const weak = await it.caller(proven)
  assert.deepEqual([weak.scopes, weak.user?.scopesWait], [[], true])
  assert.deepEqual((await strong('boss')).scopes, ['*'])
})

test('correction 64: a platform can say that somebody is a payee and nothing else, whatever they are there', async () => {
  for (const theirs of [
    'billing-admin',
    'commerce-admin',
    'owner',
    'admin',
    'global-admin',
    'department-admin',
    'finance',
  ])
    assert.equal(roleFromPlatform(theirs), null, theirs)
  assert.equal(roleFromPlatform('instructor'), 'payee')
  const platform = keyWith('payees:write')
  const personId = await it.mailbox('teacher@roles.example')
  const input = { personId, payee: true, reason: 'Teaches with a share' }
  assert.equal(await it.code('people.set_payee', input, platform), 'ok')
  assert.equal(await it.code('people.set_payee', { ...input, role: 'commerce-admin' }, platform), 'input_invalid')
  const more = { personId, role: 'commerce-admin', reason: 'because' }
  assert.equal(await it.code('roles.grant', more, platform), 'forbidden')
  const held = await it.answer<{ roles: { role: string }[] }>('roles.list', { personId })
  assert.deepEqual(
    held.roles.map((r) => r.role),
    ['payee'],
  )
  await it.answer('people.set_payee', { ...input, payee: false }, platform)
  assert.deepEqual((await it.answer<{ roles: unknown[] }>('roles.list', { personId })).roles, [])
})

test('nobody passes on more than they hold, and only an owner makes owners and commerce admins', async () => {
  for (const role of grantableRoles) {
    assert.equal(mayGrant(['*'], role), true, role)
    assert.equal(mayGrant([], role), role === 'payee', role)
  }
  for (const role of ['owner', 'commerce-admin'] as const)
    assert.equal(mayGrant(scopesOfRoles(grantableRoles.filter((r) => r !== 'owner')), role), false, role)
  const operator = await it.person(it.signedIn('operator', 'operator@roles.example'))
  await it.answer('roles.grant', { personId: operator, role: 'operator', reason: 'test' })
  const by = await strong('operator')
  const personId = await it.mailbox('helper@roles.example')
  const grant = (role: string) => it.code('roles.grant', { personId, role, reason: 'test' }, by)
  assert.equal(await grant('support'), 'ok')
  assert.equal(await grant('developer'), 'forbidden')
  assert.equal(await grant('commerce-admin'), 'forbidden')
  assert.equal(await grant('owner'), 'forbidden')
  const owner = (await strong('boss')).user?.personId
  assert.equal(await it.code('roles.revoke', { personId: owner, role: 'owner', reason: 'coup' }, by), 'forbidden')
})

test('a person needs a fresh second factor to give a role, a reason always, and the last owner stays', async () => {
  const weak = await it.caller(it.signedIn('boss', 'boss@roles.example'))
  const personId = await it.mailbox('somebody@roles.example')
  const input = { personId, role: 'support', reason: 'test' }
  assert.equal(await it.code('roles.grant', input, weak), 'second_factor_required')
  assert.equal(await it.code('roles.grant', { ...input, reason: '' }), 'input_invalid')
  assert.equal(await it.code('roles.grant', { role: 'support', reason: 'test' }), 'input_invalid')
  const boss = (await strong('boss')).user?.personId
  assert.equal(await it.code('roles.revoke', { personId: boss, role: 'owner', reason: 'test' }), 'conflict')
  assert.equal(await it.code('roles.revoke', { personId, role: 'owner', reason: 'test' }), 'not_found')
})

test('who gave which role and why stands in the list, the audit and the timeline', async () => {
  const personId = await it.mailbox('traced@roles.example')
  const by = await strong('boss')
  await it.answer('roles.grant', { personId, role: 'finance', reason: 'Does the books' }, by)
  await it.answer('roles.revoke', { personId, role: 'finance', reason: 'Left' }, by)
  const { roles } = await it.answer<{ roles: { reason: string; revokeReason: string }[] }>('roles.list', {
    personId,
    revoked: true,
  })
  assert.deepEqual(
    roles.map((r) => [r.reason, r.revokeReason]),
    [['Does the books', 'Left']],
  )
  const told = await it.world.rows<{ change: string }>(
    `select data->>'change' as change from timeline_entry where kind = 'person.role' and person_id = '${personId}' order by id`,
  )
  assert.deepEqual(
    told.map((t) => t.change),
    ['granted', 'revoked'],
  )
  const audit = await it.world.rows<{ id: string }>(
    `select actor_id as id from audit where action = 'roles.grant' and input->>'personId' = '${personId}'`,
  )
  assert.equal(audit[0]?.id, by.user?.personId)
})

test('me.get says who I am here, and what a second factor would add', async () => {
  const weak = await it.caller(it.signedIn('boss', 'boss@roles.example'))
  const me = await it.answer<{
    roles: string[]
    scopes: string[]
    secondFactor: { wanted: boolean }
    identities: { current: boolean }[]
  }>('me.get', {}, weak)
  assert.deepEqual([me.roles, me.scopes, me.secondFactor.wanted], [['purchaser', 'owner'], [], true])
  assert.equal(me.identities.filter((i) => i.current).length, 1)
  assert.equal(await it.code('me.get', {}), 'forbidden', 'a key is nobody')
})

test('people are found by their exact address and shown with everything they are known by', async () => {
  const price = await it.world.sell('Found', 900, ['sourdough-basics'])
  await it.buy('found@roles.example', price)
  const { people } = await it.answer<{ people: { id: string; state: string }[] }>('people.list', {
    email: ' Found@Roles.example',
  })
  assert.deepEqual(
    people.map((p) => p.state),
    ['waiting'],
  )
  const shown = await it.answer<{ accounts: { school: string; externalId: string }[] }>('people.get', {
    personId: people[0]?.id,
  })
  assert.deepEqual(
    shown.accounts.map((a) => a.school),
    ['Harbour School'],
  )
  assert.ok(shown.accounts[0]?.externalId)
  assert.deepEqual((await it.answer<{ people: unknown[] }>('people.list', { email: 'found@roles' })).people, [])
  const other = it.world.app.ids.next('org')
  const stranger: Caller = { ...keyWith('*'), organization: other }
  await it.world.rows(`insert into organization (id, name, slug, created_at) values ('${other}', 'O', 'other', now())`)
  assert.equal(await it.code('people.get', { personId: people[0]?.id }, stranger), 'not_found')
  assert.deepEqual(
    (await it.answer<{ people: unknown[] }>('people.list', { email: 'found@roles.example' }, stranger)).people,
    [],
  )
})
