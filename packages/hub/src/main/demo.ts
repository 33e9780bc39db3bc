import { startLearnWorldsSimulator } from '@bursar/connectors/lms/learnworlds/simulator.ts'
import { startStripeSimulator } from '@bursar/connectors/payments/stripe/simulator.ts'
import { systemClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp } from '@bursar/kit/http.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import type { FastifyInstance } from 'fastify'
import { type Seed, seedSchema } from './seed.ts'

export type Demo = {
  readonly seed: Seed
  readonly stripeUrl: string
  readonly schoolUrl: string
  /** Adds GET /sandbox. */
  readonly routes: (fastify: FastifyInstance) => void
  /** Tells the payment simulator where events go. */
  pointAt(hubUrl: string): void
  stop(): Promise<void>
}

const webhookSecret = 'whsec_demo_only_0123456789abcdef'
const stripeKey = 'sk_test_demo_only'

/** What the demo school sells: a course, two bundles and a subscription, in cents. */
const shelf = [
  {
    name: 'Sourdough basics',
    amount: 4_900,
    courses: [{ kind: 'course', id: 'sourdough-basics', title: 'Sourdough basics' }],
  },
  {
    name: 'Food safety at work',
    amount: 3_500,
    courses: [{ kind: 'course', id: 'food-safety', title: 'Food safety at work' }],
  },
  { name: 'The baker', amount: 11_000, courses: [{ kind: 'bundle', id: 'baker-bundle', title: 'The baker' }] },
  {
    name: 'All courses, monthly',
    amount: 2_900,
    interval: 'month',
    courses: [{ kind: 'subscription', id: 'all-courses', title: 'All courses' }],
  },
] as const

/** Simulators of a payment provider and a school on loopback, with a school that has something to sell. */
export async function startDemo(_folder: string): Promise<Demo> {
  const clock = systemClock
  const random = secureRandom
  const http = createHttp({ clock, random, guard: createGuard({ allowLoopback: true }) })
  const school = await startLearnWorldsSimulator({ clock, random, http })
  const stripe = await startStripeSimulator({ clock, random, http, secretKey: stripeKey, delivery: 'auto' })
  const products = shelf.map((item) => {
    const price = stripe.addPrice({
      name: item.name,
      amount: item.amount,
      ...('interval' in item ? { interval: item.interval } : {}),
    })
    return {
      name: item.name,
      courses: [...item.courses],
      prices: [{ id: price.id, currency: 'usd', amount: String(item.amount) }],
    }
  })
  const seed = seedSchema.parse({
    organizations: [
      {
        name: 'Harbour School',
        slug: 'demo',
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
            config: { secretKey: stripeKey, apiBase: stripe.url, livemode: false },
            webhookSecrets: [webhookSecret],
          },
        ],
        products,
      },
    ],
  })
  const sandbox = {
    simulators: [
      {
        name: 'stripe',
        url: stripe.url,
        state: `${stripe.url}/_sim/state`,
        log: `${stripe.url}/_sim/log`,
        faults: `${stripe.url}/_sim/faults`,
        reset: `${stripe.url}/_sim/reset`,
      },
      {
        name: 'learnworlds',
        url: school.url,
        state: `${school.url}/_sim/state`,
        log: `${school.url}/_sim/log`,
        faults: `${school.url}/_sim/faults`,
        reset: `${school.url}/_sim/reset`,
      },
    ],
    prices: products.map((p) => ({
      name: p.name,
      price: p.prices[0]?.id,
      amount: p.prices[0]?.amount,
      currency: 'usd',
    })),
    secretKey: stripeKey,
  }
  return {
    seed,
    stripeUrl: stripe.url,
    schoolUrl: school.url,
    routes: (fastify) => {
      fastify.get('/sandbox', async () => sandbox)
    },
    pointAt: (hubUrl) => stripe.setWebhook({ url: `${hubUrl}/api/stripe/webhook`, secret: webhookSecret }),
    stop: async () => {
      await Promise.all([stripe.close(), school.close()])
      await http.close()
    },
  }
}
