import type { Instant } from '@bursar/kit/clock.ts'
import { type App, type Ctx, inTx, systemCtx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { sql, ts } from '#db/sql.ts'
import { applyJob } from '#entitlements/store.ts'
import { record } from '#events/timeline.ts'
import { ensureMailboxPerson } from '#identity/people.ts'
import { maskEmail } from '#mail/address.ts'
import { burnLinks, isSecret, secretHash } from './links.ts'
import { moveOrder } from './move.ts'
import { learnerMailbox, prepareSeatOf } from './prepare.ts'
import { itemsOf, send } from './receipts.ts'
import { findOrderById, type OrderRow, orderLines } from './store.ts'

/** What an undo link is about. */
export type UndoFound = {
  readonly organization: string
  readonly organizationName: string
  readonly orderId: string
  readonly claimId: string
  /** The address of whoever claimed it, masked. */
  readonly claimedBy: string
  readonly items: readonly { readonly title: string; readonly quantity: number }[]
  readonly until: Instant
}

type UndoRow = Omit<UndoFound, 'items' | 'claimedBy'> & {
  readonly items: UndoFound['items'] | null
  readonly email: string | null
}

/** What an undo link leads to; null when it is wrong, used or older than a day. Changes nothing. */
export async function readUndo(app: App, token: string): Promise<UndoFound | null> {
  if (!isSecret(token)) return null
  const [row] = await app.db.direct<UndoRow>(sql('undo_read')`
    select c.organization_id as organization, g.name as "organizationName", c.order_id as "orderId", c.id as "claimId", p.email,
      c.undo_until as until,
      (select jsonb_agg(jsonb_build_object('title', n.description, 'quantity', n.quantity) order by n.id)
        from order_line n where n.order_id = c.order_id) as items
    from claim c join organization g on g.id = c.organization_id join person p on p.id = c.to_person
    where c.undo_hash = ${secretHash(token)} and c.undone_at is null and c.undo_until > ${ts(app.clock.now())}::timestamptz`)
  if (row === undefined) return null
  const { email, items, ...rest } = row
  return { ...rest, items: items ?? [], claimedBy: email === null ? '***' : maskEmail(email) }
}

export type Undone =
  | { readonly ok: true; readonly orderId: string }
  | { readonly ok: false; readonly reason: 'expired' }

/**
 * Takes a claim back from the paid mailbox: the seat returns to the person of that mailbox, and from now on only a
 * fresh proof of it claims the order. Good once, for a day after the claim.
 */
export async function undoClaim(app: App, token: string): Promise<Undone> {
  const found = await readUndo(app, token)
  if (found === null) return { ok: false, reason: 'expired' }
  const ctx = systemCtx(app, found.organization, 'undo')
  return inTx(ctx, async (tx) => {
    const order = await findOrderById(tx, found.orderId)
    const spent = await tx.run(sql('undo_spend')`
      update claim set undone_at = ${ts(tx.now)} where id = ${found.claimId} and undone_at is null
        and undo_until > ${ts(tx.now)}::timestamptz
        and to_person = (select claimed_by from "order" where id = claim.order_id)`)
    if (order === null || spent === 0) return { ok: false, reason: 'expired' }
    await giveBack(tx, ctx, order)
    return { ok: true, orderId: order.id }
  })
}

async function giveBack(tx: Tx, ctx: Ctx, order: OrderRow): Promise<void> {
  const mailbox = learnerMailbox(order)
  if (mailbox === null) throw new Error(`order ${order.id} was claimed against an address it does not have`)
  const waits = (await prepareSeatOf(tx, ctx.organization)) === 'at_claim'
  const person = waits ? null : await ensureMailboxPerson(tx, ctx, { email: mailbox, name: null })
  const next = { ...order, personId: person?.id ?? null, claimedAt: null, claimedBy: null, mailboxOnly: true }
  await burnLinks(tx, order.id)
  await record(tx, ctx, [
    { kind: 'claim.undone', orderId: order.id, personId: order.personId, data: { to: maskEmail(mailbox) } },
  ])
  const { accounts } = await moveOrder(tx, ctx, order, next, 'The claim was undone from the paid mailbox.')
  await enqueue(
    tx,
    accounts.map((a) => applyJob(ctx.organization, a)),
  )
  await send(tx, ctx, next, {
    kind: 'claim_undone',
    to: mailbox,
    data: { orderRef: order.id, items: itemsOf(order, await orderLines(tx, order.id)) },
  })
}
