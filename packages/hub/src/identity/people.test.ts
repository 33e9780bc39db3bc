import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import { ensureMailboxPerson, ensurePerson, type PersonFound } from './people.ts'
import type { SignedIn } from './signed-in.ts'
import { signedInAs } from './signed-in-testing.ts'

let it: TestApp
let organization: string
let names = 0

before(async () => {
  it = await testApp()
})
beforeEach(async () => {
  organization = await it.organization(`school-${++names}`)
})
after(() => it.close())

const tx = <T>(work: Parameters<typeof it.app.db.tx<T>>[1], of = organization) =>
  it.app.db.tx({ organization: of }, work)
const ensure = (signedIn: SignedIn, of = organization): Promise<PersonFound> =>
  tx((t) => ensurePerson(t, { ids: it.app.ids, organization: of }, signedIn), of)
const paidMailbox = (email: string, of = organization) =>
  tx((t) => ensureMailboxPerson(t, { ids: it.app.ids, organization: of }, { email, name: null }), of)
const provenNow = (subject: string, email: string): SignedIn =>
  signedInAs(subject, { email, emailVerified: true, mailboxProvenAt: it.clock.now() })
const emailOf = async (id: string) =>
  (await it.rows<{ email: string | null }>(`select email from person where id = '${id}'`))[0]?.email

test('the same issuer and subject are the same person; another issuer with the same subject is somebody else', async () => {
  const first = await ensure(signedInAs('ada'))
  const again = await ensure(signedInAs('ada'))
  const other = await ensure(signedInAs('ada', { issuer: 'https://elsewhere.test' }))
  assert.deepEqual([first.created, again.created, again.id], [true, false, first.id])
  assert.notEqual(other.id, first.id)
})

test('a verified address without a proof of now leads to nobody else\u2019s seat', async () => {
  const waiting = await paidMailbox('ada@example.com')
  const found = await ensure(signedInAs('ada', { email: 'ada@example.com', emailVerified: true }))
  assert.notEqual(found.id, waiting.id)
  assert.equal(found.mailboxPersonId, null)
})

test('a fresh proof of the paid mailbox takes over the person who waits there', async () => {
  const waiting = await paidMailbox('ada@example.com')
  const found = await ensure(provenNow('ada', 'Ada@Example.com'))
  assert.deepEqual(found, { id: waiting.id, created: false, mailboxPersonId: null })
  const later = await paidMailbox('ada@example.com')
  assert.equal(later.id, waiting.id, 'what is bought for the mailbox later is theirs')
})

test('a proof of an hour ago is not a proof of now', async () => {
  const waiting = await paidMailbox('ada@example.com')
  const proof = provenNow('ada', 'ada@example.com')
  it.clock.advance(60 * minute)
  assert.notEqual((await ensure(proof)).id, waiting.id)
})

test('whoever is known already keeps being who they are and hears of the person waiting at the mailbox', async () => {
  const known = await ensure(signedInAs('ada'))
  const waiting = await paidMailbox('ada@example.com')
  const found = await ensure(provenNow('ada', 'ada@example.com'))
  assert.deepEqual(found, { id: known.id, created: false, mailboxPersonId: waiting.id })
})

test('a mailbox that somebody has proven is not taken over by the next who proves it', async () => {
  const first = await ensure(provenNow('ada', 'ada@example.com'))
  const second = await ensure(provenNow('eve', 'ada@example.com'))
  assert.notEqual(second.id, first.id)
  assert.equal(second.mailboxPersonId, null)
})

test('an unproven mailbox of somebody who signs in otherwise is not theirs who prove it next', async () => {
  const waiting = await paidMailbox('ada@example.com')
  await it.app.db.direct({
    name: '',
    text: `insert into identity (organization_id, issuer, subject, person_id, created_at)
      values ('${organization}', 'https://issuer.test', 'bea', '${waiting.id}', now())`,
    values: [],
  })
  const found = await ensure(provenNow('ada', 'ada@example.com'))
  assert.notEqual(found.id, waiting.id)
  assert.equal(found.mailboxPersonId, null)
})

test('I7: an address the issuer does not vouch for is not kept as a contact', async () => {
  const found = await ensure(signedInAs('eve', { email: 'victim@example.com', emailVerified: false }))
  assert.equal(await emailOf(found.id), null)
})

test('two first visits at once make one person', async () => {
  const found = await Promise.all(Array.from({ length: 8 }, () => ensure(provenNow('ada', 'ada@example.com'))))
  assert.equal(new Set(found.map((f) => f.id)).size, 1)
  assert.equal(found.filter((f) => f.created).length, 1)
})

test('a paid mailbox and its first visitor at once end as one person, or the visitor hears of the other', async () => {
  for (let round = 0; round < 10; round++) {
    const email = `ada${round}@example.com`
    const [visitor, waiting] = await Promise.all([ensure(provenNow(email, email)), paidMailbox(email)])
    assert.ok(visitor.id === waiting.id || visitor.mailboxPersonId === waiting.id, `round ${round}`)
    const again = await ensure(provenNow(email, email))
    assert.equal(again.id, visitor.id)
  }
})

test('a mailbox paid twice at once has one person', async () => {
  const waiting = await Promise.all(Array.from({ length: 6 }, () => paidMailbox('twice@example.com')))
  assert.equal(new Set(waiting.map((w) => w.id)).size, 1)
  const rows = await it.rows<{ n: bigint }>(`select count(*) as n from person where email = 'twice@example.com'`)
  assert.equal(rows[0]?.n, 1n)
})

test('each organization has its own person of the same identity', async () => {
  const other = await it.organization(`school-${++names}`)
  const here = await ensure(provenNow('ada', 'ada@example.com'))
  const there = await ensure(provenNow('ada', 'ada@example.com'), other)
  assert.notEqual(here.id, there.id)
})

test('an address the issuer does not vouch for replaces none that was proven, and borrows no proof', async () => {
  const { id } = await ensure(provenNow('eve', 'eve@example.com'))
  const row = async () =>
    (
      await it.rows<{ email: string | null; proven: boolean }>(
        `select email, proven_at is not null as proven from identity where person_id = '${id}' and subject = 'eve'`,
      )
    )[0]
  await ensure(signedInAs('eve', { email: 'victim@example.com', emailVerified: false }))
  assert.deepEqual({ ...(await row()) }, { email: 'eve@example.com', proven: true })
  // The issuer’s word is enough to know the address by, not to have proven it.
  await ensure(signedInAs('eve', { email: 'other@example.com', emailVerified: true }))
  assert.deepEqual({ ...(await row()) }, { email: 'other@example.com', proven: false })
  await ensure(provenNow('eve', 'Other@example.com'))
  assert.deepEqual({ ...(await row()) }, { email: 'Other@example.com', proven: true })
})
