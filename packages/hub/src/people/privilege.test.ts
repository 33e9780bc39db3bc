import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Caller } from '#action/caller.ts'
import { type PeopleWorld, peopleWorld } from '#main/people-testing.ts'

let it: PeopleWorld
before(async () => {
  it = await peopleWorld()
})
after(() => it.close())

const why = { reason: 'They asked by phone' }

/** Somebody with a role and a second factor of now. */
async function staff(subject: string, role: string): Promise<{ id: string; caller: () => Promise<Caller> }> {
  const signedIn = { ...it.signedIn(subject, `${subject}@staff.example`), secondFactorAt: it.world.clock.now() }
  const id = await it.person(signedIn)
  await it.answer('roles.grant', { personId: id, role, ...why })
  return { id, caller: () => it.caller(signedIn) }
}

test('whoever may merge people gains no role by it: owners are merged by owners', async () => {
  const owner = await staff('owner1', 'owner')
  const operator = await staff('operator1', 'operator')
  const by = await operator.caller()
  assert.ok(by.scopes.includes('people:write') && !by.scopes.includes('*'))
  const pair = (a: string, b: string) => ({ fromPersonId: a, personId: b, ...why })
  assert.equal(await it.code('people.merge', pair(owner.id, operator.id), by), 'forbidden')
  assert.equal(await it.code('people.merge', pair(operator.id, owner.id), by), 'forbidden')
  assert.deepEqual((await operator.caller()).scopes.includes('*'), false)
  // Customers, and colleagues with no more rights than one's own, as ever.
  const [a, b] = [await it.mailbox('a@merge.example'), await it.mailbox('b@merge.example')]
  assert.equal(await it.code('people.merge', pair(a, b), by), 'ok')
  const payee = await staff('payee1', 'payee')
  assert.equal(await it.code('people.merge', pair(b, payee.id), by), 'ok')
})

test('a role that waits at a mailbox does not follow an operator’s correction of the address', async () => {
  const operator = await staff('operator2', 'operator')
  const by = await operator.caller()
  const granted = await it.answer<{ personId: string }>('roles.grant', {
    email: 'new-owner@school.example',
    role: 'owner',
    ...why,
  })
  const wish = { personId: granted.personId, email: 'operator2.other@staff.example', ...why }
  assert.equal(await it.code('people.change_email', wish, by), 'forbidden')
  const thief = { ...it.signedIn('thief', 'operator2.other@staff.example'), secondFactorAt: it.world.clock.now() }
  await it.person(thief)
  assert.deepEqual((await it.caller(thief)).scopes, [])
  const learner = await it.mailbox('gmai@typo.example')
  assert.equal(
    await it.code('people.change_email', { personId: learner, email: 'gmail@typo.example', ...why }, by),
    'ok',
  )
})

test('an operator takes no owner’s way in away, and erases none', async () => {
  const owner = await staff('owner3', 'owner')
  const operator = await staff('operator3', 'operator')
  const by = await operator.caller()
  const identity = { issuer: it.builtIn, subject: 'owner3' }
  assert.equal(await it.code('people.unlink_identity', { personId: owner.id, ...identity, ...why }, by), 'forbidden')
  assert.equal(await it.code('people.erase', { personId: owner.id, ...why }, by), 'forbidden')
})

test('whoever may do everything may do this too', async () => {
  const owner = await staff('owner4', 'owner')
  const second = await staff('owner5', 'owner')
  const pair = { fromPersonId: second.id, personId: owner.id, ...why }
  assert.equal(await it.code('people.merge', pair, await owner.caller()), 'ok')
})
