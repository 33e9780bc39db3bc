import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, hour, minute } from '@bursar/kit/clock.ts'
import type { Caller } from '#action/caller.ts'
import { inTx } from '#action/context.ts'
import { type PeopleWorld, peopleWorld } from '#main/people-testing.ts'
import { peopleTasks } from './jobs.ts'
import { mergePeople } from './merge.ts'

let it: PeopleWorld
before(async () => {
  it = await peopleWorld()
})
after(() => it.close())

type Request = { readonly id: string; readonly state: string; readonly dueAt: string }
type Step = { readonly position: number; readonly kind: string; readonly state: string; readonly note: string | null }
type Opened = { readonly request: Request; readonly steps: readonly Step[]; readonly already: boolean }

const erase = (personId: string) => it.answer<Opened>('people.erase', { personId, reason: 'Asked by letter' })
const shown = (requestId: string) => it.answer<Opened>('privacy.get', { requestId })
const stateOf = (opened: Opened, kind: string) => opened.steps.find((s) => s.kind === kind)?.state
const one = async <T>(text: string): Promise<T | undefined> => (await it.world.rows<T>(text))[0]

/** Every table that shows tenants' rows, searched for a text. */
async function tablesWith(text: string): Promise<string[]> {
  const tables = await it.world.rows<{ name: string }>(`
    select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and not c.relispartition and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id' and a.attnum > 0) order by 1`)
  const found: string[] = []
  for (const { name } of tables) {
    const rows = await it.world.rows(`select 1 from "${name}" t where lower(t::text) like '%${text}%' limit 1`)
    if (rows.length > 0) found.push(name)
  }
  return found
}

async function buyer(
  name: string,
  course = 'sourdough-basics',
): Promise<{ personId: string; order: string; email: string }> {
  const email = `${name}@erase.example`
  const order = await it.buy(email, await it.world.sell(name, 4_900, [course]))
  const personId = await it.person(it.signedIn(name, email))
  it.users.add(name)
  return { personId, order, email }
}

test('an erased person is gone from every table but the books, and can buy again as somebody new', async () => {
  const { personId, order, email } = await buyer('ada')
  await it.world.rows(`update person set name = 'Ada Lovelace' where id = '${personId}'`)
  await it.world.rows(`insert into timeline_entry (id, organization_id, at, kind, trace_id, person_id, data)
    values ('tle_note', '${it.world.organization}', now(), 'note', 't', '${personId}', '{"text": "She called from 555", "by": "op"}')`)
  assert.deepEqual(it.world.owned(email), ['sourdough-basics'])
  const opened = await erase(personId)
  assert.equal(Date.parse(opened.request.dueAt) - it.world.clock.now(), 30 * day)
  await it.settle(10 * minute)
  const now = await shown(opened.request.id)
  assert.deepEqual(
    now.steps.map((s) => [s.kind, s.state]),
    [
      ['access', 'done'],
      ['sign_in', 'done'],
      ['sessions', 'done'],
      ['records', 'done'],
      ['school', 'done'],
      ['payments', 'waiting_person'],
      ['mails', 'done'],
      ['books', 'retained'],
      ['audit', 'retained'],
      ['deliveries', 'retained'],
    ],
  )
  assert.equal(it.users.has('ada'), false)
  assert.deepEqual(it.world.owned(email), [], 'the school knows nobody of that address')
  assert.deepEqual(await tablesWith(email), [])
  assert.deepEqual(await tablesWith('ada lovelace'), [])
  assert.deepEqual(await tablesWith('she called'), [])
  const books = await one<{ amount: bigint; lines: bigint; person: string }>(
    `select amount, person_id as person, (select count(*) from order_line l where l.order_id = o.id) as lines from "order" o where id = '${order}'`,
  )
  assert.deepEqual({ ...books }, { amount: 4_900n, lines: 1n, person: personId })
  const payments = now.steps.find((s) => s.kind === 'payments')
  const done = await it.answer<Opened>('privacy.complete_step', {
    requestId: opened.request.id,
    position: payments?.position,
    outcome: 'done',
    evidence: 'Redacted in the dashboard',
  })
  assert.equal(done.request.state, 'done')
  const again = await buyer('ada', 'menu-pricing')
  assert.notEqual(again.personId, personId)
  assert.deepEqual(it.world.owned(email), ['menu-pricing'])
})

