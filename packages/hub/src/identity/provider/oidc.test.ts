import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as client from 'openid-client'
import { type Browser, browser, queryOf } from './browser-testing.ts'
import type { ClientWish } from './clients.ts'
import { somewhere, type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
let organization: string
before(async () => {
  world = await testProvider()
  organization = await world.it.organization('school')
})
after(() => world.close())

const callback = 'http://127.0.0.1:9/callback'
const goodbye = 'http://127.0.0.1:9/bye'
const scope = 'openid email offline_access'

/** A school that was registered, as the standard's own client library sees us. */
async function application(wish: Partial<ClientWish> = {}) {
  const { clientId, clientSecret } = await world.provider.clients.register({
    organization,
    name: 'School',
    redirectUris: [callback],
    postLogoutRedirectUris: [goodbye],
    kind: 'confidential',
    ...wish,
  })
  const auth = clientSecret === null ? client.None() : client.ClientSecretBasic(clientSecret)
  const insecure = { execute: [client.allowInsecureRequests] }
  return client.discovery(new URL(`${world.url}/auth`), clientId, {}, auth, insecure)
}

type Asked = { readonly url: URL; readonly verifier: string }
async function ask(config: client.Configuration, extra: Record<string, string> = {}): Promise<Asked> {
  const verifier = client.randomPKCECodeVerifier()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: 'state',
    nonce: 'nonce',
    ...extra,
  })
  return { url, verifier }
}

async function signIn(tab: Browser, email: string) {
  await world.provider.requestCode(email, somewhere)
  const answer = await world.provider.verifyCode(email, world.code(email), somewhere)
  assert.ok('cookies' in answer)
  tab.keep(answer.cookies)
  return answer
}

/** Goes the whole way of a person who is not signed in; ends at the application's own address. */
async function goThrough(tab: Browser, url: URL, email: string): Promise<URL> {
  const { location } = await tab.open(url)
  assert.ok(location.startsWith(`${world.url}/sign-in?`), location)
  await signIn(tab, email)
  const next = await tab.send('/sign-in/continue', { oauth_query: queryOf(location) })
  const address = String(next.json.url)
  if (!address.startsWith(`${world.url}/consent?`)) return new URL(address)
  const done = await tab.send('/oauth2/consent', { accept: true, oauth_query: queryOf(address) })
  return new URL(String(done.json.url))
}

const redeem = (config: client.Configuration, back: URL, verifier: string) =>
  client.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedState: 'state',
    expectedNonce: 'nonce',
    idTokenExpected: true,
  })

test('a school signs somebody in with code and PKCE, reads UserInfo, refreshes and logs out', async () => {
  const config = await application({ emailInIdToken: true })
  const tab = browser(world.url)
  const { url, verifier } = await ask(config)
  const tokens = await redeem(config, await goThrough(tab, url, 'anna@example.org'), verifier)
  const claims = tokens.claims()
  assert.equal(claims?.iss, `${world.url}/auth`)
  assert.deepEqual([claims?.email, claims?.email_verified], ['anna@example.org', true])
  const info = await client.fetchUserInfo(config, tokens.access_token, claims?.sub ?? '')
  assert.equal(info.email, 'anna@example.org')
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
  assert.notEqual(renewed.refresh_token, tokens.refresh_token)

  const asked = { method: 'GET', headers: { cookie: tab.cookie() } }
  assert.equal(typeof (await world.provider.source(asked)), 'object')
  const out = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token ?? '',
    post_logout_redirect_uri: goodbye,
  })
  const left = await tab.open(out)
  assert.deepEqual([left.status, left.location], [302, goodbye], left.text)
  assert.equal(await world.provider.source(asked), null)
})

test('an application that keeps no secret signs in with PKCE; its ID token carries no address unless registered so', async () => {
  const config = await application({ kind: 'public', skipConsent: true })
  const { url, verifier } = await ask(config)
  const tokens = await redeem(config, await goThrough(browser(world.url), url, 'ben@example.org'), verifier)
  assert.equal(tokens.claims()?.email, undefined)
})

test('a code that was used, or comes with the wrong verifier, buys nothing', async () => {
  const config = await application({ skipConsent: true })
  const tab = browser(world.url)
  const first = await ask(config)
  const back = await goThrough(tab, first.url, 'carla@example.org')
  await redeem(config, back, first.verifier)
  await assert.rejects(redeem(config, back, first.verifier), { error: 'invalid_grant' })

  const second = await ask(config)
  const { location } = await tab.open(second.url)
  const wrong = client.randomPKCECodeVerifier()
  await assert.rejects(redeem(config, new URL(location), wrong), { status: 401 })
})

