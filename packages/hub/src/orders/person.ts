import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

/**
 * Locks a person's orders until the transaction ends. Whoever changes orders and seats together does this first:
 * settling locks in the same sequence, order before person.
 */
export const lockOrdersOf = async (tx: Tx, people: readonly string[]): Promise<readonly string[]> => {
  const rows = await tx.many<{ id: string }>(sql('orders_of_lock')`
    select id from "order" where person_id = any(${people}::text[]) or buyer_id = any(${people}::text[]) order by id for update`)
  return rows.map((row) => row.id)
}

/**
 * All orders of one person are another's from now on, with what hangs on them. Seats are the entitlements' business.
 * `claim`: the other signs in, so what was paid counts as claimed; no secret, no link and no mailbox takes it back silently.
 */
export async function giveOrders(tx: Tx, from: string, into: string, claim: boolean): Promise<number> {
  if (claim)
    await tx.run(sql('orders_give_claim')`
      with burnt as (
        update claim_link l set used_at = ${ts(tx.now)} from "order" o
        where o.id = l.order_id and l.used_at is null and o.person_id = ${from} and o.claimed_at is null and o.paid_at is not null)
      update "order" set claimed_at = ${ts(tx.now)}, claimed_by = ${into}, claim_secret_hash = null, claim_secret_more = '{}'
      where person_id = ${from} and claimed_at is null and paid_at is not null`)
  const orders = await tx.run(sql('orders_give')`
    update "order" set person_id = case when person_id = ${from} then ${into} else person_id end,
      buyer_id = case when buyer_id = ${from} then ${into} else buyer_id end,
      claimed_by = case when claimed_by = ${from} then ${into} else claimed_by end,
      revision = revision + 1, updated_at = ${ts(tx.now)}
    where person_id = ${from} or buyer_id = ${from} or claimed_by = ${from}`)
  await tx.run(sql('claims_give')`
    update claim set from_person = case when from_person = ${from} then ${into} else from_person end,
      to_person = case when to_person = ${from} then ${into} else to_person end
    where from_person = ${from} or to_person = ${from}`)
  // A question between the two answers itself; one they both have is one.
  await tx.run(sql('cases_answer')`
    update access_case c set state = 'resolved', resolution = 'keep', reason = 'Both turned out to be one person.',
      resolved_by = 'merge', resolved_at = ${ts(tx.now)}
    from "order" o
    where o.id = c.order_id and c.state = 'open' and c.claimant in (${from}, ${into}) and (o.claimed_by = ${into} or c.claimant = ${from} and exists (
      select 1 from access_case k where k.state = 'open' and k.order_id = c.order_id and k.kind = c.kind and k.claimant = ${into}))`)
  await tx.run(sql('cases_give')`
    update access_case set claimant = case when claimant = ${from} then ${into} else claimant end,
      holder = case when holder = ${from} then ${into} else holder end
    where claimant = ${from} or holder = ${from}`)
  await tx.run(sql('assignments_give')`
    update seat_assignment a set person_id = ${into} where a.person_id = ${from}
      and not exists (select 1 from seat_assignment b where b.line_id = a.line_id and b.person_id = ${into})`)
  return orders
}

/**
 * Takes an erased person out of the orders. The books stay: amounts, lines and times, under a person without a name.
 * What is not paid yet belongs to nobody any more, so that a late payment is its payer's.
 */
export async function forgetInOrders(
  tx: Tx,
  people: readonly string[],
  addresses: readonly string[],
): Promise<readonly string[]> {
  const orders = await lockOrdersOf(tx, people)
  await tx.run(sql('orders_forget')`
    update "order" set email = null, learner_email = null, gift = null, metadata = '{}', claim_secret_hash = null, claim_secret_more = '{}',
      person_id = case when paid_at is null then null else person_id end,
      buyer_id = case when paid_at is null then null else buyer_id end, updated_at = ${ts(tx.now)}
    where id = any(${orders}::text[])`)
  await tx.run(sql('orders_forget_payer')`
    update "order" set email = null, updated_at = ${ts(tx.now)}
    where organization_id = bursar_organization() and email_key = any(${addresses}::text[])`)
  await tx.run(sql('claim_links_forget')`
    delete from claim_link where order_id = any(${orders}::text[])
      or (organization_id = bursar_organization() and mailbox = any(${addresses}::text[]))`)
  await tx.run(sql('assignments_forget')`
    update seat_assignment set email = '' where person_id = any(${people}::text[])`)
  await tx.run(sql('cases_forget')`
    update access_case set presented = presented - 'email' where claimant = any(${people}::text[])`)
  return orders
}