test('a late event of the provider does not bring the address back, nor the seat', async () => {
  const { personId, order, email } = await buyer('late')
  const opened = await erase(personId)
  await it.settle(10 * minute)
  assert.equal(stateOf(await shown(opened.request.id), 'records'), 'done')
  const paid = await one<{ id: string }>(`select payment_id as id from "order" where id = '${order}'`)
  it.world.stripe.refund({ payment_intent: paid?.id ?? '', amount: 100 })
  await it.settle(minute)
  await it.world.rows(`update "order" set email = '${email}' where id = '${order}'`)
  const row = await one<{ email: string | null; refunded: bigint }>(
    `select email, amount_refunded as refunded from "order" where id = '${order}'`,
  )
  assert.deepEqual({ ...row }, { email: null, refunded: 100n })
  const live = await it.world.rows(`select 1 from entitlement where person_id = '${personId}' and revoked_at is null`)
  assert.equal(live.length, 0)
})

test('asked again it is the same request; whoever is erased can neither be copied nor joined', async () => {
  const { personId } = await buyer('twice')
  const [first, second] = await Promise.all([erase(personId), erase(personId)])
  assert.equal(first.request.id, second.request.id)
  assert.deepEqual([first.already, second.already].sort(), [false, true])
  await it.settle(10 * minute)
  assert.deepEqual([(await erase(personId)).request.id, (await erase(personId)).already], [first.request.id, true])
  assert.equal(await it.code('people.export', { personId, reason: 'too late' }), 'conflict')
  const other = await it.mailbox('other@erase.example')
  const input = { fromPersonId: other, personId, reason: 'too late' }
  assert.equal(await it.code('people.merge', input), 'conflict')
})

test('while the school is down the person is erased here, and there when it answers again', async () => {
  const { personId, email } = await buyer('down')
  it.world.school.faults.set([{ kind: 'status', status: 503, path: '/v2/' }])
  const opened = await erase(personId)
  await it.settle(5 * minute)
  const during = await shown(opened.request.id)
  assert.deepEqual(
    [stateOf(during, 'records'), stateOf(during, 'school'), during.request.state],
    ['done', 'todo', 'running'],
  )
  it.world.school.faults.clear()
  await it.settle(2 * hour)
  assert.equal(stateOf(await shown(opened.request.id), 'school'), 'done')
  assert.deepEqual(it.world.owned(email), [])
})

test('an account the hub did not make is a person\u2019s step, with the account\u2019s own id', async () => {
  const { personId } = await buyer('before')
  await it.world.rows(`update lms_account set created_by_hub = false where person_id = '${personId}'`)
  const account = await one<{ id: string }>(`select external_id as id from lms_account where person_id = '${personId}'`)
  const opened = await erase(personId)
  await it.settle(10 * minute)
  const step = (await shown(opened.request.id)).steps.find((s) => s.kind === 'school')
  assert.equal(step?.state, 'waiting_person')
  assert.match(step?.note ?? '', new RegExp(account?.id ?? 'missing'))
  const done = { requestId: opened.request.id, position: step?.position, outcome: 'done', evidence: 'Deleted by Kim' }
  assert.equal(await it.code('privacy.complete_step', done), 'ok')
  assert.equal(await it.code('privacy.complete_step', done), 'conflict')
  assert.deepEqual(await tablesWith('before@erase.example'), [])
})

test('a sign-in that another organization knows stays, and its person there too', async () => {
  const { personId } = await buyer('shared')
  const other = it.world.app.ids.next('org')
  const theirs = it.world.app.ids.next('prs')
  await it.world.rows(`insert into organization (id, name, slug, created_at) values ('${other}', 'O', 'other', now())`)
  await it.world.rows(
    `insert into person (id, organization_id, email, created_at) values ('${theirs}', '${other}', 'shared@erase.example', now())`,
  )
  await it.world.rows(
    `insert into identity (organization_id, issuer, subject, person_id, created_at) values ('${other}', '${it.builtIn}', 'shared', '${theirs}', now())`,
  )
  const opened = await erase(personId)
  await it.settle(10 * minute)
  assert.equal(stateOf(await shown(opened.request.id), 'sign_in'), 'retained')
  assert.equal(it.users.has('shared'), true)
  assert.deepEqual(await tablesWith('shared@erase.example'), ['person'], 'only the other organization\u2019s')
  const stranger: Caller = { organization: other, actor: { kind: 'key', id: 'k', name: 'k' }, scopes: ['*'] }
  assert.equal(await it.code('privacy.get', { requestId: opened.request.id }, stranger), 'not_found')
  assert.equal(await it.code('people.erase', { personId, reason: 'not mine' }, stranger), 'not_found')
})

