import { hour, type Instant, minute } from '@bursar/kit/clock.ts'
import type { Http } from '@bursar/kit/http.ts'
import type { Random } from '@bursar/kit/random.ts'
import { signStripe } from '@bursar/kit/signature/stripe.ts'
import { type SimEvent, snapshotForm, thinForm, type World } from './world.ts'

export type Form = 'snapshot' | 'thin'
export type Webhook = {
  readonly url: string
  readonly secret: string
  readonly form?: Form | 'both'
  /** Event types delivered; absent: all. */
  readonly events?: readonly string[]
}

export type Delivery = {
  readonly id: string
  readonly eventId: string
  readonly type: string
  readonly form: Form
  readonly createdAt: Instant
  state: 'waiting' | 'delivered' | 'given_up' | 'dropped'
  attempts: number
  nextAt: Instant | null
  lastStatus: number | null
}

/** What a delivery looks like on the wire; `body` is exactly what is signed. */
export type Signed = { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }

/**
 * When Stripe tries again, after the first attempt: exponential for three days. Stripe publishes the three days, not
 * the steps.
 */
export const retrySchedule: readonly number[] = [
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  12 * hour,
  12 * hour,
  12 * hour,
  12 * hour,
]

const deliveryTimeoutMs = 20_000
const answerMaxBytes = 64 * 1024

export type DeliverAll = {
  /** Every delivery is sent this many times, at the same moment. Default 1. */
  readonly duplicate?: number
  readonly shuffle?: boolean
  /** The share of deliveries that is lost for good, 0 to 1. */
  readonly drop?: number
  /** Waits on the simulator's clock before each delivery. */
  readonly delayMs?: number
  /** How many are under way at once. Default 1, in order. */
  readonly parallel?: number
}

export type Outbox = {
  webhook: Webhook | null
  list(): readonly Delivery[]
  push(event: SimEvent): void
  deliver(id: string): Promise<Delivery>
  deliverAll(
    options?: DeliverAll,
  ): Promise<{ readonly sent: number; readonly dropped: number; readonly failed: number }>
  /** Sends what is due now, first attempts and repeats. */
  deliverDue(): Promise<number>
  signed(eventId: string, options?: { readonly form?: Form; readonly at?: Instant; readonly secret?: string }): Signed
  /** Delivers by itself from now on, on the simulator's clock, until `stop`. */
  start(): void
  stop(): Promise<void>
  clear(): void
}

