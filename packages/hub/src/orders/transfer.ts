import { CodedError } from '@bursar/kit/errors.ts'
import type { ActionCtx } from '#action/define.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { sql, ts } from '#db/sql.ts'
import { applyJob } from '#entitlements/store.ts'
import { record } from '#events/timeline.ts'
import { ensureMailboxPerson, normalizeEmail } from '#identity/people.ts'
import { maskEmail } from '#mail/address.ts'
import { stateRefuses } from './claim-rules.ts'
import { insertClaim } from './claim-store.ts'
import { reevaluate } from './evaluate.ts'
import { burnLinks } from './links.ts'
import { moveOrder } from './move.ts'
import { sendGift, sendReceipt } from './receipts.ts'
import { lockOrder } from './resettle.ts'
import { type OrderRow, orderLines } from './store.ts'

export type Target = { readonly personId: string } | { readonly email: string; readonly name: string | null }

async function targetPerson(ctx: ActionCtx, target: Target): Promise<string> {
  if ('email' in target) return (await ensureMailboxPerson(ctx.tx, ctx, target)).id
  const known = await ctx.tx.maybeOne<{ id: string }>(sql('transfer_person')`
    select coalesce(merged_into, id) as id from person where id = ${target.personId} and erased_at is null`)
  if (known === null) throw new CodedError('not_found', 'There is no such person.')
  return known.id
}

const openOrder = async (tx: Tx, orderId: string): Promise<OrderRow> => {
  const order = await lockOrder(tx, orderId)
  const refused = stateRefuses(order.state)
  if (refused?.kind === 'not_paid') throw new CodedError('not_paid', 'The order is not paid.')
  if (refused?.kind === 'closed') throw new CodedError('order_closed', undefined, { state: order.state })
  return order
}

/**
 * Gives a purchase to another learner. What is wanted of both seats is written at once; opening and closing at the
 * schools are jobs of their own, tried until they succeed or a person is asked, so a failing new seat is in sight and
 * goes on where it stopped. A person given by address claims it with a proof of that mailbox.
 */
export async function transferOrder(ctx: ActionCtx, wish: { orderId: string; to: Target; reason: string }) {
  const { tx } = ctx
  const order = await openOrder(tx, wish.orderId)
  const to = await targetPerson(ctx, wish.to)
  const byEmail = 'email' in wish.to ? normalizeEmail(wish.to.email) : null
  const fromPersonId = order.personId
  if (to === fromPersonId) throw new CodedError('conflict', 'It is theirs already.')
  const next: OrderRow = {
    ...order,
    personId: to,
    learnerEmail: byEmail ?? order.learnerEmail,
    claimedAt: byEmail === null ? tx.now : null,
    claimedBy: byEmail === null ? to : null,
    mailboxOnly: false,
  }
  await insertClaim(tx, ctx, {
    orderId: order.id,
    fromPerson: fromPersonId,
    toPerson: to,
    issuer: 'urn:bursar:operator',
    subject: ctx.actor.name,
    evidence: 'operator',
    emailsDiffer: false,
    undoHash: null,
    undoUntil: null,
  })
  await burnLinks(tx, order.id)
  const { accounts } = await moveOrder(tx, ctx, order, next, `${ctx.actor.name}: ${wish.reason}`)
  await enqueue(
    tx,
    accounts.map((a) => applyJob(ctx.organization, a)),
  )
  return { orderId: order.id, fromPersonId, personId: to, accounts }
}

/** Gives one of the further seats of a line to an address. Never more than were paid. */
export async function assignSeat(
  ctx: ActionCtx,
  wish: { orderId: string; lineId: string; email: string; name: string | null },
) {
  const { tx } = ctx
  const order = await openOrder(tx, wish.orderId)
  const line = (await orderLines(tx, order.id)).find((l) => l.id === wish.lineId)
  if (line === undefined) throw new CodedError('not_found', 'The order has no such line.')
  const person = await ensureMailboxPerson(tx, ctx, { email: wish.email, name: wish.name })
  const before = await tx.many<{ personId: string }>(sql('seats_assigned')`
    select person_id as "personId" from seat_assignment where line_id = ${line.id}`)
  const known = before.some((a) => a.personId === person.id)
  // One of them is the learner's own, claimed or not.
  const left = line.quantity - 1 - before.length
  if (known) return { personId: person.id, seatsLeft: left, accounts: [] }
  if (person.id === order.personId) throw new CodedError('conflict', 'This address has the first seat already.')
  if (left <= 0)
    throw new CodedError('conflict', `All ${line.quantity} seats of this line are given.`, { quantity: line.quantity })
  await tx.run(sql('seat_assign')`
    insert into seat_assignment (id, organization_id, order_id, line_id, person_id, email, assigned_by, assigned_at)
    values (${ctx.ids.next('sea')}, ${ctx.organization}, ${order.id}, ${line.id}, ${person.id}, ${normalizeEmail(wish.email)},
      ${ctx.actor.name}, ${ts(tx.now)})`)
  const data = { to: maskEmail(wish.email), by: ctx.actor.name }
  await record(tx, ctx, [{ kind: 'order.seat_assigned', orderId: order.id, personId: person.id, data }])
  const settled = await reevaluate(tx, ctx, order, order)
  const accounts = settled.outcome === 'settled' ? settled.accounts : []
  await enqueue(
    tx,
    accounts.map((a) => applyJob(ctx.organization, a)),
  )
  return { personId: person.id, seatsLeft: left - 1, accounts }
}

/** Sends the claim link again, to the mailbox the seat is for and to no other. The earlier links end. */
export async function resendClaimLink(ctx: ActionCtx, orderId: string): Promise<{ readonly to: string }> {
  const { tx } = ctx
  const order = await openOrder(tx, orderId)
  if (order.claimedAt !== null) throw new CodedError('conflict', 'This purchase is claimed already.')
  const mailbox = order.learnerEmail ?? (order.gift === null ? order.email : order.gift.email)
  if (mailbox === null) throw new CodedError('conflict', 'No address is known that the link could go to.')
  await burnLinks(tx, order.id)
  const lines = await orderLines(tx, order.id)
  if (order.gift === null) await sendReceipt(tx, ctx, order, lines)
  else await sendGift(tx, ctx, order, lines)
  return { to: maskEmail(mailbox) }
}
