import { minute } from '@bursar/kit/clock.ts'
import type { Http } from '@bursar/kit/http.ts'
import type { WebhookOptions } from './options.ts'
import type { School } from './state.ts'

export type SimDelivery = {
  readonly id: number
  readonly type: string
  readonly body: string
  /** Epoch ms before which it is not sent. */
  dueAt: number
  attempts: number
  deliveredAt: number | null
  lastStatus: number | null
  /** The dummy of the settings page comes without the header. */
  readonly signed: boolean
}

export type FlushOptions = {
  /** Send each this many times. */
  readonly copies?: number
  readonly order?: 'as_happened' | 'reversed' | 'shuffled'
  /** Also what is not due yet. */
  readonly all?: boolean
}

export type Outbox = {
  configure(options: WebhookOptions): void
  queue(type: string, trigger: string, data: unknown, signed?: boolean): void
  flush(options?: FlushOptions): Promise<{ readonly sent: number; readonly failed: number }>
  /** Waits until nothing is being sent. */
  settled(): Promise<void>
  list(): readonly SimDelivery[]
  undelivered(): number
  setDelay(ms: number): void
  stop(): void
  clear(): void
  /** Everything it holds, deliveries under way included, for `recall`. */
  memory(): OutboxMemory
  /** Takes back what `memory` gave and sends on what is not delivered yet, if it sends by itself. */
  recall(memory: OutboxMemory): void
}

export type OutboxMemory = {
  readonly options: WebhookOptions & { readonly token: string }
  readonly deliveries: SimDelivery[]
  readonly nextId: number
  readonly delayMs: number
}

const attemptsMax = 20
const keptMax = 20_000
const sendTimeoutMs = 10_000
const delayMax = 60 * minute

type Settings = WebhookOptions & { readonly token: string }

/** One attempt. What fails is due again after 1, 2, 4 … minutes. */
async function send(school: School, http: Http, options: Settings, delivery: SimDelivery): Promise<boolean> {
  if (options.target === undefined) return false
  delivery.attempts += 1
  const outcome = await http({
    method: 'POST',
    url: options.target,
    headers: {
      'content-type': 'application/json',
      ...(delivery.signed ? { 'learnworlds-webhook-signature': `v1=${options.token}` } : {}),
    },
    body: delivery.body,
    timeoutMs: sendTimeoutMs,
  })
  delivery.lastStatus = outcome.ok ? outcome.response.status : null
  const good = outcome.ok && outcome.response.status >= 200 && outcome.response.status < 300
  if (good) delivery.deliveredAt = school.clock.now()
  else delivery.dueAt = school.clock.now() + school.variants.firstRetryMs * 2 ** (delivery.attempts - 1)
  return good
}

const isOpen = (delivery: SimDelivery) => delivery.deliveredAt === null && delivery.attempts < attemptsMax

function arrange(school: School, list: readonly SimDelivery[], order: FlushOptions['order']): readonly SimDelivery[] {
  if (order === 'reversed') return list.toReversed()
  if (order !== 'shuffled') return list
  return list
    .map((delivery) => ({ delivery, place: school.random.next() }))
    .sort((a, b) => a.place - b.place)
    .map((entry) => entry.delivery)
}

/** The school's outgoing webhooks: a fixed token, no event id, retries. Without an `Http` they are only kept. */
export function createOutbox(school: School, http: Http | undefined, initial: Settings): Outbox {
  let options = initial
  let deliveries: SimDelivery[] = []
  let nextId = 1
  let delayMs = 0
  const open = new Set<Promise<void>>()
  const stopped = new AbortController()
  const attempt = async (delivery: SimDelivery) => http !== undefined && (await send(school, http, options, delivery))

  const flushNow = async ({ copies = 1, order, all = false }: FlushOptions = {}) => {
    const due = deliveries.filter((d) => isOpen(d) && (all || d.dueAt <= school.clock.now()))
    let sent = 0
    for (const delivery of arrange(school, due, order))
      for (let copy = 0; copy < copies; copy++) if (await attempt(delivery)) sent += 1
    return { sent, failed: due.length * copies - sent }
  }

  /** Sends by itself and comes back for what failed, until it is delivered or given up. */
  const sendSoon = async (delivery: SimDelivery) => {
    while (isOpen(delivery) && !stopped.signal.aborted) {
      await school.clock.sleep(delivery.dueAt - school.clock.now(), stopped.signal)
      if (!stopped.signal.aborted && isOpen(delivery)) await attempt(delivery)
    }
  }

  const sendByItself = (delivery: SimDelivery) => {
    if (options.autoSend !== true || options.target === undefined || http === undefined) return
    const sending = sendSoon(delivery).finally(() => open.delete(sending))
    open.add(sending)
  }

  return {
    configure: (changed) => {
      options = { ...options, ...changed }
    },
    queue: (type, trigger, data, signed = true) => {
      const body = JSON.stringify({ version: 2, type, trigger, school_id: school.clientId, data })
      const dueAt = school.clock.now() + delayMs
      const fresh = { attempts: 0, deliveredAt: null, lastStatus: null }
      const delivery: SimDelivery = { id: nextId++, type, body, dueAt, signed, ...fresh }
      deliveries.push(delivery)
      if (deliveries.length > keptMax) deliveries.splice(0, deliveries.length - keptMax)
      sendByItself(delivery)
    },
    flush: (how) => flushNow(how),
    settled: async () => {
      await Promise.all(open)
    },
    list: () => deliveries,
    undelivered: () => deliveries.reduce((sum, d) => sum + (isOpen(d) ? 1 : 0), 0),
    setDelay: (ms) => {
      delayMs = Math.min(ms, delayMax)
    },
    stop: () => stopped.abort(),
    clear: () => {
      deliveries = []
    },
    memory: () => ({ options, deliveries, nextId, delayMs }),
    recall: (memory) => {
      ;({ options, deliveries, nextId, delayMs } = memory)
      for (const delivery of deliveries) if (isOpen(delivery)) sendByItself(delivery)
    },
  }
}
