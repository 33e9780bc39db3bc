import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { createSigningKey, signJwt } from '@bursar/connectors/identity/simulator/keys.ts'
import { day, hour, minute, second } from '@bursar/kit/clock.ts'
import { SignJWT } from 'jose'
import { revokeBefore } from './revocations.ts'
import { asking, audience, bearer, clientId, type IssuerTest, issuerTest } from './testing.ts'

let t: IssuerTest
before(async () => {
  t = await issuerTest()
})
after(() => t.close())
beforeEach(async () => {
  t.provider.faults.clear()
  await t.test.rows('delete from issuer')
  await t.test.rows('delete from issuer_keys')
  await t.test.rows('delete from revocation')
})

const person = { sub: 'user-1', email: 'ann@learner.example', email_verified: true }

test('a token of a listed issuer says who somebody is, in that organization, and proves no mailbox', async () => {
  await t.allow({ trustsEmail: true })
  const found = await bearer(t.restarted(), t.provider.accessToken({ ...person, name: 'Ann' }))
  assert.ok(found !== null && found !== 'invalid')
  const { issuer, subject, email, emailVerified, mailboxProvenAt, organization, via, name } = found
  assert.deepEqual(
    { issuer, subject, email, emailVerified, mailboxProvenAt, organization, via, name },
    {
      ...{ issuer: t.provider.issuer, subject: 'user-1', email: person.email, emailVerified: true, name: 'Ann' },
      ...{ mailboxProvenAt: null, organization: t.organization, via: 'token' },
    },
  )
  assert.equal(found.authenticatedAt, t.app.clock.now())
})

test('I5: email_verified of an issuer that is not trusted for addresses is no proof', async () => {
  await t.allow({ trustsEmail: false })
  const found = await bearer(t.restarted(), t.provider.accessToken(person))
  assert.ok(found !== null && found !== 'invalid')
  assert.deepEqual([found.emailVerified, found.mailboxProvenAt], [false, null])
})

test('I7: email_verified counts only as true itself', async () => {
  await t.allow({ trustsEmail: true })
  for (const claim of [false, 'true', 1, undefined]) {
    const found = await bearer(t.restarted(), t.provider.accessToken({ ...person, email_verified: claim }))
    assert.ok(found !== null && found !== 'invalid')
    assert.equal(found.emailVerified, false, String(claim))
  }
})

test('ES256 and EdDSA verify as well; an algorithm taken off the list does not', async () => {
  await t.allow({ algorithms: ['ES256'] })
  const [es, ed] = [t.provider.rotate('ES256'), t.provider.rotate('EdDSA')]
  const issuers = t.restarted()
  assert.notEqual(await bearer(issuers, t.provider.accessToken(person, {}, es)), 'invalid')
  assert.equal(await bearer(issuers, t.provider.accessToken(person, {}, ed)), 'invalid')
  await t.test.rows("update issuer set algorithms = '{EdDSA}'")
  assert.notEqual(await bearer(issuers, t.provider.accessToken(person, {}, ed)), 'invalid')
  t.provider.rotate('RS256')
})

test('I13: a new signing key verifies at once, the old one until it is withdrawn, without a restart', async () => {
  await t.allow()
  const issuers = t.restarted()
  const old = t.provider.keys.at(-1)
  const before = t.provider.accessToken(person, {}, old)
  assert.notEqual(await bearer(issuers, before), 'invalid')
  await t.test.clock.advance(31 * second)
  const fresh = t.provider.rotate()
  assert.notEqual(await bearer(issuers, t.provider.accessToken(person, {}, fresh)), 'invalid')
  assert.notEqual(await bearer(issuers, before), 'invalid')
  assert.ok(old !== undefined)
  t.provider.withdraw(old.kid)
  await t.test.clock.advance(9 * minute)
  assert.notEqual(await bearer(issuers, t.provider.accessToken(person, {}, old)), 'invalid')
  await t.test.clock.advance(2 * minute)
  assert.equal(await bearer(issuers, t.provider.accessToken(person, {}, old)), 'invalid')
})

test('a stranger who invents key ids makes the hub ask no more than once in 30 seconds', async () => {
  await t.allow()
  const issuers = t.restarted()
  await bearer(issuers, t.provider.accessToken(person))
  await t.test.clock.advance(31 * second)
  t.provider.clearLog()
  const stray = createSigningKey('stray', 'RS256')
  for (let i = 0; i < 20; i++)
    assert.equal(await bearer(issuers, t.provider.accessToken(person, { kid: `k${i}` }, stray)), 'invalid')
  const asked = t.provider.log().filter((entry) => entry.path.includes('jwks'))
  assert.equal(asked.length, 1)
})

