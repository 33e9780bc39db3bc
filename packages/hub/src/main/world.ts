import type { AddressInfo } from 'node:net'
import {
  type LearnWorldsSimulator,
  type SchoolVariants,
  startLearnWorldsSimulator,
} from '@bursar/connectors/lms/learnworlds/simulator.ts'
import { type StripeControls, startStripeSimulator } from '@bursar/connectors/payments/stripe/simulator.ts'
import type { Simulator } from '@bursar/connectors/simulator/server.ts'
import { type VirtualClock, virtualClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp } from '@bursar/kit/http.ts'
import { createIds } from '@bursar/kit/ids.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { createSecretBox } from '@bursar/kit/secretbox.ts'
import Fastify, { type FastifyInstance } from 'fastify'
import type { App } from '#action/context.ts'
import { collectingLog, type LogLine } from '#action/testing.ts'
import { paymentEndpoint } from '#catalog/endpoints.ts'
import { createDatabase } from '#db/database.ts'
import { createDrain, type Drain } from '#db/jobs/drain.ts'
import { ensurePartitions } from '#db/partitions.ts'
import { type TestDatabase, testDatabase } from '#db/testing.ts'
import { sweep } from '#entitlements/jobs.ts'
import { stripeWebhookRoutes, webhookRoutes } from '#events/intake-routes.ts'
import { createIntake, type Intake } from '#events/receive.ts'
import { applySeed, type Seed, seedSchema } from './seed.ts'
import { tasksOf } from './tasks.ts'

/**
 * A whole small world for tests: the hub with a real database and a real HTTP door, a payment provider and a school
 * as simulators, and one virtual clock for all of them. Nothing moves unless the test moves it.
 */
export type World = {
  readonly app: App
  readonly clock: VirtualClock
  readonly organization: string
  readonly stripe: Simulator & StripeControls
  readonly school: LearnWorldsSimulator
  readonly database: TestDatabase
  readonly lines: readonly LogLine[]
  readonly url: string
  readonly drain: Drain
  /** Sells `courses` (slugs; `bundle:slug` for a bundle) at a price of `amount` cents; returns Stripe's price id. */
  sell(name: string, amount: number, courses: readonly string[], interval?: string): Promise<string>
  /** A checkout as a shop makes it, without the hub: returns the session's id. */
  checkout(
    lines: readonly string[],
    options?: { email?: string; mode?: 'payment' | 'subscription'; metadata?: Record<string, string> },
  ): Promise<string>
  /** Delivers every waiting event, in order, once. */
  deliver(): Promise<void>
  /** Delivers, runs jobs and sweeps, moving time on, until nothing is left to do within `ms` (default 1 s). */
  settle(ms?: number): Promise<void>
  rows<Row>(text: string): Promise<Row[]>
  /** What the school really shows of an address: product ids. */
  owned(email: string): readonly string[]
  close(): Promise<void>
}

export type WorldOptions = {
  readonly seed?: number
  readonly variants?: Partial<SchoolVariants>
  readonly organizationSlug?: string
  readonly startAt?: number
}

export const webhookSecret = 'whsec_world_0123456789abcdef01234567'
const payloadDaysAhead = 40

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const clock = virtualClock(options.startAt)
  const random = seededRandom(options.seed ?? 1)
  const database = await testDatabase()
  const http = createHttp({ clock, random, guard: createGuard({ allowLoopback: true }) })
  const school = await startLearnWorldsSimulator({
    clock,
    random,
    http,
    school: { seed: 'demo' },
    variants: { requests: 0, ...options.variants },
  })
  const stripe = await startStripeSimulator({ clock, random, http, secretKey: 'sk_test_world' })
  const { app, log } = createApp({ clock, random, http, url: database.url })
  await ensurePartitions(app.db, 'inbound_payload', new Date(clock.now()).toISOString().slice(0, 10), payloadDaysAhead)
  const [organization = ''] = await applySeed(app, seedOf(options.organizationSlug ?? 'school', school, stripe.url))
  const tasks = tasksOf(app)
  const drain = createDrain({ url: database.url, tasks, clock, random, node: app.node, log })
  const intake = createIntake(app)
  const door = await openDoor(app, intake)
  stripe.setWebhook({ url: `${door.url}/api/stripe/webhook`, secret: webhookSecret })
  const parts = { app, clock, stripe, school, database, drain, organization }
  return {
    ...parts,
    lines: log.lines,
    url: door.url,
    ...selling(parts),
    ...moving(parts),
    rows: <Row>(text: string) => app.db.direct<Row>({ name: '', text, values: [] }),
    owned: (email) => ownedBy(school, email),
    close: async () => {
      await door.fastify.close()
      await intake.drain()
      await drain.close()
      await app.db.close()
      await Promise.all([stripe.close(), school.close(), http.close()])
      await database.drop()
    },
  }
}

type Parts = Pick<World, 'app' | 'clock' | 'stripe' | 'school' | 'database' | 'drain' | 'organization'>
type Made = {
  readonly clock: VirtualClock
  readonly random: ReturnType<typeof seededRandom>
  readonly http: App['http']
  readonly url: string
}

