import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { startTestIssuer } from './oidc-testing.ts'
import { control, failureOf, schools, type TestSchool, value } from './testing.ts'

const school = schools(afterEach)
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
const course = { kind: 'course', externalId: 'menu-pricing' } as const
const amira = 'amira.haddad@example.com'
const launch = (s: TestSchool) => s.connector.launch ?? assert.fail()

/** A school that signs its people in at a provider of its own. */
async function withProvider(claims: Record<string, unknown> = { sub: 'u1', email: amira, email_verified: true }) {
  const s = await school({ config: { launchBy: 'oidc' } })
  const issuer = await startTestIssuer(s.clock, 'client-secret')
  closers.push(issuer.close)
  issuer.claims = claims
  await control(s, 'sign-in', { oidc: { issuer: issuer.url, clientId: 'school', clientSecret: 'client-secret' } })
  return { s, issuer }
}

/** Follows redirects as a browser does, with cookies per host. */
async function browse(s: TestSchool, start: string) {
  const jar = new Map<string, string>()
  let url = start
  for (let hops = 0; hops < 10; hops++) {
    const { origin } = new URL(url)
    const cookie = [...jar].flatMap(([k, v]) => (k.startsWith(origin) ? [`${k.slice(origin.length)}=${v}`] : []))
    const outcome = await s.io.http({ method: 'GET', url, headers: { cookie: cookie.join('; ') } })
    assert.ok(outcome.ok)
    const { status, headers, body } = outcome.response
    const [, name = '', set = ''] = /^([^=]+)=([^;]*)/.exec(headers['set-cookie'] ?? '') ?? []
    if (name !== '') jar.set(origin + name, set)
    if (status !== 302) return { status, url, text: body.toString() }
    url = new URL(headers.location ?? '', url).href
  }
  return assert.fail('redirects without end')
}

const addressOf = async (s: TestSchool, more: object = {}) =>
  value(await launch(s)({ account: 'anything', course, signsIn: true, ...more })).url

test('with OpenID Connect a launch makes no call, and the learner lands on the course as themselves', async () => {
  const { s } = await withProvider()
  const before = s.simulator.school().counts.calls
  const landed = await browse(s, await addressOf(s))
  assert.equal(landed.url, `${s.simulator.url}/course/menu-pricing`)
  assert.match(landed.text, /Logged in as Amira Haddad/)
  assert.equal(s.calls.length, 0)
  assert.equal(s.simulator.school().counts.calls, before)
})

test('who is not signed in at the hub still gets a login link', async () => {
  const { s } = await withProvider()
  const account = value(await (s.connector.accounts ?? assert.fail()).find(amira))?.externalId ?? ''
  const action = value(await launch(s)({ account, course }))
  assert.equal(action.kind, 'redirect')
  assert.ok(s.calls.some((call) => call.path.endsWith('/sso')))
})

test('the same subject is the same account after its address has changed, and a new address makes a new account', async () => {
  const { s, issuer } = await withProvider()
  assert.match((await browse(s, await addressOf(s))).text, /Amira Haddad/)
  issuer.claims = { sub: 'u1', email: 'amira@new.example', email_verified: true }
  assert.match((await browse(s, await addressOf(s))).text, /Amira Haddad/)
  issuer.claims = { sub: 'u2', email: 'nadia@example.com', name: 'Nadia Roth', email_verified: true }
  assert.match((await browse(s, await addressOf(s))).text, /Nadia Roth/)
})

test('staff, unverified addresses and forged ID tokens are not signed in', async () => {
  const { s, issuer } = await withProvider()
  const told = async (claims: Record<string, unknown>, lie: Record<string, unknown> = {}) => {
    issuer.claims = { sub: 'u9', email: amira, ...claims }
    issuer.lie = lie
    const { text, url } = await browse(s, await addressOf(s))
    assert.match(url, /\/oidc\/callback/)
    return /<p>(.*)<\/p>/.exec(text)?.[1]
  }
  assert.match(String(await told({ email: 'owner@school.example' })), /Staff/)
  assert.match(String(await told({ email_verified: false })), /not verified/)
  assert.match(String(await told({}, { aud: 'another' })), /for somebody else/)
  assert.match(String(await told({}, { iss: 'https://other.example' })), /another issuer/)
  assert.match(String(await told({}, { nonce: 'old' })), /another sign-in/)
  assert.match(String(await told({}, { exp: 1 })), /too old/)
})

test('a sign-in answers only the browser that began it', async () => {
  const { s, issuer } = await withProvider()
  const begun = await s.io.http({ method: 'GET', url: await addressOf(s) })
  assert.ok(begun.ok)
  const location = begun.response.headers.location ?? ''
  assert.equal(new URL(location).origin, issuer.url)
  assert.match((await browse(s, location)).text, /not begun here/)
})

test('a path travels to the school, and never out of it', async () => {
  const { s } = await withProvider()
  const landed = await browse(s, await addressOf(s, { path: '/course/food-safety?unit=2' }))
  assert.equal(landed.url, `${s.simulator.url}/course/food-safety?unit=2`)
  assert.equal((await browse(s, await addressOf(s, { course: null, path: '/course/menu-pricing' }))).status, 200)
  for (const path of ['//evil.example/', '/\\evil.example', 'https://evil.example/']) {
    const refused = failureOf(await launch(s)({ account: 'x', course, signsIn: true, path }))
    assert.equal(refused.code, 'learnworlds.path_foreign', path)
  }
  const outside = `${s.simulator.url}/login?redirectUrl=${encodeURIComponent('https://evil.example/')}`
  assert.equal((await browse(s, outside)).url, `${s.simulator.url}/`)
})

test('a school with a page of its owner sends its people there, with what they want and where they were', async () => {
  const s = await school()
  await control(s, 'sign-in', { page: 'https://hub.example/sso/con_1' })
  for (const [path, action] of [
    ['login', 'login'],
    ['signup', 'signup'],
    ['forgot-password', 'passwordreset'],
  ]) {
    const outcome = await s.io.http({
      method: 'GET',
      url: `${s.simulator.url}/${path}?redirectUrl=/course/menu-pricing`,
    })
    assert.ok(outcome.ok)
    const address = new URL(outcome.response.headers.location ?? '')
    assert.equal(address.origin + address.pathname, 'https://hub.example/sso/con_1')
    assert.equal(address.searchParams.get('action'), action)
    assert.equal(address.searchParams.get('redirectUrl'), `${s.simulator.url}/course/menu-pricing`)
  }
})

test('a school without any sign-in says so', async () => {
  const s = await school()
  const outcome = await s.io.http({ method: 'GET', url: `${s.simulator.url}/login` })
  assert.ok(outcome.ok)
  assert.equal(outcome.response.status, 404)
})
