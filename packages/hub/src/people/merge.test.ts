import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hour, minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { inTx } from '#action/context.ts'
import { grantRole } from '#identity/roles.ts'
import { type PeopleWorld, peopleWorld } from '#main/people-testing.ts'
import { type MergeEvidence, mergePeople } from './merge.ts'

let it: PeopleWorld
before(async () => {
  it = await peopleWorld()
})
after(() => it.close())

const proof: MergeEvidence = { kind: 'proof', how: 'test' }
const merge = (from: string, into: string, evidence = proof) =>
  inTx(it.ctx, (tx) => mergePeople(tx, it.ctx, { from, into, evidence }))
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

test('a purchase of another mailbox goes over with its account: nobody asks the school for anything', async () => {
  const price = await it.world.sell('Pastry', 5_000, ['pastry-foundations'])
  const order = await it.buy('paid@merge.example', price)
  const from = await it.mailbox('paid@merge.example')
  const into = await it.person(it.signedIn('u1', 'own@merge.example'))
  assert.deepEqual(it.world.owned('paid@merge.example'), ['pastry-foundations'])
  const calls = async () =>
    (await one<{ n: bigint }>(`select count(*) as n from timeline_entry where kind = 'call.made'`))?.n
  const before = await calls()
  const merged = await merge(from, into, { kind: 'proof', how: 'test', provenMailbox: 'paid@merge.example' })
  assert.deepEqual([merged.state, merged.moved?.orders, merged.moved?.accountsWithWork], ['moved', 1, []])
  await it.settle(5 * minute)
  assert.equal(await calls(), before)
  assert.deepEqual(it.world.owned('paid@merge.example'), ['pastry-foundations'])
  const row = await one<{ person: string; state: string; claimed: boolean }>(
    `select person_id as person, claimed_at is not null and claimed_by = '${into}' as claimed, (select state from person_merge where id = '${merged.id}') as state from "order" where id = '${order}'`,
  )
  assert.deepEqual({ ...row }, { person: into, claimed: true, state: 'done' })
  assert.equal(await it.mailbox('paid@merge.example'), into, 'what is bought for the mailbox later is theirs')
})

test('where both have an account, the seats are opened on the one that stays and closed on the other', async () => {
  const [a, b] = [await it.course('sourdough-basics'), await it.course('menu-pricing')]
  const [from, into] = [await it.mailbox('old@merge.example'), await it.mailbox('new@merge.example')]
  await it.grant(from, a)
  await it.grant(into, b)
  await it.settle(minute)
  assert.deepEqual(it.world.owned('old@merge.example'), ['sourdough-basics'])
  const merged = await merge(from, into)
  assert.equal(merged.moved?.accountsWithWork.length, 2)
  await it.settle(5 * minute)
  assert.deepEqual(it.world.owned('old@merge.example'), [])
  assert.deepEqual(it.world.owned('new@merge.example'), ['menu-pricing', 'sourdough-basics'])
  const [state] = await it.world.rows<{ state: string; accounts: bigint }>(
    `select state, (select count(*) from lms_account where person_id = '${from}') as accounts from person_merge where id = '${merged.id}'`,
  )
  assert.deepEqual({ ...state }, { state: 'done', accounts: 1n }, 'the old account stays as it is: nothing is deleted')
})

test('a course that was ended by hand does not come back with the merge', async () => {
  const course = await it.course('food-safety')
  const [from, into] = [await it.mailbox('ended@merge.example'), await it.mailbox('ended2@merge.example')]
  await it.grant(from, course)
  await it.settle()
  await it.world.rows(`update entitlement set revoked_at = now(), ended_by_hand = true where person_id = '${from}'`)
  await merge(from, into)
  const row = await one<{ hand: boolean; ended: boolean }>(
    `select ended_by_hand as hand, revoked_at is not null as ended from entitlement where person_id = '${into}'`,
  )
  assert.deepEqual({ ...row }, { hand: true, ended: true })
})

test('merging into oneself, into nobody and into somebody who is gone is refused', async () => {
  const [a, b, c] = [await it.mailbox('a@x.example'), await it.mailbox('b@x.example'), await it.mailbox('c@x.example')]
  assert.equal(await codeOf(merge(a, a)), 'conflict')
  assert.equal(await codeOf(merge(a, 'prs_00000000000000000000000000')), 'not_found')
  await merge(a, b)
  assert.equal(await codeOf(merge(a, c)), 'conflict')
  assert.equal(await codeOf(merge(c, a)), 'conflict')
  await merge(b, c)
  const row = await one<{ into: string }>(`select merged_into as "into" from person where id = '${a}'`)
  assert.equal(row?.into, c, 'whoever joined one who joins another belongs to that one')
})

test('the same pair at once, from both sides, is one merge', async () => {
  const [a, b] = [await it.mailbox('p@pair.example'), await it.mailbox('q@pair.example')]
  const merges = await Promise.all([merge(a, b), merge(a, b), merge(b, a), merge(a, b), merge(b, a)])
  assert.equal(new Set(merges.map((m) => m.id)).size, 1)
  const row = await one<{ n: bigint }>(
    `select count(*) as n from person where id in ('${a}', '${b}') and merged_into is not null`,
  )
  assert.equal(row?.n, 1n)
})

