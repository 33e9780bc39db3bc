import { day } from '@bursar/kit/clock.ts'
import { isCurrency } from '@bursar/kit/money.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { record } from '#events/timeline.ts'
import { maskEmail } from '#mail/address.ts'
import type { Mail, MailItem } from '#mail/kinds.ts'
import { sendMail } from '#mail/send.ts'
import { makeClaimLink } from './links.ts'
import { learnerMailbox } from './prepare.ts'
import type { LineRow, OrderRow } from './store.ts'
import { orderIdKey } from './telling.ts'

// A payment account that is connected today tells of a month of sales: their buyers expect no mail from us any more. An
// order that was begun here is another matter: however late its payment is heard of, its people wait for their message.
const foreignReceiptWithinMs = day

export const giftTask = 'orders.deliver_gift'

/**
 * Writes what a paid order owes its people, once: a receipt with the claim link, or of a gift the receipt to the giver
 * and the gift to its recipient, which may wait for its day. In the transaction that makes the order paid.
 */
export async function writeReceipts(tx: Tx, ctx: Ctx, order: OrderRow, lines: readonly LineRow[]): Promise<OrderRow> {
  const { paidAt, receiptAt, email } = order
  if (receiptAt !== null || paidAt === null || lines.length === 0 || email === null) return order
  // Written without amounts a receipt is none; and a currency we cannot write must not stop the settling.
  if (!isCurrency(currencyOf(order))) return order
  const begunHere = order.gift !== null || order.metadata[orderIdKey] === order.id
  if (!begunHere && tx.now - paidAt > foreignReceiptWithinMs) return order
  if (order.state !== 'paid' && order.state !== 'partially_refunded') return order
  if (order.gift === null) await sendReceipt(tx, ctx, order, lines, `receipt:${order.id}`)
  else await sendGiftReceipt(tx, ctx, order, lines)
  // Its recipient may have it already, by a link that was sent again before the lines were known.
  if (order.gift !== null && order.gift.email !== null && order.claimedAt === null) {
    const { sendAt } = order.gift
    if (sendAt === null || sendAt <= tx.now) await sendGift(tx, ctx, order, lines, `gift:${order.id}`)
    else
      await enqueue(tx, [
        {
          task: giftTask,
          payload: { organization: ctx.organization, orderId: order.id },
          key: `gift:${order.id}`,
          runAt: sendAt,
        },
      ])
  }
  return { ...order, receiptAt: tx.now }
}

export const itemsOf = (order: Pick<OrderRow, 'currency'>, lines: readonly LineRow[]): MailItem[] =>
  lines.map((l) => ({
    title: l.description,
    quantity: l.quantity,
    amount: { amount: l.amount, currency: currencyOf(order) },
  }))

const currencyOf = (order: Pick<OrderRow, 'currency'>): string => (order.currency ?? '').toUpperCase()

const factsOf = (order: OrderRow, lines: readonly LineRow[]) => ({
  orderRef: order.id,
  paidAt: order.paidAt ?? 0,
  items: itemsOf(order, lines),
  total: { amount: order.amount, currency: currencyOf(order) },
})

/** The receipt to the paid mailbox; with a claim link unless the purchase is somebody's already. */
export async function sendReceipt(tx: Tx, ctx: Ctx, order: OrderRow, lines: readonly LineRow[], dedupeKey?: string) {
  const mailbox = learnerMailbox(order)
  if (order.email === null || mailbox === null) return
  // The link proves the mailbox it is sent to, so it goes to that one and to no other.
  const claim = order.claimedAt === null ? await makeClaimLink(tx, ctx, { id: order.id, mailbox }) : null
  await send(tx, ctx, order, {
    kind: 'receipt',
    to: claim === null ? order.email : mailbox,
    data: { ...factsOf(order, lines), claim },
    ...(dedupeKey === undefined ? {} : { dedupeKey }),
  })
}

async function sendGiftReceipt(tx: Tx, ctx: Ctx, order: OrderRow, lines: readonly LineRow[]) {
  if (order.email === null) return
  const recipient = order.gift?.email ?? null
  const passOn = recipient === null && order.claimedAt === null
  await send(tx, ctx, order, {
    kind: 'gift_receipt',
    to: order.email,
    data: {
      ...factsOf(order, lines),
      recipient,
      claim: passOn ? await makeClaimLink(tx, ctx, { id: order.id, mailbox: null }) : null,
    },
    dedupeKey: `receipt:${order.id}`,
  })
}

/** The gift itself, to its recipient. */
export async function sendGift(tx: Tx, ctx: Ctx, order: OrderRow, lines: readonly LineRow[], dedupeKey?: string) {
  const mailbox = learnerMailbox(order)
  if (order.gift === null || mailbox === null) return
  await send(tx, ctx, order, {
    kind: 'gift',
    to: mailbox,
    data: {
      from: order.gift.from,
      message: order.gift.message,
      items: lines.map((l) => ({ title: l.description, quantity: l.quantity })),
      claim: await makeClaimLink(tx, ctx, { id: order.id, mailbox }),
    },
    ...(dedupeKey === undefined ? {} : { dedupeKey }),
  })
}

/** Writes a message about an order, and that it was written. */
export async function send(tx: Tx, ctx: Ctx, order: Pick<OrderRow, 'id' | 'personId'>, mail: Mail): Promise<void> {
  const { outcome } = await sendMail(tx, ctx, mail)
  if (outcome === 'already') return
  await record(tx, ctx, [
    {
      kind: 'mail.sent',
      orderId: order.id,
      personId: order.personId,
      data: { mail: mail.kind, to: maskEmail(mail.to), refused: outcome === 'refused' },
    },
  ])
}
