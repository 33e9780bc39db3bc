import type { Failure } from '@bursar/connectors/failure.ts'
import type { PaymentConnector, PaymentTruth, Subject, VerifiedEvent } from '@bursar/connectors/payments/port.ts'
import { day, hour, minute, second } from '@bursar/kit/clock.ts'
import { jitter } from '@bursar/kit/random.ts'
import { type Ctx, inTx } from '#action/context.ts'
import { openPayments } from '#catalog/open.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { apply } from '#entitlements/apply.ts'
import { applyJob } from '#entitlements/store.ts'
import type { Handled, StoredEvent } from '#events/process.ts'
import { record } from '#events/timeline.ts'
import { settle } from './settle.ts'
import { orderIdKey, type Settled, type Telling } from './telling.ts'

// An order may be some seconds behind its first event, or, when its own event was lost, until the next sweep.
const unmatchedWaitsMs = [2 * second, 10 * second, minute, 5 * minute, 20 * minute, hour, 3 * hour, 12 * hour]
// After 2 s, 10 s and a minute what is on its way has arrived; then the provider is asked where the payment comes from.
const searchFrom = 3
const readRetryMs = 20 * second
// A provider that is down is asked the more rarely the longer it lasts, and each try is free. After three days, which
// is as long as Stripe itself repeats an event, it is this one event that cannot be read: then its tries count.
const readRetryMaxMs = 10 * minute
const readShareOfAge = 0.05
const readFrozenMs = 3 * day

/**
 * One payment event to its end: read back what it is about, settle it, and open or close seats at once. The job that
 * runs this is finished only when the platforms have been asked, so a crash in between runs it again.
 */
export async function handlePaymentEvent(ctx: Ctx, event: StoredEvent): Promise<Handled> {
  if (event.connection === null || event.body === null)
    return { state: 'ignored', outcome: 'The payload is no longer kept.' }
  const connector = await openPayments(ctx, event.connection)
  const verified = connector.parse(event.body)
  if (verified === null) return { state: 'ignored', outcome: 'The payload says nothing readable.' }
  const truths = await truthsOf(connector, verified)
  if ('failure' in truths) return readAgain(ctx, event, truths.failure)
  if (truths.found.length === 0) return { state: 'ignored', outcome: `${event.type} means nothing to an order.` }
  const telling: Telling = {
    connectionId: event.connection,
    at: event.occurredAt ?? event.receivedAt,
    stated: !connector.canRead,
    type: event.type,
    eventId: event.id,
  }
  const settled = await settleAll(ctx, event, truths.found, telling)
  if (!connector.canRead || event.attempts < searchFrom || settled.some((s) => s.outcome === 'settled'))
    return verdict(ctx, event, settled)
  const origin = await originOf(connector, truths.found)
  if ('failure' in origin) return readAgain(ctx, event, origin.failure)
  if (origin.elsewhere !== null) return { state: 'ignored', outcome: origin.elsewhere }
  if (origin.checkouts.length === 0) return verdict(ctx, event, settled)
  return verdict(ctx, event, await settleAll(ctx, event, [...origin.checkouts, ...truths.found], telling))
}

/** Settles what was found in one transaction, and opens or closes seats at once. */
async function settleAll(
  ctx: Ctx,
  event: StoredEvent,
  found: readonly PaymentTruth[],
  telling: Telling,
): Promise<readonly Settled[]> {
  const settled = await inTx(ctx, async (tx) => {
    const all: Settled[] = []
    for (const truth of found) all.push(await settle(tx, ctx, truth, telling))
    const orderId = all.find((s) => s.outcome === 'settled')?.orderId
    if (orderId !== undefined) await record(tx, ctx, [received(event, orderId)])
    return all
  })
  const accounts = [...new Set(settled.flatMap((s) => (s.outcome === 'settled' ? s.accounts : [])))]
  for (const account of accounts) await open(ctx, account)
  return settled
}

const received = (event: StoredEvent, orderId: string) =>
  ({
    kind: 'event.received',
    orderId,
    data: { eventId: event.id, provider: event.provider, type: event.type, externalId: event.externalId },
  }) as const

type Truths = { readonly found: readonly PaymentTruth[] } | { readonly failure: Failure }

