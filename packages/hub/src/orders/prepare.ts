import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { ensureMailboxPerson, normalizeEmail } from '#identity/people.ts'
import type { OrderRow } from './store.ts'

/** The mailbox a seat is for: of a gift the recipient's, else the one that paid. Null for a gift that is passed on. */
export const learnerMailbox = (order: Pick<OrderRow, 'email' | 'learnerEmail' | 'gift'>): string | null => {
  const mailbox = order.learnerEmail ?? (order.gift === null ? order.email : order.gift.email)
  return mailbox === null ? null : normalizeEmail(mailbox)
}

/**
 * The order with the person its seat is prepared for, once it is paid: the one of the mailbox, unless the organization
 * waits for the proof or the gift is for a later day. Nobody is ever signed in by this.
 */
export async function prepareLearner(tx: Tx, ctx: Ctx, order: OrderRow, name: string | null): Promise<OrderRow> {
  const mailbox = learnerMailbox(order)
  if (order.paidAt === null || order.personId !== null || mailbox === null) return order
  if (order.gift !== null && order.gift.sendAt !== null && order.gift.sendAt > tx.now) return order
  if ((await prepareSeatOf(tx, ctx.organization)) === 'at_claim') return order
  const learner = { email: mailbox, name: order.gift === null ? name : order.gift.name }
  const person = await ensureMailboxPerson(tx, { ids: ctx.ids, organization: ctx.organization }, learner)
  return { ...order, personId: person.id }
}

export const prepareSeatOf = async (tx: Tx, organization: string): Promise<'at_payment' | 'at_claim'> =>
  (
    await tx.one<{ at: 'at_payment' | 'at_claim' }>(sql('order_prepare_seat')`
      select prepare_seat as at from organization where id = ${organization}`)
  ).at
