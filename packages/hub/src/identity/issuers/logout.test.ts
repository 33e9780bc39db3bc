import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createSigningKey } from '@bursar/connectors/identity/simulator/keys.ts'
import { minute, second } from '@bursar/kit/clock.ts'
import type { FastifyInstance } from 'fastify'
import { mintSessionToken, openSession } from './sessions.ts'
import { bearer, clientId, door, type IssuerTest, issuerTest } from './testing.ts'

let t: IssuerTest
let fastify: FastifyInstance
let issuerId: string
before(async () => {
  t = await issuerTest()
})
after(() => t.close())
beforeEach(async () => {
  fastify = await door(t.issuers)
  for (const table of ['session', 'revocation', 'logout_token', 'issuer']) await t.test.rows(`delete from ${table}`)
  issuerId = await t.allow()
  await t.test.clock.advance(minute)
})

const send = (token: string, id = issuerId) =>
  fastify.inject({
    method: 'POST',
    url: `/api/sign-in/logout/${id}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ logout_token: token }).toString(),
  })

async function session(subject: string, providerSession: string): Promise<string> {
  const token = mintSessionToken()
  const now = t.app.clock.now()
  const claimed = {
    ...{ subject, providerSession, email: null, emailVerified: false, name: null },
    ...{ issuedAt: now, authenticatedAt: now, secondFactorAt: null },
  }
  await t.app.db.tx({ organization: t.organization }, (tx) =>
    openSession(tx, t.app, {
      ...{ organization: t.organization, issuer: t.provider.issuer, claimed, mailboxProvenAt: null },
      ...{ userAgent: null, address: null, token },
    }),
  )
  return token
}
const lives = async (token: string): Promise<boolean> => (await bearer(t.issuers, token)) !== 'invalid'

test('a logout of a person ends all their sessions and older access tokens here, and nobody else’s', async () => {
  const [one, two, other] = [await session('ann', 's1'), await session('ann', 's2'), await session('bob', 's3')]
  const access = t.provider.accessToken({ sub: 'ann' })
  assert.deepEqual(await Promise.all([one, two, other, access].map(lives)), [true, true, true, true])
  await t.test.clock.advance(2 * second)
  const answer = await send(t.provider.logoutToken(clientId, { sub: 'ann' }))
  assert.equal(answer.statusCode, 200, answer.body)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.deepEqual(await Promise.all([one, two, other, access].map(lives)), [false, false, true, false])
  await t.test.clock.advance(2 * second)
  assert.equal(await lives(t.provider.accessToken({ sub: 'ann' })), true, 'signed in again')
})

test('a logout of one session at the provider ends that session and the access tokens that name it', async () => {
  const [one, two] = [await session('ann', 's1'), await session('ann', 's2')]
  const [first, second_] = [
    t.provider.accessToken({ sub: 'ann', sid: 's1' }),
    t.provider.accessToken({ sub: 'ann', sid: 's2' }),
  ]
  await t.test.clock.advance(2 * second)
  assert.equal((await send(t.provider.logoutToken(clientId, { sid: 's1' }))).statusCode, 200)
  assert.deepEqual(await Promise.all([one, two, first, second_].map(lives)), [false, true, false, true])
})

test('a logout token counts once', async () => {
  const token = t.provider.logoutToken(clientId, { sub: 'ann' })
  const both = await Promise.all([send(token), send(token)])
  assert.deepEqual(both.map((it) => it.statusCode).sort(), [200, 400])
  assert.equal((await send(token)).statusCode, 400)
})

test('what is no logout token for this hub ends nothing', async () => {
  const live = await session('ann', 's1')
  const now = Math.floor(t.app.clock.now() / 1_000)
  const token = (claims: Record<string, unknown>, aud = clientId) =>
    t.provider.logoutToken(aud, { sub: 'ann', ...claims })
  const bad: Record<string, string> = {
    'another audience': token({}, 'somebody-else'),
    'another issuer': token({ iss: 'https://evil.example/' }),
    'no event': token({ events: undefined }),
    'another event': token({ events: { 'http://example.com/event': {} } }),
    'an event that is no object': token({ events: { 'http://schemas.openid.net/event/backchannel-logout': true } }),
    'a nonce': token({ nonce: 'n' }),
    'no jti': token({ jti: undefined }),
    'neither sub nor sid': token({ sub: undefined }),
    'ten minutes old': token({ iat: now - 600 }),
    'of the future': token({ iat: now + 60 }),
    'no iat': token({ iat: undefined }),
    'an access token': t.provider.accessToken({ sub: 'ann', aud: clientId }),
    'a stranger’s key': t.provider.sign(
      {
        iss: t.provider.issuer,
        aud: clientId,
        sub: 'ann',
        iat: now,
        jti: 'x',
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      },
      { typ: 'logout+jwt' },
      createSigningKey('stray', 'RS256'),
    ),
    nothing: '',
  }
  for (const [what, it] of Object.entries(bad)) {
    const answer = await send(it)
    assert.equal(answer.statusCode, 400, what)
    assert.equal((answer.json() as { error: string }).error, 'invalid_request')
  }
  assert.equal((await send(token({}), 'iss_nobody')).statusCode, 400)
  assert.equal(await lives(live), true)
})

test('a logout of one organization’s people leaves the same person alone in another', async () => {
  const other = await t.test.organization(`Birch${t.app.clock.now()}`)
  const otherIssuer = await t.allow({ organization: other })
  const live = await session('ann', 's1')
  assert.equal((await send(t.provider.logoutToken(clientId, { sub: 'ann' }), otherIssuer)).statusCode, 200)
  assert.equal(await lives(live), true)
})
