import { createGuard } from '@bursar/kit/http.ts'
import { defineActions } from '#action/define.ts'
import { type ContractLimits, contractRoutes } from '#contract/routes.ts'
import { userCallers } from '#identity/callers.ts'
import type { SessionSource, SignedIn } from '#identity/signed-in.ts'
import { signedInAs } from '#identity/signed-in-testing.ts'
import { mailsTo } from '#mail/testing.ts'
import { allActions } from '#main/actions.ts'
import { createWorld, type World, type WorldOptions } from '#main/world.ts'
import { createServer } from '#surfaces/server.ts'

export type Answer = { readonly status: number; readonly body: Record<string, unknown>; readonly code: string | null }

/** A world whose hub answers the routes a buyer's browser uses, with sessions the test hands out. */
export type Shop = {
  readonly world: World
  readonly organization: string
  readonly slug: string
  /** Signs somebody in; returns the token of the session. `fresh`: the mailbox was proven just now. */
  session(subject: string, more?: Partial<SignedIn> & { readonly fresh?: boolean }): string
  post(path: string, body: unknown, more?: Posting): Promise<Answer>
  /** Begins an order for a stranger, or for the session of `token`. */
  begin(body: Record<string, unknown>, more?: Posting): Promise<Begun>
  /** Pays a begun order at the provider. Nothing is delivered. */
  pay(order: Begun, email: string, more?: { readonly card?: string }): Promise<void>
  action(name: string, input: unknown, token: string): Promise<Answer>
  /** The links in the messages to an address, newest first. */
  links(email: string): Promise<readonly string[]>
  kinds(email: string): Promise<readonly string[]>
  close(): Promise<void>
}

type Posting = { readonly token?: string; readonly key?: string; readonly headers?: Record<string, string> }

export type Begun = {
  readonly orderRef: string
  readonly status: string
  readonly claimSecret: string | null
  readonly clientSecret: string | null
  readonly url: string | null
}

const slug = 'school'
let keys = 0

function signIn(world: World, sessions: Map<string, SignedIn>, subject: string, more: Parameters<Shop['session']>[1]) {
  const { fresh = false, ...rest } = more ?? {}
  const token = `test_${subject}_${sessions.size}`
  const now = world.clock.now()
  const proven = { mailboxProvenAt: fresh ? now : null, emailVerified: fresh, authenticatedAt: now }
  sessions.set(token, signedInAs(subject, { ...proven, ...rest }))
  return token
}

async function openServer(world: World, sessions: ReadonlyMap<string, SignedIn>, more: Partial<ContractLimits>) {
  const source: SessionSource = async (request) => {
    const token = /^Bearer (test_.+)$/.exec(request.headers.authorization ?? '')?.[1]
    return token === undefined ? null : (sessions.get(token) ?? 'invalid')
  }
  const app = { ...world.app, guard: createGuard({ allowLoopback: true }) }
  const limits = { checkoutsPerMinute: 10_000, questionsPerMinute: 10_000, ...more }
  const server = await createServer(app, {
    registry: defineActions(allActions),
    ready: () => true,
    callers: [userCallers(app, [source])],
    routes: [(fastify) => contractRoutes(fastify, app, { sources: [source], limits })],
  })
  const post: Shop['post'] = async (path, body, { token, key, headers = {} } = {}) => {
    const answer = await server.fastify.inject({
      method: 'POST',
      url: path,
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}`, 'bursar-organization': slug }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...headers,
      },
      payload: JSON.stringify(body),
    })
    const json = answer.json() as Record<string, unknown> & { error?: { code: string } }
    return { status: answer.statusCode, body: json, code: json.error?.code ?? null }
  }
  return { server, post }
}

export async function createShop(
  options: WorldOptions & { readonly limits?: Partial<ContractLimits> } = {},
): Promise<Shop> {
  const world = await createWorld({ organizationSlug: slug, ...options })
  await world.rows(
    `update connection set config = config || '{"publishableKey": "pk_test_world0000"}' where category = 'payment'`,
  )
  const sessions = new Map<string, SignedIn>()
  const { server, post } = await openServer(world, sessions, options.limits ?? {})
  return {
    world,
    slug,
    organization: world.organization,
    session: (subject, more = {}) => signIn(world, sessions, subject, more),
    post,
    begin: async (body, more = {}) => {
      keys += 1
      const key = more.key ?? `cart-of-a-test-${keys}`
      const answer = await post('/api/checkout', { organization: slug, mode: 'elements', ...body }, { ...more, key })
      if (answer.status !== 200) throw new Error(`checkout refused: ${JSON.stringify(answer.body)}`)
      return answer.body as unknown as Begun
    },
    pay: async ({ orderRef }, email, more = {}) => {
      const [row] = await world.rows<{ session: string }>(
        `select checkout_id as session from "order" where id = '${orderRef}'`,
      )
      world.stripe.pay({ session: row?.session ?? '', email, name: 'Some Buyer', ...more })
    },
    action: (name, input, token) => post(`/api/v1/${name}`, input, { token }),
    links: async (email) => {
      await world.settle()
      return (await mailsTo(world, email)).toReversed().flatMap((mail) => mail.links)
    },
    kinds: async (email) => {
      await world.settle()
      return (await mailsTo(world, email)).map((mail) => mail.kind)
    },
    close: async () => {
      await server.stop()
      await world.close()
    },
  }
}
