import type { Instant } from '@bursar/kit/clock.ts'
import { day } from '@bursar/kit/clock.ts'

/** An order as the provider tells it now: everything needed to say what it gives, nothing about platforms. */
export type OrderFacts = {
  readonly paid: boolean
  /** The form was finished but the money has not come (bank debit). */
  readonly awaitingFunds: boolean
  readonly closed: 'expired' | 'failed' | null
  readonly amount: bigint
  readonly lines: readonly LineFacts[]
  readonly refunds: readonly RefundFacts[]
  readonly disputes: readonly { readonly state: 'inquiry' | 'open' | 'won' | 'lost' }[]
  readonly subscription: SubscriptionFacts | null
}

export type LineFacts = { readonly id: string; readonly amount: bigint; readonly courseKey: string }

export type RefundFacts = {
  readonly id: string
  /** The payment it pays back; a subscription has one per invoice. */
  readonly paymentId: string | null
  readonly amount: bigint
  readonly state: 'pending' | 'succeeded' | 'failed' | 'canceled' | 'requires_action'
  /** How much it pays back on which line; null while nobody knows, and for a subscription, where it is a period. */
  readonly allocation: Readonly<Record<string, bigint>> | null
}

export type SubscriptionFacts = {
  readonly state: string
  /** What the subscription itself showed as carried: a trial, or the first period before its invoice is known. */
  readonly carriedUntil: Instant | null
  readonly pastDueSince: Instant | null
  readonly endedAt: Instant | null
  /** One per paid invoice. */
  readonly periods: readonly PeriodFacts[]
}

export type PeriodFacts = {
  readonly paymentId: string | null
  readonly amount: bigint
  readonly endsAt: Instant | null
}

export type OrderPolicy = { readonly disputes: 'suspend' | 'keep'; readonly graceDays: number }

export type OrderState =
  | 'pending'
  | 'awaiting_funds'
  | 'paid'
  | 'partially_refunded'
  | 'refunded'
  | 'disputed'
  | 'charged_back'
  | 'canceled'
  | 'expired'

/** What one line gives right now. `none`: never gave anything. */
export type LineAccess =
  | { readonly kind: 'none' }
  | { readonly kind: 'live'; readonly endsAt: Instant | null }
  | { readonly kind: 'suspended'; readonly reason: string; readonly endsAt: Instant | null }
  | { readonly kind: 'ended'; readonly reason: string; readonly at: Instant | null }

export type Evaluation = { readonly state: OrderState; readonly access: Readonly<Record<string, LineAccess>> }

/** Money on its way back counts as gone: access ends when a refund is made, not when the bank is done. */
export const counts = (refund: RefundFacts): boolean => refund.state === 'pending' || refund.state === 'succeeded'

export const refundedOn = (lineId: string, refunds: readonly RefundFacts[]): bigint =>
  refunds.filter(counts).reduce((sum, r) => sum + (r.allocation?.[lineId] ?? 0n), 0n)

export const refundedTotal = (refunds: readonly RefundFacts[]): bigint =>
  refunds.filter(counts).reduce((sum, r) => sum + r.amount, 0n)

/** What was paid in all: of a subscription its invoices, because the order itself holds only the first period. */
export const paidTotal = (facts: OrderFacts): bigint =>
  facts.subscription === null || facts.subscription.periods.length === 0
    ? facts.amount
    : facts.subscription.periods.reduce((sum, p) => sum + p.amount, 0n)

const isPaidBack = (period: PeriodFacts, refunds: readonly RefundFacts[]): boolean =>
  period.paymentId !== null &&
  period.amount > 0n &&
  refundedTotal(refunds.filter((r) => r.paymentId === period.paymentId)) >= period.amount

/**
 * Until when a subscription is paid: the latest period that was paid and not paid back in full. What the subscription
 * itself showed stands in for an invoice nobody has heard of yet, so it goes with the refund of its own period.
 * `nothing`: every period there was is paid back. Null: no period is known.
 */
export function paidUntil(s: SubscriptionFacts, refunds: readonly RefundFacts[]): Instant | 'nothing' | null {
  const gone = s.periods.filter((p) => isPaidBack(p, refunds))
  const carried = gone.some((p) => p.endsAt === s.carriedUntil) ? null : s.carriedUntil
  const kept = s.periods.filter((p) => !gone.includes(p)).map((p) => p.endsAt)
  const ends = [carried, ...kept].filter((end) => end !== null)
  if (ends.length > 0) return Math.max(...ends)
  return gone.length > 0 ? 'nothing' : null
}

const stateOf = (facts: OrderFacts): OrderState => {
  if (!facts.paid) {
    if (facts.closed !== null) return facts.closed === 'expired' ? 'expired' : 'canceled'
    return facts.awaitingFunds ? 'awaiting_funds' : 'pending'
  }
  if (facts.disputes.some((d) => d.state === 'lost')) return 'charged_back'
  if (facts.disputes.some((d) => d.state === 'open')) return 'disputed'
  const refunded = refundedTotal(facts.refunds)
  if (refunded === 0n) return 'paid'
  return refunded >= paidTotal(facts) ? 'refunded' : 'partially_refunded'
}