test('without PKCE, with another redirect address or an unknown scope nobody gets a code', async () => {
  const config = await application({ skipConsent: true })
  const tab = browser(world.url)
  await signIn(tab, 'dora@example.org')
  const { url } = await ask(config)
  const elsewhere = new URL(url)
  elsewhere.searchParams.set('redirect_uri', 'http://127.0.0.1:9/evil')
  const answer = await tab.open(elsewhere)
  assert.ok(!answer.location.includes('/evil') && !answer.location.includes('code='), answer.location)
  const bare = new URL(url)
  bare.searchParams.delete('code_challenge')
  bare.searchParams.delete('code_challenge_method')
  assert.match((await tab.open(bare)).location, /error=invalid_request/)
  const greedy = new URL(url)
  greedy.searchParams.set('scope', 'openid entitlements:write')
  assert.match((await tab.open(greedy)).location, /error=invalid_scope/)
})

test('I11: using a refresh token twice ends its whole family', async () => {
  const config = await application({ skipConsent: true })
  const { url, verifier } = await ask(config)
  const tokens = await redeem(config, await goThrough(browser(world.url), url, 'emil@example.org'), verifier)
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token ?? ''), { error: 'invalid_grant' })
  await assert.rejects(client.refreshTokenGrant(config, renewed.refresh_token ?? ''), { error: 'invalid_grant' })
})

test('ending all sessions of a person ends what applications hold in their name', async () => {
  const config = await application({ skipConsent: true })
  const { url, verifier } = await ask(config)
  const tokens = await redeem(config, await goThrough(browser(world.url), url, 'hugo@example.org'), verifier)
  assert.equal(await world.provider.revokeAll(tokens.claims()?.sub ?? ''), 1)
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token ?? ''), { error: 'invalid_grant' })
})

test('an application learns who signed in only after the person agreed', async () => {
  const config = await application()
  const tab = browser(world.url)
  const { location } = await tab.open((await ask(config)).url)
  await signIn(tab, 'ida@example.org')
  const next = await tab.send('/sign-in/continue', { oauth_query: queryOf(location) })
  assert.ok(String(next.json.url).startsWith(`${world.url}/consent?`))
  const shown = await tab.open(
    `${world.url}/auth/oauth2/public-client?client_id=${new URL(String(next.json.url)).searchParams.get('client_id')}`,
  )
  assert.equal((JSON.parse(shown.text) as { client_name: string }).client_name, 'School')
  const no = await tab.send('/oauth2/consent', { accept: false, oauth_query: queryOf(next.json.url) })
  assert.match(String(no.json.url), /error=access_denied/)
})

test('prompt=login and max_age ask for a sign-in made since; prompt=none never shows a page', async () => {
  const config = await application({ skipConsent: true })
  const tab = browser(world.url)
  const quiet = await ask(config, { prompt: 'none' })
  assert.match((await tab.open(quiet.url)).location, /error=login_required/)
  await signIn(tab, 'fred@example.org')
  assert.match((await tab.open(quiet.url)).location, /code=/)

  const again = await ask(config, { prompt: 'login' })
  const { location } = await tab.open(again.url)
  assert.ok(location.startsWith(`${world.url}/sign-in?`), location)
  const refused = await tab.send('/sign-in/continue', { oauth_query: queryOf(location) })
  assert.deepEqual([refused.status, refused.json.code], [403, 'sign_in_again'])
  await signIn(tab, 'fred@example.org')
  const taken = await tab.send('/sign-in/continue', { oauth_query: queryOf(location) })
  assert.match(String(taken.json.url), /code=/)

  const young = await ask(config, { max_age: '0' })
  assert.ok((await tab.open(young.url)).location.startsWith(`${world.url}/sign-in?`))
})

test('a query that was changed on its way over our page is refused', async () => {
  const config = await application()
  const tab = browser(world.url)
  const { location } = await tab.open((await ask(config)).url)
  await signIn(tab, 'gina@example.org')
  const forged = queryOf(location).replace('email', 'profile')
  assert.equal((await tab.send('/sign-in/continue', { oauth_query: forged })).status, 400)
})

test('redirect addresses are exact, and https unless they stay on this machine', async () => {
  for (const uri of ['http://school.example/cb', 'https://*.school.example/cb', 'https://a.example/#x', 'javascript:1'])
    await assert.rejects(application({ redirectUris: [uri] }), { code: 'input_invalid' }, uri)
})

test('nobody registers an application from outside, and what is not opened is not there', async () => {
  for (const path of ['/oauth2/register', '/admin/oauth2/create-client', '/sign-up/email', '/sign-in/email']) {
    const answer = await fetch(`${world.url}/auth${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'x@example.org', password: 'a long password', name: 'x' }),
    })
    assert.equal(answer.status, 404, path)
  }
  assert.equal((await fetch(`${world.url}/auth/oauth2/token`)).status, 405)
  const document = await fetch(`${world.url}/.well-known/oauth-authorization-server/auth`)
  assert.equal(((await document.json()) as { issuer: string }).issuer, `${world.url}/auth`)
})
