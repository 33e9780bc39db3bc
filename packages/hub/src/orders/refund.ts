import { CodedError } from '@bursar/kit/errors.ts'
import { type Ctx, inTx } from '#action/context.ts'
import { openPayments } from '#catalog/open.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { json, sql, ts } from '#db/sql.ts'
import { entitlementsOf } from '#entitlements/find.ts'
import { isLive } from '#entitlements/rules.ts'
import { applyJob } from '#entitlements/store.ts'
import { lockOrder } from './resettle.ts'
import { counts, refundedOn, refundedTotal, refundLinesKey } from './rules.ts'
import { settle } from './settle.ts'
import { type LineRow, type OrderRow, orderLines, type RefundRow, refundsOf } from './store.ts'

export type RefundWish = {
  readonly orderId: string
  /** Null: everything that is left. An amount of null: what is left of that line. */
  readonly lines: readonly { readonly lineId: string; readonly amount: bigint | null }[] | null
  readonly reason: string
}

type Allocation = Readonly<Record<string, bigint>>

export type AccessAfter = {
  readonly courseId: string
  readonly course: string
  readonly access: 'kept' | 'ending'
  readonly keptBecause: readonly { readonly entitlementId: string; readonly reason: string }[]
}

const totalOf = (allocation: Allocation): bigint => Object.values(allocation).reduce((sum, v) => sum + v, 0n)

/** What is asked for, line by line; throws when it is more than what is left. */
export function allocate(
  wish: RefundWish,
  lines: readonly Pick<LineRow, 'id' | 'amount'>[],
  given: (lineId: string) => bigint,
): Allocation {
  const leftOf = (line: Pick<LineRow, 'id' | 'amount'>): bigint => line.amount - given(line.id)
  if (wish.lines === null)
    return Object.fromEntries(lines.map((l) => [l.id, leftOf(l)] as const).filter(([, left]) => left > 0n))
  const allocation: Record<string, bigint> = {}
  for (const { lineId, amount } of wish.lines) {
    const line = lines.find((l) => l.id === lineId)
    if (line === undefined) throw new CodedError('not_found', `The order has no line ${lineId}.`)
    if (allocation[lineId] !== undefined) throw new CodedError('input_invalid', `Line ${lineId} is named twice.`)
    const left = leftOf(line)
    if ((amount ?? left) > left || left <= 0n)
      throw new CodedError('conflict', `Line ${lineId} has ${left} left to refund.`, { lineId, left: left.toString() })
    allocation[lineId] = amount ?? left
  }
  return allocation
}

type Asked = {
  readonly id: string
  readonly amount: bigint
  readonly allocation: Record<string, string>
  readonly externalId: string | null
}

const askedOf = (tx: Tx, orderId: string) =>
  tx.many<Asked>(sql('refund_requests_open')`
    select id, amount, allocation, external_id as "externalId" from refund_request
    where order_id = ${orderId} and state <> 'refused'`)

const askedBefore = (tx: Tx, wish: RefundWish, key: string) =>
  tx.maybeOne<Asked & { readonly same: boolean }>(sql('refund_request_known')`
    select id, amount, allocation, external_id as "externalId", wish = ${json(wish)}::jsonb as same from refund_request
    where request_key = ${key} and state <> 'refused'`)

/** Already paid back on a line, or asked for and not yet known to be: two at once must not take more than there is. */
function givenOn(refunds: readonly RefundRow[], asked: readonly Asked[]): (lineId: string) => bigint {
  const known = new Set(refunds.map((r) => r.externalId))
  const open = asked.filter((a) => a.externalId === null || !known.has(a.externalId))
  return (lineId) =>
    refundedOn(lineId, refunds) + open.reduce((sum, a) => sum + BigInt(a.allocation[lineId] ?? '0'), 0n)
}

type Planned = {
  readonly order: OrderRow
  readonly allocation: Allocation
  readonly requestId: string | null
  readonly access: readonly AccessAfter[]
}

async function plan(tx: Tx, ctx: Ctx, wish: RefundWish, key: string): Promise<Planned> {
  const order = await lockOrder(tx, wish.orderId)
  const lines = await orderLines(tx, order.id)
  const before = await askedBefore(tx, wish, key)
  if (before !== null) {
    if (!before.same) throw new CodedError('idempotency_mismatch')
    const allocation = Object.fromEntries(Object.entries(before.allocation).map(([k, v]) => [k, BigInt(v)]))
    return { order, allocation, requestId: before.id, access: await accessAfter(tx, order, lines, allocation) }
  }
  refuseIfNotRefundable(order)
  const refunds = await refundsOf(tx, order.id)
  if (refunds.some((r) => counts(r) && r.allocation === null))
    throw new CodedError(
      'conflict',
      'An earlier refund is not attributed to its lines yet; use orders.attribute_refund first.',
    )
  const allocation = allocate(wish, lines, givenOn(refunds, await askedOf(tx, order.id)))
  if (totalOf(allocation) === 0n) throw new CodedError('conflict', 'Nothing is left to refund.')
  const access = await accessAfter(tx, order, lines, allocation)
  if (ctx.dryRun) return { order, allocation, requestId: null, access }
  const requestId = ctx.ids.next('rfr')
  await tx.run(sql('refund_request_add')`
    insert into refund_request (id, organization_id, order_id, request_key, amount, wish, allocation, reason, created_at)
    values (${requestId}, ${ctx.organization}, ${order.id}, ${key}, ${totalOf(allocation)}, ${json(wish)}, ${json(allocation)}, ${wish.reason},
      ${ts(tx.now)})`)
  return { order, allocation, requestId, access }
}

