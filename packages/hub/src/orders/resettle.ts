import type { PaymentTruth, Subject } from '@bursar/connectors/payments/port.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import * as z from 'zod'
import { type App, type Ctx, inTx, systemCtx } from '#action/context.ts'
import { openPayments } from '#catalog/open.ts'
import { offersOf, productOfMetadata } from '#catalog/products.ts'
import type { Tx } from '#db/database.ts'
import { enqueue, type JobSpec } from '#db/jobs/queue.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { sql } from '#db/sql.ts'
import { applyJob } from '#entitlements/store.ts'
import { mismatchOf, tooLittle } from './checkout.ts'
import { reevaluate } from './evaluate.ts'
import { settle } from './settle.ts'
import { findOrder, type OrderRow, orderLines, pinLine } from './store.ts'

const batchMax = 100

/** An order as far as it can be named before it is locked. */
const orderAt = (tx: Tx, id: string) =>
  tx.maybeOne<{
    id: string
    connectionId: string
    checkoutId: string | null
    paymentId: string | null
    subscriptionId: string | null
  }>(sql('order_at')`
    select id, connection_id as "connectionId", checkout_id as "checkoutId", payment_id as "paymentId", subscription_id as "subscriptionId"
    from "order" where id = ${id}`)

export const mustFindOrder = async (tx: Tx, id: string) => {
  const order = await orderAt(tx, id)
  if (order === null) throw new CodedError('not_found', 'There is no such order.')
  return order
}

/** The same, locked until the transaction ends. */
export async function lockOrder(tx: Tx, id: string): Promise<OrderRow> {
  const { connectionId } = await mustFindOrder(tx, id)
  const order = await findOrder(tx, { connectionId, id })
  if (order === null) throw new CodedError('not_found', 'There is no such order.')
  return order
}

/**
 * Fetches the truth about an order again and settles it; where it cannot be read, adds up anew what is stored. Lines
 * whose price has been mapped meanwhile get their product. Calling it twice changes nothing.
 */
export async function resettle(
  ctx: Ctx,
  orderId: string,
): Promise<{ read: boolean; state: string; issue: string | null }> {
  const at = await inTx(ctx, (tx) => mustFindOrder(tx, orderId))
  const truths = await readTruths(ctx, at, await inTx(ctx, (tx) => invoicePayments(tx, orderId)))
  return inTx(ctx, async (tx) => {
    const before = await lockOrder(tx, orderId)
    await pinMapped(tx, before)
    const accounts = new Set<string>()
    const telling = {
      connectionId: at.connectionId,
      at: ctx.clock.now(),
      stated: false,
      type: 'resettle',
      eventId: null,
    }
    for (const truth of truths) {
      const settled = await settle(tx, ctx, truth, telling)
      if (settled.outcome === 'settled') for (const account of settled.accounts) accounts.add(account)
    }
    const now = await lockOrder(tx, orderId)
    const settled = await reevaluate(tx, ctx, { ...now, ...(await mismatchNow(tx, now)) }, now)
    if (settled.outcome === 'settled') for (const account of settled.accounts) accounts.add(account)
    await enqueue(
      tx,
      [...accounts].map((a) => applyJob(ctx.organization, a)),
    )
    const { state, issue } = await lockOrder(tx, orderId)
    return { read: truths.length > 0, state, issue }
  })
}

type Named = Awaited<ReturnType<typeof mustFindOrder>>

// Two years of months; what older payments had to tell was told long ago.
const invoicePaymentsMax = 24

/** The newest payments of an order's subscription. */
const invoicePayments = (tx: Tx, orderId: string) =>
  tx.many<{ paymentId: string }>(sql('order_invoice_payments')`
    select i.payment_id as "paymentId" from subscription s join invoice i on i.subscription_id = s.id
    where s.order_id = ${orderId} and i.payment_id is not null order by i.created_at desc limit ${invoicePaymentsMax}`)

