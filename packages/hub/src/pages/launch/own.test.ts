import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute, second } from '@bursar/kit/clock.ts'
import { defineActions } from '#action/define.ts'
import { entitlementActions } from '#entitlements/actions.ts'
import { ensurePerson } from '#identity/people.ts'
import { builtInIssuer, type SignedIn } from '#identity/signed-in.ts'
import { signedInAs } from '#identity/signed-in-testing.ts'
import { callerOfUser } from '#identity/user-caller.ts'
import { asking } from '#main/asking.ts'
import { createWorld, type World } from '#main/world.ts'
import { createServer, type Server } from '#surfaces/server.ts'
import { sessionsByName } from '../testing.ts'
import { launchRoutes } from './routes.ts'

let world: World
let server: Server
const sessions = sessionsByName(() => world.app.publicUrl)
before(async () => {
  world = await createWorld()
  server = await createServer(world.app, {
    registry: defineActions(entitlementActions),
    ready: () => true,
    routes: [(fastify) => launchRoutes(fastify, { app: world.app, sources: [sessions.source] })],
  })
})
after(async () => {
  await server.stop()
  await world.close()
})
const { answer, codeOf } = asking(() => world, entitlementActions)

let learners = 0
type Learner = { readonly name: string; readonly seat: string; readonly email: string; readonly signedIn: SignedIn }

/** Somebody who bought a course and signed in with a code to the paid mailbox. */
async function learner(slug = 'sourdough-basics', more: Partial<SignedIn> = {}): Promise<Learner> {
  const name = `learner${++learners}`
  const email = `${name}@learner.example`
  const session = await world.checkout([await world.sell(name, 1000, [slug])])
  world.stripe.pay({ session, email })
  await world.settle()
  const now = world.clock.now()
  const proof = { emailVerified: true, mailboxProvenAt: now }
  const signedIn = signedInAs(name, { issuer: builtInIssuer(world.app), email, ...proof, ...more })
  const { organization } = world
  await world.app.db.tx({ organization }, (tx) => ensurePerson(tx, { ids: world.app.ids, organization }, signedIn))
  sessions.add(name, signedIn)
  const [row] = await world.rows<{ id: string }>(
    `select n.id from enrollment n join person p on p.id = n.person_id where p.email = '${email}'`,
  )
  return { name, seat: row?.id ?? '', email, signedIn }
}

// Each request from an address of its own: how often one may ask is tested beside.
let asked = 0
const remote = () => `198.51.100.${(++asked % 250) + 1}`
const path = (seat: string) => `/api/partner-launch/${seat}`
type Headers = Record<string, string>
const get = (seat: string, headers: Headers = {}, method: 'GET' | 'HEAD' = 'GET') =>
  server.fastify.inject({
    method,
    url: path(seat),
    remoteAddress: remote(),
    headers: { accept: 'text/html', ...headers },
  })