/** A stable order for a shuffle that repeats with its seed. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: random.next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
}

export function createOutbox(world: World, deps: { http: Http; webhook: Webhook | null }): Outbox {
  let deliveries: Delivery[] = []
  let running: { abort: AbortController; loop: Promise<void> } | null = null
  let wake: () => void = () => undefined

  const eventOf = (id: string): SimEvent => {
    const found = world.eventIndex.get(id)
    if (found === undefined) throw new Error(`no event ${id}`)
    return found
  }

  const signed: Outbox['signed'] = (eventId, options = {}) => {
    const event = eventOf(eventId)
    const secret = options.secret ?? outbox.webhook?.secret
    if (secret === undefined) throw new Error('no webhook secret to sign with')
    const form = options.form ?? (eventId === event.thinId ? 'thin' : 'snapshot')
    const body = Buffer.from(
      JSON.stringify(form === 'thin' ? thinForm(world, event) : snapshotForm(world, event), null, 2),
    )
    // Signed at sending, as Stripe does: a repeat carries a fresh time.
    const timestamp = Math.floor((options.at ?? world.clock.now()) / 1_000)
    return {
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': signStripe(body, secret, timestamp),
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      },
      body,
    }
  }

  const send = async (delivery: Delivery): Promise<boolean> => {
    const { webhook } = outbox
    if (webhook === null) throw new Error('no webhook to deliver to')
    const { headers, body } = signed(delivery.eventId, { form: delivery.form })
    delivery.attempts += 1
    delivery.nextAt = null
    const outcome = await deps.http({
      method: 'POST',
      url: webhook.url,
      headers,
      body,
      timeoutMs: deliveryTimeoutMs,
      maxBodyBytes: answerMaxBytes,
    })
    const status = outcome.ok ? outcome.response.status : null
    delivery.lastStatus = status
    if (status !== null && status >= 200 && status < 300) {
      delivery.state = 'delivered'
      return true
    }
    // A parallel copy may have got through meanwhile; then nothing is left to repeat.
    if (delivery.state === 'delivered') return false
    const wait = retrySchedule[delivery.attempts - 1]
    delivery.nextAt = wait === undefined ? null : world.clock.now() + wait
    delivery.state = wait === undefined ? 'given_up' : 'waiting'
    return false
  }

  const find = (id: string): Delivery => {
    const found = deliveries.find((d) => d.id === id) ?? deliveries.find((d) => d.eventId === id)
    if (found === undefined) throw new Error(`no delivery ${id}`)
    return found
  }

  const deliverDue = async (): Promise<number> => {
    const now = world.clock.now()
    const due = deliveries.filter((d) => d.state === 'waiting' && d.nextAt !== null && d.nextAt <= now)
    for (const delivery of due) await send(delivery)
    return due.length
  }

  const deliverAll: Outbox['deliverAll'] = async (options = {}) => {
    const waiting = deliveries.filter((d) => d.state === 'waiting')
    const kept = waiting.filter((delivery) => {
      const lost = options.drop !== undefined && world.random.next() < options.drop
      if (lost) delivery.state = 'dropped'
      return !lost
    })
    const copies = kept.flatMap((delivery) => Array.from({ length: options.duplicate ?? 1 }, () => delivery))
    const queue = options.shuffle === true ? shuffled(copies, world.random) : copies
    let failed = 0
    let next = 0
    const lane = async () => {
      for (;;) {
        const delivery = queue[next++]
        if (delivery === undefined) return
        if (options.delayMs !== undefined) await world.clock.sleep(options.delayMs)
        if (!(await send(delivery))) failed += 1
      }
    }
    await Promise.all(Array.from({ length: Math.max(1, options.parallel ?? 1) }, lane))
    return { sent: queue.length, dropped: waiting.length - kept.length, failed }
  }

  /** Sends what is due, then sleeps until the next repeat or the next event. */
  const loop = async (stop: AbortSignal) => {
    while (!stop.aborted) {
      if (outbox.webhook !== null) await deliverDue()
      const now = world.clock.now()
      const times = deliveries.flatMap((d) => (d.state === 'waiting' && d.nextAt !== null ? [d.nextAt] : []))
      if (outbox.webhook !== null && times.some((at) => at <= now)) continue
      const pause = new AbortController()
      const end = () => pause.abort()
      wake = end
      stop.addEventListener('abort', end, { once: true })
      // No repeat planned: a day is only an upper bound, the next event wakes the loop.
      const until = times.length === 0 ? 24 * hour : Math.max(1, Math.min(...times) - now)
      if (!stop.aborted) await world.clock.sleep(until, pause.signal)
      stop.removeEventListener('abort', end)
    }
  }

  const outbox: Outbox = {
    webhook: deps.webhook,
    list: () => deliveries,
    push: (event) => {
      const { webhook } = outbox
      if (webhook?.events !== undefined && !webhook.events.includes(event.type)) return
      const wanted = webhook?.form ?? 'snapshot'
      const forms: readonly Form[] = wanted === 'both' ? ['snapshot', 'thin'] : [wanted]
      for (const form of forms)
        deliveries.push({
          id: `${form === 'thin' ? event.thinId : event.id}:${form}`,
          eventId: form === 'thin' ? event.thinId : event.id,
          type: event.type,
          form,
          createdAt: world.clock.now(),
          state: 'waiting',
          attempts: 0,
          nextAt: world.clock.now(),
          lastStatus: null,
        })
      wake()
    },
    deliver: async (id) => {
      const delivery = find(id)
      await send(delivery)
      return delivery
    },
    deliverAll,
    deliverDue,
    signed,
    start: () => {
      if (running !== null) return
      const abort = new AbortController()
      running = { abort, loop: loop(abort.signal) }
    },
    stop: async () => {
      if (running === null) return
      running.abort.abort()
      wake()
      await running.loop
      running = null
    },
    clear: () => {
      deliveries = []
    },
  }
  return outbox
}