test('roles go over once; the same role is not held twice', async () => {
  const [a, b] = [await it.mailbox('r1@role.example'), await it.mailbox('r2@role.example')]
  for (const personId of [a, b])
    await inTx(it.ctx, (tx) => grantRole(tx, it.ctx, { personId, role: 'support', reason: 'test' }))
  await inTx(it.ctx, (tx) => grantRole(tx, it.ctx, { personId: a, role: 'finance', reason: 'test' }))
  await merge(a, b)
  const rows = await it.world.rows<{ role: string; person: string }>(
    `select role, person_id as person from role_grant where revoked_at is null and person_id in ('${a}', '${b}') order by role`,
  )
  assert.deepEqual(
    rows.map((r) => [r.role, r.person]),
    [
      ['finance', b],
      ['support', b],
    ],
  )
})

test('a staff account waits for an operator, and nothing is moved before', async () => {
  const course = await it.course('cafe-bookkeeping')
  const [from, into] = [await it.mailbox('staff@merge.example'), await it.mailbox('mine@merge.example')]
  await it.grant(from, course)
  await it.world.rows(`update lms_account set privileged = true where person_id = '${from}'`)
  const waiting = await merge(from, into)
  assert.equal(waiting.state, 'waiting_person')
  assert.equal((await one<{ m: string | null }>(`select merged_into as m from person where id = '${from}'`))?.m, null)
  assert.equal((await merge(from, into)).id, waiting.id, 'asked again it is the same')
  const done = await it.answer<{ id: string; state: string }>('people.merge', {
    fromPersonId: from,
    personId: into,
    reason: 'It is her own account',
    staffAccounts: true,
  })
  assert.deepEqual([done.id, done.state], [waiting.id, 'moved'])
})

test('an operator sees in a dry run what would go, and nothing goes', async () => {
  const price = await it.world.sell('Dry', 900, ['sourdough-basics'])
  await it.buy('dry@merge.example', price)
  const [from, into] = [await it.mailbox('dry@merge.example'), await it.mailbox('dry2@merge.example')]
  const input = { fromPersonId: from, personId: into, reason: 'Same person, says the phone' }
  const plan = await it.answer<{ moved: { orders: number; entitlements: number } }>(
    'people.merge',
    input,
    undefined,
    true,
  )
  assert.deepEqual([plan.moved.orders, plan.moved.entitlements], [1, 1])
  assert.equal((await one<{ m: string | null }>(`select merged_into as m from person where id = '${from}'`))?.m, null)
})

test('a payment that was being settled while the two became one ends with the one who stays', async () => {
  const [from, into] = [await it.mailbox('late@merge.example'), await it.mailbox('late2@merge.example')]
  const price = await it.world.sell('Late', 900, ['menu-pricing'])
  const order = await it.buy('late@merge.example', price)
  const merged = await merge(from, into)
  // As a transaction leaves it that had read the identity before the merge.
  await it.world.rows(`update "order" set person_id = '${from}' where id = '${order}'`)
  await it.world.rows(`update entitlement set person_id = '${from}' where order_id = '${order}'`)
  await it.settle(hour)
  const row = await one<{ o: string; e: string; s: string }>(`select o.person_id as o, e.person_id as e, m.state as s
    from "order" o join entitlement e on e.order_id = o.id join person_merge m on m.id = '${merged.id}' where o.id = '${order}'`)
  assert.deepEqual({ ...row }, { o: into, e: into, s: 'done' })
})

test('nobody is merged into a person of another organization', async () => {
  const other = it.world.app.ids.next('org')
  await it.world.rows(`insert into organization (id, name, slug, created_at) values ('${other}', 'O', 'other', now())`)
  const theirs = it.world.app.ids.next('prs')
  await it.world.rows(`insert into person (id, organization_id, created_at) values ('${theirs}', '${other}', now())`)
  const mine = await it.mailbox('mine@org.example')
  assert.equal(await codeOf(merge(theirs, mine)), 'not_found')
  assert.equal(await codeOf(merge(mine, theirs)), 'not_found')
})

test('a mailbox nobody has proven does not lead to the person it was merged into', async () => {
  const mine = it.signedIn('safe', 'safe@merge.example')
  const into = await it.person(mine)
  const from = await it.mailbox('unproven@merge.example')
  await it.answer('people.merge', { fromPersonId: from, personId: into, reason: 'Says the phone' })
  const owner = await it.person(it.signedIn('owner', 'unproven@merge.example'))
  assert.notEqual(owner, into)
  const waiting = await it.mailbox('waiting@merge.example')
  const back = await it.person(it.signedIn('back', 'back@merge.example'))
  await it.answer('people.merge', { fromPersonId: back, personId: waiting, reason: 'The other way round' })
  assert.notEqual(await it.person(it.signedIn('third', 'waiting@merge.example')), waiting)
})
