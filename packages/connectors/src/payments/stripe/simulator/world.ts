import type { Clock } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import Stripe from 'stripe'
import { apiVersion } from '../client.ts'

/** A request Stripe would refuse. `answer.ts` turns it into Stripe's error body. */
export class Refusal extends Error {
  readonly status: number
  readonly error: {
    readonly type: string
    readonly code?: string
    readonly param?: string
    readonly decline_code?: string
  }

  constructor(
    message: string,
    error: {
      readonly code?: string
      readonly param?: string
      readonly type?: string
      readonly decline_code?: string
    } = {},
    status = 400,
  ) {
    super(message)
    this.status = status
    this.error = { type: 'invalid_request_error', ...error }
  }
}

/** JSON as it goes over the wire: plain data, decimals as strings, `undefined` gone. */
export type Wire = { [key: string]: unknown }
export const wireForm = (value: object): Wire => JSON.parse(JSON.stringify(value)) as Wire

/** One event, kept in both forms: the snapshot is frozen at the moment it happened. */
export type SimEvent = {
  readonly id: string
  readonly thinId: string
  readonly type: string
  readonly created: number
  readonly object: Wire
  readonly previous: Wire | null
  readonly request: { readonly id: string | null; readonly idempotency_key: string | null }
}

/** What a session or link will make when it is paid, which Stripe does not show on the session itself. */
export type Plan = {
  readonly paymentMetadata: Stripe.Metadata
  readonly subscriptionMetadata: Stripe.Metadata
  readonly trialDays: number
  readonly description: string | null
}

/** Everything the fake knows. Plain maps in the order of creation; lists are read from the newest end. */
export type World = {
  readonly clock: Clock
  readonly random: Random
  readonly livemode: boolean
  /** What a browser names this account by. */
  readonly publishableKey: string
  baseUrl: string
  readonly products: Map<string, Stripe.Product>
  readonly prices: Map<string, Stripe.Price>
  readonly customers: Map<string, Stripe.Customer>
  readonly sessions: Map<string, Stripe.Checkout.Session>
  readonly links: Map<string, Stripe.PaymentLink>
  /** By the id of the session or link they belong to. */
  readonly lines: Map<string, Stripe.LineItem[]>
  readonly plans: Map<string, Plan>
  readonly coupons: Map<string, Stripe.Coupon>
  readonly promotionCodes: Map<string, Stripe.PromotionCode>
  /** Percent by country, as the account registered for tax. */
  readonly taxRates: Map<string, number>
  /** By session, as the buyer entered it. */
  readonly addresses: Map<string, Stripe.Address>
  /** By session, as the buyer entered it. */
  readonly emails: Map<string, string>
  /** By subscription: what its checkout agreed on. */
  readonly terms: Map<string, { readonly coupon: string | null; readonly taxPercent: number | null }>
  /** By session: a payment that waits for the buyer's bank. */
  readonly challenges: Map<string, { readonly card: string; readonly email: string; readonly name: string | null }>
  readonly payments: Map<string, Stripe.PaymentIntent>
  readonly charges: Map<string, Stripe.Charge>
  readonly refunds: Map<string, Stripe.Refund>
  readonly disputes: Map<string, Stripe.Dispute>
  readonly invoices: Map<string, Stripe.Invoice>
  readonly invoicePayments: Map<string, Stripe.InvoicePayment>
  readonly subscriptions: Map<string, Stripe.Subscription>
  readonly transactions: Map<string, Stripe.BalanceTransaction>
  /** Card of a customer for renewals; absent: one that works. */
  readonly cards: Map<string, 'card' | 'declined' | 'bank_debit'>
  readonly clocks: Map<string, Stripe.TestHelpers.TestClock>
  readonly trialWarned: Set<string>
  /** What the account does with a subscription whose last try failed. */
  afterDunning: 'cancel' | 'unpaid'
  readonly events: SimEvent[]
  /** By both ids. */
  readonly eventIndex: Map<string, SimEvent>
  /** The request being served, as the event names it. */
  request: { id: string | null; idempotency_key: string | null }
  /** Called with each new event; the outbox listens. */
  onEvent: (event: SimEvent) => void
  sequence: number
}

