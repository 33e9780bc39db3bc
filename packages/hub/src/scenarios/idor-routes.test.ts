import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { claimCookieName } from '#contract/hosted.ts'
import { openPaths } from '#identity/provider/paths.ts'
import { type Ada, adaIn } from './idor-ada-testing.ts'
import { changes, type Guarded, guardOf, leveled, missing } from './idor-look-testing.ts'
import { providerPlans, type RoutePlan, routePlans } from './idor-routes-testing.ts'
import { type Actor, type Asked, bearer, createDoors, type Doors, dump, routesOf, slugA } from './idor-testing.ts'

let d: Doors
let ada: Ada
let plans: readonly (readonly [string, RoutePlan])[]
before(async () => {
  d = await createDoors()
  ada = await adaIn(d)
  const provider = Object.entries(providerPlans(ada)).map(
    ([route, plan]) => [route.replace(' ', ' /auth'), plan] as const,
  )
  const all = [...Object.entries(routePlans(ada)), ...provider].filter(([route]) => !route.endsWith('*'))
  plans = [...all.filter(([, plan]) => plan.last !== true), ...all.filter(([, plan]) => plan.last === true)]
})
after(() => d.close())

const methodOf = (route: string) => route.split(' ')[0] as NonNullable<Asked['method']>

async function walk(actor: Actor, guard: Guarded): Promise<ReadonlyMap<string, readonly number[]>> {
  const seen = new Map<string, number[]>()
  const rows = await guard.rows()
  for (const [route, { asks, alike }] of plans) {
    // Guesses at her address are counted whoever makes them; here it is about what a guess can do.
    await d.world.rows('delete from auth.attempt')
    for (const ask of asks) {
      const question = JSON.stringify({ ...ask, method: methodOf(route) })
      const told = await d.ask(JSON.parse(question) as Asked, actor)
      const where = `${actor.name}: ${question} -> ${told.status} ${told.text.slice(0, 300)}`
      assert.ok(told.status < 500 && told.status !== 429, where)
      assert.deepEqual(guard.leaks(told, question), [], where)
      seen.set(route, [...(seen.get(route) ?? []), told.status])
      if (alike === false || missing(question, ada) === question) continue
      const twin = await d.ask(JSON.parse(missing(question, ada)) as Asked, actor)
      assert.equal(leveled(told), leveled(twin), where)
    }
  }
  assert.deepEqual(changes(rows, await guard.rows()), [], `${actor.name} changed what is Ada’s`)
  return seen
}

test('every route of the real door, and every path of the provider, has a plan by which somebody else tries it', () => {
  const planned = Object.keys(routePlans(ada))
  assert.deepEqual(
    routesOf(d.fastify).filter((route) => !planned.includes(route)),
    [],
    'add an entry to idor-routes-testing.ts',
  )
  const paths = Object.entries(openPaths).flatMap(([path, methods]) => methods.map((method) => `${method} ${path}`))
  assert.deepEqual(Object.keys(providerPlans(ada)).sort(), paths.sort())
})

// As a browser sends it from a page of the hub.
const asCookie = (cookie: string): Actor['headers'] => ({
  cookie,
  origin: 'http://127.0.0.1',
  'sec-fetch-site': 'same-origin',
})

test('strangers learn nothing and change nothing, with whatever they bring', async () => {
  const guard = await guardOf(d, ada, 'neighbour')
  const ended = await d.signIn('ended@alder.example')
  await d.ask({ url: '/api/sign-out', json: {} }, { name: 'ended', headers: bearer(ended.token) })
  for (const actor of [
    { name: 'stranger', headers: {} },
    { name: 'ended cookie', headers: asCookie(ended.cookie) },
    { name: 'ended token', headers: bearer(ended.token) },
    { name: 'garbage', headers: bearer('garbage') },
    {
      name: 'a claim cookie of another order',
      headers: asCookie(`${claimCookieName(ada.orders.own)}=${ada.secrets.unclaimed}`),
    },
  ])
    await walk(actor, guard)
})

