import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { day, minute } from '@bursar/kit/clock.ts'
import { signedInBy } from '#identity/signed-in.ts'
import { makeExchangeCode } from './exchange.ts'
import { mintSessionToken, openSession, sessions, setSessionCookie, signOut } from './sessions.ts'
import { asking, bearer, type IssuerTest, issuerTest } from './testing.ts'

let t: IssuerTest
before(async () => {
  t = await issuerTest()
  await t.allow()
})
after(() => t.close())
beforeEach(() => t.test.rows('delete from session'))

async function session(subject: string): Promise<string> {
  const token = mintSessionToken()
  const now = t.app.clock.now()
  const claimed = {
    ...{ subject, providerSession: null, email: null, emailVerified: false, name: null },
    ...{ issuedAt: now, authenticatedAt: now, secondFactorAt: null },
  }
  await t.app.db.tx({ organization: t.organization }, async (tx) => {
    const { id } = await openSession(tx, t.app, {
      ...{ organization: t.organization, issuer: t.provider.issuer, claimed, mailboxProvenAt: null },
      ...{ userAgent: 'x'.repeat(1_000), address: '198.51.100.7', token },
    })
    await makeExchangeCode(tx, { session: id, organization: t.organization, returnPath: '/', isNew: true })
  })
  return token
}
const rows = async (table: string): Promise<number> => (await t.test.rows(`select 1 from ${table}`)).length
const person = (subject: string) => ({ organization: t.organization, issuer: t.provider.issuer, subject })

test('an unknown, a misshapen and a foreign session token are told apart from no token at all', async () => {
  await session('ann')
  assert.equal(await bearer(t.issuers, mintSessionToken()), 'invalid')
  assert.equal(await bearer(t.issuers, 'bss_short'), 'invalid')
  assert.equal(await bearer(t.issuers, 'bst_of_the_built_in_provider'), null)
  assert.equal(await signedInBy(t.issuers.sources, asking({})), null)
})

test('the cookie of a session that ended is nobody, so that it shuts out no other way of being signed in', async () => {
  const token = await session('ann')
  const cookie = `a=b; bursar_session=${token}; c=d`
  assert.notEqual(await signedInBy(t.issuers.sources, asking({ cookie })), null)
  await signOut(t.app, asking({ cookie }))
  assert.equal(await signedInBy(t.issuers.sources, asking({ cookie })), null)
})

test('a cookie goes over https only where the hub is reached by https', () => {
  assert.match(setSessionCookie({ publicUrl: 'https://hub.example' }, 'bss_x'), /; Secure$/)
  assert.doesNotMatch(setSessionCookie({ publicUrl: 'http://127.0.0.1:80' }, 'bss_x'), /Secure/)
})

test('the last use is kept to the minute', async () => {
  const token = await session('ann')
  const seen = async () =>
    (await t.app.db.tx({ organization: t.organization }, (tx) => sessions.list(tx, person('ann'))))[0]?.lastSeenAt
  const first = await seen()
  await t.test.clock.advance(minute / 2)
  await bearer(t.issuers, token)
  assert.equal(await seen(), first)
  await t.test.clock.advance(minute / 2)
  await bearer(t.issuers, token)
  assert.equal(await seen(), t.app.clock.now())
})

test('whoever is forgotten leaves no session behind, and others keep theirs', async () => {
  await session('ann')
  const bob = await session('bob')
  await t.app.db.tx({ organization: t.organization }, (tx) => sessions.erase(tx, person('ann')))
  assert.equal(await rows('session'), 1)
  assert.notEqual(await bearer(t.issuers, bob), 'invalid')
})

test('the sweep takes what has run out and nothing else', async () => {
  await session('ann')
  assert.equal(await t.issuers.sweep(), 0)
  await t.test.clock.advance(2 * day)
  assert.equal(await t.issuers.sweep(), 1, 'the exchange code')
  assert.equal(await rows('session'), 1)
  await t.test.clock.advance(30 * day)
  assert.equal(await t.issuers.sweep(), 1)
  assert.equal(await rows('session'), 0)
})
