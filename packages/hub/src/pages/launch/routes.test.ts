import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { defineActions } from '#action/define.ts'
import { entitlementActions } from '#entitlements/actions.ts'
import { asking } from '#main/asking.ts'
import { createWorld, type World } from '#main/world.ts'
import { createServer, type Server } from '#surfaces/server.ts'
import { launchRoutes } from './routes.ts'

let world: World
let server: Server
before(async () => {
  world = await createWorld()
  server = await createServer(world.app, {
    registry: defineActions(entitlementActions),
    ready: () => true,
    routes: [(fastify) => launchRoutes(fastify, { app: world.app, sources: [] })],
  })
})
after(async () => {
  await server.stop()
  await world.close()
})
const { answer, codeOf, callerWith } = asking(() => world, entitlementActions)

let buyers = 0
async function seat(slug = 'sourdough-basics'): Promise<{ id: string; email: string }> {
  const email = `buyer${++buyers}@learner.example`
  const session = await world.checkout([await world.sell(`n ${buyers}`, 1000, [slug])])
  world.stripe.pay({ session, email })
  await world.settle()
  const [row] = await world.rows<{ id: string }>(
    `select n.id from enrollment n join person p on p.id = n.person_id where p.email = '${email}'`,
  )
  return { id: row?.id ?? '', email }
}
const mint = async (enrollmentId: string): Promise<{ path: string; token: string }> => {
  const { url } = await answer<{ url: string }>('launch.mint_link', { enrollmentId })
  const { pathname, searchParams } = new URL(url)
  return { path: pathname, token: searchParams.get('token') ?? '' }
}
const get = (path: string, token: string, accept = 'text/html') =>
  server.fastify.inject({ method: 'GET', url: `${path}?token=${token}`, headers: { accept } })
const post = (path: string, token: string, headers: Record<string, string> = {}) =>
  server.fastify.inject({
    method: 'POST',
    url: path,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html', ...headers },
    payload: `token=${token}`,
  })

test('looking at the page calls nobody and spends nothing; the button leads to the school once', async () => {
  const { id } = await seat()
  const { path, token } = await mint(id)
  world.school.clearLog()
  for (let i = 0; i < 3; i++) {
    const page = await get(path, token)
    assert.equal(page.statusCode, 200)
    assert.match(page.body, /<button type="submit">Open the course<\/button>/)
  }
  assert.deepEqual(world.school.log(), [])
  const gone = await post(path, token)
  assert.equal(gone.statusCode, 303)
  assert.equal(new URL(String(gone.headers.location)).origin, world.school.url)
  assert.equal(gone.headers['cache-control'], 'no-store')
  assert.equal((await post(path, token)).statusCode, 410)
  assert.equal((await get(path, token)).statusCode, 410)
})

test('two clicks at once spend the link once', async () => {
  const { path, token } = await mint((await seat()).id)
  const both = await Promise.all([post(path, token), post(path, token)])
  assert.deepEqual(both.map((r) => r.statusCode).sort(), [303, 410])
})

test('the page allows no script, tells nobody where it came from and may not be framed', async () => {
  const { path, token } = await mint((await seat()).id)
  const page = await get(path, token)
  const policy = String(page.headers['content-security-policy'])
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.ok(policy.includes(`form-action 'self' ${world.school.url}`))
  assert.equal(page.headers['referrer-policy'], 'no-referrer')
  assert.equal(page.headers['cache-control'], 'no-store')
  assert.doesNotMatch(page.body, /<script|\son\w+=/)
})

test('a link is for its own enrollment, and old or invented ones have ended', async () => {
  const [first, second] = [await seat(), await seat()]
  const { path, token } = await mint(first.id)
  assert.equal((await get(path.replace(first.id, second.id), token)).statusCode, 410)
  assert.equal((await get(path, 'A'.repeat(43))).statusCode, 410)
  const told = await get(path, 'A'.repeat(43), 'application/json')
  assert.equal((told.json() as { error: { code: string } }).error.code, 'link_expired')
  await world.clock.advance(15 * minute)
  assert.equal((await post(path, token)).statusCode, 410)
})

test('a foreign page cannot press the button', async () => {
  const { path, token } = await mint((await seat()).id)
  assert.equal((await post(path, token, { 'sec-fetch-site': 'cross-site' })).statusCode, 403)
  assert.equal((await post(path, token, { 'sec-fetch-site': 'same-origin' })).statusCode, 303)
})

