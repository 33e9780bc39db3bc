import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { second, systemClock } from '@bursar/kit/clock.ts'
import type { Browser, Page } from 'playwright-core'
import type { App } from '#action/context.ts'
import { forgetConnection } from '#catalog/open.ts'
import { keptMail } from '#mail/mailbox.ts'
import { buildRegistry } from '#main/build.ts'
import { doorRoutes } from '#main/door.ts'
import { buildIdentity, type Identity } from '#main/identity.ts'
import { freePort } from '#main/start-testing.ts'
import { createWorld, type World } from '#main/world.ts'
import { createServer, type Server } from '#surfaces/server.ts'
import { axeProblems, shot } from './axe-testing.ts'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'

let world: World
let app: App
let identity: Identity
let server: Server
let browser: Browser
let url: string
let connection: string
before(async () => {
  // The identity provider knows no clock but the real one, so the world begins now.
  world = await createWorld({ startAt: systemClock.now() })
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  app = { ...world.app, publicUrl: url }
  const registry = buildRegistry()
  identity = buildIdentity(app, { databaseUrl: world.database.url, secret: 'x'.repeat(64), scopes: [] })
  server = await createServer(app, {
    registry,
    ready: () => true,
    callers: identity.callers,
    routes: doorRoutes(app, { registry, identity, stripeJs: () => null }),
  })
  await server.listen({ host: '127.0.0.1', port })
  browser = await launchChromium()
  const [row] = await world.rows<{ id: string }>(`select id from connection where category = 'lms'`)
  connection = row?.id ?? ''
})
after(async () => {
  await browser.close()
  await server.stop()
  await identity.close()
  await world.close()
})

async function asVisitor(work: (page: Page) => Promise<void>): Promise<void> {
  const visitor = await visit(browser)
  await work(visitor.page)
  await visitor.leave()
}

let buyers = 0
async function bought(slug = 'sourdough-basics'): Promise<{ email: string; seat: string }> {
  const email = `buyer${++buyers}@learner.example`
  const session = await world.checkout([await world.sell(`n ${buyers}`, 1000, [slug])])
  world.stripe.pay({ session, email })
  await world.settle()
  const [row] = await world.rows<{ id: string }>(
    `select n.id from enrollment n join person p on p.id = n.person_id where p.email = '${email}'`,
  )
  return { email, seat: row?.id ?? '' }
}