const post = (seat: string, headers: Headers = {}, form: Headers = {}) =>
  server.fastify.inject({
    method: 'POST',
    url: path(seat),
    remoteAddress: remote(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html', ...headers },
    payload: new URLSearchParams(form).toString(),
  })
const cookie = (name: string) => ({ cookie: `who=${name}` })
const ownPage = { 'sec-fetch-site': 'same-origin' }
const codeIn = (response: { json(): unknown }) => (response.json() as { error: { code: string } }).error.code
const json = { accept: 'application/json' }

test('the learner presses the button and stands at the school, with no link to keep', async () => {
  const anna = await learner()
  const page = await get(anna.seat, cookie(anna.name))
  assert.equal(page.statusCode, 200)
  assert.match(page.body, /<button type="submit">Open the course<\/button>/)
  const gone = await post(anna.seat, { ...cookie(anna.name), ...ownPage })
  assert.equal(gone.statusCode, 303)
  assert.equal(new URL(String(gone.headers.location)).origin, world.school.url)
  assert.equal(gone.headers['cache-control'], 'no-store')
  assert.equal(gone.headers['referrer-policy'], 'no-referrer')
  assert.equal(gone.body, '')
})

test('I10: somebody else’s seat is told like one that does not exist, and no login is minted', async () => {
  const [anna, bert] = [await learner(), await learner()]
  const nothing = `enr_${'0'.repeat(26)}`
  world.school.clearLog()
  const ways: Headers[] = [
    {},
    { 'sec-purpose': 'prefetch' },
    { 'sec-purpose': 'prefetch;prerender' },
    { purpose: 'prefetch' },
    { 'user-agent': 'Mozilla/5.0 (compatible; LinkPreview/1.0)' },
  ]
  for (const headers of ways)
    for (const method of ['GET', 'HEAD'] as const) {
      const theirs = await get(bert.seat, { ...cookie(anna.name), ...headers }, method)
      const none = await get(nothing, { ...cookie(anna.name), ...headers }, method)
      assert.deepEqual([theirs.statusCode, theirs.body.replaceAll(bert.seat, nothing)], [404, none.body])
    }
  for (const form of [{}, { redirectTo: '/course/menu-pricing' }]) {
    const theirs = await post(bert.seat, { ...cookie(anna.name), ...ownPage, ...json }, form)
    const none = await post(nothing, { ...cookie(anna.name), ...ownPage, ...json }, form)
    assert.deepEqual([theirs.statusCode, codeIn(theirs)], [404, 'not_found'])
    assert.deepEqual([none.statusCode, codeIn(none)], [404, 'not_found'])
  }
  assert.equal(await codeOf('launch.mint_own', { enrollmentId: bert.seat }, { by: await callerOf(anna) }), 'not_found')
  assert.deepEqual(world.school.log(), [])
})

test('I10: a person of another organization is nobody here, even with the same issuer and subject', async () => {
  const anna = await learner()
  sessions.add('elsewhere', { ...anna.signedIn, organization: `org_${'1'.repeat(26)}` })
  assert.equal((await post(anna.seat, { ...cookie('elsewhere'), ...ownPage })).statusCode, 404)
})

test('without a session every seat looks alike, and leads to the sign-in', async () => {
  const anna = await learner()
  const page = await get(anna.seat)
  const none = await get(`enr_${'0'.repeat(26)}`)
  assert.equal(page.statusCode, 401)
  assert.equal(page.body.replaceAll(anna.seat, ''), none.body.replaceAll(`enr_${'0'.repeat(26)}`, ''))
  assert.match(page.body, /href="\/sign-in\?return=%2Fapi%2Fpartner-launch%2Fenr_/)
  assert.equal((await post(anna.seat, ownPage)).statusCode, 401)
})

test('I10: looking, however it is done, asks the school nothing and spends nothing', async () => {
  const anna = await learner()
  world.school.clearLog()
  const before = await world.rows('select * from timeline_entry')
  for (const headers of [{}, { 'sec-purpose': 'prefetch' }, { purpose: 'prefetch' }])
    for (const method of ['GET', 'HEAD'] as const)
      assert.equal((await get(anna.seat, { ...cookie(anna.name), ...headers }, method)).statusCode, 200)
  assert.deepEqual(world.school.log(), [])
  assert.deepEqual(await world.rows('select * from timeline_entry'), before)
  assert.equal((await post(anna.seat, { ...cookie(anna.name), ...ownPage })).statusCode, 303)
})

test('another site cannot press the button with the learner’s cookie', async () => {
  const anna = await learner()
  world.school.clearLog()
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ])
    assert.equal((await post(anna.seat, { ...cookie(anna.name), ...headers })).statusCode, 403)
  // A cookie alone, from who says nothing about where the form stood, is no session.
  assert.equal((await post(anna.seat, cookie(anna.name))).statusCode, 401)
  assert.deepEqual(world.school.log(), [])
  assert.equal((await post(anna.seat, { authorization: `Bearer ${anna.name}` })).statusCode, 303)
})

test('I7: the account a school had for an address opens only for who has proven that mailbox', async () => {
  const anna = await learner('menu-pricing', {
    emailVerified: false,
    mailboxProvenAt: null,
    issuer: 'https://other.example',
  })
  // Bound as a claim would, but by an issuer whose word about addresses does not count.
  await world.rows(
    `update enrollment set person_id = (select person_id from identity where subject = '${anna.name}') where id = '${anna.seat}'`,
  )
  await world.rows(`update lms_account set created_by_hub = false where email = '${anna.email}'`)
  world.school.clearLog()
  const page = await get(anna.seat, cookie(anna.name))
  assert.match(page.body, /show once that this mailbox is yours/)
  assert.ok(!page.body.includes(anna.email), 'the address is masked')
  const refused = await post(anna.seat, { ...cookie(anna.name), ...ownPage, ...json })
  assert.deepEqual([refused.statusCode, codeIn(refused)], [409, 'launch_unavailable'])
  assert.deepEqual(world.school.log(), [])
  sessions.add(anna.name, { ...anna.signedIn, emailVerified: true })
  assert.equal((await post(anna.seat, { ...cookie(anna.name), ...ownPage })).statusCode, 303)
})