test('I14: while the key endpoint is down, known keys verify, also after a restart, and unknown ones do not', async () => {
  await t.allow()
  const token = () => t.provider.accessToken(person)
  assert.notEqual(await bearer(t.restarted(), token()), 'invalid')
  t.provider.faults.set([{ kind: 'status', status: 503 }])
  const issuers = t.restarted()
  for (const pause of [0, 11 * minute, 5 * hour, 2 * day]) {
    await t.test.clock.advance(pause)
    assert.notEqual(await bearer(issuers, token()), 'invalid', `after ${pause} ms`)
    assert.notEqual(await bearer(t.restarted(), token()), 'invalid', `restarted after ${pause} ms`)
  }
  const stray = createSigningKey('stray', 'RS256')
  assert.equal(await bearer(t.restarted(), t.provider.accessToken(person, {}, stray)), 'invalid')
  await t.test.clock.advance(8 * day)
  assert.equal(await bearer(issuers, token()), 'invalid', 'an outage of more than a week is no outage')
  t.provider.faults.clear()
  await t.test.clock.advance(minute)
  assert.notEqual(await bearer(issuers, token()), 'invalid')
})

test('I14: an issuer that was never reached verifies nobody', async () => {
  await t.allow()
  t.provider.faults.set([{ kind: 'reset', path: 'jwks' }])
  assert.equal(await bearer(t.restarted(), t.provider.accessToken(person)), 'invalid')
})

test('I15: a foreign audience, a foreign issuer and an unlisted one are refused', async () => {
  await t.allow()
  const issuers = t.restarted()
  const bad = [
    { aud: 'https://other.example/api' },
    { aud: undefined },
    { iss: `${t.provider.issuer}/` },
    { iss: 'https://evil.example/' },
    { iss: undefined },
  ]
  for (const claims of bad)
    assert.equal(
      await bearer(issuers, t.provider.accessToken({ ...person, ...claims })),
      'invalid',
      JSON.stringify(claims),
    )
})

test('I15: alg none and HS256 with the public key are refused', async () => {
  await t.allow()
  const issuers = t.restarted()
  const good = t.provider.accessToken(person)
  const payload = good.split('.')[1] ?? ''
  for (const alg of ['none', 'None', 'NONE']) {
    const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt' })).toString('base64url')
    assert.equal(await bearer(issuers, `${header}.${payload}.`), 'invalid')
  }
  const key = t.provider.keys.at(-1)
  assert.ok(key !== undefined)
  const pem = createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' })
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const forged = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: key.kid })
    .sign(Buffer.from(pem))
  assert.equal(await bearer(issuers, forged), 'invalid')
  assert.equal(await bearer(issuers, `${good.slice(0, -4)}AAAA`), 'invalid')
})

test('I15: an ID token, a logout token and a token of a program are no access tokens of a person', async () => {
  await t.allow({ tokenType: 'any' })
  const issuers = t.restarted()
  const base = (claims: Record<string, unknown>, typ = 'JWT') =>
    bearer(issuers, t.provider.accessToken({ ...person, ...claims }, { typ }))
  assert.notEqual(await base({}), 'invalid')
  assert.equal(await base({ aud: clientId }), 'invalid')
  assert.equal(await base({ aud: [audience, clientId] }), 'invalid')
  assert.equal(await base({ nonce: 'n' }), 'invalid')
  assert.equal(await base({ at_hash: 'h' }), 'invalid')
  assert.equal(await base({ events: {} }, 'logout+jwt'), 'invalid')
  assert.equal(await base({ sub: 'm2m@clients', gty: 'client-credentials' }), 'invalid')
  assert.equal(await base({ sub: 'm2m', client_id: 'm2m' }), 'invalid')
})

test('I15: without the setting a token must say that it is an access token', async () => {
  await t.allow({ tokenType: 'at+jwt' })
  const issuers = t.restarted()
  for (const typ of ['JWT', undefined, 'id_token+jwt', 'logout+jwt'])
    assert.equal(await bearer(issuers, t.provider.accessToken(person, { typ })), 'invalid', String(typ))
  assert.notEqual(await bearer(issuers, t.provider.accessToken(person, { typ: 'application/at+jwt' })), 'invalid')
})

