import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentityProvider } from '@bursar/connectors/identity/provider.ts'
import { minute } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { insertIssuer, sealClientSecret } from '#identity/issuers/store.ts'
import { lastMail } from '#mail/testing.ts'
import { webhookSecret } from '#main/world.ts'
import { type Ada, adaIn } from './idor-ada-testing.ts'
import { type Actor, type Asked, bearer, createDoors, type Doors, dump, slugB, type Told } from './idor-testing.ts'

let d: Doors
let ada: Ada
/** Every secret that was given out or typed in, by what it is. */
const secrets = new Map<string, string>()
const refusals: string[] = []

const keep = (what: string, secret: unknown): string => {
  const text = String(secret)
  assert.ok(text.length >= 6 && text !== 'undefined', `${what} is no secret: ${text}`)
  secrets.set(what, text)
  return text
}

async function ask(asked: Asked, by?: Actor): Promise<Told> {
  const told = await d.ask(asked, by)
  if (told.status >= 400) refusals.push(`${told.status} ${told.text}`)
  return told
}

const inBrowser = (cookie: string): Actor => ({
  name: 'browser',
  headers: { cookie, origin: 'http://127.0.0.1', 'sec-fetch-site': 'same-origin' },
})
const asAda = (): Actor => inBrowser(ada.ada.cookie)
const byToken = (token: string): Actor => ({ name: 'token', headers: bearer(token) })

before(async () => {
  d = await createDoors()
  ada = await adaIn(d)
  for (const [what, secret] of Object.entries({ ...ada.secrets, ...ada.links })) keep(`${what} secret or link`, secret)
  keep('session of Ada', ada.ada.token)
  keep('session of Eve', ada.eve.token)
  keep('session from the popup', ada.annToken)
  keep('token of a frame', ada.ownToken)
  keep('key of A', d.keyA)
  keep('key of B', d.keyB)
  keep('service token', d.serviceB)
  keep('secret of the client at the provider', 'provider-side-secret-0123456789')
  keep('webhook secret', webhookSecret)
  keep('secret of the payment account', 'sk_test_world')
  keep('secret of the school', d.world.school.clientSecret)
})
after(() => d.close())

async function passwordsAndFactors(): Promise<void> {
  // Ada has a passkey, which would have to be shown first.
  const signed = await d.signIn('fay@alder.example')
  keep('session of Fay', signed.token)
  const fay = inBrowser(signed.cookie)
  const password = keep('password', 'correct horse battery staple')
  assert.equal((await ask({ url: '/auth/password', json: { password } }, fay)).status, 200)
  const changed = await ask({ url: '/account/email', form: { email: 'fay.new@alder.example' } }, fay)
  assert.equal(changed.status, 200, changed.text)
  keep('code of a changed address', (await lastMail(d, 'fay.new@alder.example')).code)
  const enabled = await ask({ url: '/auth/two-factor/enable', json: { password } }, fay)
  const { totpURI, backupCodes } = enabled.json as { totpURI?: string; backupCodes?: string[] }
  keep('TOTP secret', new URL(totpURI ?? '').searchParams.get('secret'))
  for (const [i, code] of (backupCodes ?? []).entries()) keep(`backup code ${i}`, code)
  const wrong = keep('wrong password', 'wrong horse battery staple')
  await ask({ url: '/auth/sign-in/password', json: { email: signed.email, password: wrong } })
  const again = await ask({
    url: '/auth/sign-in/password',
    json: { email: signed.email, password, transport: 'token' },
  })
  keep('session by password', again.json.token)
}