function refuseIfNotRefundable(order: OrderRow): void {
  if (order.paidAt === null) throw new CodedError('conflict', 'The order is not paid.')
  if (order.paymentId === null)
    throw new CodedError(
      'conflict',
      'The order has no payment of its own: refund its invoices at the payment provider.',
    )
  if (order.state === 'disputed' || order.state === 'charged_back')
    throw new CodedError('conflict', 'The payment is disputed; its money is decided there.')
}

/** Which courses end with these lines, and which stay open for another reason. */
async function accessAfter(
  tx: Tx,
  order: OrderRow,
  lines: readonly LineRow[],
  allocation: Allocation,
): Promise<AccessAfter[]> {
  const refunds = await refundsOf(tx, order.id)
  const all = totalOf(allocation) + refundedTotal(refunds) >= order.amount
  const gone = lines.filter(
    (l) => all || (l.amount > 0n && refundedOn(l.id, refunds) + (allocation[l.id] ?? 0n) >= l.amount),
  )
  const ended = new Set(gone.map((l) => l.id))
  const courses = [...new Set(gone.flatMap((l) => l.courseIds ?? []))]
  if (order.personId === null) return []
  const reasons = await entitlementsOf(tx, { personId: order.personId })
  return courses.map((courseId): AccessAfter => {
    const own = reasons.filter((e) => e.courseId === courseId)
    const kept = own.filter((e) => isLive(e, tx.now) && !(e.orderId === order.id && ended.has(e.sourceId)))
    return {
      courseId,
      course: own[0]?.course ?? courseId,
      access: kept.length > 0 ? 'kept' : 'ending',
      keptBecause: kept.map((e) => ({ entitlementId: e.id, reason: e.reason })),
    }
  })
}

/**
 * Pays back through the provider and ends what was paid back. The request is written first, so that a repetition after
 * a crash asks for exactly the same and pays once.
 */
export async function refund(ctx: Ctx, wish: RefundWish) {
  const key = ctx.requestKey ?? ctx.traceId
  const planned = await inTx(ctx, (tx) => plan(tx, ctx, wish, key))
  const { order, allocation, access, requestId } = planned
  const amount = totalOf(allocation)
  const currency = order.currency ?? ''
  const shown = {
    amount,
    currency,
    lines: Object.entries(allocation).map(([lineId, a]) => ({ lineId, amount: a })),
    access,
  }
  if (ctx.dryRun || requestId === null) return { ...shown, refundId: null, state: 'planned' as const }
  const connector = await openPayments(ctx, order.connectionId)
  const made = await connector.refund({
    paymentId: order.paymentId ?? '',
    amount,
    currency,
    metadata: {
      [refundLinesKey]: Object.entries(allocation)
        .map(([id, a]) => `${id}:${a}`)
        .join(','),
      hub_reason: wish.reason,
    },
    idempotencyKey: `refund:${order.id}:${key}`,
  })
  if (!made.ok) {
    const { class: kind, code, message, uncertain } = made.failure
    if (kind === 'invalid' || kind === 'conflict' || kind === 'needs_person')
      await close(ctx, requestId, 'refused', null)
    throw new CodedError('upstream_failed', message, { failure: code, class: kind, uncertain: uncertain === true })
  }
  await close(ctx, requestId, 'made', made.value.externalId)
  await inTx(ctx, async (tx) => {
    const telling = { connectionId: order.connectionId, at: tx.now, stated: false, type: 'refund.asked', eventId: null }
    const settled = await settle(
      tx,
      ctx,
      { ...made.value, paymentId: made.value.paymentId ?? order.paymentId },
      telling,
    )
    if (settled.outcome === 'settled')
      await enqueue(
        tx,
        settled.accounts.map((a) => applyJob(ctx.organization, a)),
      )
  })
  return { ...shown, refundId: made.value.externalId, state: made.value.state }
}

const close = (ctx: Ctx, requestId: string, state: 'made' | 'refused', externalId: string | null) =>
  inTx(ctx, (tx) =>
    tx.run(sql('refund_request_close')`
      update refund_request set state = ${state}, external_id = coalesce(${externalId}, external_id),
        request_key = case when ${state}::text = 'refused' then request_key || ':' || id else request_key end
      where id = ${requestId}`),
  )
