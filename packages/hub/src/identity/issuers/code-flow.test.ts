import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { hour, minute, second } from '@bursar/kit/clock.ts'
import type { FastifyInstance } from 'fastify'
import { ensurePerson, personOf } from '#identity/people.ts'
import { builtInIssuer, type SignedIn, signedInBy } from '#identity/signed-in.ts'
import { safeReturnPath } from './code-flow.ts'
import { asking, bearer, browser, clientId, door, type IssuerTest, issuerTest, publicUrl } from './testing.ts'

let t: IssuerTest
let fastify: FastifyInstance
let issuerId: string
before(async () => {
  t = await issuerTest()
})
after(() => t.close())
beforeEach(async () => {
  // A door of its own for each test, because it counts requests by address.
  fastify = await door(t.issuers)
  t.provider.faults.clear()
  t.provider.profileInIdToken(true)
  for (const table of ['sign_in_code', 'session', 'revocation', 'issuer', 'issuer_keys'])
    await t.test.rows(`delete from ${table}`)
  issuerId = await t.allow({ trustsEmail: true })
  t.provider.addUser({ sub: 'ann', email: 'ann@learner.example', emailVerified: true, name: 'Ann' })
  t.provider.approve('ann')
  await t.test.clock.advance(2 * minute)
})

const codeIn = (page: string): string => /name="code" value="(bsx_[A-Za-z0-9_-]{43})"/.exec(page)?.[1] ?? ''

async function popup(query = '') {
  const tab = browser(fastify, t.http)
  const { back, sentTo } = await tab.begin(`/sign-in/external/${issuerId}${query}`)
  const page = await tab.visit(back)
  return { tab, page, sentTo, back, code: codeIn(page.body) }
}