test('whoever joined the person before is erased with them', async () => {
  const { personId } = await buyer('joined')
  const old = await it.mailbox('joined-old@erase.example')
  await it.grant(old, await it.course('menu-pricing'))
  await it.settle(minute)
  await inTx(it.ctx, (tx) =>
    mergePeople(tx, it.ctx, { from: old, into: personId, evidence: { kind: 'proof', how: 'test' } }),
  )
  await it.settle(5 * minute)
  await erase(old)
  await it.settle(20 * minute)
  assert.deepEqual(await tablesWith('joined-old@erase.example'), [])
  assert.deepEqual(await tablesWith('joined@erase.example'), [])
})

test('a person asks for it themselves only with a fresh proof; the last owner never', async () => {
  const session = it.signedIn('self', 'self@erase.example')
  const by = await it.caller(session)
  await it.world.clock.advance(16 * minute)
  assert.equal(await it.code('me.request_erase', { confirm: 'erase' }, by), 'email_unproven')
  assert.equal(await it.code('me.request_erase', {}, by), 'input_invalid')
  const fresh = await it.caller(it.signedIn('self', 'self@erase.example'))
  const opened = await it.answer<Opened>('me.request_erase', { confirm: 'erase' }, fresh)
  await it.settle(10 * minute)
  assert.equal((await shown(opened.request.id)).request.state, 'done')
  const owner = await it.mailbox('owner@erase.example')
  await it.answer('roles.grant', { personId: owner, role: 'owner', reason: 'test' })
  assert.equal(await it.code('people.erase', { personId: owner, reason: 'test' }), 'conflict')
})

test('a purchase in the very moment of the erasure is somebody new\u2019s, or erased with the rest; never an open seat of nobody', async () => {
  for (let round = 0; round < 5; round++) {
    const { personId, email } = await buyer(`race${round}`)
    const session = await it.world.checkout([await it.world.sell(`again${round}`, 900, ['menu-pricing'])])
    it.world.stripe.pay({ session, email })
    const opened = await erase(personId)
    const run = peopleTasks(it.world.app)['people.privacy']
    await Promise.all([
      it.world.deliver(),
      run?.(
        { organization: it.world.organization, requestId: opened.request.id },
        { id: '1', attempts: 1, maxAttempts: 25 },
      ),
    ])
    await it.settle(10 * minute)
    const open = await it.world.rows(`select 1 from entitlement where person_id = '${personId}' and revoked_at is null`)
    assert.equal(open.length, 0)
    const [order] = await it.world.rows<{ person: string; email: string | null }>(
      `select person_id as person, email from "order" where checkout_id = '${session}'`,
    )
    assert.equal(order?.email === null, order?.person === personId, 'an address only where its person is')
    assert.deepEqual(it.world.owned(email), order?.person === personId ? [] : ['menu-pricing'])
  }
})

test('every column that names a person is known to merging and to erasing', async () => {
  const rows = await it.world.rows<{ column: string }>(`
    select c.conrelid::regclass || '.' || a.attname as column from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and c.confrelid = 'person'::regclass order by 1`)
  // A new one is added here together with its line in orders/person.ts, entitlements/merge.ts or people/merge.ts.
  assert.deepEqual(
    rows.map((r) => r.column),
    [
      '"order".buyer_id',
      '"order".claimed_by',
      '"order".person_id',
      'access_case.claimant',
      'access_case.holder',
      'claim.from_person',
      'claim.to_person',
      'enrollment.person_id',
      'entitlement.person_id',
      'identity.person_id',
      'lms_account.person_id',
      'payment_customer.person_id',
      'person.merged_into',
      'person_merge.from_person_id',
      'person_merge.into_person_id',
      'privacy_request.person_id',
      'role_grant.person_id',
      'seat_assignment.person_id',
    ],
  )
})
