import type { CheckoutLine, CheckoutTruth } from '@bursar/connectors/payments/port.ts'
import type { Ctx } from '#action/context.ts'
import { offersOf, productOfMetadata } from '#catalog/products.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { reevaluate } from './evaluate.ts'
import { applyPayment, savePaymentParts, takeSubscription } from './parts.ts'
import { prepareLearner } from './prepare.ts'
import { findOrder, insertLines, insertOrder, type NewLine, type OrderRow, orderLines, pinLine } from './store.ts'
import { orderIdKey, type Settled, type Telling } from './telling.ts'

/** A checkout, as it is now or as a signed event states it. Makes the order when it is the first to tell of it. */
export async function settleCheckout(tx: Tx, ctx: Ctx, truth: CheckoutTruth, telling: Telling): Promise<Settled> {
  if (truth.mode === 'setup') return { outcome: 'unmatched', why: 'A setup checkout sells nothing.' }
  const { order: before, fresh } = await orderFor(tx, ctx, truth, telling)
  const told = applyCheckout(before, truth, telling)
  const order = await prepareLearner(tx, ctx, told, truth.name)
  if (order.customerId !== null && before.customerId === null) await keepCustomer(tx, ctx, order)
  const { lines, issue } = await ensureLines(tx, ctx, order, truth, fresh)
  const checked: OrderRow = issue === null ? order : { ...order, issue: issue.code, issueDetail: issue.detail }
  if (truth.payment !== null && lines > 0) await savePaymentParts(tx, ctx, checked, truth.payment)
  if (truth.subscription !== null) await takeSubscription(tx, ctx, checked, truth.subscription, telling)
  return reevaluate(tx, ctx, checked, before)
}

/** The payer's record at the provider belongs to the signed-in person who paid, whoever learns. */
const keepCustomer = (tx: Tx, ctx: Ctx, { connectionId, customerId, buyerId }: OrderRow) =>
  buyerId === null
    ? Promise.resolve(0)
    : tx.run(sql('customer_keep')`
        insert into payment_customer (organization_id, connection_id, external_id, person_id, created_at)
        values (${ctx.organization}, ${connectionId}, ${customerId}, ${buyerId}, ${ts(tx.now)}) on conflict do nothing`)

/** The order of this checkout: known by its id, or made by us before Stripe was asked, or new. */
async function orderFor(
  tx: Tx,
  ctx: Ctx,
  truth: CheckoutTruth,
  telling: Telling,
): Promise<{ readonly order: OrderRow; readonly fresh: boolean }> {
  const { connectionId } = telling
  const checkoutId = truth.externalId
  const known = await findOrder(tx, { connectionId, checkoutId, id: truth.metadata[orderIdKey] ?? null })
  if (known !== null && (known.checkoutId === null || known.checkoutId === checkoutId))
    return { order: known, fresh: false }
  const id = ctx.ids.next('ord')
  const { livemode, createdAt, amount, currency } = truth
  const made = await insertOrder(tx, ctx, { id, connectionId, checkoutId, livemode, createdAt })
  if (made !== null) {
    await record(tx, ctx, [{ kind: 'order.created', orderId: id, data: { amount, currency, checkoutId } }])
    return { order: made, fresh: true }
  }
  const order = await findOrder(tx, { connectionId, checkoutId })
  if (order === null) throw new Error(`order of ${checkoutId} vanished`)
  return { order, fresh: false }
}

/** What a checkout says about its order. Paid stays paid; an older statement about the form changes nothing. */
export function applyCheckout(order: OrderRow, truth: CheckoutTruth, telling: Telling): OrderRow {
  const paid = truth.state === 'complete' && truth.paid !== 'unpaid'
  const older = telling.stated && order.toldAt !== null && telling.at < order.toldAt
  const failed =
    telling.type === 'checkout.session.async_payment_failed' ||
    truth.payment?.state === 'failed' ||
    truth.payment?.state === 'canceled'
  const formState =
    truth.state === 'expired'
      ? 'expired'
      : truth.state === 'open'
        ? 'open'
        : paid
          ? order.formState
          : failed
            ? 'failed'
            : 'awaiting_funds'
  const next: OrderRow = {
    ...order,
    checkoutId: truth.externalId,
    paymentId: order.paymentId ?? truth.paymentId,
    subscriptionId: order.subscriptionId ?? truth.subscriptionId,
    // What was typed before the form is a hint; the mailbox the receipt goes to is the one that paid. The payment's own
    // event may come first and knows no mailbox, so the form has its say until the receipt is written.
    email: order.receiptAt === null ? (truth.email ?? order.email) : (order.email ?? truth.email),
    customerId: order.customerId ?? truth.customerId,
    currency: truth.currency,
    amount: order.paidAt === null ? truth.amount : order.amount,
    paidAt: order.paidAt ?? (paid ? telling.at : null),
    formState: older ? order.formState : formState,
    toldAt: older ? order.toldAt : telling.at,
    metadata: { ...truth.metadata, ...order.metadata },
  }
  return truth.payment === null || !paid ? next : applyPayment(next, truth.payment, telling)
}