const exchange = (code: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  fastify.inject({ method: 'POST', url: '/api/sign-in/exchange', headers, payload: JSON.stringify({ code }) })

async function tokenOf(code: string): Promise<string> {
  const answer = await exchange(code)
  assert.equal(answer.statusCode, 200, answer.body)
  return (answer.json() as { token: string }).token
}

const who = async (token: string): Promise<SignedIn> => {
  const found = await bearer(t.issuers, token)
  assert.ok(found !== null && found !== 'invalid')
  return found
}

test('a popup sign-in ends in a session: PKCE, nonce and hint go out, a one-time code comes back', async () => {
  const { page, sentTo, code, tab } = await popup('?login_hint=ann%40learner.example')
  const { searchParams: sent } = sentTo
  assert.equal(sent.get('code_challenge_method'), 'S256')
  assert.equal(sent.get('login_hint'), 'ann@learner.example')
  assert.equal(sent.get('redirect_uri'), `${publicUrl}/sign-in/external/callback`)
  assert.ok((sent.get('state') ?? '').length > 20 && (sent.get('nonce') ?? '').length > 20)
  assert.equal(page.statusCode, 200)
  const policy = String(page.headers['content-security-policy'])
  assert.match(policy, /default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-/)
  assert.equal(page.headers['cross-origin-opener-policy'], 'unsafe-none')
  assert.match(page.body, new RegExp(`data-origin="${publicUrl}"`))
  assert.deepEqual([...tab.jar.keys()], [], 'nothing of the flow stays in the browser')
  const answer = await exchange(code)
  const { token, isNew } = answer.json() as { token: string; isNew: boolean }
  assert.equal(isNew, true)
  const found = await who(token)
  assert.deepEqual(
    [
      found.issuer,
      found.subject,
      found.email,
      found.emailVerified,
      found.mailboxProvenAt,
      found.name,
      found.organization,
      found.via,
    ],
    [t.provider.issuer, 'ann', 'ann@learner.example', true, null, 'Ann', t.organization, 'token'],
  )
})

test('the one-time code works once, for a minute, and only as JSON', async () => {
  const { code } = await popup()
  assert.equal((await exchange(code, { 'content-type': 'application/x-www-form-urlencoded' })).statusCode, 415)
  const both = await Promise.all([exchange(code), exchange(code)])
  assert.deepEqual(both.map((it) => it.statusCode).sort(), [200, 401])
  assert.equal((await exchange(code)).statusCode, 401)
  const late = (await popup()).code
  await t.test.clock.advance(61 * second)
  assert.equal((await exchange(late)).statusCode, 401)
  assert.equal((await exchange(`bsx_${'A'.repeat(43)}`)).statusCode, 401)
})

test('a page of our own may take the session as a cookie instead of a token', async () => {
  const { code } = await popup()
  const take = (site: string) =>
    fastify.inject({
      method: 'POST',
      url: '/api/sign-in/exchange',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': site },
      payload: JSON.stringify({ code, transport: 'cookie' }),
    })
  assert.equal((await take('cross-site')).statusCode, 403)
  const done = await take('same-origin')
  assert.equal((done.json() as { token?: string }).token, undefined)
  assert.match(String(done.headers['set-cookie']), /^bursar_session=bss_/)
})

test('a code is worth nothing once its session has ended', async () => {
  const { code } = await popup()
  await t.test.rows('update session set revoked_at = now()')
  assert.equal((await exchange(code)).statusCode, 401)
})

test('a callback without the cookie of this browser signs nobody in: a link cannot log a victim in as the attacker', async () => {
  const attacker = browser(fastify, t.http)
  const { back } = await attacker.begin(`/sign-in/external/${issuerId}`)
  const victim = browser(fastify, t.http)
  const page = await victim.visit(back)
  assert.equal(page.statusCode, 400)
  assert.equal(codeIn(page.body), '')
  await victim.begin(`/sign-in/external/${issuerId}`)
  assert.equal((await victim.visit(back)).statusCode, 400, 'a state of another flow')
  assert.equal((await t.test.rows('select 1 from session')).length, 0)
})

test('an altered state, an altered cookie and a flow of eleven minutes ago are refused', async () => {
  const tab = browser(fastify, t.http)
  const { back } = await tab.begin(`/sign-in/external/${issuerId}`)
  assert.equal((await tab.visit(back.replace(/state=[^&]+/, 'state=x'))).statusCode, 400)
  const [name, value] = [...tab.jar][0] ?? ['', '']
  tab.jar.set(name, `${value.slice(0, -4)}AAAA`)
  assert.equal((await tab.visit(back)).statusCode, 400)
  tab.jar.set(name, value)
  await t.test.clock.advance(11 * minute)
  assert.equal((await tab.visit(back)).statusCode, 400)
})

test('an authorization code that came twice, and an answer that names another issuer, are refused', async () => {
  const tab = browser(fastify, t.http)
  const { back } = await tab.begin(`/sign-in/external/${issuerId}`)
  const [name, value] = [...tab.jar][0] ?? ['', '']
  const mixed = await tab.visit(back.replace(/iss=[^&]+/, `iss=${encodeURIComponent('https://evil.example/')}`))
  assert.equal(mixed.statusCode, 403)
  tab.jar.set(name, value)
  assert.equal((await tab.visit(back)).statusCode, 200)
  tab.jar.set(name, value)
  assert.equal((await tab.visit(back)).statusCode, 403)
})

test('whoever does not finish at the provider reads so, and the page that waits is told', async () => {
  t.provider.approve('stranger')
  const { page } = await popup()
  assert.equal(page.statusCode, 403)
  assert.match(page.body, /data-error="denied"/)
})

test('a provider that is down or in trouble: a sentence, no session, no secret in the log', async () => {
  const tab = browser(fastify, t.http)
  const { back } = await tab.begin(`/sign-in/external/${issuerId}`)
  t.provider.faults.set([{ kind: 'status', status: 500, path: '/oauth/token' }])
  const page = await tab.visit(back)
  assert.equal(page.statusCode, 502)
  assert.match(page.body, /does not answer right now/)
  for (const fault of [{ kind: 'reset' }, { kind: 'html' }, { kind: 'truncate' }] as const) {
    t.provider.faults.clear()
    const next = browser(fastify, t.http)
    const { back: path } = await next.begin(`/sign-in/external/${issuerId}`)
    t.provider.faults.set([{ ...fault, path: '/oauth/token' }])
    assert.equal((await next.visit(path)).statusCode, 502, fault.kind)
  }
  await t.test.rows('delete from issuer_keys')
  t.provider.faults.set([{ kind: 'reset' }])
  const cold = await door(t.restarted())
  assert.equal((await cold.inject({ method: 'GET', url: `/sign-in/external/${issuerId}` })).statusCode, 502)
  assert.equal((await t.test.rows('select 1 from session')).length, 0)
  assert.ok(!JSON.stringify(t.test.log.lines).includes('provider-side-secret'))
})

test('an ID token that is not signed by the issuer is refused, though it came over the right connection', async () => {
  const tab = browser(fastify, t.http)
  const { back } = await tab.begin(`/sign-in/external/${issuerId}`)
  t.provider.withdraw(t.provider.keys.at(-1)?.kid ?? '')
  t.provider.rotate()
  t.provider.withdraw(t.provider.keys.at(-1)?.kid ?? '')
  assert.equal((await tab.visit(back)).statusCode, 403)
  t.provider.rotate()
})

test('a provider that tells address and name only by UserInfo', async () => {
  t.provider.profileInIdToken(false)
  const found = await who(await tokenOf((await popup()).code))
  assert.deepEqual([found.email, found.emailVerified, found.name], ['ann@learner.example', true, 'Ann'])
})

test('I5: without trust the word of the provider about the address counts nowhere, also in sessions that exist', async () => {
  const token = await tokenOf((await popup()).code)
  assert.equal((await who(token)).emailVerified, true)
  await t.test.rows('update issuer set trusts_email = false')
  const found = await who(token)
  assert.deepEqual([found.emailVerified, found.mailboxProvenAt], [false, null])
})

test('I1: an external identity with the address of a built-in account gets neither its person nor its rows', async () => {
  const now = t.app.clock.now()
  const attacker: SignedIn = {
    ...{ sessionId: 'x', issuer: builtInIssuer(t.app), subject: 'attacker', email: 'ann@learner.example', name: null },
    ...{
      emailVerified: false,
      mailboxProvenAt: null,
      authenticatedAt: now,
      secondFactorAt: null,
      organization: null,
      via: 'token',
    },
  }
  const deps = { ids: t.app.ids, organization: t.organization }
  const inOrganization = { organization: t.organization }
  const theirs = await t.app.db.tx(inOrganization, (tx) => ensurePerson(tx, deps, attacker))
  const victim = await who(await tokenOf((await popup()).code))
  const mine = await t.app.db.tx(inOrganization, (tx) => ensurePerson(tx, deps, victim))
  assert.notEqual(mine.id, theirs.id)
  assert.equal(mine.mailboxPersonId, null)
  const still = await t.app.db.tx(inOrganization, (tx) => personOf(tx, t.organization, attacker.issuer, 'attacker'))
  assert.equal(still, theirs.id)
})

test('a second factor is asked for by acr and age, and its absence is no sign-in', async () => {
  const without = await popup('?second_factor=1')
  assert.equal(without.sentTo.searchParams.get('max_age'), '600')
  assert.match(without.sentTo.searchParams.get('acr_values') ?? '', /multi-factor/)
  assert.equal(without.page.statusCode, 403)
  assert.match(without.page.body, /second factor/)
  t.provider.addUser({ sub: 'ann', email: 'ann@learner.example', emailVerified: true, secondFactor: true })
  const found = await who(await tokenOf((await popup('?second_factor=1')).code))
  assert.ok(found.secondFactorAt !== null && t.app.clock.now() - found.secondFactorAt < minute)
})

test('as a whole page: the cookie is set and the browser goes on to a path of this hub', async () => {
  const tab = browser(fastify, t.http)
  const { back } = await tab.begin(`/sign-in/external/${issuerId}?return=${encodeURIComponent('/orders/ord_1?x=1')}`)
  const done = await tab.visit(back)
  assert.deepEqual([done.statusCode, done.headers.location], [303, '/orders/ord_1?x=1'])
  const set = String(done.headers['set-cookie'])
  assert.match(set, /bursar_session=bss_[^;]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax/)
  const cookie = tab.cookie()
  const as = (method: string, headers: Record<string, string>) =>
    signedInBy(t.issuers.sources, asking({ cookie, ...headers }, method))
  const found = await as('GET', {})
  assert.ok(found !== null && found !== 'invalid')
  assert.deepEqual([found.subject, found.via], ['ann', 'cookie'])
  assert.equal(await as('POST', { 'sec-fetch-site': 'cross-site' }), null)
  assert.notEqual(await as('POST', { 'sec-fetch-site': 'same-origin' }), null)
  const { cookies } = await t.issuers.signOut(asking({ cookie }))
  assert.match(cookies[0] ?? '', /^bursar_session=; Max-Age=0/)
  assert.equal(await as('GET', {}), null)
})

test('a popup that lost its opener goes on with the button, from our own page only', async () => {
  const { code } = await popup()
  const finish = (site: string) =>
    fastify.inject({
      method: 'POST',
      url: '/sign-in/external/finish',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': site },
      payload: `code=${code}`,
    })
  assert.equal((await finish('cross-site')).statusCode, 403)
  const done = await finish('same-origin')
  assert.deepEqual([done.statusCode, done.headers.location], [303, '/account'])
  assert.equal((await finish('same-origin')).statusCode, 400)
})

test('only paths of this hub are returned to', async () => {
  for (const bad of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/a\nb',
    '/%0d\r',
    '',
    'a',
    '/\t/evil.example',
  ])
    assert.equal(safeReturnPath(bad, publicUrl), null, JSON.stringify(bad))
  assert.equal(safeReturnPath('/a/../b?c=d#e', publicUrl), '/b?c=d#e')
  const answer = await fastify.inject({ method: 'GET', url: `/sign-in/external/${issuerId}?return=//evil.example` })
  assert.equal(answer.statusCode, 400)
})

