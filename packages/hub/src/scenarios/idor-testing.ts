import { type IdentityProvider, startIdentityProvider } from '@bursar/connectors/identity/provider.ts'
import { systemClock } from '@bursar/kit/clock.ts'
import { createGuard } from '@bursar/kit/http.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import { systemCaller } from '#action/caller.ts'
import type { App } from '#action/context.ts'
import type { Registry } from '#action/define.ts'
import { runAction } from '#action/run.ts'
import { lastMail } from '#mail/testing.ts'
import { buildDoor, buildRegistry } from '#main/build.ts'
import { buildIdentity, type Identity } from '#main/identity.ts'
import { createWorld, type World } from '#main/world.ts'

export const slugA = 'alder'
export const slugB = 'rivals'

/** How one who asks says who they are. */
export type Actor = { readonly name: string; readonly headers: Readonly<Record<string, string>> }

export type Asked = {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
  readonly url: string
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}
export type Told = {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly json: Record<string, unknown>
}

/** Somebody signed in at the hub: the same session as a cookie and as a token. */
export type Someone = {
  readonly email: string
  readonly token: string
  readonly cookie: string
  readonly personId: string
}

/** Two organizations behind the real door, with every route and every action. */
export type Doors = {
  readonly world: World
  readonly app: App
  readonly registry: Registry
  readonly identity: Identity
  readonly fastify: FastifyInstance
  readonly idp: IdentityProvider
  readonly organizationA: string
  readonly organizationB: string
  /** A key of the second organization that may do everything there. */
  readonly keyB: string
  /** A key of the first organization that may read one thing. */
  readonly keyFew: string
  readonly keyA: string
  readonly serviceB: string
  ask(asked: Asked, by?: Actor): Promise<Told>
  /** One action, as the first organization itself. */
  act<T>(name: string, input: unknown): Promise<T>
  signIn(email: string, slug?: string): Promise<Someone>
  close(): Promise<void>
}

export const bearer = (token: string, organization = slugA): Record<string, string> => ({
  authorization: `Bearer ${token}`,
  'bursar-organization': organization,
})

const formOf = (fields: Readonly<Record<string, string>>): string => new URLSearchParams(fields).toString()

/** Each request comes from a network of its own, so that no limit stands in for a refusal. */
function asking(fastify: FastifyInstance): Doors['ask'] {
  let networks = 0
  return async ({ method = 'POST', url, json, form, headers }, by) => {
    networks += 1
    const payload = json !== undefined ? JSON.stringify(json) : form !== undefined ? formOf(form) : undefined
    const type = json !== undefined ? 'application/json' : 'application/x-www-form-urlencoded'
    const answer = await fastify.inject({
      method,
      url,
      remoteAddress: `10.${(networks >> 16) & 255}.${(networks >> 8) & 255}.${networks & 255}`,
      headers: { ...(payload === undefined ? {} : { 'content-type': type }), ...by?.headers, ...headers },
      ...(payload === undefined ? {} : { payload }),
    })
    const text = answer.body
    const isJson = /^application\/json/.test(String(answer.headers['content-type'] ?? ''))
    const body: unknown = isJson && text !== '' ? JSON.parse(text) : {}
    return { status: answer.statusCode, text, headers: answer.headers, json: body as Record<string, unknown> }
  }
}

const clientA = { id: 'alder-client', secret: 'provider-side-secret-0123456789' }