/** What the event is about, as it is now. Without a key the signed snapshot is the best there is. */
async function truthsOf(connector: PaymentConnector, event: VerifiedEvent): Promise<Truths> {
  if (!connector.canRead) return { found: event.stated }
  const found: PaymentTruth[] = []
  for (const subject of inOrder(event.subjects)) {
    const read = await connector.read(subject)
    if (!read.ok) return { failure: read.failure }
    if (read.value !== null) found.push(read.value)
    if (read.value?.kind !== 'invoice' || read.value.state !== 'paid' || read.value.paymentId === null) continue
    // Its refunds and disputes may have been told before anybody knew whose payment it is.
    const payment = await connector.read({ kind: 'payment', externalId: read.value.paymentId })
    if (!payment.ok) return { failure: payment.failure }
    if (payment.value !== null) found.push(payment.value)
  }
  return { found }
}

// An invoice extends a subscription, a refund belongs to a payment: the container first.
const rank: Readonly<Record<Subject['kind'], number>> = {
  checkout: 0,
  subscription: 1,
  payment: 2,
  charge: 3,
  invoice: 4,
  refund: 5,
  dispute: 6,
}
const inOrder = (subjects: readonly Subject[]) => [...subjects].sort((a, b) => rank[a.kind] - rank[b.kind])

type Origin =
  | { readonly failure: Failure }
  | { readonly elsewhere: string | null; readonly checkouts: readonly PaymentTruth[] }

/**
 * Where payments come from that no order knows: a checkout of which no event arrived is found through its payment; a
 * payment without a checkout was sold elsewhere on the same account. One that names an order of ours keeps waiting.
 */
async function originOf(connector: PaymentConnector, found: readonly PaymentTruth[]): Promise<Origin> {
  const checkouts: PaymentTruth[] = []
  const foreign: string[] = []
  for (const truth of found) {
    const paymentId = paymentIdOf(truth)
    if (paymentId === null) continue
    const checkoutId = await connector.checkoutOf(paymentId)
    if (!checkoutId.ok) return { failure: checkoutId.failure }
    if (checkoutId.value === null) {
      if (truth.kind === 'payment' && truth.metadata[orderIdKey] === undefined) foreign.push(paymentId)
      continue
    }
    const read = await connector.read({ kind: 'checkout', externalId: checkoutId.value })
    // A checkout that cannot be read has an event of its own that tries; this one waits for its order as before.
    if (read.ok && read.value !== null) checkouts.push(read.value)
  }
  const all = foreign.length > 0 && foreign.length === found.length
  return { checkouts, elsewhere: all ? `No checkout belongs to ${foreign.join(', ')}: sold elsewhere.` : null }
}

const paymentIdOf = (truth: PaymentTruth): string | null =>
  truth.kind === 'payment'
    ? truth.externalId
    : truth.kind === 'refund' || truth.kind === 'dispute'
      ? truth.paymentId
      : null

function readAgain(ctx: Ctx, event: StoredEvent, failure: Failure): Handled {
  if (failure.class === 'invalid') return { state: 'ignored', outcome: failure.message }
  const age = ctx.clock.now() - event.receivedAt
  const passing =
    failure.class === 'unavailable' || failure.class === 'rate_limited' || failure.class === 'unauthorized'
  const wait = Math.min(Math.max(readRetryMs, age * readShareOfAge), readRetryMaxMs)
  return {
    state: 'retry',
    at: ctx.clock.now() + Math.max(failure.retryAfterMs ?? 0, jitter(wait, ctx.random)),
    outcome: failure.message,
    frozen: passing && age < readFrozenMs,
  }
}

/** Opens in line; when somebody else works on this learner, leaves a poke behind. */
async function open(ctx: Ctx, accountId: string): Promise<void> {
  const applied = await apply(ctx, accountId)
  if (applied.outcome === 'busy') await inTx(ctx, (tx) => enqueue(tx, [applyJob(ctx.organization, accountId)]))
}

function verdict(ctx: Ctx, event: StoredEvent, settled: readonly Settled[]): Handled {
  const orders = settled.flatMap((s) => (s.outcome === 'settled' ? [s.orderId] : []))
  if (orders.length > 0) return { state: 'done', outcome: `Settled ${[...new Set(orders)].join(', ')}.` }
  const why = settled.flatMap((s) => (s.outcome === 'unmatched' ? [s.why] : [])).join(' ')
  const wait = unmatchedWaitsMs[event.attempts]
  if (wait === undefined) return { state: 'unmatched', outcome: why }
  return { state: 'retry', at: ctx.clock.now() + jitter(wait, ctx.random), outcome: why }
}