async function codesOfAnotherProvider(): Promise<void> {
  const { app, organizationB: organization } = d
  const client = {
    id: 'rivals',
    secret: keep('secret of the code client', 'code-client-secret-0123456789'),
    redirectUris: [],
  }
  const idp = await startIdentityProvider({
    clock: d.world.clock,
    random: secureRandom,
    flavour: 'auth0',
    clients: [client],
  })
  try {
    const id = app.ids.next('iss')
    const row = {
      ...{ id, organization, url: idp.issuer, name: 'Rivals', audiences: [], clientId: client.id, trustsEmail: true },
      ...{ signIn: true, accessTokens: false, codeChallenge: true, connection: 'Username-Password-Authentication' },
      ...{ algorithms: ['RS256'] as const, tokenType: 'any' as const, state: 'active' as const },
    }
    await app.db.tx('system', (tx) => insertIssuer(tx, row, sealClientSecret(app.secrets, id, client.secret)))
    const email = 'rita@rival.example'
    await ask({ url: '/api/sign-in/code', json: { organization: slugB, email } })
    const sent = idp.sent().at(-1)
    const code = keep('code of the other provider', sent?.code)
    keep('handle of that code', sent?.session)
    const told = await ask({ url: '/api/sign-in/verify', json: { organization: slugB, email, code } })
    keep('session by that code', told.json.token)
  } finally {
    await idp.close()
  }
}

async function coursesOpened(): Promise<void> {
  const path = `/api/partner-launch/${ada.one.enrollment}`
  for (const [what, form, by] of [
    ['own session', {}, asAda()],
    ['frame', { token: ada.ownToken }, undefined],
    ['guest link', { token: ada.links.guest }, undefined],
  ] as const) {
    const told = await ask({ url: path, form }, by)
    assert.equal(told.status, 303, `${what}: ${told.text}`)
    const login = new URL(String(told.headers.location))
    keep(`login at the school by ${what}`, login.pathname.length > login.search.length ? login.pathname : login.search)
  }
  const minted = {
    url: '/api/v1/launch.mint_own',
    json: { enrollmentId: ada.one.enrollment },
    headers: { 'idempotency-key': 'once' },
  }
  keep('remembered token of a frame', (await ask(minted, byToken(ada.ada.token))).json.token)
  assert.equal((await ask(minted, byToken(ada.ada.token))).json.token, null)
}

