import { CodedError } from '@bursar/kit/errors.ts'
import type { ActionCtx } from '#action/define.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { applyJob } from '#entitlements/store.ts'
import { record } from '#events/timeline.ts'
import { reevaluate } from './evaluate.ts'
import { lockOrder } from './resettle.ts'
import { refundedOn } from './rules.ts'
import { allocateByHand, orderLines, refundsOf } from './store.ts'

export type Attribution = {
  readonly orderId: string
  readonly refundId: string
  readonly lines: readonly { readonly lineId: string; readonly amount: bigint }[]
}

/** Says which lines a refund paid back, once. A line that is paid back in full ends its access. */
export async function attributeRefund(ctx: ActionCtx, wish: Attribution) {
  const { tx } = ctx
  const order = await lockOrder(tx, wish.orderId)
  const refunds = await refundsOf(tx, order.id)
  const refund = refunds.find((r) => r.id === wish.refundId || r.externalId === wish.refundId)
  if (refund === undefined) throw new CodedError('not_found', 'The order has no such refund.')
  if (refund.allocation !== null) throw new CodedError('conflict', 'This refund is attributed already.')
  const lines = await orderLines(tx, order.id)
  const allocation: Record<string, bigint> = {}
  for (const { lineId, amount } of wish.lines) {
    const line = lines.find((l) => l.id === lineId)
    if (line === undefined) throw new CodedError('not_found', `The order has no line ${lineId}.`)
    const sum = (allocation[lineId] ?? 0n) + amount
    if (sum > line.amount - refundedOn(lineId, refunds))
      throw new CodedError('conflict', `Line ${lineId} has less than that left.`, { lineId })
    allocation[lineId] = sum
  }
  const total = Object.values(allocation).reduce((a, b) => a + b, 0n)
  if (total !== refund.amount)
    throw new CodedError('input_invalid', `The parts make ${total}, the refund is ${refund.amount}.`, {
      issues: [{ path: 'lines', message: 'must add up to the refund' }],
    })
  await allocateByHand(tx, refund.id, allocation)
  const by = ctx.actor.name
  await record(tx, ctx, [
    { kind: 'note', orderId: order.id, data: { text: 'The refund was attributed to its lines.', by } },
  ])
  const settled = await reevaluate(tx, ctx, order, order)
  if (settled.outcome === 'settled')
    await enqueue(
      tx,
      settled.accounts.map((a) => applyJob(ctx.organization, a)),
    )
  const { state, issue } = await lockOrder(tx, order.id)
  return { state, issue }
}
