import type { Clock, Instant } from '@bursar/kit/clock.ts'
import { createGuard, createHttp, type Http } from '@bursar/kit/http.ts'
import type { Random } from '@bursar/kit/random.ts'
import type Stripe from 'stripe'
import { type SimRoute, type Simulator, startSimulator } from '#simulator/server.ts'
import { apiVersion } from './client.ts'
import { actionsOf, type StripeActions } from './simulator/actions.ts'
import { type ApiState, authenticate, createApiState, routesOf, unknownUrl } from './simulator/api.ts'
import { browserRoutes } from './simulator/browser.ts'
import { browserApi } from './simulator/browser-api.ts'
import { controlRoutes } from './simulator/control.ts'
import type { Signed, Webhook } from './simulator/delivery.ts'
import { endpointsOf } from './simulator/endpoints.ts'
import { page } from './simulator/lists.ts'
import { recall, remember } from './simulator/memory.ts'
import { createOutbox, type Outbox } from './simulator/outbox.ts'
import { pageRoutes } from './simulator/page.ts'
import { type ProviderTruth, truthOf } from './simulator/truth.ts'
import { createWorld, emptyWorld, type SimEvent, type World, wireForm } from './simulator/world.ts'

export type { StripeActions } from './simulator/actions.ts'
export type { DeliverAll, Delivery, Form as EventForm, Signed, Webhook } from './simulator/delivery.ts'
export type { ProviderTruth } from './simulator/truth.ts'
export type { SimEvent } from './simulator/world.ts'

export type StripeSimulatorOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly port?: number
  readonly webhook?: Webhook
  /** The only key it accepts; absent: any that looks like one. */
  readonly secretKey?: string
  /** The only key a browser may name; absent: `pk_test_51simulator`. */
  readonly publishableKey?: string
  readonly livemode?: boolean
  /** `auto` sends each event at once and repeats on the clock; `manual` waits to be told. Default `manual`. */
  readonly delivery?: 'auto' | 'manual'
  /** The way out for deliveries; default: one that may call loopback only beside the public internet. */
  readonly http?: Http
}

export type StripeControls = StripeActions &
  Pick<Outbox, 'deliver' | 'deliverAll' | 'deliverDue' | 'drop'> & {
    /** What a browser names this account by. */
    readonly publishableKey: string
    /** Deliveries, oldest first. */
    outbox(): ReturnType<Outbox['list']>
    events(): readonly SimEvent[]
    /** Headers and body of one event as they would be sent, without sending. */
    signedDelivery(
      event: string | SimEvent,
      options?: { readonly form?: 'snapshot' | 'thin'; readonly at?: Instant; readonly secret?: string },
    ): Signed
    setWebhook(webhook: Webhook | null): void
    /** The next calls of the API do their work and answer 500. */
    failAfterWork(times: number): void
    /** What is so at the provider, to compare the hub with. */
    truth(): ProviderTruth
    session(id: string): Stripe.Checkout.Session | undefined
    subscription(id: string): Stripe.Subscription | undefined
    paymentIntent(id: string): Stripe.PaymentIntent | undefined
    price(id: string): Stripe.Price | undefined
    /**
     * Everything the account knows, for `restore` in another process: objects, events and what is not delivered yet.
     * The webhook's address, faults and the log are not kept.
     */
    snapshot(): Buffer
    /** Makes this the account of the snapshot. Throws, and changes nothing, for bytes that are none. */
    restore(data: Buffer): void
    /** Differs from before when the account may have changed since. */
    version(): string
  }

const endpointList = (world: World, outbox: Outbox) => {
  const { webhook } = outbox
  if (webhook === null) return []
  return [
    {
      id: 'we_simulated',
      object: 'webhook_endpoint',
      api_version: apiVersion,
      application: null,
      created: 0,
      description: null,
      enabled_events: [...(webhook.events ?? ['*'])],
      livemode: world.livemode,
      metadata: {},
      status: 'enabled',
      url: webhook.url,
    } satisfies Stripe.WebhookEndpoint,
  ]
}

