import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, hour, minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { inTx } from '#action/context.ts'
import { type PeopleWorld, peopleWorld } from '#main/people-testing.ts'
import { changeEmail, changeEmailOfIdentity } from './email.ts'

let it: PeopleWorld
before(async () => {
  it = await peopleWorld()
})
after(() => it.close())

const change = (personId: string, subject: string, newEmail: string, startedAt = it.world.clock.now()) =>
  inTx(it.ctx, (tx) =>
    changeEmail(tx, it.ctx, personId, { newEmail, by: { kind: 'proof', issuer: it.builtIn, subject, startedAt } }),
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
const one = async <T>(text: string): Promise<T | undefined> => (await it.world.rows<T>(text))[0]
const wish = (personId: string) =>
  one<{ state: string; code: string | null }>(
    `select w.state, w.failure_code as code from account_email w join lms_account a on a.id = w.account_id where a.person_id = '${personId}'`,
  )

async function learner(name: string): Promise<string> {
  const personId = await it.person(it.signedIn(name, `${name}@old.example`))
  await it.grant(personId, await it.course('sourdough-basics'))
  await it.settle(minute)
  return personId
}

test('F20: a new address reaches the school, the old mailbox is told and let go of', async () => {
  const personId = await learner('move')
  const changed = await change(personId, 'move', 'Move@New.example')
  assert.deepEqual(changed, { outcome: 'changed', schools: 1 })
  await it.settle(minute)
  assert.deepEqual(it.world.owned('move@new.example'), ['sourdough-basics'])
  assert.deepEqual(it.world.owned('move@old.example'), [])
  assert.equal((await wish(personId))?.state, 'done')
  const mail = await one<{ to: string }>(`select to_address as "to" from mail_message where kind = 'email_changed'`)
  assert.equal(mail?.to, 'move@old.example')
  assert.notEqual(await it.mailbox('move@old.example'), personId, 'a mailbox left behind leads to nobody')
  assert.equal(await it.mailbox('move@new.example'), personId)
  assert.equal((await change(personId, 'move', 'move@new.example')).outcome, 'same')
})

test('I4: a change that was asked for before somebody else proved the account to be theirs is dead', async () => {
  const personId = await it.person(it.signedIn('i4', 'i4@old.example'))
  const asked = it.world.clock.now()
  await it.world.clock.advance(minute)
  const now = new Date(it.world.clock.now()).toISOString()
  await it.world.rows(`insert into identity (organization_id, issuer, subject, person_id, proven_at, created_at)
    values ('${it.world.organization}', 'https://victim.test', 'victim', '${personId}', '${now}', '${now}')`)
  assert.equal(await codeOf(change(personId, 'i4', 'attacker@evil.example', asked)), 'conflict')
  await it.world.clock.advance(minute)
  assert.equal(await codeOf(change(personId, 'i4', 'fresh@new.example')), 'ok')
})

test('I4: an identity that was taken off the person changes nothing of it', async () => {
  const personId = await it.person(it.signedIn('gone', 'gone@old.example'))
  await it.world.rows(`delete from identity where subject = 'gone'`)
  assert.equal(await codeOf(change(personId, 'gone', 'gone@new.example')), 'conflict')
})

test('a mailbox that somebody has proven is not taken by a change; one that only paid is', async () => {
  const [a, b] = [
    await it.person(it.signedIn('ta', 'ta@x.example')),
    await it.person(it.signedIn('tb', 'tb@x.example')),
  ]
  assert.equal(await codeOf(change(a, 'ta', 'tb@x.example')), 'conflict')
  assert.equal((await one<{ email: string }>(`select email from person where id = '${b}'`))?.email, 'tb@x.example')
  const waiting = await it.mailbox('paid-only@x.example')
  await change(a, 'ta', 'paid-only@x.example')
  assert.equal((await one<{ m: string }>(`select merged_into as m from person where id = '${waiting}'`))?.m, a)
})

test('a school that is down gets the address when it answers again', async () => {
  const personId = await learner('down')
  it.world.school.faults.set([{ kind: 'status', status: 503, path: '/v2/users' }])
  await change(personId, 'down', 'down@new.example')
  await it.settle(minute)
  assert.equal((await wish(personId))?.state, 'todo')
  it.world.school.faults.clear()
  await it.settle(hour)
  assert.equal((await wish(personId))?.state, 'done')
  assert.deepEqual(it.world.owned('down@new.example'), ['sourdough-basics'])
})

test('the last of two quick changes is what the school ends with', async () => {
  const personId = await learner('quick')
  await change(personId, 'quick', 'quick@one.example')
  await change(personId, 'quick', 'quick@two.example')
  await it.settle(10 * minute)
  assert.deepEqual(it.world.owned('quick@two.example'), ['sourdough-basics'])
  assert.deepEqual(it.world.owned('quick@one.example'), [])
})

test('a staff account is left for a person to change', async () => {
  const personId = await learner('staff')
  await it.world.rows(`update lms_account set privileged = true where person_id = '${personId}'`)
  await change(personId, 'staff', 'staff@new.example')
  await it.settle(minute)
  assert.deepEqual({ ...(await wish(personId)) }, { state: 'waiting_person', code: 'account_privileged' })
  const shown = await it.answer<{ accounts: { emailWanted: string }[] }>('people.get', { personId })
  assert.equal(shown.accounts[0]?.emailWanted, 'staff@new.example')
})

test('F20: an operator corrects a mistyped address; only a code to the right mailbox leads in', async () => {
  const typo = await it.mailbox('ada@gmai.example')
  await it.answer('people.change_email', { personId: typo, email: 'ada@gmail.example', reason: 'Mistyped at checkout' })
  assert.equal(await it.person(it.signedIn('ada', 'ada@gmail.example')), typo)
  assert.notEqual(await it.person(it.signedIn('eve', 'ada@gmai.example')), typo)
})

test('an operator\u2019s typo opens nobody\u2019s account: an unproven mailbox never leads to somebody who signs in', async () => {
  const personId = await it.person(it.signedIn('safe', 'safe@x.example'))
  await it.answer('people.change_email', { personId, email: 'stranger@x.example', reason: 'Asked by phone' })
  assert.notEqual(await it.person(it.signedIn('stranger', 'stranger@x.example')), personId)
  assert.equal(
    await it.code('people.change_email', { personId, email: 'ada@gmail.example', reason: 'taken' }),
    'conflict',
  )
})

test('the built-in provider\u2019s change reaches every organization that knows the identity', async () => {
  const personId = await it.person(it.signedIn('many', 'many@old.example'))
  await it.world.clock.advance(day)
  const results = await changeEmailOfIdentity(it.world.app, {
    issuer: it.builtIn,
    subject: 'many',
    newEmail: 'many@new.example',
    startedAt: it.world.clock.now(),
  })
  assert.deepEqual(results, [{ organization: it.world.organization, outcome: 'changed' }])
  assert.equal(
    (await one<{ email: string }>(`select email from person where id = '${personId}'`))?.email,
    'many@new.example',
  )
})