async function readTruths(
  ctx: Ctx,
  order: Named,
  invoiced: readonly { readonly paymentId: string }[],
): Promise<readonly PaymentTruth[]> {
  const connector = await openPayments(ctx, order.connectionId)
  if (!connector.canRead) return []
  const subjects: Subject[] = []
  if (order.checkoutId !== null) subjects.push({ kind: 'checkout', externalId: order.checkoutId })
  else if (order.paymentId !== null) subjects.push({ kind: 'payment', externalId: order.paymentId })
  if (order.subscriptionId !== null) subjects.push({ kind: 'subscription', externalId: order.subscriptionId })
  for (const { paymentId } of invoiced) subjects.push({ kind: 'payment', externalId: paymentId })
  const truths: PaymentTruth[] = []
  for (const subject of subjects) {
    const read = await connector.read(subject)
    if (!read.ok)
      throw new CodedError('upstream_failed', read.failure.message, {
        failure: read.failure.code,
        class: read.failure.class,
      })
    if (read.value !== null) truths.push(read.value)
  }
  return truths
}

/** Gives lines that were bought before their price was mapped the product that is on sale now. */
async function pinMapped(tx: Tx, order: OrderRow): Promise<void> {
  const lines = await orderLines(tx, order.id)
  const open = lines.filter((l) => l.productVersionId === null)
  const offers = await offersOf(
    tx,
    order.connectionId,
    open.flatMap((l) => (l.priceId === null ? [] : [l.priceId])),
  )
  const hint = lines.length === 1 ? await productOfMetadata(tx, order.connectionId, order.metadata) : null
  const single = tooLittle(order, hint) ? null : hint
  for (const line of open) {
    const versionId = offers.get(line.priceId ?? '')?.versionId ?? single?.versionId
    if (versionId !== undefined) await pinLine(tx, line.id, versionId)
  }
}

/** Whether metadata and payment still disagree, by what is mapped and priced now. */
async function mismatchNow(tx: Tx, order: OrderRow): Promise<Pick<OrderRow, 'issue' | 'issueDetail'>> {
  const { issue, issueDetail } = order
  if (issue !== 'amount_mismatch' && issue !== 'metadata_mismatch') return { issue, issueDetail }
  const hint = await productOfMetadata(tx, order.connectionId, order.metadata)
  if (hint === null) return { issue: null, issueDetail: null }
  const sold = await tx.maybeOne(sql('order_sold_product')`
    select 1 as one from order_line l join product_version v on v.id = l.product_version_id
    where l.order_id = ${order.id} and v.product_id = ${hint.productId} limit 1`)
  const now = sold === null ? mismatchOf(order, hint) : null
  return { issue: now?.code ?? null, issueDetail: now?.detail ?? null }
}

const onePayload = z.object({ organization: z.string(), orderId: z.string() })
const manyPayload = z.object({ organization: z.string(), connectionId: z.string(), after: z.string().default('') })

/** Looks at every order of a payment account again that waits for a price to be mapped, in batches. */
export const resettleTasks = (app: App): Tasks => ({
  'orders.resettle': async (payload) => {
    const { organization, orderId } = onePayload.parse(payload)
    await resettle(systemCtx(app, organization, 'orders'), orderId)
    return undefined
  },
  'orders.resettle_unmapped': async (payload) => {
    const { organization, connectionId, after } = manyPayload.parse(payload)
    await inTx({ db: app.db, organization }, async (tx) => {
      const rows = await tx.many<{ id: string }>(sql('orders_unmapped')`
        select id from "order" where organization_id = bursar_organization() and issue in ('price_unknown', 'amount_mismatch', 'metadata_mismatch')
          and connection_id = ${connectionId} and id > ${after}
        order by id limit ${batchMax}`)
      await enqueue(
        tx,
        rows.map((r) => resettleJob(organization, r.id)),
      )
      const last = rows.at(-1)
      if (last !== undefined && rows.length === batchMax)
        await enqueue(tx, [
          { task: 'orders.resettle_unmapped', payload: { organization, connectionId, after: last.id } },
        ])
    })
    return undefined
  },
})

export const resettleJob = (organization: string, orderId: string): JobSpec => ({
  task: 'orders.resettle',
  payload: { organization, orderId },
  key: `resettle:${orderId}`,
})
