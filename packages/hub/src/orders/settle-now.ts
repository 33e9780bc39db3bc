import { second } from '@bursar/kit/clock.ts'
import { type Ctx, inTx } from '#action/context.ts'
import { openPayments } from '#catalog/open.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { sql, ts } from '#db/sql.ts'
import { applyJob } from '#entitlements/store.ts'
import { settle } from './settle.ts'

// A page that waits asks every second or two; the provider is asked this often for it, however many tabs there are.
const askEveryMs = 2 * second

export type SettledNow = {
  /** `asked`: read and settled just now. `waits`: asked a moment ago. `settled`: nothing to ask about. */
  readonly outcome: 'asked' | 'waits' | 'settled' | 'unreadable'
  readonly accounts: readonly string[]
}

type Row = { readonly connectionId: string; readonly checkoutId: string }

/**
 * Asks the provider about an order that is not paid as far as we know, and settles what it says: the same function and
 * the same lock as the webhook's, so whichever comes second finds the work done. An order that is settled is not asked
 * about; a provider that does not answer leaves it as it is, and its event comes by itself.
 */
export async function settleNow(ctx: Ctx, orderId: string): Promise<SettledNow> {
  const due = await inTx(ctx, (tx) =>
    tx.maybeOne<Row>(sql('order_ask')`
      update "order" set asked_at = ${ts(tx.now)}
      where id = ${orderId} and paid_at is null and state in ('pending', 'awaiting_funds') and checkout_id is not null
        and (asked_at is null or asked_at <= ${ts(tx.now - askEveryMs)}::timestamptz)
      returning connection_id as "connectionId", checkout_id as "checkoutId"`),
  )
  if (due === null) return { outcome: (await isOpen(ctx, orderId)) ? 'waits' : 'settled', accounts: [] }
  const connector = await openPayments(ctx, due.connectionId)
  if (!connector.canRead) return { outcome: 'unreadable', accounts: [] }
  const read = await connector.read({ kind: 'checkout', externalId: due.checkoutId })
  if (!read.ok) {
    ctx.log.warn('an order could not be read back', { orderId, failure: read.failure.code })
    return { outcome: 'unreadable', accounts: [] }
  }
  const truth = read.value
  if (truth === null) return { outcome: 'unreadable', accounts: [] }
  const accounts = await inTx(ctx, async (tx) => {
    const telling = {
      connectionId: due.connectionId,
      at: ctx.clock.now(),
      stated: false,
      type: 'asked by the page',
      eventId: null,
    }
    const settled = await settle(tx, ctx, truth, telling)
    const found = settled.outcome === 'settled' ? settled.accounts : []
    await enqueue(
      tx,
      found.map((a) => applyJob(ctx.organization, a)),
    )
    return found
  })
  return { outcome: 'asked', accounts }
}

const isOpen = (ctx: Ctx, orderId: string): Promise<boolean> =>
  inTx(
    ctx,
    async (tx) =>
      (await tx.maybeOne(sql('order_is_open')`
        select 1 as one from "order" where id = ${orderId} and paid_at is null and state in ('pending', 'awaiting_funds')`)) !==
      null,
  )