export async function createDoors(): Promise<Doors> {
  const world = await createWorld({ organizationSlug: slugA, startAt: systemClock.now() })
  await world.rows(
    `update connection set config = config || '{"publishableKey": "pk_test_world0000"}' where category = 'payment'`,
  )
  const app: App = { ...world.app, guard: createGuard({ allowLoopback: true }) }
  const registry = buildRegistry()
  const secret = 'a secret for tests that nobody uses elsewhere 0123456789'
  const scopes = registry.scopes.filter((scope) => scope !== 'operator')
  const identity = buildIdentity(app, { databaseUrl: world.database.url, secret, scopes })
  const { server } = await buildDoor(app, { registry, identity, demo: null, trustProxy: [] })
  const { fastify } = server
  await fastify.ready()
  const ask = asking(fastify)
  const as = async <T>(organization: string, name: string, input: unknown): Promise<T> => {
    const caller = systemCaller(organization, 'test')
    const result = await runAction(app, registry, { name, input, caller })
    if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.body)}`)
    return result.output as T
  }
  const act = <T>(name: string, input: unknown) => as<T>(world.organization, name, input)
  const idp = await startIdentityProvider({
    ...{ clock: world.clock, random: secureRandom, audience: 'https://hub.example/api' },
    clients: [{ ...clientA, redirectUris: [`${app.publicUrl}/sign-in/external/callback`] }],
  })
  const made = await act<{ organization: { id: string }; secret: string }>('organizations.create', {
    name: 'Rivals',
    slug: slugB,
  })
  const keyOf = async (scopes: readonly string[]) =>
    (await act<{ secret: string }>('keys.create', { name: 'test', scopes })).secret
  const organizationB = made.organization.id
  const parts = { world, app, registry, identity, fastify, idp, ask, act, organizationB, keyB: made.secret }
  return {
    ...parts,
    organizationA: world.organization,
    keyA: await keyOf(['*']),
    keyFew: await keyOf(['mail:read']),
    serviceB: await serviceToken(parts, scopes),
    signIn: (email, slug = slugA) => signIn(parts, email, slug),
    close: async () => {
      await server.stop()
      await identity.close()
      await idp.close()
      await world.close()
    },
  }
}

/** A program of the second organization, with every scope there is. */
async function serviceToken(
  { identity, organizationB, app, ask }: Pick<Doors, 'identity' | 'organizationB' | 'app' | 'ask'>,
  scopes: readonly string[],
): Promise<string> {
  const wish = { organization: organizationB, name: 'Nightly', scopes }
  const { clientId, clientSecret } = await identity.provider.clients.registerService(wish)
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
  const told = await ask({
    url: '/auth/oauth2/token',
    form: { grant_type: 'client_credentials', resource: `${app.publicUrl}/api`, scope: scopes.join(' ') },
    headers: { authorization: `Basic ${basic}` },
  })
  const token = told.json.access_token
  if (typeof token !== 'string') throw new Error(`no service token: ${told.text}`)
  return token
}

async function signIn({ app, ask }: Pick<Doors, 'app' | 'ask'>, email: string, organization: string): Promise<Someone> {
  await ask({ url: '/api/sign-in/code', json: { organization, email } })
  const { code } = await lastMail({ app }, email)
  const told = await ask({ url: '/api/sign-in/verify', json: { organization, email, code, transport: 'cookie' } })
  const [set = ''] = [told.headers['set-cookie'] ?? ''].flat().map(String)
  const cookie = set.split(';')[0] ?? ''
  const token = decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1))
  if (told.status !== 200 || token === '') throw new Error(`not signed in: ${told.text}`)
  const me = await ask({ url: '/api/v1/me.get', json: {} }, { name: email, headers: bearer(token, organization) })
  return { email, token, cookie, personId: String(me.json.personId) }
}

/** Every row of every table as text, by table: read as the owner of the tables, who sees all of them. */
export async function dump(world: World): Promise<ReadonlyMap<string, readonly string[]>> {
  const client = new pg.Client({ connectionString: world.database.url })
  await client.connect()
  try {
    const tables = await client.query<{ schema: string; name: string }>(`
      select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('public', 'auth', 'graphile_worker') and c.relkind = 'r' order by 1, 2`)
    const found = new Map<string, readonly string[]>()
    for (const { schema, name } of tables.rows) {
      const { rows } = await client.query<{ row: string }>(
        `select t::text as row from "${schema}"."${name}" t order by 1`,
      )
      found.set(
        schema === 'public' ? name : `${schema}.${name}`,
        rows.map(({ row }) => row),
      )
    }
    return found
  } finally {
    await client.end()
  }
}

/** Registered routes as `METHOD /path`; HEAD is left out where a GET brings it. The printed tree is read back. */
export function routesOf(fastify: FastifyInstance): readonly string[] {
  const above: string[] = []
  const found = fastify
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const match = /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?/.exec(line)
      if (match === null) return []
      const [, indent = '', part = '', methods = ''] = match
      const depth = indent.length / 4
      const path = `${depth === 0 ? '' : (above[depth - 1] ?? '')}${part}`
      above[depth] = path
      return methods
        .split(', ')
        .filter((method) => method !== '' && method !== 'HEAD')
        .map((method) => `${method} ${path}`)
    })
  return [...new Set(found)].sort()
}