function createApp(made: Made): { app: App; log: ReturnType<typeof collectingLog> } {
  const log = collectingLog()
  const tokens = new Map<string, { token: string; expiresAt: number }>()
  const { clock, random, http, url } = made
  const app: App = {
    clock,
    random,
    http,
    log,
    ids: createIds({ clock, random }),
    db: createDatabase({ url, clock, max: 12 }),
    secrets: createSecretBox([{ id: 'k1', key: Buffer.alloc(32, 7) }]),
    node: 'node-1',
    publicUrl: 'http://127.0.0.1',
    demo: true,
    tokens: { get: (k) => tokens.get(k), set: (k, v) => void (v === null ? tokens.delete(k) : tokens.set(k, v)) },
    budgetWaitMs: 0,
  }
  return { app, log }
}

const seedOf = (slug: string, school: LearnWorldsSimulator, stripeUrl: string): Seed =>
  seedSchema.parse({
    organizations: [
      {
        name: slug,
        slug,
        guestAccess: true,
        schools: [
          {
            name: 'Harbour School',
            platform: 'learnworlds',
            config: {
              baseUrl: school.url,
              clientId: school.clientId,
              auth: { kind: 'credentials', clientSecret: school.clientSecret },
            },
          },
        ],
        payments: [
          {
            name: 'Stripe',
            platform: 'stripe',
            config: { secretKey: 'sk_test_world', apiBase: stripeUrl, livemode: false },
            webhookSecrets: [webhookSecret],
          },
        ],
      },
    ],
  })

async function openDoor(app: App, intake: Intake): Promise<{ fastify: FastifyInstance; url: string }> {
  const fastify = Fastify({ logger: false })
  const routes = stripeWebhookRoutes(app.clock, (id) => paymentEndpoint(app, id))
  await fastify.register(webhookRoutes({ app, intake, routes }))
  await fastify.listen({ host: '127.0.0.1', port: 0 })
  return { fastify, url: `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}` }
}

function selling({ app, stripe, organization }: Parts): Pick<World, 'sell' | 'checkout'> {
  return {
    sell: async (name, amount, courses, interval) => {
      const price = stripe.addPrice({ name, amount, ...(interval === undefined ? {} : { interval }) })
      const [row] = await app.db.direct<{ slug: string }>({
        name: '',
        text: `select slug from organization where id = '${organization}'`,
        values: [],
      })
      const items = courses.map((c) =>
        c.startsWith('bundle:') ? { kind: 'bundle', id: c.slice('bundle:'.length) } : { kind: 'course', id: c },
      )
      const prices = [{ id: price.id, currency: 'usd', amount: String(amount) }]
      const slug = row?.slug ?? ''
      await applySeed(
        app,
        seedSchema.parse({
          organizations: [
            {
              name: slug,
              slug,
              products: [
                {
                  name: `${name} ${price.id}`,
                  courses: items.map((i) => ({ ...i, connection: 'Harbour School' })),
                  prices: prices.map((p) => ({ ...p, connection: 'Stripe' })),
                },
              ],
            },
          ],
        }),
      )
      return price.id
    },
    checkout: async (lines, options = {}) => {
      const form = new URLSearchParams({ mode: options.mode ?? 'payment', success_url: 'https://shop.example/thanks' })
      lines.forEach((price, i) => {
        form.set(`line_items[${i}][price]`, price)
        form.set(`line_items[${i}][quantity]`, '1')
      })
      for (const [key, value] of Object.entries(options.metadata ?? {})) form.set(`metadata[${key}]`, value)
      if (options.email !== undefined) form.set('customer_email', options.email)
      const made = await app.http({
        method: 'POST',
        url: `${stripe.url}/v1/checkout/sessions`,
        body: form.toString(),
        headers: { authorization: 'Bearer sk_test_world', 'content-type': 'application/x-www-form-urlencoded' },
      })
      if (!made.ok || made.response.status !== 200)
        throw new Error(`checkout refused: ${made.ok ? made.response.body.toString() : made.failure.message}`)
      return (JSON.parse(made.response.body.toString()) as { id: string }).id
    },
  }
}

const roundsMax = 200

function moving({ app, clock, stripe, drain }: Parts): Pick<World, 'deliver' | 'settle'> {
  const deliver = async () => {
    await stripe.deliverAll()
  }
  return {
    deliver,
    settle: async (ms = 1_000) => {
      const end = clock.now() + ms
      for (let round = 0; round < roundsMax; round++) {
        await deliver()
        while ((await drain.step()) === 'ran') await deliver()
        const { changed, poked } = await sweep(app)
        if (changed + poked > 0) continue
        const next = await drain.nextRunAt()
        if (next === null || next > end) break
        await clock.advanceTo(next)
      }
      await clock.advanceTo(end)
    },
  }
}

function ownedBy(school: LearnWorldsSimulator, email: string): readonly string[] {
  const { users, enrollments } = school.school()
  const user = [...users.values()].find((u) => u.email === email)
  return user === undefined ? [] : [...(enrollments.get(user.id)?.values() ?? [])].map((e) => e.productId).sort()
}
