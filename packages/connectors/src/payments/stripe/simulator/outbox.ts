import type { Instant } from '@bursar/kit/clock.ts'
import type { Http } from '@bursar/kit/http.ts'
import type { DeliverAll, Delivery, Form, Signed, Webhook } from './delivery.ts'
import { type Box, lose, send, sendAll, sendDue, sendForever, sign } from './outbox-send.ts'
import type { SimEvent, World } from './world.ts'

export type Outbox = {
  webhook: Webhook | null
  list(): readonly Delivery[]
  push(event: SimEvent): void
  deliver(id: string): Promise<Delivery>
  /** Loses one that is still waiting, for good: it is never tried again. */
  drop(id: string): void
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
  /** Deliveries as they are, for `recall`. */
  memory(): OutboxMemory
  /** Takes them back. One that was under way when the memory was made is due at once: nobody knows its answer. */
  recall(memory: OutboxMemory): void
}

export type OutboxMemory = { readonly deliveries: readonly Delivery[]; readonly waiting: ReadonlySet<Delivery> }

const deliveryOf = (event: SimEvent, form: Form, now: Instant): Delivery => {
  const eventId = form === 'thin' ? event.thinId : event.id
  return {
    id: `${eventId}:${form}`,
    eventId,
    type: event.type,
    form,
    createdAt: now,
    state: 'waiting',
    attempts: 0,
    nextAt: now,
    lastStatus: null,
  }
}

/** Puts an event on its way, once per form the address wants. */
function post(box: Box, event: SimEvent): void {
  const { webhook } = box
  if (webhook?.events !== undefined && !webhook.events.includes(event.type)) return
  const wanted = webhook?.form ?? 'snapshot'
  const forms: readonly Form[] = wanted === 'both' ? ['snapshot', 'thin'] : [wanted]
  for (const form of forms) {
    const delivery = deliveryOf(event, form, box.world.clock.now())
    box.deliveries.push(delivery)
    box.waiting.add(delivery)
  }
  box.wake()
}

function deliveryNamed(box: Box, id: string): Delivery {
  const found = box.deliveries.find((d) => d.id === id) ?? box.deliveries.find((d) => d.eventId === id)
  if (found === undefined) throw new Error(`no delivery ${id}`)
  return found
}

/** Events on their way to one address. */
export function createOutbox(world: World, deps: { http: Http; webhook: Webhook | null }): Outbox {
  const box: Box = {
    world,
    http: deps.http,
    webhook: deps.webhook,
    deliveries: [],
    waiting: new Set(),
    wake: () => undefined,
  }
  let running: { abort: AbortController; loop: Promise<void> } | null = null
  return {
    get webhook() {
      return box.webhook
    },
    set webhook(webhook) {
      box.webhook = webhook
      box.wake()
    },
    list: () => box.deliveries,
    push: (event) => post(box, event),
    deliver: async (id) => {
      const found = deliveryNamed(box, id)
      await send(box, found)
      return found
    },
    drop: (id) => {
      const found = deliveryNamed(box, id)
      if (found.state !== 'waiting') throw new Error(`delivery ${id} is ${found.state}`)
      lose(box, found)
    },
    deliverAll: (options = {}) => sendAll(box, options),
    deliverDue: () => sendDue(box),
    signed: (eventId, options) => sign(box, eventId, options),
    start: () => {
      if (running !== null) return
      const abort = new AbortController()
      running = { abort, loop: sendForever(box, abort.signal) }
    },
    stop: async () => {
      if (running === null) return
      running.abort.abort()
      box.wake()
      await running.loop
      running = null
    },
    clear: () => {
      box.deliveries = []
      box.waiting.clear()
    },
    memory: () => ({ deliveries: box.deliveries, waiting: box.waiting }),
    recall: ({ deliveries, waiting }) => {
      box.deliveries = [...deliveries]
      box.waiting.clear()
      for (const delivery of waiting) {
        delivery.nextAt ??= world.clock.now()
        box.waiting.add(delivery)
      }
      box.wake()
    },
  }
}