test('while the seat is prepared the page says so, and that nobody needs to pay again', async () => {
  world.school.faults.set([{ kind: 'status', status: 503, path: '/v2/' }])
  const { id } = await seat('menu-pricing')
  const { path, token } = await mint(id)
  const page = await get(path, token)
  assert.match(page.body, /could not be opened yet[^<]*You do not need to pay or order again\./)
  assert.doesNotMatch(page.body, /<button/)
  const pressed = await post(path, token, { accept: 'application/json' })
  assert.deepEqual([pressed.statusCode, (pressed.json() as { error: { state: string } }).error.state], [409, 'waiting'])
  world.school.faults.clear()
  await world.settle(10 * minute)
  assert.equal((await post(path, token)).statusCode, 303)
})

test('a school that gives no login leaves the link good', async () => {
  const { path, token } = await mint((await seat()).id)
  world.school.faults.set([{ kind: 'status', status: 503, path: '/sso' }])
  const failed = await post(path, token)
  assert.equal(failed.statusCode, 409)
  assert.match(failed.body, /does not answer right now/)
  world.school.faults.clear()
  assert.equal((await post(path, token)).statusCode, 303)
})

test('a closed seat says why; a staff account is not signed in', async () => {
  const closed = await seat('food-safety')
  const closedLink = await mint(closed.id)
  const { entitlements } = await answer<{ entitlements: { id: string }[] }>('entitlements.list', {
    email: closed.email,
  })
  await answer('entitlements.revoke', { entitlementId: entitlements[0]?.id, reason: 'Refunded by mail' })
  assert.match(
    (await get(closedLink.path, closedLink.token)).body,
    /Access to this course has ended\. .*Refunded by mail/,
  )
  assert.equal((await post(closedLink.path, closedLink.token)).statusCode, 409)
  const staff = await seat('pastry-foundations')
  const staffLink = await mint(staff.id)
  await world.rows(
    `update lms_account set privileged = true where id = (select account_id from enrollment where id = '${staff.id}')`,
  )
  assert.match((await get(staffLink.path, staffLink.token)).body, /belongs to the staff/)
  assert.equal((await post(staffLink.path, staffLink.token)).statusCode, 409)
})

test('the login link and the token stand in no row and no log line', async () => {
  const { id } = await seat()
  const { path, token } = await mint(id)
  const { location } = (await post(path, token)).headers
  const stored = JSON.stringify([
    await world.rows('select * from timeline_entry'),
    await world.rows("select encode(token_hash, 'escape') as hash, * from launch_link"),
    await world.rows('select * from audit'),
    await world.rows('select * from idempotency_key'),
    world.lines,
  ])
  assert.ok(!stored.includes(token))
  assert.ok(!stored.includes(new URL(String(location)).search || String(location)))
  const kinds = await world.rows<{ kind: string }>(
    `select kind from timeline_entry where enrollment_id = '${id}' and kind like 'launch%' order by id`,
  )
  assert.deepEqual(
    kinds.map((k) => k.kind),
    ['launch.minted', 'launch.used'],
  )
})

test('an organization that gives out no such links is told so', async () => {
  const { id } = await seat()
  await world.rows(`update organization set guest_access = false where id = '${world.organization}'`)
  assert.equal(await codeOf('launch.mint_link', { enrollmentId: id }), 'guest_access_off')
  await world.rows(`update organization set guest_access = true where id = '${world.organization}'`)
  assert.equal(await codeOf('launch.mint_link', { enrollmentId: id }), 'ok')
})

test('a link does not sign anybody in to an account the school had before, until its mailbox was proven', async () => {
  const { id, email } = await seat('menu-pricing')
  await world.rows(`update lms_account set created_by_hub = false where email = '${email}'`)
  const { path, token } = await mint(id)
  assert.match((await get(path, token)).body, /show once that this mailbox is yours/)
  world.school.clearLog()
  assert.equal((await post(path, token)).statusCode, 409)
  assert.deepEqual(world.school.log(), [])
  await world.rows(`update identity set proven_at = now() where subject = '${email}'`)
  assert.equal((await post(path, token)).statusCode, 303)
})

test('minting is refused without the scope and for others', async () => {
  const { id } = await seat()
  const input = { enrollmentId: id }
  assert.equal(await codeOf('launch.mint_link', input, { by: callerWith(['launch:read']) }), 'forbidden')
  assert.equal(await codeOf('launch.mint_link', input, { by: callerWith(['*'], `org_${'1'.repeat(26)}`) }), 'not_found')
  assert.equal(await codeOf('launch.mint_link', { enrollmentId: 'enr_1' }), 'input_invalid')
})

test('one address may ask so often in a minute', async () => {
  const answers = []
  for (let i = 0; i < 70; i++)
    answers.push(
      await server.fastify.inject({ method: 'POST', url: '/api/partner-launch/x', remoteAddress: '198.51.100.7' }),
    )
  assert.equal(answers.at(0)?.statusCode, 401)
  assert.equal(answers.at(-1)?.statusCode, 429)
})
