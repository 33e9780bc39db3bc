import { hour, type Instant, second } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { jitter, type Random } from '@bursar/kit/random.ts'
import { type App, type Ctx, inTx, systemCtx } from '#action/context.ts'
import { pokeAt } from './replay.ts'
import { type EventRow, loadPending, type PayloadRow, recordOutcome } from './store.ts'

/** An event as its handler sees it. */
export type StoredEvent = {
  readonly id: string
  readonly provider: string
  readonly connection: string | null
  readonly source: string
  readonly externalId: string
  readonly type: string
  readonly form: 'snapshot' | 'thin'
  readonly livemode: boolean | null
  readonly account: string | null
  readonly apiVersion: string | null
  readonly occurredAt: Instant | null
  readonly receivedAt: Instant
  readonly attempts: number
  readonly headers: Readonly<Record<string, string>>
  /** The bytes as they came; null when their day was dropped. */
  readonly body: Buffer | null
}

/** What came of one try. `outcome` is a sentence for the operator, without secrets. */
export type Handled =
  | { readonly state: 'done' | 'ignored' | 'unmatched'; readonly outcome: string }
  | {
      readonly state: 'retry'
      readonly at: Instant
      readonly outcome: string
      /** True when nothing was tried because the other side is known to be down: no attempt is spent. */
      readonly frozen?: boolean
    }

export type Handler = (ctx: Ctx, event: StoredEvent) => Promise<Handled>

/** By provider, the first part of `source`. */
export type Handlers = Readonly<Record<string, Handler>>

export type Processed = 'done' | 'ignored' | 'unmatched' | 'failed' | 'retry' | 'nothing_to_do'

// 5 s doubling to an hour: fifteen tries span about seven hours. Then the row waits, failed, for events.replay.
const attemptsMax = 15
const firstWaitMs = 5 * second
const waitMaxMs = hour
const outcomeMax = 1_000

const backoff = (attempts: number, random: Random): number =>
  jitter(Math.min(firstWaitMs * 2 ** (attempts - 1), waitMaxMs), random)

export const providerOf = (source: string): string => source.split(':', 1)[0] ?? ''

const present = (row: EventRow, payload: PayloadRow | null): StoredEvent => ({
  id: row.id,
  provider: providerOf(row.source),
  connection: row.connection_id,
  source: row.source,
  externalId: row.external_id,
  type: row.type,
  form: row.form,
  livemode: row.livemode,
  account: row.account,
  apiVersion: row.api_version,
  occurredAt: row.occurred_at,
  receivedAt: row.received_at,
  attempts: row.attempts,
  headers: payload?.headers ?? {},
  body: payload?.body ?? null,
})

/** Only codes and our own sentences: a foreign message may hold what it failed on. */
const nameOf = (error: unknown): string => {
  if (error instanceof CodedError) return `${error.code}: ${error.message}`
  const code = (error as { code?: unknown } | null)?.code
  const name = error instanceof Error ? error.name : 'Error'
  return typeof code === 'string' ? `${name} ${code}` : name
}

async function tryHandler(ctx: Ctx, event: StoredEvent, handlers: Handlers): Promise<Handled | null> {
  const handler = Object.hasOwn(handlers, event.provider) ? handlers[event.provider] : undefined
  if (handler === undefined) return null
  try {
    return await handler(ctx, event)
  } catch (error) {
    ctx.log.error('an inbound event could not be processed', {
      eventId: event.id,
      type: event.type,
      attempt: event.attempts + 1,
      traceId: ctx.traceId,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    const at = ctx.clock.now() + backoff(event.attempts + 1, ctx.random)
    return { state: 'retry', at, outcome: `A try failed (${nameOf(error)}).` }
  }
}

type Decision = { state: Exclude<Processed, 'nothing_to_do'>; outcome: string; attempts: number; at: Instant | null }

function decide(event: StoredEvent, handled: Handled | null): Decision {
  const attempts = event.attempts + 1
  if (handled === null)
    return { state: 'failed', outcome: `Nothing here handles events of ${event.provider}.`, attempts, at: null }
  if (handled.state !== 'retry') return { ...handled, attempts, at: null }
  if (handled.frozen === true)
    return { state: 'retry', outcome: handled.outcome, attempts: event.attempts, at: handled.at }
  if (attempts >= attemptsMax)
    return { state: 'failed', outcome: `Given up after ${attempts} tries. ${handled.outcome}`, attempts, at: null }
  return { state: 'retry', outcome: handled.outcome, attempts, at: handled.at }
}

/**
 * Processes one stored event: loads it, asks its provider's handler, and writes what came of it. Safe to repeat: an
 * event that is not pending is left alone. A handler that throws is tried again with growing waits; after the last try
 * the row stays, `failed`, until somebody replays it.
 */
export async function processInbound(
  app: App,
  job: { readonly eventId: string; readonly organization: string },
  handlers: Handlers,
): Promise<Processed> {
  const loaded = await loadPending(app.db, job.organization, job.eventId)
  if (loaded === null) return 'nothing_to_do'
  const event = present(loaded.row, loaded.payload)
  const ctx = systemCtx(app, job.organization, 'events', loaded.row.trace_id)
  const decision = decide(event, await tryHandler(ctx, event, handlers))
  const { at } = decision
  const outcome = recordOutcome(event.id, {
    state: decision.state === 'retry' ? 'pending' : decision.state,
    outcome: decision.outcome.slice(0, outcomeMax),
    attempts: decision.attempts,
    nextTryAt: at,
    now: app.clock.now(),
  })
  if (at === null) await app.db.direct(outcome)
  else
    await inTx({ db: app.db, organization: job.organization }, async (tx) => {
      await tx.run(outcome)
      await pokeAt(tx, job.organization, [event.id], at)
    })
  return decision.state
}
