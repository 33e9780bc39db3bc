import assert from 'node:assert/strict'
import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { after, before, test } from 'node:test'
import { second, systemClock } from '@bursar/kit/clock.ts'
import type { JWK } from 'jose'
import * as client from 'openid-client'
import type { Browser, Page } from 'playwright-core'
import type { App } from '#action/context.ts'
import { keptMail } from '#mail/mailbox.ts'
import { buildRegistry } from '#main/build.ts'
import { doorRoutes } from '#main/door.ts'
import { buildIdentity, type Identity } from '#main/identity.ts'
import { freePort } from '#main/start-testing.ts'
import { createWorld, type World } from '#main/world.ts'
import { createServer, type Server } from '#surfaces/server.ts'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'
import { type Seen, type Site, startSite } from './oidc-site-testing.ts'

let world: World
let app: App
let identity: Identity
let server: Server
let browser: Browser
let site: Site
let url: string
before(async () => {
  world = await createWorld({ startAt: systemClock.now() })
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  app = { ...world.app, publicUrl: url }
  const registry = buildRegistry()
  identity = buildIdentity(app, { databaseUrl: world.database.url, secret: 'x'.repeat(64), scopes: registry.scopes })
  server = await createServer(app, {
    registry,
    ready: () => true,
    callers: identity.callers,
    routes: doorRoutes(app, { registry, identity, stripeJs: () => null }),
  })
  await server.listen({ host: '127.0.0.1', port })
  ;[browser, site] = await Promise.all([launchChromium(), startSite()])
})
after(async () => {
  await browser.close()
  await site.close()
  await server.stop()
  await identity.close()
  await world.close()
})

async function asVisitor(work: (page: Page) => Promise<void>): Promise<void> {
  const visitor = await visit(browser)
  visitor.page.setDefaultTimeout(15 * second)
  await work(visitor.page)
  await visitor.leave()
}