/**
 * Until when a subscription carries access, and whether it still does. Access runs to the end of what was paid plus
 * the grace period, dunning or not: that depends on money alone, not on when anybody heard of the failed renewal.
 */
export function subscriptionAccess(
  s: SubscriptionFacts,
  policy: OrderPolicy,
  refunds: readonly RefundFacts[] = [],
): LineAccess {
  const graceMs = policy.graceDays * day
  const paid = paidUntil(s, refunds)
  if (paid === 'nothing' && (s.state === 'active' || s.state === 'trialing' || s.state === 'past_due'))
    return { kind: 'ended', reason: 'The payment was refunded.', at: null }
  const until = paid === 'nothing' ? null : paid
  switch (s.state) {
    case 'active':
    case 'trialing':
      return { kind: 'live', endsAt: until === null ? null : until + graceMs }
    case 'past_due':
      return { kind: 'live', endsAt: (until ?? s.pastDueSince ?? 0) + graceMs }
    case 'paused':
      return { kind: 'suspended', reason: 'The subscription is paused.', endsAt: null }
    case 'canceled':
      return { kind: 'ended', reason: 'The subscription was canceled.', at: s.endedAt }
    case 'unpaid':
    case 'incomplete_expired':
      return { kind: 'ended', reason: 'The subscription was not paid.', at: s.endedAt }
    default:
      return { kind: 'none' }
  }
}

const lineAccess = (line: LineFacts, facts: OrderFacts, policy: OrderPolicy, all: bigint): LineAccess => {
  if (!facts.paid) return { kind: 'none' }
  if (facts.disputes.some((d) => d.state === 'lost'))
    return { kind: 'ended', reason: 'The dispute was lost.', at: null }
  const lineGone = line.amount > 0n && refundedOn(line.id, facts.refunds) >= line.amount
  if (facts.subscription === null && (lineGone || (facts.amount > 0n && all >= facts.amount)))
    return { kind: 'ended', reason: 'The payment was refunded.', at: null }
  const base: LineAccess =
    facts.subscription === null
      ? { kind: 'live', endsAt: null }
      : subscriptionAccess(facts.subscription, policy, facts.refunds)
  if (base.kind === 'live' && policy.disputes === 'suspend' && facts.disputes.some((d) => d.state === 'open'))
    return { kind: 'suspended', reason: 'The payment is disputed.', endsAt: base.endsAt }
  return base
}

/** The whole decision about an order: its state, and what each line gives. Depends on facts only, never on arrival order. */
export function evaluate(facts: OrderFacts, policy: OrderPolicy): Evaluation {
  const all = refundedTotal(facts.refunds)
  return {
    state: stateOf(facts),
    access: Object.fromEntries(facts.lines.map((line) => [line.id, lineAccess(line, facts, policy, all)])),
  }
}

/** The metadata key on a refund that names the lines it pays back: `ol_…` or `ol_…:1500,ol_…:200`. */
export const refundLinesKey = 'hub_order_lines'

const namedAllocation = (text: string, amount: bigint, lines: readonly LineFacts[]): Record<string, bigint> | null => {
  const parts = text.split(',').map((part) => part.trim().split(':'))
  const known = parts.every(([id]) => lines.some((line) => line.id === id))
  if (!known) return null
  if (parts.length === 1 && parts[0]?.[1] === undefined) return { [parts[0]?.[0] ?? '']: amount }
  if (!parts.every(([, value]) => value !== undefined && /^\d+$/.test(value))) return null
  const allocation = Object.fromEntries(parts.map(([id, value]) => [id ?? '', BigInt(value ?? '0')]))
  return Object.values(allocation).reduce((a, b) => a + b, 0n) === amount ? allocation : null
}

/**
 * Which lines a refund pays back. Stripe does not say; so: what its metadata names, else everything that is left,
 * else the one line that still has exactly this amount, else a part of the only line. Null when it could be several:
 * then access stays and a person decides, because taking the wrong course away is worse than taking none.
 */
export function allocateRefund(
  refund: { readonly amount: bigint; readonly metadata: Readonly<Record<string, string>> },
  lines: readonly LineFacts[],
  earlier: readonly RefundFacts[],
): Record<string, bigint> | null {
  const left = lines
    .map((line) => ({ line, left: line.amount - refundedOn(line.id, earlier) }))
    .filter((l) => l.left > 0n)
  const named = refund.metadata[refundLinesKey]
  if (named !== undefined) {
    const allocation = namedAllocation(named, refund.amount, lines)
    if (allocation !== null) return allocation
  }
  if (left.reduce((sum, l) => sum + l.left, 0n) === refund.amount)
    return Object.fromEntries(left.map((l) => [l.line.id, l.left]))
  const exact = left.filter((l) => l.left === refund.amount)
  const [first] = exact
  if (first !== undefined && exact.every((l) => l.line.courseKey === first.line.courseKey))
    return { [first.line.id]: refund.amount }
  const [only] = left
  if (left.length === 1 && only !== undefined && refund.amount < only.left) return { [only.line.id]: refund.amount }
  return null
}