export function createWorld(deps: {
  clock: Clock
  random: Random
  livemode?: boolean
  publishableKey?: string | undefined
}): World {
  return {
    clock: deps.clock,
    random: deps.random,
    livemode: deps.livemode ?? false,
    publishableKey: deps.publishableKey ?? `pk_${deps.livemode === true ? 'live' : 'test'}_51simulator`,
    baseUrl: '',
    products: new Map(),
    prices: new Map(),
    customers: new Map(),
    sessions: new Map(),
    links: new Map(),
    lines: new Map(),
    plans: new Map(),
    coupons: new Map(),
    promotionCodes: new Map(),
    taxRates: new Map(),
    addresses: new Map(),
    emails: new Map(),
    terms: new Map(),
    challenges: new Map(),
    payments: new Map(),
    charges: new Map(),
    refunds: new Map(),
    disputes: new Map(),
    invoices: new Map(),
    invoicePayments: new Map(),
    subscriptions: new Map(),
    transactions: new Map(),
    cards: new Map(),
    clocks: new Map(),
    trialWarned: new Set(),
    afterDunning: 'cancel',
    events: [],
    eventIndex: new Map(),
    request: { id: null, idempotency_key: null },
    onEvent: () => undefined,
    sequence: 0,
  }
}

export function emptyWorld(world: World): void {
  for (const value of Object.values(world)) if (value instanceof Map || value instanceof Set) value.clear()
  world.events.length = 0
}

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** `re_3Q…` and the like: prefix, a counter so that ids stay apart under any seed, and chance. */
export function newId(world: World, prefix: string, length = 16): string {
  world.sequence += 1
  const chance = Array.from(world.random.bytes(length), (byte) => letters[byte % letters.length]).join('')
  return `${prefix}_${chance}${world.sequence.toString(36).padStart(6, '0')}`
}

export const nowS = (world: World): number => Math.floor(world.clock.now() / 1_000)

export const decimal = (amount: number): Stripe.Decimal => Stripe.Decimal.from(String(amount))

type EventOf<Type extends Stripe.Event.Type> = Extract<Stripe.Event, { type: Type }>

/** Records what happened to `object` just now. The type decides which object fits: tsc holds the pair. */
export function emit<Type extends Stripe.Event.Type>(
  world: World,
  type: Type,
  object: EventOf<Type>['data']['object'],
  previous: object | null = null,
  created = nowS(world),
): void {
  const event: SimEvent = {
    id: newId(world, 'evt'),
    thinId: newId(world, 'evt_65'),
    type,
    created,
    object: wireForm(object),
    previous: previous === null ? null : wireForm(previous),
    request: { ...world.request },
  }
  world.events.push(event)
  world.eventIndex.set(event.id, event)
  world.eventIndex.set(event.thinId, event)
  world.onEvent(event)
}

/** The event as `GET /v1/events/…` and a snapshot delivery show it. */
export const snapshotForm = (world: World, event: SimEvent): Wire => ({
  id: event.id,
  object: 'event',
  api_version: apiVersion,
  created: event.created,
  data: { object: event.object, ...(event.previous === null ? {} : { previous_attributes: event.previous }) },
  livemode: world.livemode,
  pending_webhooks: 1,
  request: event.request,
  type: event.type,
})

const pathOf: Readonly<Record<string, string>> = {
  'checkout.session': 'checkout/sessions',
  'radar.early_fraud_warning': 'radar/early_fraud_warnings',
  'test_helpers.test_clock': 'test_helpers/test_clocks',
}

/** The event as a thin delivery and `GET /v2/core/events/…` show it: it names its object and says nothing of it. */
export function thinForm(world: World, event: SimEvent): Wire {
  const type = String(event.object.object)
  const id = String(event.object.id)
  return {
    id: event.thinId,
    object: 'v2.core.event',
    type: `v1.${event.type}`,
    livemode: world.livemode,
    created: new Date(event.created * 1_000).toISOString(),
    related_object: { id, type, url: `/v1/${pathOf[type] ?? `${type}s`}/${id}` },
    snapshot_event: event.id,
  } satisfies Omit<Stripe.V2.Core.EventBase, 'changes' | 'reason' | 'context'> & { related_object: object }
}

export function find<T>(map: ReadonlyMap<string, T>, id: string, name: string, param = 'id'): T {
  const found = map.get(id)
  if (found === undefined) throw new Refusal(`No such ${name}: '${id}'`, { code: 'resource_missing', param }, 404)
  return found
}

export const idOf = (value: string | { id: string } | null | undefined): string | null =>
  value === null || value === undefined ? null : typeof value === 'string' ? value : value.id
