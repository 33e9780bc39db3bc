import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, minute } from '@bursar/kit/clock.ts'
import type { Caller } from '#action/caller.ts'
import { inTx } from '#action/context.ts'
import { type PeopleWorld, peopleWorld } from '#main/people-testing.ts'
import { joinWaitingMailbox } from './join.ts'
import { sweepPrivacy } from './privacy-run.ts'

let it: PeopleWorld
before(async () => {
  it = await peopleWorld()
})
after(() => it.close())

type Opened = { readonly request: { readonly id: string; readonly state: string }; readonly already: boolean }
type Copy = { readonly document: Record<string, Record<string, unknown>[]> | null }
const sealed = async (id: string) =>
  (await it.world.rows<{ document: Buffer | null }>(`select document from privacy_request where id = '${id}'`))[0]
    ?.document

async function learner(name: string): Promise<{ by: Caller; personId: string; email: string }> {
  const email = `${name}@export.example`
  const by = await it.caller(it.signedIn(name, email))
  it.users.add(name)
  await it.buy(email, await it.world.sell(name, 4_900, ['sourdough-basics']))
  return { by: await it.caller(it.signedIn(name, email)), personId: by.user?.personId ?? '', email }
}

test('a copy holds everything the hub knows, lies sealed, and is handed out once, to its person', async () => {
  const { by, personId, email } = await learner('ada')
  const { request } = await it.answer<Opened>('me.request_export', {}, by)
  assert.equal((await it.answer<Opened>('me.request_export', {}, by)).already, true)
  await it.settle(minute)
  const bytes = await sealed(request.id)
  assert.ok(bytes !== null && bytes !== undefined && !bytes.includes(email), 'sealed at rest')
  const mail = await it.world.rows(`select 1 from mail_message where kind = 'export_ready' and to_address = '${email}'`)
  assert.equal(mail.length, 1)
  const eve = await it.caller(it.signedIn('eve', 'eve@export.example'))
  const input = { requestId: request.id }
  assert.equal(await it.code('me.download_export', input, eve), 'not_found')
  assert.equal(await it.code('people.download_export', input), 'forbidden', 'not even an operator takes what is hers')
  const { document } = await it.answer<Copy>('me.download_export', input, by)
  assert.deepEqual(
    document?.people?.map((p) => p.email),
    [email],
  )
  assert.deepEqual(document?.signIn, [{ subject: 'ada' }])
  for (const list of ['identities', 'orders', 'orderLines', 'accessRights', 'enrollments', 'schoolAccounts', 'history'])
    assert.ok((document?.[list]?.length ?? 0) > 0, list)
  assert.ok(!/claim_secret|lease_token|token_hash/.test(JSON.stringify(document)))
  assert.ok(!JSON.stringify(document).includes('eve@export.example'))
  assert.equal(await it.code('me.download_export', input, by), 'link_expired')
  assert.equal(await sealed(request.id), null)
  assert.ok((await it.world.rows(`select 1 from audit where input::text like '%${personId}%'`)).length >= 0)
})

test('a copy nobody fetched is gone after seven days', async () => {
  const { by } = await learner('late')
  const { request } = await it.answer<Opened>('me.request_export', {}, by)
  await it.settle(minute)
  await it.settle(8 * day)
  const fresh = await it.caller(it.signedIn('late', 'late@export.example'))
  assert.equal(await it.code('me.download_export', { requestId: request.id }, fresh), 'link_expired')
  await sweepPrivacy(it.world.app)
  assert.equal(await sealed(request.id), null)
})

test('what an operator asked for goes to the operator; what only schools and providers hold is a person\u2019s step', async () => {
  const { personId } = await learner('letter')
  const { request } = await it.answer<Opened>('people.export', { personId, reason: 'A letter of the 3rd' })
  await it.settle(minute)
  const { steps, request: now } = await it.answer<Opened & { steps: { kind: string; state: string }[] }>(
    'privacy.get',
    {
      requestId: request.id,
    },
  )
  assert.equal(now.state, 'waiting_person')
  assert.deepEqual(
    steps.map((s) => [s.kind, s.state]),
    [
      ['collect', 'done'],
      ['school_copy', 'waiting_person'],
      ['payments', 'waiting_person'],
    ],
  )
  const { document } = await it.answer<Copy>('people.download_export', { requestId: request.id })
  assert.ok(document !== null)
  const replay = await it.world.rows<{ n: bigint }>(
    `select count(*) as n from idempotency_key where output::text like '%letter@export%'`,
  )
  assert.equal(replay[0]?.n, 0n)
})

test('what waits at a mailbox, roles included, comes to whoever proves it, and to nobody with an old proof', async () => {
  const known = it.signedIn('known', 'known@export.example')
  const personId = await it.person(known)
  await it.answer('roles.grant', { email: 'second@export.example', role: 'support', reason: 'test' })
  const proven = { ...known, email: 'second@export.example', mailboxProvenAt: it.world.clock.now() }
  const { user } = await it.caller(proven)
  assert.ok(user !== undefined)
  const join = (at: number) => inTx(it.ctx, (tx) => joinWaitingMailbox(tx, it.ctx, { ...user, mailboxProvenAt: at }))
  assert.equal(await join(it.world.clock.now() - 16 * minute), null)
  assert.equal((await join(it.world.clock.now()))?.into, personId)
  const { roles } = await it.answer<{ roles: { role: string }[] }>('roles.list', { personId })
  assert.deepEqual(
    roles.map((r) => r.role),
    ['support'],
  )
  assert.equal(await join(it.world.clock.now()), null)
})