const allEndpoints = (world: World, outbox: Outbox) => [
  ...endpointsOf(world),
  {
    method: 'GET' as const,
    pattern: '/v1/webhook_endpoints',
    operation: 'webhook_endpoints_list' as const,
    run: ({ form }: { form: Parameters<typeof page>[1] }) =>
      page(endpointList(world, outbox), form, '/v1/webhook_endpoints'),
  },
]

const allRoutes = (world: World, state: ApiState, outbox: Outbox): SimRoute[] => [
  ...routesOf(world, state, allEndpoints(world, outbox)),
  ...pageRoutes(world),
  ...browserRoutes(world),
  ...browserApi(world),
]

function forget(world: World, state: ApiState, outbox: Outbox): void {
  emptyWorld(world)
  outbox.clear()
  state.answers.clear()
  state.failAfterWork = 0
}

/** Everything for GET /_sim/state: the truth, and the objects themselves. */
const stateOf = (world: World, outbox: Outbox) => ({
  truth: truthOf(world),
  products: [...world.products.values()],
  prices: [...world.prices.values()],
  customers: [...world.customers.values()],
  coupons: [...world.coupons.values()],
  promotion_codes: [...world.promotionCodes.values()],
  tax_rates: Object.fromEntries(world.taxRates),
  sessions: [...world.sessions.values()],
  payment_intents: [...world.payments.values()],
  charges: [...world.charges.values()],
  refunds: [...world.refunds.values()],
  disputes: [...world.disputes.values()],
  invoices: [...world.invoices.values()],
  subscriptions: [...world.subscriptions.values()],
  events: world.events.map(({ id, thinId, type, created }) => ({ id, thinId, type, created })),
  outbox: outbox.list(),
})

/** A stateful fake of Stripe on loopback: API, hosted pages, signed events, and a person's hands under /_sim/. */
export async function startStripeSimulator(options: StripeSimulatorOptions): Promise<Simulator & StripeControls> {
  const { clock, random } = options
  const world = createWorld({
    clock,
    random,
    livemode: options.livemode ?? false,
    publishableKey: options.publishableKey,
  })
  const own =
    options.http === undefined ? createHttp({ clock, random, guard: createGuard({ allowLoopback: true }) }) : null
  const http = options.http ?? own
  if (http === null) throw new Error('unreachable: one of the two is set')
  const outbox = createOutbox(world, { http, webhook: options.webhook ?? null })
  world.onEvent = outbox.push
  const state = createApiState()
  const actions = actionsOf(world)
  const truth = () => truthOf(world)
  const simulator = await startSimulator(
    {
      name: 'stripe',
      clock,
      random,
      routes: allRoutes(world, state, outbox),
      control: controlRoutes({ actions, outbox, state, truth }),
      guard: (request) => authenticate(request, options.secretKey ?? null),
      notFound: unknownUrl,
      state: () => wireForm(stateOf(world, outbox)),
      reset: () => forget(world, state, outbox),
    },
    options.port ?? 0,
  )
  world.baseUrl = simulator.url
  if (options.delivery === 'auto') outbox.start()

  return {
    ...simulator,
    ...actions,
    publishableKey: world.publishableKey,
    outbox: outbox.list,
    events: () => world.events,
    deliver: outbox.deliver,
    deliverAll: outbox.deliverAll,
    deliverDue: outbox.deliverDue,
    drop: outbox.drop,
    signedDelivery: (event, how) => outbox.signed(typeof event === 'string' ? event : event.id, how),
    setWebhook: (webhook) => {
      outbox.webhook = webhook
    },
    failAfterWork: (times) => {
      state.failAfterWork = times
    },
    truth,
    session: (id) => world.sessions.get(id),
    subscription: (id) => world.subscriptions.get(id),
    paymentIntent: (id) => world.payments.get(id),
    price: (id) => world.prices.get(id),
    snapshot: () => remember(world, outbox, state),
    restore: (data) => recall(world, outbox, state, data),
    version: () => `${simulator.served()} ${world.sequence} ${outbox.memory().waiting.size}`,
    close: async () => {
      await outbox.stop()
      await simulator.close()
      await own?.close()
    },
  }
}