test('I15: jku, x5u, x5c and jwk in the header are refused, and nobody calls the addresses they name', async () => {
  await t.allow()
  const issuers = t.restarted()
  await bearer(issuers, t.provider.accessToken(person))
  const evil = createSigningKey('evil', 'RS256')
  const calls: string[] = []
  const server = createServer((request, response) => {
    calls.push(request.url ?? '')
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ keys: [evil.jwk] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  await t.test.clock.advance(minute)
  const claims = {
    iss: t.provider.issuer,
    aud: audience,
    sub: 'user-1',
    iat: t.app.clock.now() / 1_000,
    exp: t.app.clock.now() / 1_000 + 60,
  }
  for (const header of [{ jku: url }, { x5u: url }, { jwk: evil.jwk }, { x5c: ['MIIB'] }]) {
    assert.equal(await bearer(issuers, signJwt(evil, claims, { typ: 'at+jwt', ...header })), 'invalid')
    // Even a right signature does not make up for it.
    assert.equal(await bearer(issuers, t.provider.accessToken(person, header)), 'invalid')
  }
  assert.deepEqual(calls, [])
  await new Promise((resolve) => server.close(resolve))
})

test('times: five seconds of tolerance, no longer; nothing older than a day whatever it says', async () => {
  await t.allow()
  const issuers = t.restarted()
  const now = t.app.clock.now() / 1_000
  const is = async (claims: Record<string, unknown>) =>
    (await bearer(issuers, t.provider.accessToken({ ...person, ...claims }))) !== 'invalid'
  assert.equal(await is({ exp: now - 4 }), true)
  assert.equal(await is({ exp: now - 6 }), false)
  assert.equal(await is({ nbf: now + 4 }), true)
  assert.equal(await is({ nbf: now + 7 }), false)
  assert.equal(await is({ exp: undefined }), false)
  assert.equal(await is({ iat: now - 25 * 3_600, exp: now + 60 }), false)
  assert.equal(await is({ sub: undefined }), false)
})

test('a second factor counts from the moment it was shown, and not without that moment', async () => {
  await t.allow()
  const issuers = t.restarted()
  const at = t.app.clock.now() / 1_000 - 120
  const factor = async (claims: Record<string, unknown>) => {
    const found = await bearer(issuers, t.provider.accessToken({ ...person, ...claims }))
    assert.ok(found !== null && found !== 'invalid')
    return found.secondFactorAt
  }
  assert.equal(await factor({ amr: ['pwd', 'mfa'], auth_time: at }), at * 1_000)
  assert.equal(
    await factor({ acr: 'http://schemas.openid.net/pape/policies/2007/06/multi-factor', auth_time: at }),
    at * 1_000,
  )
  assert.equal(await factor({ amr: ['pwd', 'mfa'] }), null)
  assert.equal(await factor({ amr: ['pwd'], auth_time: at }), null)
})

test('revoked_before ends older tokens of that person at the next request, not newer ones and not others', async () => {
  await t.allow()
  const issuers = t.restarted()
  const [old, other] = [t.provider.accessToken(person), t.provider.accessToken({ ...person, sub: 'user-2' })]
  assert.notEqual(await bearer(issuers, old), 'invalid')
  await t.test.clock.advance(2 * second)
  const whose = { organization: t.organization, issuer: t.provider.issuer, kind: 'subject', value: 'user-1' } as const
  await t.app.db.tx({ organization: t.organization }, (tx) => revokeBefore(tx, whose, tx.now))
  await t.test.clock.advance(2 * second)
  assert.equal(await bearer(issuers, old), 'invalid')
  assert.notEqual(await bearer(issuers, other), 'invalid')
  assert.notEqual(await bearer(issuers, t.provider.accessToken(person)), 'invalid')
})

test('two organizations that trust the same issuer and audience: the request names one', async () => {
  const other = await t.test.organization(`Birch${t.app.clock.now()}`)
  await t.allow()
  await t.allow({ organization: other })
  const issuers = t.restarted()
  const token = t.provider.accessToken(person)
  assert.equal(await bearer(issuers, token), 'invalid')
  const named = await bearer(issuers, token, { 'bursar-organization': other })
  assert.ok(named !== null && named !== 'invalid')
  assert.equal(named.organization, other)
  assert.equal(await bearer(issuers, token, { 'bursar-organization': 'org_stranger' }), 'invalid')
})

test('a paused issuer, and one whose access tokens are off, verify nobody', async () => {
  const id = await t.allow()
  const issuers = t.restarted()
  await t.test.rows(`update issuer set state = 'paused' where id = '${id}'`)
  assert.equal(await bearer(issuers, t.provider.accessToken(person)), 'invalid')
  await t.test.rows(`update issuer set state = 'active', access_tokens = false where id = '${id}'`)
  assert.equal(await bearer(issuers, t.provider.accessToken(person)), 'invalid')
})

test('other credentials are left to others', async () => {
  await t.allow()
  for (const authorization of ['Bearer bsk_demo_x', 'Bearer abc', 'Basic YTpi', ''])
    for (const source of t.issuers.sources) assert.equal(await source(asking({ authorization })), null, authorization)
  const own = t.provider.sign({ iss: `${t.app.publicUrl}/auth`, sub: 'x' }, { typ: 'at+jwt' })
  assert.equal(await bearer(t.issuers, own), null)
  assert.equal(await bearer(t.issuers, `${'a'.repeat(9_000)}.b2.cc`), 'invalid')
})