test('an issuer that does not sign people in, is paused or unknown has no page', async () => {
  const start = async (id: string) =>
    (await fastify.inject({ method: 'GET', url: `/sign-in/external/${id}` })).statusCode
  assert.equal(await start('iss_nobody'), 404)
  await t.test.rows("update issuer set state = 'paused'")
  assert.equal(await start(issuerId), 404)
  await t.test.rows("update issuer set state = 'active', sign_in = false")
  assert.equal(await start(issuerId), 404)
})

test('a session ends by its time, by its owner, and with its issuer', async () => {
  const token = await tokenOf((await popup()).code)
  const other = await tokenOf((await popup()).code)
  const found = await who(token)
  const person = { organization: t.organization, issuer: found.issuer, subject: found.subject }
  const inTx = <T>(work: Parameters<typeof t.app.db.tx<T>>[1]) => t.app.db.tx({ organization: t.organization }, work)
  const { sessions } = t.issuers
  const listed = await inTx((tx) => sessions.list(tx, person))
  assert.deepEqual([listed.length, listed[0]?.userAgent], [2, 'Test browser'])
  assert.equal(await inTx((tx) => sessions.revoke(tx, { ...person, subject: 'bob' }, { only: found.sessionId })), 0)
  assert.equal(await inTx((tx) => sessions.revoke(tx, person, { except: found.sessionId })), 1)
  assert.equal(await bearer(t.issuers, other), 'invalid')
  await t.test.rows("update issuer set state = 'paused'")
  assert.equal(await bearer(t.issuers, token), 'invalid')
  await t.test.rows("update issuer set state = 'active'")
  await who(token)
  await t.test.clock.advance(12 * hour)
  assert.equal(await bearer(t.issuers, token), 'invalid')
})

test('no row holds a token, a code or the client secret in clear', async () => {
  const { code } = await popup()
  const token = await tokenOf(code)
  const stored = JSON.stringify([
    await t.test.rows('select * from session'),
    await t.test.rows('select * from sign_in_code'),
    await t.test.rows("select *, encode(client_secret, 'escape') from issuer"),
  ])
  for (const it of [code, token, 'provider-side-secret']) assert.ok(!stored.includes(it))
  assert.ok(stored.includes(clientId))
})
