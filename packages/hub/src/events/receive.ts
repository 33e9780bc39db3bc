import { CodedError } from '@bursar/kit/errors.ts'
import type { App } from '#action/context.ts'
import { type Delivery, insertBatch, type NewEvent } from './store.ts'

export type Accepted = 'stored' | 'duplicate'

export type Intake = {
  /**
   * Resolves only after the event, its payload and its job are committed. Rejects with `overloaded` when the queue is
   * full, `not_ready` when the database does not answer, `input_invalid` when this one row cannot be stored.
   */
  accept(delivery: Delivery): Promise<Accepted>
  /** Deliveries waiting or being written. */
  depth(): number
  /** Refuses new deliveries and resolves when every waiting one was answered. */
  drain(): Promise<void>
}

export type IntakeOptions = {
  /** Events per statement. */
  readonly batchMax?: number
  /** Statements in flight. While they are, the next batches form; there is no timer. */
  readonly connections?: number
  /** Deliveries waiting; more are refused. */
  readonly queueMax?: number
}

const batchMaxDefault = 256
const connectionsDefault = 2
const queueMaxDefault = 5_000
// 5,000 bodies of 256 kB would be 1.3 GB: waiting bytes have a bound of their own, and so has one statement.
const queueBytesMax = 64 * 1024 * 1024
const batchBytesMax = 8 * 1024 * 1024
const retryAfterSeconds = 5
const collisionsMax = 3
// PostgreSQL cannot keep U+0000 in text.
const nul = '\u0000'

type Waiting = { readonly delivery: Delivery; resolve(value: Accepted): void; reject(error: unknown): void }
type Group = { event: NewEvent; waiting: Waiting[] }

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '')
/** Two batches that waited for each other: PostgreSQL ended one, which may simply be sent again. */
const isCollision = (error: unknown): boolean => ['40001', '40P01'].includes(codeOf(error))
/** SQLSTATE 22 (data) and 23 (constraint): this row, whenever it is sent. */
const isRowFault = (error: unknown): boolean => /^2[23][0-9A-Z]{3}$/.test(codeOf(error))
/** Faults of our SQL or its rights (42) are bugs; whatever else keeps a statement from running passes with time. */
const isBug = (error: unknown): boolean => codeOf(error).startsWith('42') || error instanceof TypeError

const answerFor = (error: unknown): unknown => {
  if (error instanceof CodedError || isBug(error)) return error
  if (isRowFault(error)) return new CodedError('input_invalid', 'The event holds a value that cannot be stored.')
  return new CodedError('not_ready', 'The database does not answer; nothing was stored.', {
    retryAfter: retryAfterSeconds,
  })
}

const unstorable = (d: Delivery): boolean =>
  [d.source, d.externalId, d.type, d.account ?? '', d.apiVersion ?? '', ...Object.values(d.headers)].some((text) =>
    text.includes(nul),
  )

type IntakeApp = Pick<App, 'clock' | 'ids' | 'db' | 'log'>

/** The writer between the door and the database: many deliveries, few commits. */
export function createIntake(app: IntakeApp, options: IntakeOptions = {}): Intake {
  const connections = options.connections ?? connectionsDefault
  const queue = createQueue(options.queueMax ?? queueMaxDefault, options.batchMax ?? batchMaxDefault)
  let writing = 0
  let inFlight = 0
  let closed = false
  let idle: (() => void)[] = []

  const pump = (): void => {
    while (inFlight < connections && queue.length() > 0) {
      const batch = queue.take()
      inFlight += 1
      writing += batch.length
      void write(app, groupByKey(app, batch)).finally(() => {
        inFlight -= 1
        writing -= batch.length
        pump()
        if (inFlight > 0) return
        for (const done of idle) done()
        idle = []
      })
    }
  }

  return {
    accept: (delivery) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new CodedError('not_ready', undefined, { retryAfter: retryAfterSeconds }))
        if (unstorable(delivery)) return reject(new CodedError('input_invalid', 'A field holds the character U+0000.'))
        if (!queue.offer({ delivery, resolve, reject }))
          return reject(new CodedError('overloaded', undefined, { retryAfter: retryAfterSeconds }))
        pump()
      }),
    depth: () => queue.length() + writing,
    drain: async () => {
      closed = true
      if (inFlight > 0 || queue.length() > 0) await new Promise<void>((resolve) => idle.push(resolve))
    },
  }
}

/** First in, first out, bounded in number and in bytes. */
function createQueue(lengthMax: number, batchMax: number) {
  const waiting: Waiting[] = []
  let bytesWaiting = 0
  return {
    length: () => waiting.length,
    /** False: there is no room. */
    offer: (one: Waiting): boolean => {
      const bytes = one.delivery.body.length
      if (waiting.length >= lengthMax || bytesWaiting + bytes > queueBytesMax) return false
      waiting.push(one)
      bytesWaiting += bytes
      return true
    },
    /** As many as one statement takes; at least one. */
    take: (): Waiting[] => {
      let count = 0
      let bytes = 0
      for (const { delivery } of waiting) {
        if (count >= batchMax || (count > 0 && bytes + delivery.body.length > batchBytesMax)) break
        count += 1
        bytes += delivery.body.length
      }
      bytesWaiting -= bytes
      return waiting.splice(0, count)
    },
  }
}

/** Answers every delivery of these groups, whatever comes of the writing. */
async function write(app: IntakeApp, groups: readonly Group[]): Promise<void> {
  try {
    await insert(app, groups)
  } catch (error) {
    if (groups.length === 1 || !isRowFault(error)) return refuse(app, groups, error)
    // One row that cannot be stored must not refuse its neighbours.
    for (const group of groups) await write(app, [group])
  }
}

async function insert(app: IntakeApp, groups: readonly Group[]): Promise<void> {
  for (let collisions = 0; ; collisions++) {
    try {
      const fresh = await insertBatch(
        app.db,
        groups.map((g) => g.event),
        app.clock.now(),
      )
      for (const group of groups) settle(group, fresh)
      return
    } catch (error) {
      if (!isCollision(error) || collisions >= collisionsMax) throw error
    }
  }
}

function settle(group: Group, fresh: ReadonlySet<string>): void {
  const [first, ...rest] = group.waiting
  first?.resolve(fresh.has(group.event.id) ? 'stored' : 'duplicate')
  for (const w of rest) w.resolve('duplicate')
}

function refuse(app: IntakeApp, groups: readonly Group[], error: unknown): void {
  app.log.error('inbound events could not be stored', { events: groups.length, code: codeOf(error) })
  const answer = answerFor(error)
  for (const w of groups.flatMap((g) => g.waiting)) w.reject(answer)
}

/** One row per key, in key order: two batches that share keys then lock them in the same order. */
function groupByKey(app: Pick<App, 'ids'>, batch: readonly Waiting[]): Group[] {
  const groups = new Map<string, Group>()
  for (const waiting of batch) {
    const { delivery } = waiting
    const key = `${delivery.source} ${delivery.externalId}`
    const known = groups.get(key)
    if (known === undefined) {
      const event: NewEvent = { ...delivery, id: app.ids.next('evt'), deliveries: 1 }
      groups.set(key, { event, waiting: [waiting] })
    } else {
      known.event = { ...known.event, deliveries: known.event.deliveries + 1 }
      known.waiting.push(waiting)
    }
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
}
