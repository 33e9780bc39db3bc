import * as z from 'zod'
import { type App, inTx, systemCtx } from '#action/context.ts'
import { enqueue } from '#db/jobs/queue.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { applyJob } from '#entitlements/store.ts'
import { stateRefuses } from './claim-rules.ts'
import { reevaluate } from './evaluate.ts'
import { prepareLearner } from './prepare.ts'
import { giftTask, sendGift } from './receipts.ts'
import { findOrderById, orderLines } from './store.ts'

const giftPayload = z.object({ organization: z.string(), orderId: z.string() })

/** What the worker does for orders by a clock of their own. */
export const orderTasks = (app: App): Tasks => ({
  [giftTask]: async (payload) => {
    const { organization, orderId } = giftPayload.parse(payload)
    await deliverGift(app, organization, orderId)
    return undefined
  },
})

/** The day of a gift has come: it is sent, and its seat prepared. A gift paid back meanwhile is not. */
async function deliverGift(app: App, organization: string, orderId: string): Promise<void> {
  const ctx = systemCtx(app, organization, 'gifts')
  await inTx(ctx, async (tx) => {
    const order = await findOrderById(tx, orderId)
    if (order === null || order.claimedAt !== null || stateRefuses(order.state) !== null) return
    await sendGift(tx, ctx, order, await orderLines(tx, orderId), `gift:${orderId}`)
    const prepared = await prepareLearner(tx, ctx, order, null)
    const settled = await reevaluate(tx, ctx, prepared, order)
    const accounts = settled.outcome === 'settled' ? settled.accounts : []
    await enqueue(
      tx,
      accounts.map((a) => applyJob(organization, a)),
    )
  })
}