type Lined = { readonly lines: number; readonly issue: { readonly code: string; readonly detail: string } | null }

/** The lines, written once with the product as it was on sale then; lines of unknown prices are looked up again. */
async function ensureLines(tx: Tx, ctx: Ctx, order: OrderRow, truth: CheckoutTruth, fresh: boolean): Promise<Lined> {
  const known = fresh ? [] : await orderLines(tx, order.id)
  if (known.length > 0) return { lines: known.length, issue: await pinUnknown(tx, order, known) }
  if (order.paidAt === null) return { lines: 0, issue: null }
  const byMetadata = await productOfMetadata(tx, order.connectionId, truth.metadata)
  const stated = truth.lines ?? [wholeLine(truth, byMetadata?.name ?? 'Checkout')]
  const offers = await offersOf(
    tx,
    order.connectionId,
    stated.flatMap((l) => (l.priceId === null ? [] : [l.priceId])),
  )
  const single = stated.length === 1 ? byMetadata : null
  const short = tooLittle(order, byMetadata)
  const lines = stated.map(
    (l): NewLine => ({
      id: ctx.ids.next('oln'),
      externalId: l.externalId,
      description: l.description,
      priceId: l.priceId,
      productVersionId: offers.get(l.priceId ?? '')?.versionId ?? (short ? null : (single?.versionId ?? null)),
      quantity: l.quantity,
      amount: l.amount,
      tax: l.tax,
    }),
  )
  if (lines.length > 0) await insertLines(tx, ctx, order.id, lines)
  return { lines: lines.length, issue: mismatch(order, lines, byMetadata) }
}

type MetadataOffer = { readonly versionId: string; readonly amount: bigint | null; readonly currency: string | null }

/**
 * Metadata is a hint. Where prices name the products it must agree with them; where it stands alone the operator has
 * mapped it, and the amount paid must reach the product's own price.
 */
function mismatch(order: OrderRow, lines: readonly NewLine[], hint: MetadataOffer | null): Lined['issue'] {
  if (hint === null) return null
  return lines.some((l) => l.productVersionId === hint.versionId) ? null : mismatchOf(order, hint)
}

/** Why the product that metadata names was not bought. */
export function mismatchOf(order: OrderRow, hint: MetadataOffer): NonNullable<Lined['issue']> {
  if (tooLittle(order, hint))
    return { code: 'amount_mismatch', detail: 'Less was paid than the course named in the metadata costs.' }
  return { code: 'metadata_mismatch', detail: 'The metadata names a course that this payment did not buy.' }
}

/** Whether less was paid than the product named by metadata costs. */
export const tooLittle = (order: OrderRow, hint: MetadataOffer | null): boolean =>
  hint !== null && hint.amount !== null && (hint.currency !== order.currency || order.amount < hint.amount)

/** A snapshot carries no lines: then it is one line of the whole amount. */
const wholeLine = (truth: CheckoutTruth, description: string): CheckoutLine => ({
  externalId: `${truth.externalId}:whole`,
  priceId: null,
  productId: null,
  description,
  quantity: 1,
  amount: truth.amount,
  tax: truth.tax,
})

async function pinUnknown(tx: Tx, order: OrderRow, lines: Awaited<ReturnType<typeof orderLines>>): Promise<null> {
  const unknown = lines.filter((l) => l.productVersionId === null && l.priceId !== null)
  if (unknown.length === 0) return null
  const offers = await offersOf(
    tx,
    order.connectionId,
    unknown.flatMap((l) => (l.priceId === null ? [] : [l.priceId])),
  )
  for (const line of unknown) {
    const offer = line.priceId === null ? undefined : offers.get(line.priceId)
    if (offer !== undefined) await pinLine(tx, line.id, offer.versionId)
  }
  return null
}