async function linksUsed(): Promise<void> {
  const own = { 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1' }
  const claimed = await ask({ url: `/claim/${ada.links.claim}`, form: {}, headers: own })
  assert.equal(claimed.status, 303, claimed.text)
  const [set = ''] = [claimed.headers['set-cookie'] ?? ''].flat().map(String)
  keep('session by the link of a receipt', decodeURIComponent(/=([^;]+)/.exec(set)?.[1] ?? ''))
  assert.equal((await ask({ url: `/claim/undo/${ada.links.undo}`, form: {}, headers: own })).status, 200)
  for (const link of [ada.links.claim, ada.links.undo]) await ask({ url: `/claim/${link}`, form: {}, headers: own })
}

async function keysAndClients(): Promise<void> {
  const owner = byToken(d.keyA)
  const once = (key: string) => ({ 'idempotency-key': key })
  const made = await ask(
    { url: '/api/v1/keys.create', json: { name: 'n', scopes: ['orders:read'] }, headers: once('k') },
    owner,
  )
  keep('remembered key', made.json.secret)
  const service = { name: 'Reports', scopes: ['orders:read'] }
  const client = await ask({ url: '/api/v1/clients.register_service', json: service, headers: once('c') }, owner)
  keep('secret of a program', client.json.clientSecret)
  const lines = [{ priceId: ada.price }]
  const urls = { successUrl: 'https://shop.example/a', cancelUrl: 'https://shop.example/b' }
  const cart = await ask({ url: '/api/v1/orders.create_checkout', json: { lines, ...urls }, headers: once('o') }, owner)
  keep('claim secret of a shop’s server', cart.json.claimSecret)
  const form = await ask({
    url: '/api/checkout',
    json: { organization: 'alder', mode: 'elements', prices: [ada.price] },
    headers: { 'idempotency-key': keep('key of a cart', 'cart-key-nobody-can-guess-77') },
  })
  keep('claim secret of a browser', form.json.claimSecret)
  keep('client secret of the payment', form.json.clientSecret)
}

/** Secrets where they do not belong: a refusal must not repeat them. */
async function misused(): Promise<void> {
  const all = [...secrets.values()].filter((secret) => secret.length < 200)
  for (const secret of all) {
    await ask({ url: '/api/checkout/status', json: { orderRef: secret, claimSecret: secret } })
    await ask(
      { url: '/api/onboard-learner', json: { orderRef: ada.orders.own, claimSecret: secret, linkToken: secret } },
      byToken(ada.eve.token),
    )
    await ask({ url: '/api/sign-in/verify', json: { organization: 'alder', email: ada.ada.email, code: secret } })
    await ask({ url: '/api/sign-in/exchange', json: { code: secret } })
    await ask({ url: '/api/v1/me.link_identity', json: { token: secret } }, byToken(ada.eve.token))
    await ask({ method: 'GET', url: `/claim/${encodeURIComponent(secret)}` })
    await ask({ method: 'GET', url: `/api/partner-launch/${ada.one.enrollment}?token=${encodeURIComponent(secret)}` })
    await ask({ method: 'GET', url: `/orders/${encodeURIComponent(secret)}` })
    await ask({ method: 'GET', url: `/nothing/${encodeURIComponent(secret)}` })
    await ask({ url: '/api/v1/keys.list', json: {} }, byToken(`${secret}x`))
    await d.world.rows('delete from auth.attempt')
  }
  const [key] = await d.world.rows<{ id: string }>('select id from connection limit 1')
  const bad = { connectionId: key?.id, secret: keep('weak webhook secret', 'too-weak') }
  await ask({ url: '/api/v1/connections.rotate_secret', json: bad }, byToken(d.keyA))
}

/** The ways in which a text may lie in a table: as it is, as bytes, as base64 of either kind. */
const formsOf = (secret: string): readonly string[] => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('hex'),
  Buffer.from(secret).toString('base64'),
  Buffer.from(secret).toString('base64url'),
]

// Six digits stand in many a number; as a code they stand alone.
const found = (text: string, secret: string): boolean =>
  /^\d{6,8}$/.test(secret)
    ? new RegExp(`(?<![\\d.:-])${secret}(?!\\d)`).test(text)
    : formsOf(secret).some((form) => text.includes(form))

test('after a whole journey no secret lies in clear: in no table, log line, audit, timeline, remembered answer or refusal', async () => {
  await passwordsAndFactors()
  await codesOfAnotherProvider()
  await coursesOpened()
  await linksUsed()
  await keysAndClients()
  await misused()
  await d.world.settle(minute)
  const tables = await dump(d.world)
  assert.ok(secrets.size > 35 && refusals.length > 100, `${secrets.size} secrets, ${refusals.length} refusals`)
  assert.ok([...tables.values()].flat().length > 200)
  for (const [what, secret] of secrets) {
    for (const [table, rows] of tables)
      assert.equal(
        rows.find((row) => found(row, secret)),
        undefined,
        `${what} lies in ${table}`,
      )
    const line = d.world.lines.find((it) => found(JSON.stringify(it), secret))
    assert.equal(line, undefined, `${what} stands in the log`)
    assert.equal(
      refusals.find((text) => found(text, secret)),
      undefined,
      `${what} stands in a refusal`,
    )
  }
})

test('what is stored instead opens nothing: a session’s row without the signature, a key of the provider without its cipher', async () => {
  const [row] = await d.world.rows<{ token: string }>(
    `select token from auth.session order by "createdAt" desc limit 1`,
  )
  const told = await d.ask({ url: '/api/v1/me.get', json: {} }, byToken(row?.token ?? ''))
  assert.equal(told.status, 401)
  const keys = (await dump(d.world)).get('auth.jwks') ?? []
  assert.ok(keys.length > 0)
  for (const key of keys) assert.doesNotMatch(key, /"+d"+:|BEGIN|"+p"+:/)
})