async function signIn(page: Page, email: string): Promise<void> {
  await page.getByLabel('E-mail address').first().fill(email)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByRole('heading', { name: 'Enter the code' }).waitFor()
  const code = (await keptMail(app, email)).flatMap((mail) => mail.code ?? [])[0]
  await page.getByLabel('Code from the mail').fill(code ?? 'no mail')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

/** The hub as the school's OpenID provider. */
async function schoolByOidc(skipConsent: boolean): Promise<void> {
  const client = await identity.provider.clients.register({
    organization: world.organization,
    name: 'Harbour School',
    redirectUris: [`${world.school.url}/oidc/callback`],
    kind: 'confidential',
    emailInIdToken: true,
    skipConsent,
  })
  const { clientId, clientSecret } = client
  world.school.setSignIn({ oidc: { issuer: `${url}/auth`, clientId, clientSecret: clientSecret ?? '' }, page: null })
  await launchBy('oidc')
}

async function launchBy(how: 'sso' | 'oidc'): Promise<void> {
  await world.rows(`update connection set config = config || '{"launchBy":"${how}"}' where id = '${connection}'`)
  forgetConnection(app.db, connection)
}

const apiCalls = () => world.school.school().counts.calls

test('with the hub as its OpenID provider the school is asked nothing, and the learner stands in the course', async () => {
  await schoolByOidc(true)
  const { email, seat } = await bought()
  await asVisitor(async (page) => {
    await page.goto(`${url}/api/partner-launch/${seat}`)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await signIn(page, email)
    await page.getByRole('button', { name: 'Open the course' }).waitFor()
    const before = apiCalls()
    await page.getByRole('button', { name: 'Open the course' }).click()
    await page.getByText('0 of 6 lessons done').waitFor()
    assert.equal(page.url(), `${world.school.url}/course/sourdough-basics`)
    assert.equal(apiCalls(), before)
    const cookie = (await page.context().cookies()).find((c) => c.name === 'school_user')
    const user = world.school.school().users.get(cookie?.value ?? '')
    assert.equal(user?.email, email)
  })
})

test('who comes from the school signs in at the hub, is asked once, and is back in the course', async () => {
  await schoolByOidc(false)
  const { email } = await bought('menu-pricing')
  await asVisitor(async (page) => {
    await page.goto(`${world.school.url}/course/menu-pricing`)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await signIn(page, email)
    await page.getByRole('heading', { name: 'Allow Harbour School?' }).waitFor()
    await page.getByText('see your e-mail address').waitFor()
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-consent')
    await page.getByRole('button', { name: 'Allow', exact: true }).click()
    await page.getByText('0 of 4 lessons done').waitFor()
  })
  await asVisitor(async (page) => {
    await page.goto(`${world.school.url}/login?redirectUrl=/course/menu-pricing`)
    await world.clock.advance(second)
    await signIn(page, `stranger${buyers}@learner.example`)
    await page.getByRole('button', { name: 'Do not allow' }).click()
    await page.getByText('The provider refused: access_denied.').waitFor()
  })
})

test('the page a school sends its people to signs them in and brings them back where they were', async () => {
  await launchBy('sso')
  world.school.setSignIn({ oidc: null, page: `${url}/sso/${connection}` })
  const { email } = await bought('food-safety')
  await asVisitor(async (page) => {
    await page.goto(`${world.school.url}/course/food-safety`)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Sign in at Harbour School' }).waitFor()
    assert.deepEqual(await axeProblems(page), [])
    const before = apiCalls()
    await page.getByRole('link', { name: 'Sign in' }).click()
    await signIn(page, email)
    await page.getByText(`You are signed in here as ${email}.`).waitFor()
    await shot(page, 'pages-sso')
    assert.equal(apiCalls(), before, 'looking mints nothing')
    await page.getByRole('button', { name: 'Go on to Harbour School' }).click()
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
    await page.getByRole('link', { name: 'Go on to /course/food-safety' }).click()
    await page.getByText('0 of 5 lessons done').waitFor()
  })
})

test('the page never leads to another site, and never signs in who has no account there', async () => {
  const { email } = await bought()
  await asVisitor(async (page) => {
    const at = (redirectUrl: string) =>
      `${url}/sso/${connection}?action=login&redirectUrl=${encodeURIComponent(redirectUrl)}`
    await page.goto(`${url}/sign-in`)
    await signIn(page, email)
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    const before = apiCalls()
    const { host } = new URL(world.school.url)
    for (const wish of [
      'https://evil.example/',
      '//evil.example/',
      `https://${host}.evil.example/`,
      `http://${host}@evil.example/`,
      `${world.school.url}//evil.example/`,
      'javascript:alert(1)',
    ]) {
      assert.equal((await page.goto(at(wish)))?.status(), 400, wish)
      assert.equal(await page.getByRole('button').count(), 0)
      const pressed = await page.request.post(`${url}/sso/${connection}`, {
        form: { redirectUrl: wish },
        headers: { 'sec-fetch-site': 'same-origin' },
        maxRedirects: 0,
      })
      assert.equal(pressed.status(), 400, wish)
    }
    const foreign = await page.request.post(`${url}/sso/${connection}`, {
      form: {},
      headers: { 'sec-fetch-site': 'cross-site' },
      maxRedirects: 0,
    })
    assert.equal(foreign.status(), 403)
    assert.equal(apiCalls(), before)
  })
  await asVisitor(async (page) => {
    await page.goto(`${url}/sso/${connection}?action=signup`)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await signIn(page, 'nobody@learner.example')
    await page.getByText('There is no account for you at Harbour School').waitFor()
    assert.equal(await page.getByRole('button').count(), 0)
    assert.equal((await page.goto(`${url}/sso/con_${'0'.repeat(26)}`))?.status(), 404)
  })
})

test('no page takes a form that another site has sent', async () => {
  const { seat } = await bought('pastry-foundations')
  const token = 'A'.repeat(43)
  const paths = [
    ...['code', 'verify', 'password', 'second-factor', 'done'].map((step) => `/sign-in/${step}`),
    ...['sign-out', 'end-session', 'end-others', 'password', 'email', 'email/confirm', 'unlink', 'export', 'erase'],
    ...['enable', 'confirm', 'prove', 'backup-codes', 'disable'].map((step) => `second-factor/${step}`),
    ...['added', 'remove'].map((step) => `passkeys/${step}`),
    ...[`/consent?x=1`, `/claim/${token}`, `/claim/undo/${token}`, `/orders/ord_${'0'.repeat(26)}/claim`],
    ...[`/sso/${connection}`, `/api/partner-launch/${seat}`],
  ].map((path) => (path.startsWith('/') ? path : `/account/${path}`))
  for (const path of paths)
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
    ]) {
      const answer = await server.fastify.inject({
        method: 'POST',
        url: path,
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html', ...headers },
        payload: 'email=a%40example.com',
      })
      assert.equal(answer.statusCode, 403, path)
    }
})

test('no code, token, login or address of a person stands in a log line', () => {
  const text = JSON.stringify(world.lines)
  assert.ok(world.lines.length > 0)
  assert.ok(!/\/sso\/[0-9a-f]{20}|learner\.example|bst_|code=/.test(text), text.slice(0, 2_000))
})