test('what the door says follows the seat: preparing, waiting, closed, staff', async () => {
  const anna = await learner()
  const account = `id = (select account_id from enrollment where id = '${anna.seat}')`
  const set = (what: string) => world.rows(`update enrollment set ${what} where id = '${anna.seat}'`)
  const told = async () => {
    const answer = await get(anna.seat, { ...cookie(anna.name), ...json })
    const pressed = await post(anna.seat, { ...cookie(anna.name), ...ownPage, ...json })
    return [(answer.json() as { state: string }).state, pressed.statusCode]
  }
  await set("actual = 'none', failure_class = null")
  assert.deepEqual(await told(), ['preparing', 409])
  await set("failure_class = 'unavailable'")
  assert.deepEqual(await told(), ['waiting', 409])
  await set("wanted = 'revoked'")
  assert.deepEqual(await told(), ['closed', 409])
  await set("wanted = 'granted', actual = 'granted', failure_class = null")
  await world.rows(`update lms_account set privileged = true where ${account}`)
  assert.deepEqual(await told(), ['staff', 409])
  await world.rows(`update lms_account set privileged = false where ${account}`)
  assert.deepEqual(await told(), ['open', 303])
})

test('a path travels into the school, and nothing leads out of it', async () => {
  const anna = await learner()
  const landing = async (redirectTo: string) => {
    // The school's budget of calls starts anew.
    await world.clock.advance(10 * second)
    const gone = await post(anna.seat, { ...cookie(anna.name), ...ownPage }, { redirectTo })
    assert.equal(gone.statusCode, 303)
    const token = new URL(String(gone.headers.location)).pathname.split('/').at(-1) ?? ''
    return world.school.school().logins.get(token)?.redirectUrl
  }
  assert.equal(await landing('/course/food-safety?unit=2'), `${world.school.url}/course/food-safety?unit=2`)
  for (const wish of ['https://evil.example/', '//evil.example/', '/\\evil.example', 'javascript:alert(1)', '/a\nb'])
    assert.equal(await landing(wish), `${world.school.url}/course/sourdough-basics`, wish)
})

const callerOf = (who: Learner) => callerOfUser(world.app, who.signedIn, null)

test('a frame’s token opens the learner’s own course once, within a minute', async () => {
  const anna = await learner()
  const mint = async () =>
    answer<{ path: string; token: string }>(
      'launch.mint_own',
      { enrollmentId: anna.seat },
      { by: await callerOf(anna) },
    )
  const first = await mint()
  assert.equal(first.path, path(anna.seat))
  assert.equal((await post(anna.seat, { 'sec-fetch-site': 'cross-site' }, { token: first.token })).statusCode, 403)
  assert.equal((await post(anna.seat, ownPage, { token: first.token })).statusCode, 303)
  assert.equal((await post(anna.seat, ownPage, { token: first.token })).statusCode, 410)
  const late = await mint()
  await world.clock.advance(60 * second)
  assert.equal((await post(anna.seat, ownPage, { token: late.token })).statusCode, 410)
})

test('a token is minted only for a seat that is open', async () => {
  const anna = await learner()
  await world.rows(`update enrollment set actual = 'none' where id = '${anna.seat}'`)
  const by = await callerOf(anna)
  assert.equal(await codeOf('launch.mint_own', { enrollmentId: anna.seat }, { by }), 'launch_unavailable')
  assert.equal(await codeOf('launch.mint_own', { enrollmentId: anna.seat }), 'forbidden')
  assert.equal(
    await codeOf('launch.mint_own', { enrollmentId: anna.seat, redirectTo: '//evil.example' }, { by }),
    'input_invalid',
  )
})

test('neither login nor token stands in a row, an audit or a log line', async () => {
  const anna = await learner()
  const { token } = await answer<{ token: string }>(
    'launch.mint_own',
    { enrollmentId: anna.seat },
    { by: await callerOf(anna) },
  )
  const gone = [await post(anna.seat, ownPage, { token }), await post(anna.seat, { ...cookie(anna.name), ...ownPage })]
  const stored = JSON.stringify([
    await world.rows('select * from timeline_entry'),
    await world.rows("select encode(token_hash, 'escape') as hash, * from launch_link"),
    await world.rows('select * from audit'),
    await world.rows('select * from idempotency_key'),
    world.lines,
  ])
  assert.ok(!stored.includes(token))
  for (const { headers } of gone) {
    const login = new URL(String(headers.location)).pathname.split('/').at(-1) ?? ''
    assert.ok(login.length > 20 && !stored.includes(login))
  }
})

test('a school that answers with another host, or not at all, ends in an honest page', async () => {
  const anna = await learner()
  world.school.faults.set([{ kind: 'status', status: 503, path: '/sso' }])
  const pressed = await post(anna.seat, { ...cookie(anna.name), ...ownPage })
  assert.equal(pressed.statusCode, 409)
  assert.match(pressed.body, /does not answer right now/)
  const elsewhere = { success: true, url: 'https://evil.example/x', user_id: 'x' }
  world.school.faults.set([{ kind: 'status', status: 200, body: elsewhere, path: '/sso' }])
  assert.equal((await post(anna.seat, { ...cookie(anna.name), ...ownPage })).statusCode, 409)
  world.school.faults.clear()
  await world.clock.advance(minute)
  assert.equal((await post(anna.seat, { ...cookie(anna.name), ...ownPage })).statusCode, 303)
})
