import path from 'node:path'
import { type LearnWorldsSimulator, startLearnWorldsSimulator } from '@bursar/connectors/lms/learnworlds/simulator.ts'
import { type StripeControls, startStripeSimulator } from '@bursar/connectors/payments/stripe/simulator.ts'
import type { Simulator } from '@bursar/connectors/simulator/server.ts'
import { systemClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp } from '@bursar/kit/http.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import type { FastifyInstance } from 'fastify'
import type { Log } from '#action/context.ts'
import { claimDemo, type DemoMemory, keepMemory, readMemory, warnForgotten, writeMemory } from './demo-memory.ts'
import { sandboxRoutes } from './demo-page.ts'
import { fillShelf, type OnSale, shelfKey } from './demo-shelf.ts'
import { type DemoShop, startDemoShop } from './demo-shop.ts'
import { type Seed, seedSchema } from './seed.ts'

export type Demo = {
  readonly seed: Seed
  readonly stripeUrl: string
  /** Where the simulator serves its Stripe.js. */
  readonly stripeJs: string
  readonly schoolUrl: string
  /** Somebody else's website that shows the checkout. */
  readonly shopUrl: string
  /** Adds GET /sandbox. */
  readonly routes: (fastify: FastifyInstance) => void
  /** Tells the payment simulator where events go. */
  pointAt(hubUrl: string): void
  /** Writes down what the simulators know and stops them. */
  stop(): Promise<void>
}

type Simulators = {
  readonly stripe: Simulator & StripeControls
  readonly school: LearnWorldsSimulator
  readonly shop: DemoShop
}

const webhookSecret = 'whsec_demo_only_0123456789abcdef'
const stripeKey = 'sk_test_demo_only'
const publishableKey = 'pk_test_demoonly'
const demoSlug = 'demo'

/**
 * Simulators of a payment provider and a school on loopback, with a school that has something to sell. They remember:
 * the next start in the same folder, also after a kill, finds the learners, payments and prices of this one.
 */
export async function startDemo(folder: string, log: Log): Promise<Demo> {
  const release = await claimDemo(folder)
  try {
    return await open(folder, log, release)
  } catch (error) {
    await release()
    throw error
  }
}

async function open(folder: string, log: Log, release: () => Promise<void>): Promise<Demo> {
  const clock = systemClock
  const http = createHttp({ clock, random: secureRandom, guard: createGuard({ allowLoopback: true }) })
  const memory = await readMemory(folder, log)
  const start = (kept: DemoMemory | null) => startSimulators(http, kept)
  let { stripe, school, shop } = await start(memory)
  let shelf = memory?.shelf ?? new Map<string, string>()
  if (memory !== null)
    try {
      stripe.restore(memory.stripe)
      school.restore(memory.school)
    } catch (error) {
      warnForgotten(log, path.join(folder, 'simulators.bin'), error)
      // One of the two may have taken its half: both begin anew, or they would contradict each other.
      await Promise.all([stripe.close(), school.close(), shop.close()])
      ;({ stripe, school, shop } = await start(null))
      shelf = new Map()
    }
  const onSale = fillShelf(stripe, shelf)
  const keeper = keepMemory({
    clock,
    log,
    version: () => `${stripe.version()} ${school.version()}`,
    write: async () => writeMemory(folder, memoryOf({ stripe, school, shop }, onSale)),
  })
  return {
    seed: seedOf({ stripe, school, shop }, onSale),
    stripeUrl: stripe.url,
    stripeJs: `${stripe.url}/v3/stripe.js`,
    schoolUrl: school.url,
    shopUrl: shop.url,
    routes: (fastify) => sandboxRoutes(fastify, { stripe, school, shop, onSale, secretKey: stripeKey }),
    pointAt: (hubUrl) => {
      shop.open({ hub: hubUrl, organization: demoSlug, onSale })
      point(stripe, hubUrl, log)
    },
    stop: async () => {
      await Promise.all([stripe.close(), school.close(), shop.close()])
      await keeper.stop()
      await http.close()
      await release()
    },
  }
}

/** On the ports of the last run where they are free: addresses in a browser's tab or a script stay good. */
async function startSimulators(http: ReturnType<typeof createHttp>, memory: DemoMemory | null): Promise<Simulators> {
  const parts = { clock: systemClock, random: secureRandom, http }
  const school = await onPort(memory?.ports.school, (port) => startLearnWorldsSimulator({ ...parts, port }))
  const stripe = await onPort(memory?.ports.stripe, (port) =>
    startStripeSimulator({ ...parts, port, secretKey: stripeKey, publishableKey, delivery: 'auto' }),
  )
  const shop = await onPort(memory?.ports.shop, (port) => startDemoShop(parts, port))
  return { stripe, school, shop }
}

const anyPort = 0

async function onPort<T>(wanted: number | undefined, start: (port: number) => Promise<T>): Promise<T> {
  if (wanted === undefined) return start(anyPort)
  try {
    return await start(wanted)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return start(anyPort)
  }
}

/** Both at the same moment: a payment and the seat it opened are remembered together. */
const memoryOf = ({ stripe, school, shop }: Simulators, onSale: readonly OnSale[]): DemoMemory => ({
  format: 'Bursar demo, 1',
  ports: { stripe: stripe.port, school: school.port, shop: shop.port },
  stripe: stripe.snapshot(),
  school: school.snapshot(),
  shelf: new Map(onSale.map((item) => [shelfKey(item), item.price])),
})

/** Events that found nobody while the hub was away are due now: nobody wants to wait Stripe's five minutes in a demo. */
function point(stripe: Simulators['stripe'], hubUrl: string, log: Log): void {
  const repeated = stripe.outbox().some((delivery) => delivery.state === 'waiting' && delivery.attempts > 0)
  stripe.setWebhook({ url: `${hubUrl}/api/stripe/webhook`, secret: webhookSecret })
  if (repeated)
    stripe.deliverAll().catch((error: unknown) => log.warn('events of the last run could not be sent', { error }))
}

const seedOf = ({ stripe, school, shop }: Simulators, onSale: readonly OnSale[]): Seed =>
  seedSchema.parse({
    organizations: [
      {
        name: 'Harbour School',
        slug: demoSlug,
        guestAccess: true,
        origins: [shop.url],
        schools: [
          {
            name: 'Harbour School',
            platform: 'learnworlds',
            config: {
              baseUrl: school.url,
              clientId: school.clientId,
              auth: { kind: 'credentials', clientSecret: school.clientSecret },
            },
            webhookSecrets: [school.webhookToken],
          },
        ],
        payments: [
          {
            name: 'Stripe',
            platform: 'stripe',
            config: { secretKey: stripeKey, publishableKey, apiBase: stripe.url, livemode: false },
            webhookSecrets: [webhookSecret],
          },
        ],
        products: onSale.map((item) => ({
          name: item.name,
          courses: item.courses,
          prices: [{ id: item.price, currency: item.currency, amount: String(item.amount) }],
        })),
      },
    ],
  })