test('another site that makes Ada’s own browser ask changes nothing', async () => {
  const guard = await guardOf(d, ada, 'neighbour')
  for (const site of ['cross-site', 'same-site']) {
    const rows = await guard.rows()
    const headers = { cookie: ada.ada.cookie, 'sec-fetch-site': site, origin: 'https://evil.example' }
    for (const [route, { asks }] of plans.filter(([route]) => methodOf(route) !== 'GET'))
      for (const ask of asks) await d.ask({ ...ask, method: methodOf(route) }, { name: site, headers })
    assert.deepEqual(changes(rows, await guard.rows()), [], site)
  }
  const still = await d.ask({ method: 'GET', url: '/account' }, { name: 'Ada', headers: asCookie(ada.ada.cookie) })
  assert.equal(still.status, 200, 'and she is signed in as before')
})

test('Eve and Mallory learn nothing of Ada’s and change nothing of hers, by cookie and by token', async () => {
  const guard = await guardOf(d, ada, 'neighbour')
  for (const [email, slug] of [
    [ada.eve.email, slugA],
    [ada.mallory.email, 'rivals'],
  ] as const)
    for (const way of ['cookie', 'token']) {
      const one = await d.signIn(email, slug)
      const seen = await walk(
        { name: `${email} by ${way}`, headers: way === 'cookie' ? asCookie(one.cookie) : bearer(one.token) },
        guard,
      )
      const launches = [
        ...(seen.get('POST /api/partner-launch/:enrollmentId') ?? []),
        ...(seen.get('GET /orders/:orderRef') ?? []),
      ]
      assert.ok(
        launches.every((status) => status === 404 || status === 410),
        `${email}: ${launches.join(' ')}`,
      )
    }
})

test('keys and programs are no persons here: another organization’s, and one with too few scopes', async () => {
  const guard = await guardOf(d, ada, 'neighbour')
  for (const actor of [
    { name: 'key of B', headers: bearer(d.keyB) },
    { name: 'program of B', headers: bearer(d.serviceB) },
    { name: 'key with few scopes', headers: bearer(d.keyFew) },
  ])
    await walk(actor, guard)
})

// What looking may write: counters, codes of the provider’s own, and when somebody was last seen.
const written = new Set(['auth.attempt', 'auth.verification', 'rate_budget', 'issuer_keys'])

test('GET and HEAD change nothing, not even for Ada herself with every link she has', async () => {
  const links = [
    `/claim/${ada.links.claim}`,
    `/claim/undo/${ada.links.undo}`,
    `/api/partner-launch/${ada.one.enrollment}?token=${ada.links.guest}`,
    `/api/partner-launch/${ada.one.enrollment}?token=${ada.ownToken}`,
  ]
  const gets = [
    ...plans
      .filter(([route, { last }]) => methodOf(route) === 'GET' && last !== true)
      .flatMap(([, { asks }]) => asks.map(({ url }) => url)),
    ...links,
  ].filter((url) => !url.includes(ada.orders.pending))
  const secret = `${claimCookieName(ada.orders.unclaimed)}=${ada.secrets.unclaimed}`
  const ways: readonly Actor[] = [
    { name: 'cookies', headers: { cookie: `${ada.ada.cookie}; ${secret}`, 'sec-fetch-site': 'none' } },
    { name: 'token', headers: bearer(ada.ada.token) },
    {
      name: 'prefetch',
      headers: { cookie: ada.ada.cookie, 'sec-purpose': 'prefetch', 'sec-fetch-site': 'cross-site' },
    },
    { name: 'nobody', headers: {} },
  ]
  d.world.school.clearLog()
  for (const by of ways) {
    const before = await dump(d.world)
    for (const url of gets)
      for (const method of ['GET', 'HEAD'] as const) {
        const told = await d.ask({ method, url }, by)
        assert.ok(told.status < 500, `${method} ${url}: ${told.status} ${told.text}`)
      }
    const now = await dump(d.world)
    const seen = changes(before, new Map([...now].filter(([name]) => !written.has(name))))
    assert.deepEqual(seen, [], by.name)
  }
  assert.deepEqual(d.world.school.log(), [], 'no school was asked for a login')
})
