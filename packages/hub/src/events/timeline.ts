import type { Instant } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'

/**
 * Every kind of entry a timeline can show, with the facts it carries. Amounts are minor units. No secrets and no
 * message texts of learners: an operator reads this aloud on the phone.
 */
export type TimelineData = {
  'event.received': { eventId: string; provider: string; type: string; externalId: string }
  'order.created': { amount: bigint; currency: string | null; checkoutId?: string | null }
  'order.paid': { amount: bigint; currency: string | null; paymentId?: string | null }
  'order.awaiting_funds': { reason: string }
  'order.canceled': { reason: string }
  'order.expired': { reason?: string }
  'order.issue': { issue: string; detail?: string | null }
  'order.resolved': { issue: string; how: string }
  'order.claimed': { how: string; by?: string; emailsDiffer?: boolean }
  'order.claim_refused': { why: string; by: string }
  'order.moved': { why: string; seats: number }
  'order.seat_assigned': { to: string; by: string }
  'claim.undone': { to: string }
  'case.opened': { caseId: string; what: string }
  'case.resolved': { caseId: string; resolution: 'keep' | 'move'; by: string; reason: string }
  'mail.sent': { mail: string; to: string; refused?: boolean }
  'refund.recorded': { refundId: string; amount: bigint; currency: string; state: string; reason?: string | null }
  'dispute.opened': { disputeId: string; amount: bigint; currency: string; state: string; reason: string }
  'dispute.closed': { disputeId: string; state: 'won' | 'lost'; providerState: string }
  'subscription.changed': { subscriptionId: string; state: string; paidUntil?: Instant | null }
  'invoice.paid': { invoiceId: string; amount: bigint; currency: string; periodEnd?: Instant | null }
  'invoice.failed': { invoiceId: string; attempts: number; nextAttemptAt?: Instant | null }
  'entitlement.granted': EntitlementFacts
  'entitlement.suspended': EntitlementFacts
  'entitlement.resumed': EntitlementFacts
  'entitlement.revoked': EntitlementFacts
  'entitlement.extended': EntitlementFacts
  'enrollment.wanted': { wanted: 'granted' | 'revoked'; courseId: string }
  'apply.started': { connectionId: string; wanted: 'granted' | 'revoked'; attempt: number; uncertain: boolean }
  'call.made': {
    method: string
    path: string
    status: number | null
    durationMs: number
    failure?: { class: string; code: string; message: string } | null
  }
  'enrollment.opened': { connectionId?: string; confirmedBy?: string }
  'enrollment.closed': { connectionId?: string; confirmedBy?: string }
  'enrollment.waiting': { failure: string; nextTryAt: Instant | null; message: string }
  'enrollment.stuck': { failure: string; message: string; needs: 'learner' | 'person' }
  'breaker.opened': { connectionId: string; failure: string; until: Instant | null }
  'breaker.closed': { connectionId: string; openedFor?: number }
  'launch.minted': { expiresAt: Instant }
  'launch.used': { linkId?: string }
  note: { text: string; by: string }
  'person.merged': { from: string; into: string; evidence: 'proof' | 'operator' }
  'person.role': { role: string; change: 'granted' | 'revoked'; by: string }
  'person.email_changed': { by: string }
  'person.linked': { issuer: string; by: string }
  'person.unlinked': { issuer: string; by: string }
  'privacy.requested': { requestId: string; request: 'export' | 'erase'; by: string }
  'privacy.step': { requestId: string; step: string; state: string; note?: string | null }
  'privacy.done': { requestId: string; request: 'export' | 'erase' }
}

/** A reason for access changed: why, and until when it holds. */
type EntitlementFacts = {
  entitlementId: string
  courseId: string
  source: string
  reason: string
  endsAt: Instant | null
}

export type TimelineKind = keyof TimelineData

export type TimelineSubject = {
  readonly orderId?: string | null
  readonly personId?: string | null
  readonly enrollmentId?: string | null
}

/** One entry: a kind, its data, and what it is about. */
export type TimelineEntry = {
  readonly [Kind in TimelineKind]: TimelineSubject & {
    readonly kind: Kind
    readonly data: Readonly<TimelineData[Kind]>
  }
}[TimelineKind]

type Written = {
  readonly id: string
  readonly entry: TimelineEntry
  readonly organization: string
  readonly traceId: string
}

const waiting = new WeakMap<Tx, Written[]>()

/**
 * Tells entries in the transaction of the thing they tell. All of a transaction are written by one statement right
 * before its commit. Ids count up within the process, so the order of telling is the order on the page.
 */
export async function record(
  tx: Tx,
  ctx: Pick<Ctx, 'ids' | 'organization' | 'traceId'>,
  entries: readonly TimelineEntry[],
): Promise<void> {
  if (entries.length === 0) return
  const known = waiting.get(tx) ?? []
  waiting.set(tx, known)
  for (const entry of entries)
    known.push({ id: ctx.ids.next('tle'), entry, organization: ctx.organization, traceId: ctx.traceId })
  tx.atEnd('timeline', () => write(tx, known))
}

const write = (tx: Tx, all: readonly Written[]): Promise<number> =>
  tx.run(sql('timeline_record')`
    insert into timeline_entry (id, organization_id, at, kind, trace_id, order_id, person_id, enrollment_id, data)
    select id, organization_id, ${ts(tx.now)}::timestamptz, kind, trace_id, order_id, person_id, enrollment_id, data
    from unnest(
      ${all.map((w) => w.id)}::text[], ${all.map((w) => w.organization)}::text[], ${all.map((w) => w.entry.kind)}::text[],
      ${all.map((w) => w.traceId)}::text[], ${all.map((w) => w.entry.orderId ?? null)}::text[],
      ${all.map((w) => w.entry.personId ?? null)}::text[], ${all.map((w) => w.entry.enrollmentId ?? null)}::text[],
      ${all.map((w) => json(w.entry.data))}::jsonb[]
    ) as t (id, organization_id, kind, trace_id, order_id, person_id, enrollment_id, data)`)

export type TimelineRow = {
  readonly id: string
  readonly at: Instant
  readonly kind: TimelineKind
  readonly trace_id: string
  readonly order_id: string | null
  readonly person_id: string | null
  readonly enrollment_id: string | null
  readonly data: Readonly<Record<string, unknown>>
}
