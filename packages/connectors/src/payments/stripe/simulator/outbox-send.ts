import { hour, type Instant, minute } from '@bursar/kit/clock.ts'
import type { Http } from '@bursar/kit/http.ts'
import type { Random } from '@bursar/kit/random.ts'
import { signStripe } from '@bursar/kit/signature/stripe.ts'
import type { DeliverAll, Delivery, Form, Signed, Webhook } from './delivery.ts'
import { snapshotForm, thinForm, type World } from './world.ts'

/** What the outbox holds; `wake` ends the sleep of the running loop. */
export type Box = {
  readonly world: World
  readonly http: Http
  webhook: Webhook | null
  deliveries: Delivery[]
  /** Those of `deliveries` that are not over: what a storm looks through, again and again. */
  readonly waiting: Set<Delivery>
  wake: () => void
}

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

/** Headers and body of an event. Signed at sending, as Stripe does: a repeat carries a fresh time. */
export function sign(
  box: Box,
  eventId: string,
  options: { readonly form?: Form; readonly at?: Instant; readonly secret?: string } = {},
): Signed {
  const { world } = box
  const event = world.eventIndex.get(eventId)
  if (event === undefined) throw new Error(`no event ${eventId}`)
  const secret = options.secret ?? box.webhook?.secret
  if (secret === undefined) throw new Error('no webhook secret to sign with')
  const form = options.form ?? (eventId === event.thinId ? 'thin' : 'snapshot')
  const body = Buffer.from(
    JSON.stringify(form === 'thin' ? thinForm(world, event) : snapshotForm(world, event), null, 2),
  )
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

/** One attempt. True when the target answered 2xx; else the next attempt is planned. */
export async function send(box: Box, delivery: Delivery): Promise<boolean> {
  const { webhook, world } = box
  if (webhook === null) throw new Error('no webhook to deliver to')
  delivery.attempts += 1
  delivery.nextAt = null
  const outcome = await box.http({
    method: 'POST',
    url: webhook.url,
    ...sign(box, delivery.eventId, { form: delivery.form }),
    timeoutMs: deliveryTimeoutMs,
    maxBodyBytes: answerMaxBytes,
  })
  const status = outcome.ok ? outcome.response.status : null
  delivery.lastStatus = status
  if (status !== null && status >= 200 && status < 300) {
    delivery.state = 'delivered'
    box.waiting.delete(delivery)
    return true
  }
  // A parallel copy may have got through meanwhile; then nothing is left to repeat.
  if (delivery.state === 'delivered') return false
  const wait = retrySchedule[delivery.attempts - 1]
  delivery.nextAt = wait === undefined ? null : world.clock.now() + wait
  delivery.state = wait === undefined ? 'given_up' : 'waiting'
  if (wait === undefined) box.waiting.delete(delivery)
  return false
}

/** So many are under way at once by themselves: one slow answer does not hold up the rest. */
const dueLanes = 4

export async function sendDue(box: Box): Promise<number> {
  const now = box.world.clock.now()
  const due = [...box.waiting].filter((d) => d.nextAt !== null && d.nextAt <= now)
  await inLanes(due, dueLanes, (delivery) => send(box, delivery))
  return due.length
}

/** Works through a list in order, so many at once. */
async function inLanes<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const item = items[next++]
      if (item !== undefined) await work(item)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, lanes) }, lane))
}

const shuffled = <T>(items: readonly T[], random: Random): T[] =>
  items
    .map((item) => ({ item, key: random.next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)

export function lose(box: Box, delivery: Delivery): void {
  delivery.state = 'dropped'
  delivery.nextAt = null
  box.waiting.delete(delivery)
}

/** Everything not delivered yet, due or not, as badly as asked. */
export async function sendAll(
  box: Box,
  options: DeliverAll,
): Promise<{ readonly sent: number; readonly dropped: number; readonly failed: number }> {
  const { clock, random } = box.world
  const waiting = [...box.waiting]
  const kept = waiting.filter((delivery) => {
    const lost = options.drop !== undefined && random.next() < options.drop
    if (lost) lose(box, delivery)
    return !lost
  })
  const copies = kept.flatMap((delivery) => Array.from({ length: options.duplicate ?? 1 }, () => delivery))
  const queue = options.shuffle === true ? shuffled(copies, random) : copies
  let failed = 0
  await inLanes(queue, options.parallel ?? 1, async (delivery) => {
    if (options.delayMs !== undefined) await clock.sleep(options.delayMs)
    if (!(await send(box, delivery))) failed += 1
  })
  return { sent: queue.length, dropped: waiting.length - kept.length, failed }
}

/** Sends what is due, then sleeps until the next repeat or the next event. */
export async function sendForever(box: Box, stop: AbortSignal): Promise<void> {
  const { clock } = box.world
  while (!stop.aborted) {
    if (box.webhook !== null) await sendDue(box)
    const now = clock.now()
    const times = [...box.waiting].flatMap((d) => (d.nextAt === null ? [] : [d.nextAt]))
    if (box.webhook !== null && times.some((at) => at <= now)) continue
    const pause = new AbortController()
    const end = () => pause.abort()
    box.wake = end
    stop.addEventListener('abort', end, { once: true })
    // No repeat planned: a day is only an upper bound, the next event wakes the loop.
    const until = times.length === 0 ? 24 * hour : Math.max(1, Math.min(...times) - now)
    if (!stop.aborted) await clock.sleep(until, pause.signal)
    stop.removeEventListener('abort', end)
  }
}