async function signIn(page: Page, email: string): Promise<void> {
  await page.getByLabel('E-mail address').first().fill(email)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByRole('heading', { name: 'Enter the code' }).waitFor()
  const code = (await keptMail(app, email)).flatMap((mail) => mail.code ?? [])[0]
  await page.getByLabel('Code from the mail').fill(code ?? 'no mail')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

const register = (kind: 'public' | 'confidential') =>
  identity.provider.clients.register({
    organization: world.organization,
    name: 'Reading Room',
    redirectUris: [`${site.origin}/callback`],
    postLogoutRedirectUris: [`${site.origin}/bye`],
    kind,
    emailInIdToken: true,
  })

type Told = { readonly ok: true; readonly value: Seen } | { readonly ok: false; readonly problem: string }
const told = (page: Page, call: string): Promise<Told> => page.evaluate(`application.${call}`)
const good = (answer: Told): Seen => (answer.ok ? answer.value : assert.fail(answer.problem))

/** From the application's page through the hub back to it; the address it was sent back to. */
async function enter(page: Page, clientId: string, email: string): Promise<string> {
  await page.goto(`${site.origin}/?${new URLSearchParams({ client: clientId, issuer: `${url}/auth` })}`)
  await page.getByRole('heading', { name: 'Application' }).waitFor()
  await page.evaluate('void application.signIn()')
  await signIn(page, email)
  await page.getByRole('heading', { name: 'Allow Reading Room?' }).waitFor()
  await page.getByRole('button', { name: 'Allow', exact: true }).click()
  await page.waitForURL(`${site.origin}/callback?**`)
  return page.url()
}

test('oidc-client-ts in a browser: code with PKCE, UserInfo, refresh, and logout at the hub', async () => {
  const { clientId } = await register('public')
  await asVisitor(async (page) => {
    const back = await enter(page, clientId, 'rosa@example.org')
    const user = good(await told(page, `finish(${JSON.stringify(back)})`))
    assert.deepEqual([user.email, user.issuer], ['rosa@example.org', `${url}/auth`])
    assert.deepEqual(((await page.evaluate('application.userInfo()')) as { email: string }).email, 'rosa@example.org')
    const renewed = good(await told(page, 'renew()'))
    assert.notEqual(renewed.accessToken, user.accessToken)
    assert.notEqual(renewed.refreshToken, user.refreshToken)
    await page.evaluate('void application.signOut()')
    await page.getByRole('heading', { name: 'Signed out' }).waitFor()
    await page.goto(`${url}/account`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})

test('a code is taken once, and an answer that nobody asked for is none', async () => {
  const { clientId } = await register('public')
  await asVisitor(async (page) => {
    const back = await enter(page, clientId, 'sam@example.org')
    const redeemed: string[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/oauth2/token')) redeemed.push(request.postData() ?? '')
    })
    const forged = new URL(back)
    forged.searchParams.set('state', 'made-up')
    const unasked = await told(page, `finish(${JSON.stringify(forged.href)})`)
    assert.match(unasked.ok ? '' : unasked.problem, /No matching state/)
    assert.deepEqual(redeemed, [])
    good(await told(page, `finish(${JSON.stringify(back)})`))
    const again = await page.request.post(`${url}/auth/oauth2/token`, {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      data: redeemed[0] ?? '',
    })
    assert.deepEqual([again.status(), ((await again.json()) as { error: string }).error], [400, 'invalid_grant'])
  })
})

test('openid-client through the same pages: what comes back under another issuer, state or nonce is refused', async () => {
  const { clientId, clientSecret } = await register('confidential')
  const config = await client.discovery(
    new URL(`${url}/auth`),
    clientId,
    {},
    client.ClientSecretBasic(clientSecret ?? ''),
    { execute: [client.allowInsecureRequests] },
  )
  const verifier = client.randomPKCECodeVerifier()
  const asked = client.buildAuthorizationUrl(config, {
    redirect_uri: `${site.origin}/callback`,
    scope: 'openid email offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: 'the state',
    nonce: 'the nonce',
  })
  await asVisitor(async (page) => {
    await page.goto(asked.href)
    await signIn(page, 'tara@example.org')
    await page.getByRole('button', { name: 'Allow', exact: true }).click()
    await page.waitForURL(`${site.origin}/callback?**`)
    const back = new URL(page.url())
    const redeem = (address: URL, checks: Partial<client.AuthorizationCodeGrantChecks> = {}) =>
      client.authorizationCodeGrant(config, address, {
        pkceCodeVerifier: verifier,
        expectedState: 'the state',
        expectedNonce: 'the nonce',
        ...checks,
      })
    assert.equal(back.searchParams.get('iss'), `${url}/auth`)
    const mixedUp = new URL(back)
    mixedUp.searchParams.set('iss', 'https://other.example')
    await assert.rejects(redeem(mixedUp), { code: 'OAUTH_INVALID_RESPONSE' })
    await assert.rejects(redeem(back, { expectedState: 'another' }), { code: 'OAUTH_INVALID_RESPONSE' })
    const tokens = await redeem(back)
    assert.equal(tokens.claims()?.email, 'tara@example.org')
    assert.equal(tokens.claims()?.aud, clientId)
    const renewed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token ?? ''), { error: 'invalid_grant' })
    await assert.rejects(client.refreshTokenGrant(config, renewed.refresh_token ?? ''), { error: 'invalid_grant' })
    await page.goto(
      client.buildEndSessionUrl(config, {
        id_token_hint: tokens.id_token ?? '',
        post_logout_redirect_uri: `${site.origin}/bye`,
      }).href,
    )
    await page.getByRole('heading', { name: 'Signed out' }).waitFor()
  })
})

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const read = (token: string, at: number) =>
  JSON.parse(Buffer.from(token.split('.')[at] ?? '', 'base64url').toString()) as Record<string, unknown>

test('the API takes a service’s token and refuses it under another audience, issuer, algorithm or key', async () => {
  const wish = { organization: world.organization, name: 'Nightly report', scopes: ['orders:read'] }
  const { clientId, clientSecret } = await identity.provider.clients.registerService(wish)
  const config = await client.discovery(
    new URL(`${url}/auth`),
    clientId,
    {},
    client.ClientSecretBasic(clientSecret ?? ''),
    { execute: [client.allowInsecureRequests] },
  )
  const { access_token } = await client.clientCredentialsGrant(config, {
    resource: `${url}/api`,
    scope: 'orders:read',
  })
  const call = async (token: string) => {
    const answer = await fetch(`${url}/api/v1/orders.list`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{}',
    })
    return answer.status
  }
  assert.equal(await call(access_token), 200)

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keys = (await (await fetch(`${url}/auth/jwks`)).json()) as { keys: JWK[] }
  const [jwk] = keys.keys
  const pem = createPublicKey({ key: jwk ?? assert.fail('no key'), format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  })
  const [head, claims] = [read(access_token, 0), read(access_token, 1)]
  const signed = (h: object, c: object, signature: (text: string) => Buffer): string => {
    const text = `${part(h)}.${part(c)}`
    return `${text}.${signature(text).toString('base64url')}`
  }
  const own = (text: string) => sign('RSA-SHA256', Buffer.from(text), privateKey)
  const signature = Buffer.from(access_token.split('.')[2] ?? '', 'base64url')
  const refused = {
    'another key': signed(head, claims, own),
    'another audience': signed(head, { ...claims, aud: 'https://other.example/api' }, () => signature),
    'another issuer': signed(head, { ...claims, iss: 'https://other.example' }, () => signature),
    'no algorithm': signed({ ...head, alg: 'none' }, claims, () => Buffer.alloc(0)),
    'our public key as a secret': signed({ ...head, alg: 'HS256' }, claims, (text) =>
      createHmac('sha256', pem).update(text).digest(),
    ),
    'a key of its own in the head': signed(
      { ...head, jwk: createPublicKey(privateKey).export({ format: 'jwk' }) },
      claims,
      own,
    ),
    'not an access token': signed({ ...head, typ: 'JWT' }, claims, () => signature),
  }
  for (const [what, token] of Object.entries(refused)) assert.equal(await call(token), 401, what)
})
