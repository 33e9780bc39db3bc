import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { type PeopleWorld, peopleWorld } from '#main/people-testing.ts'

let it: PeopleWorld
before(async () => {
  it = await peopleWorld()
})
after(() => it.close())

let tokens = 0
const tokenOf = (signedIn: SignedIn): string => {
  const token = `token-of-a-session-${++tokens}`
  it.tokens.set(token, signedIn)
  return token
}
const outside = (subject: string, email: string, more: Partial<SignedIn> = {}): SignedIn =>
  it.signedIn(subject, email, { issuer: 'https://google.test', mailboxProvenAt: null, ...more })
const link = async (mine: SignedIn, other: SignedIn) => {
  const result = await it.ask('me.link_identity', { token: tokenOf(other) }, await it.caller(mine))
  return result.ok ? (result.output as { outcome: string }).outcome : result.code
}
const peopleOf = async (...ids: string[]) =>
  (
    await it.world.rows<{ into: string }>(
      `select coalesce(merged_into, id) as "into" from person where id = any('{${ids.join(',')}}') order by id`,
    )
  ).map((row) => row.into)

test('F20: whoever pays with one mailbox and signs in with another joins the two by showing both', async () => {
  const price = await it.world.sell('Sourdough', 4_900, ['sourdough-basics'])
  await it.buy('billing@work.example', price)
  const billing = it.signedIn('billing', 'billing@work.example')
  const login = outside('login', 'ada@home.example')
  const [paid, mine] = [await it.person(billing), await it.person(login)]
  assert.notEqual(paid, mine, 'nothing was joined by itself')
  assert.equal(await link(login, billing), 'merged')
  assert.deepEqual(new Set(await peopleOf(paid, mine)), new Set([mine]))
  assert.equal((await it.caller(billing)).user?.personId, mine)
  await it.settle(5 * minute)
  assert.deepEqual(it.world.owned('billing@work.example'), ['sourdough-basics'])
})

test('a second way in nobody knows yet is added to the person, with what was paid for its proven mailbox', async () => {
  const mine = outside('second', 'second@home.example')
  const me = await it.person(mine)
  const waiting = await it.mailbox('second@work.example')
  assert.equal(await link(mine, it.signedIn('second-built-in', 'second@work.example')), 'linked')
  assert.deepEqual(await peopleOf(waiting), [me])
  assert.equal(await link(mine, it.signedIn('second-built-in', 'second@work.example')), 'already')
})

test('I5: two claims of outside issuers prove nothing together, whatever they say about an address', async () => {
  const victim = outside('victim', 'victim@x.example')
  const attacker = outside('attacker', 'victim@x.example', { issuer: 'https://evil.test', emailVerified: true })
  const [a, b] = [await it.person(victim), await it.person(attacker)]
  assert.equal(await link(attacker, victim), 'email_unproven')
  assert.equal(new Set(await peopleOf(a, b)).size, 2)
})

test('I1: signing in with the same address elsewhere joins nobody', async () => {
  const first = await it.person(it.signedIn('planted', 'same@x.example', { mailboxProvenAt: null }))
  const second = await it.person(outside('real', 'same@x.example'))
  assert.notEqual(first, second)
})

test('an old session on either side is refused', async () => {
  const mine = outside('old-mine', 'om@x.example')
  const other = it.signedIn('old-other', 'oo@x.example')
  await it.world.clock.advance(16 * minute)
  assert.equal(await link(mine, other), 'email_unproven')
  assert.equal(await link(outside('old-mine', 'om@x.example'), other), 'email_unproven')
})

test('a built-in session that proved nothing itself does not count', async () => {
  const weak = it.signedIn('password', 'password@x.example', { mailboxProvenAt: null })
  const proven = outside('proven', 'proven@x.example', { mailboxProvenAt: it.world.clock.now() })
  assert.equal(await link(weak, proven), 'email_unproven')
})

test('roles are neither brought nor received without a second factor on that side', async () => {
  const boss = it.signedIn('boss', 'boss@x.example')
  const personId = await it.person(boss)
  await it.answer('roles.grant', { personId, role: 'owner', reason: 'test' })
  const mine = outside('boss-other', 'boss2@x.example')
  assert.equal(await link(mine, boss), 'second_factor_required')
  assert.equal(await link(boss, mine), 'second_factor_required')
  const strong = { ...boss, secondFactorAt: it.world.clock.now() }
  assert.equal(await link(mine, strong), 'merged')
})

test('a session of another organization links nothing here', async () => {
  const mine = it.signedIn('here', 'here@x.example')
  const other = outside('there', 'there@x.example', { organization: it.world.app.ids.next('org') })
  assert.equal(await link(mine, other), 'not_found')
  assert.equal(await link(mine, mine), 'conflict')
  const unknown = await it.ask('me.link_identity', { token: 'never-handed-out' }, await it.caller(mine))
  assert.equal(unknown.ok ? 'ok' : unknown.code, 'unauthenticated')
})

test('the token of the other session stands nowhere afterwards', async () => {
  const mine = outside('secret', 'secret@x.example')
  await link(mine, it.signedIn('secret2', 'secret2@x.example'))
  const rows = await it.world.rows<{ input: unknown }>(`select input from audit where action = 'me.link_identity'`)
  assert.ok(rows.length > 0)
  assert.ok(!JSON.stringify(rows).includes('token-of-a-session'))
})

test('one way in always stays, and never the mailbox alone', async () => {
  const mine = it.signedIn('keep', 'keep@x.example')
  const other = outside('keep-other', 'keep2@x.example')
  await it.person(mine)
  const unlink = async (by: SignedIn, it2: SignedIn) => {
    const input = { issuer: it2.issuer, subject: it2.subject }
    return it.code('me.unlink_identity', input, await it.caller(by))
  }
  assert.equal(await unlink(mine, mine), 'conflict')
  assert.equal(await link(mine, other), 'linked')
  assert.equal(await unlink(mine, other), 'ok')
  assert.notEqual((await it.caller(other)).user?.personId, (await it.caller(mine)).user?.personId)
  const { personId = '' } = (await it.caller(mine)).user ?? {}
  const by = { personId, issuer: mine.issuer, subject: mine.subject, reason: 'asked by phone' }
  assert.equal(await it.code('people.unlink_identity', by), 'conflict')
})

test('I3: an identity the owner removes ends its sessions here', async () => {
  const mine = it.signedIn('trojan', 'trojan@x.example')
  const planted = outside('trojan-other', 'planted@x.example')
  await it.person(mine)
  assert.equal(await link(mine, planted), 'linked')
  await it.world.rows(`insert into session (id, organization_id, issuer, subject, authenticated_at, created_at, last_seen_at, expires_at)
    values ('ses_1', '${it.world.organization}', '${planted.issuer}', '${planted.subject}', now(), now(), now(), now() + interval '1 day')`)
  const input = { issuer: planted.issuer, subject: planted.subject }
  assert.equal(await it.code('me.unlink_identity', input, await it.caller(mine)), 'ok')
  const [row] = await it.world.rows<{ ended: boolean; barred: bigint }>(
    `select revoked_at is not null as ended, (select count(*) from revocation where value = '${planted.subject}') as barred from session where id = 'ses_1'`,
  )
  assert.deepEqual({ ...row }, { ended: true, barred: 1n })
})
