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
  setDelay(ms: number): void
  stop(): void
  clear(): void
}

const attemptsMax = 20
const keptMax = 20_000
const sendTimeoutMs = 10_000

/** The school's outgoing webhooks: a fixed token, no event id, retries after 1, 2, 4 … minutes. */
export function createOutbox(
  school: School,
  http: Http | undefined,
  initial: WebhookOptions & { token: string },
): Outbox {
  let options = initial
  let deliveries: SimDelivery[] = []
  let nextId = 1
  let delayMs = 0
  let running: Promise<unknown> = Promise.resolve()
  const stopped = new AbortController()

  const send = async (delivery: SimDelivery): Promise<boolean> => {
    if (http === undefined || options.target === undefined) return false
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

  const pending = (all: boolean) =>
    deliveries.filter(
      (d) => d.deliveredAt === null && d.attempts < attemptsMax && (all || d.dueAt <= school.clock.now()),
    )

  const arrange = (list: SimDelivery[], order: FlushOptions['order']): SimDelivery[] => {
    if (order === 'reversed') return list.reverse()
    if (order !== 'shuffled') return list
    return list
      .map((delivery) => ({ delivery, place: school.random.next() }))
      .sort((a, b) => a.place - b.place)
      .map((entry) => entry.delivery)
  }

  const flushNow = async ({ copies = 1, order, all = false }: FlushOptions = {}) => {
    let sent = 0
    let failures = 0
    for (const delivery of arrange(pending(all), order)) {
      for (let copy = 0; copy < copies; copy++) {
        if (await send(delivery)) sent += 1
        else failures += 1
      }
    }
    return { sent, failed: failures }
  }

  const flush = (how?: FlushOptions) => {
    const next = running.then(() => flushNow(how))
    running = next.catch(() => undefined) // the caller of flush sees the error; the queue goes on
    return next
  }

  /** Sends by itself and comes back for what failed, until it is delivered or given up. */
  const sendSoon = async (delivery: SimDelivery) => {
    while (delivery.deliveredAt === null && delivery.attempts < attemptsMax && !stopped.signal.aborted) {
      await school.clock.sleep(delivery.dueAt - school.clock.now(), stopped.signal)
      if (!stopped.signal.aborted && delivery.deliveredAt === null) await send(delivery)
    }
  }

  return {
    configure: (changed) => {
      options = { ...options, ...changed }
    },
    queue: (type, trigger, data, signed = true) => {
      const body = JSON.stringify({ version: 2, type, trigger, school_id: school.clientId, data })
      const dueAt = school.clock.now() + delayMs
      const delivery: SimDelivery = {
        id: nextId++,
        type,
        body,
        dueAt,
        attempts: 0,
        deliveredAt: null,
        lastStatus: null,
        signed,
      }
      deliveries.push(delivery)
      if (deliveries.length > keptMax) deliveries.splice(0, deliveries.length - keptMax)
      if (options.autoSend === true && options.target !== undefined && http !== undefined)
        running = Promise.all([running, sendSoon(delivery)])
    },
    flush,
    settled: async () => {
      await running
    },
    list: () => deliveries,
    setDelay: (ms) => {
      delayMs = Math.min(ms, 60 * minute)
    },
    stop: () => stopped.abort(),
    clear: () => {
      deliveries = []
    },
  }
}
