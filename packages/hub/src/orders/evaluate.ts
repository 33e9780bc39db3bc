import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { type Desired, dueAccounts, setEntitlements } from '#entitlements/seats.ts'
import { record, type TimelineEntry } from '#events/timeline.ts'
import { writeReceipts } from './receipts.ts'
import { counts, evaluate, type LineAccess, type OrderFacts, refundedTotal } from './rules.ts'
import { type LineRow, type OrderAggregate, type OrderRow, orderAggregate, saveOrder } from './store.ts'
import type { Settled } from './telling.ts'

/**
 * Adds up everything known about an order and makes its state, its open question and its entitlements follow.
 * `order` is what it shall be saved as, `before` what it was.
 */
export async function reevaluate(tx: Tx, ctx: Ctx, order: OrderRow, before: OrderRow): Promise<Settled> {
  const { lines, assigned, refunds, disputes, subscription, policy } = await orderAggregate(tx, order.id)
  const facts: OrderFacts = {
    paid: order.paidAt !== null,
    awaitingFunds: order.formState === 'awaiting_funds',
    closed: order.formState === 'expired' ? 'expired' : order.formState === 'failed' ? 'failed' : null,
    amount: order.amount,
    lines: lines.map((l) => ({ id: l.id, amount: l.amount, courseKey: (l.courseIds ?? []).join(' ') })),
    refunds,
    disputes,
    subscription: order.subscriptionId === null ? null : subscription,
  }
  const evaluation = evaluate(facts, policy)
  const unclear =
    facts.subscription === null &&
    evaluation.state === 'partially_refunded' &&
    refunds.some((r) => counts(r) && r.allocation === null)
  const issue = issueOf(order, lines, unclear)
  const evaluated: OrderRow = { ...order, ...issue, state: evaluation.state, amountRefunded: refundedTotal(refunds) }
  const after = await writeReceipts(tx, ctx, evaluated, lines)
  if (JSON.stringify(after, bigintText) !== JSON.stringify(before, bigintText)) await saveOrder(tx, after)
  await record(tx, ctx, changes(before, after))
  const moved = await setEntitlements(tx, ctx, desiredOf(after, assigned, lines, evaluation.access))
  const accounts = moved.length > 0 || after.personId === null ? moved : await dueAccounts(tx, after.personId)
  return { outcome: 'settled', orderId: order.id, accounts }
}

const bigintText = (_: string, v: unknown) => (typeof v === 'bigint' ? v.toString() : v)

type Issue = { readonly issue: string | null; readonly issueDetail: string | null }

/** The open question of an order: the first of these that holds. Money taken for something we do not know comes first. */
function issueOf(order: OrderRow, lines: readonly LineRow[], refundUnclear: boolean): Issue {
  if (order.paidAt === null) return { issue: null, issueDetail: null }
  if (order.issue === 'amount_mismatch') return { issue: order.issue, issueDetail: order.issueDetail }
  // The money was told before the checkout was read: its lines come with the checkout's own event, or with the sweep.
  if (lines.length === 0 && order.checkoutId !== null) return { issue: null, issueDetail: null }
  const unknown = lines.filter((l) => l.productVersionId === null)
  if (lines.length === 0 || unknown.length > 0)
    return {
      issue: 'price_unknown',
      issueDetail: unknown.map((l) => l.priceId ?? l.description).join(', ') || 'no lines',
    }
  // Without a person but with an address or a claim to come the seat waits for its learner; that is no question.
  if (order.personId === null && order.email === null) return { issue: 'no_email', issueDetail: null }
  if (refundUnclear)
    return { issue: 'refund_unattributed', issueDetail: 'A partial refund could be for several lines.' }
  return order.issue === 'metadata_mismatch'
    ? { issue: order.issue, issueDetail: order.issueDetail }
    : { issue: null, issueDetail: null }
}

function changes(before: OrderRow, after: OrderRow): TimelineEntry[] {
  const about = { orderId: after.id, personId: after.personId }
  const entries: TimelineEntry[] = []
  const { amount, currency, paymentId } = after
  if (before.paidAt === null && after.paidAt !== null)
    entries.push({ ...about, kind: 'order.paid', data: { amount, currency, paymentId } })
  if (before.state !== after.state) {
    if (after.state === 'awaiting_funds')
      entries.push({ ...about, kind: 'order.awaiting_funds', data: { reason: 'The bank has not confirmed yet.' } })
    if (after.state === 'expired') entries.push({ ...about, kind: 'order.expired', data: {} })
    if (after.state === 'canceled')
      entries.push({ ...about, kind: 'order.canceled', data: { reason: 'The payment failed.' } })
  }
  if (after.issue !== null && before.issue !== after.issue)
    entries.push({ ...about, kind: 'order.issue', data: { issue: after.issue, detail: after.issueDetail } })
  if (after.issue === null && before.issue !== null)
    entries.push({
      ...about,
      kind: 'order.resolved',
      data: { issue: before.issue, how: 'The facts are complete now.' },
    })
  return entries
}

/** What each line gives, as reasons for access. A line that never gave anything leaves no trace. */
function desiredOf(
  order: OrderRow,
  assigned: OrderAggregate['assigned'],
  lines: readonly LineRow[],
  access: Readonly<Record<string, LineAccess>>,
): Desired[] {
  return lines.flatMap((line) => {
    const given = access[line.id]
    if (given === undefined || given.kind === 'none') return []
    const people = [order.personId, ...assigned.filter((a) => a.lineId === line.id).map((a) => a.personId)]
    return [...new Set(people.filter((p) => p !== null))].flatMap((personId) =>
      [...new Set(line.courseIds ?? [])].map(
        (courseId): Desired => ({
          source: order.subscriptionId === null ? 'order_line' : 'subscription',
          sourceId: line.id,
          orderId: order.id,
          personId,
          courseId,
          access: given.kind,
          endsAt: given.kind === 'ended' ? given.at : given.endsAt,
          reason: given.kind === 'live' ? `Bought: ${line.description}` : given.reason,
        }),
      ),
    )
  })
}
