import type { CallerUser } from '#action/caller.ts'
import { type Ctx, inTx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { sql, ts } from '#db/sql.ts'
import { type Desired, setEntitlements } from '#entitlements/seats.ts'
import { applyJob } from '#entitlements/store.ts'
import { mailboxIssuer, normalizeEmail } from '#identity/people.ts'
import { freshProofMs, isFresh } from '#identity/signed-in.ts'
import { bind } from './claim.ts'
import { moveAssignedOf } from './move.ts'
import { findOrderById } from './store.ts'

// One mailbox with more unclaimed purchases than this takes the rest with its next proof.
const ordersMax = 50

export type MailboxClaimed = { readonly orders: readonly string[]; readonly accounts: readonly string[] }

/** What waits for a mailbox: paid, claimed by nobody, whatever the money has come to since. */
export const waitingFor = (tx: Tx, mailbox: string) =>
  tx.many<{ id: string }>(sql('mailbox_orders')`
    select id from (
      select id from "order" where email_key = ${mailbox} and learner_email is null and gift is null
        and organization_id = bursar_organization() and claimed_at is null and paid_at is not null
      union select id from "order" where learner_email = ${mailbox}
        and organization_id = bursar_organization() and claimed_at is null and paid_at is not null) o
    order by id limit ${ordersMax}`)

/**
 * Gives a person everything that waits for the mailbox their session has just proven: paid orders nobody has claimed,
 * and seats somebody gave to that address by hand. Without a fresh proof nothing happens. Safe to repeat; run it after
 * each sign-in by code.
 */
export async function claimMailbox(ctx: Ctx, user: CallerUser): Promise<MailboxClaimed> {
  if (user.email === null || !isFresh(user.mailboxProvenAt, ctx.clock.now(), freshProofMs))
    return { orders: [], accounts: [] }
  const mailbox = normalizeEmail(user.email)
  return inTx(ctx, async (tx) => {
    const orders: string[] = []
    const accounts = new Set<string>()
    for (const { id } of await waitingFor(tx, mailbox)) {
      const order = await findOrderById(tx, id)
      if (order === null || order.claimedAt !== null) continue
      const claimed = await bind(tx, ctx, user, order, {
        kind: 'bind',
        evidence: 'mailbox_code',
        emailsDiffer: false,
      })
      if (claimed.kind === 'claimed') for (const account of claimed.accounts) accounts.add(account)
      orders.push(id)
    }
    for (const account of await takeOver(tx, ctx, mailbox, user.personId)) accounts.add(account)
    await enqueue(
      tx,
      [...accounts].map((a) => applyJob(ctx.organization, a)),
    )
    return { orders, accounts: [...accounts] }
  })
}

/** The person who only stood for this mailbox hands over what is left, and the mailbox is this person's own from now on. */
async function takeOver(tx: Tx, ctx: Ctx, mailbox: string, to: string): Promise<readonly string[]> {
  const stood = await tx.maybeOne<{ personId: string }>(sql('mailbox_stood')`
    select person_id as "personId" from identity
    where organization_id = ${ctx.organization} and issuer = ${mailboxIssuer} and subject = ${mailbox} and proven_at is null
    for update`)
  if (stood === null) return []
  const from = stood.personId
  const others = await othersOf(tx, from)
  // Somebody is signed in as that person by another identity: that is a matter of two people, not of one mailbox.
  if (from !== to && others) return []
  await tx.run(sql('mailbox_taken')`
    update identity set person_id = ${to}, proven_at = ${ts(tx.now)}
    where organization_id = ${ctx.organization} and issuer = ${mailboxIssuer} and subject = ${mailbox}`)
  if (from === to) return []
  return [...(await moveAssigned(tx, ctx, from, to)), ...(await moveGifts(tx, ctx, from, to))]
}

/** Seats of other people's orders that were assigned to the address. */
async function moveAssigned(tx: Tx, ctx: Ctx, from: string, to: string): Promise<readonly string[]> {
  const orders = await tx.many<{ orderId: string }>(sql('mailbox_assigned')`
    select distinct order_id as "orderId" from seat_assignment where person_id = ${from} order by order_id limit ${ordersMax}`)
  const accounts: string[] = []
  for (const { orderId } of orders) {
    const order = await findOrderById(tx, orderId)
    if (order !== null) accounts.push(...(await moveAssignedOf(tx, ctx, order, { from, to })))
  }
  return accounts
}

const othersOf = async (tx: Tx, personId: string): Promise<boolean> =>
  (await tx.maybeOne(sql('mailbox_person_others')`
    select 1 as one from identity where person_id = ${personId} and issuer <> ${mailboxIssuer} limit 1`)) !== null

type ByHand = Pick<Desired, 'sourceId' | 'courseId' | 'endsAt' | 'reason'> & { readonly startsAt: number }

/** Seats given by hand to the address. */
async function moveGifts(tx: Tx, ctx: Ctx, from: string, to: string): Promise<readonly string[]> {
  const given = await tx.many<ByHand>(sql('mailbox_by_hand')`
    select source_id as "sourceId", course_id as "courseId", starts_at as "startsAt", ends_at as "endsAt", reason
    from entitlement where person_id = ${from} and source = 'manual' and revoked_at is null order by id limit 200`)
  const desired = (personId: string, access: 'live' | 'ended') =>
    given.map(
      (g): Desired => ({
        ...g,
        source: 'manual',
        orderId: null,
        personId,
        access,
        reason: access === 'live' ? g.reason : 'Its mailbox belongs to another person.',
      }),
    )
  return [
    ...(await setEntitlements(tx, ctx, desired(to, 'live'))),
    ...(await setEntitlements(tx, ctx, desired(from, 'ended'))),
  ]
}
