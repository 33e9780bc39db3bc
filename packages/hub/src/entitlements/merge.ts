import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { type Desired, lockPeople, recompute, setEntitlements } from './seats.ts'

export type MergedSeats = {
  readonly entitlements: number
  /** School accounts that became the other person's, with their progress. */
  readonly accountsMoved: readonly string[]
  /** Accounts that have work now. */
  readonly accounts: readonly string[]
}

/**
 * Gives one person's reasons for access to another and makes the seats follow. Where the other has no account at a
 * school yet, the account comes along; where both have one, the other's stays and its seats are opened there, while
 * those of the old account are closed. No account is ever deleted. Calling it again moves what came in between.
 */
export async function mergeSeats(tx: Tx, ctx: Ctx, from: string, into: string): Promise<MergedSeats> {
  await lockPeople(tx, [from, into])
  const moved = await tx.many<{ id: string }>(sql('merge_accounts')`
    update lms_account a set person_id = ${into} where a.person_id = ${from}
      and not exists (select 1 from lms_account b where b.person_id = ${into} and b.connection_id = a.connection_id)
    returning a.id`)
  const accountsMoved = moved.map((row) => row.id)
  await tx.run(sql('merge_enrollments')`
    update enrollment n set person_id = ${into}, updated_at = ${ts(tx.now)}
    from lms_account a where a.id = n.account_id and a.person_id = ${into} and n.person_id = ${from}
      and not exists (select 1 from enrollment m where m.person_id = ${into} and m.course_id = n.course_id)`)
  const entitlements = (await joinReasons(tx, from, into)) + (await moveReasons(tx, from, into))
  const seats = await tx.many<{ personId: string; courseId: string }>(sql('merge_seats')`
    select person_id as "personId", course_id as "courseId" from enrollment where person_id in (${from}, ${into})
    union select person_id, course_id from entitlement where person_id = ${into} and revoked_at is null`)
  const accounts = seats.length === 0 ? [] : await recompute(tx, ctx, seats)
  return { entitlements, accountsMoved, accounts }
}

/**
 * Reasons both have, of an order that went from one to the other before: the one that lives counts, and what was ended
 * by hand stays so.
 */
async function joinReasons(tx: Tx, from: string, into: string): Promise<number> {
  await tx.run(sql('merge_reasons_join')`
    update entitlement i set starts_at = f.starts_at, ends_at = f.ends_at, suspended_at = f.suspended_at,
      revoked_at = case when i.ended_by_hand then i.revoked_at end, reason = f.reason,
      ended_by_hand = i.ended_by_hand or f.ended_by_hand, revision = i.revision + 1, updated_at = ${ts(tx.now)}
    from entitlement f
    where f.person_id = ${from} and f.revoked_at is null and i.person_id = ${into}
      and i.source = f.source and i.source_id = f.source_id and i.course_id = f.course_id and i.revoked_at is not null`)
  return tx.run(sql('merge_reasons_end')`
    update entitlement f set revoked_at = ${ts(tx.now)}, reason = 'Went over to another person who is the same.',
      revision = f.revision + 1, updated_at = ${ts(tx.now)}
    where f.person_id = ${from} and f.revoked_at is null and exists (
      select 1 from entitlement i where i.person_id = ${into} and i.source = f.source and i.source_id = f.source_id and i.course_id = f.course_id)`)
}

/** The rest goes over as it is: with its id, its history and whether a person ended it. */
const moveReasons = (tx: Tx, from: string, into: string) =>
  tx.run(sql('merge_reasons_move')`
    update entitlement f set person_id = ${into}, revision = f.revision + 1, updated_at = ${ts(tx.now)}
    where f.person_id = ${from} and not exists (
      select 1 from entitlement i where i.person_id = ${into} and i.source = f.source and i.source_id = f.source_id and i.course_id = f.course_id)`)

/** Whether the schools still have to be told something about this person; `stuck` when no try will help. */
export const openWork = (tx: Tx, personId: string) =>
  tx.one<{ due: number; stuck: number }>(sql('person_open_work')`
    select count(*) filter (where next_try_at is not null)::int as due,
      count(*) filter (where next_try_at is null and failure_class is not null)::int as stuck
    from enrollment where person_id = ${personId}`)

/** Ends every reason of a person for good: what orders say later brings none of them back. Returns the accounts with work. */
export async function endAllFor(tx: Tx, ctx: Ctx, personId: string, reason: string): Promise<readonly string[]> {
  await lockPeople(tx, [personId])
  const live = await tx.many<Desired & { readonly id: string }>(sql('person_reasons')`
    select id, source, source_id as "sourceId", order_id as "orderId", person_id as "personId", course_id as "courseId",
      ends_at as "endsAt" from entitlement where person_id = ${personId} and revoked_at is null order by id`)
  const accounts = await setEntitlements(
    tx,
    ctx,
    live.map(({ id: _, ...d }): Desired => ({ ...d, access: 'ended', reason })),
  )
  await tx.run(sql('person_reasons_end')`update entitlement set ended_by_hand = true where person_id = ${personId}`)
  return accounts
}
