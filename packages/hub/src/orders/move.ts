import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { type Desired, setEntitlements } from '#entitlements/seats.ts'
import { record } from '#events/timeline.ts'
import { reevaluate } from './evaluate.ts'
import type { OrderRow } from './store.ts'

export type Moved = {
  readonly order: OrderRow
  /** The accounts at schools that have work now. */
  readonly accounts: readonly string[]
}

type Reason = {
  readonly id: string
  readonly source: Desired['source']
  readonly sourceId: string
  readonly courseId: string
  readonly endsAt: number | null
  readonly endedByHand: boolean
}

/** What this person holds because of this order, as its learner; seats assigned to them by hand are their own. */
const reasonsOf = (tx: Tx, orderId: string, personId: string) =>
  tx.many<Reason>(sql('move_reasons')`
    select e.id, e.source, e.source_id as "sourceId", e.course_id as "courseId", e.ends_at as "endsAt", e.ended_by_hand as "endedByHand"
    from entitlement e
    where e.order_id = ${orderId} and e.person_id = ${personId}
      and not exists (select 1 from seat_assignment a where a.line_id = e.source_id and a.person_id = e.person_id)
    order by e.id`)

/**
 * Gives an order to another learner, or to nobody yet, in the caller's transaction; the order is locked. The old
 * learner's reasons from this order end, the new one's begin as the order stands now: refunds and disputes follow it.
 * What a person had ended by hand stays ended. Between two persons with one address the seat itself changes hands,
 * because the school knows only one account for both.
 */
export async function moveOrder(tx: Tx, ctx: Ctx, order: OrderRow, next: OrderRow, why: string): Promise<Moved> {
  const from = order.personId
  const to = next.personId
  const accounts = new Set<string>()
  if (from !== null && from !== to) {
    const reasons = await reasonsOf(tx, order.id, from)
    if (to !== null) {
      await keepEndedByHand(tx, ctx, reasons, to)
      await handOver(tx, { from, to, courses: [...new Set(reasons.map((r) => r.courseId))] })
    }
    for (const account of await endFor(tx, ctx, order.id, from, reasons)) accounts.add(account)
    await record(tx, ctx, [
      { kind: 'order.moved', orderId: order.id, personId: to ?? from, data: { why, seats: reasons.length } },
    ])
  }
  const settled = await reevaluate(tx, ctx, next, order)
  if (settled.outcome === 'settled') for (const account of settled.accounts) accounts.add(account)
  return { order: next, accounts: [...accounts] }
}

const endFor = (tx: Tx, ctx: Ctx, orderId: string, personId: string, reasons: readonly Reason[]) =>
  setEntitlements(
    tx,
    ctx,
    reasons.map(
      (r): Desired => ({
        source: r.source,
        sourceId: r.sourceId,
        orderId,
        personId,
        courseId: r.courseId,
        access: 'ended',
        endsAt: r.endsAt,
        reason: 'The purchase belongs to another learner now.',
      }),
    ),
  )

/** A course that was taken out of the purchase by hand must not come back with its new learner. */
async function keepEndedByHand(tx: Tx, ctx: Ctx, reasons: readonly Reason[], to: string): Promise<void> {
  const ended = reasons.filter((r) => r.endedByHand)
  if (ended.length === 0) return
  await tx.run(sql('move_ended_by_hand')`
    insert into entitlement (id, organization_id, person_id, course_id, source, source_id, order_id, starts_at, ends_at,
      suspended_at, revoked_at, reason, ended_by_hand, created_at, updated_at)
    select n.id, e.organization_id, ${to}, e.course_id, e.source, e.source_id, e.order_id, e.starts_at, e.ends_at,
      e.suspended_at, e.revoked_at, e.reason, true, ${ts(tx.now)}, ${ts(tx.now)}
    from unnest(${ended.map((r) => r.id)}::text[], ${ended.map(() => ctx.ids.next('ent'))}::text[]) as n(old, id)
    join entitlement e on e.id = n.old
    on conflict (source, source_id, person_id, course_id) do nothing`)
}

/**
 * Between two persons of one address: the enrollments of these courses change hands where nothing else holds them, and
 * the school's account goes with them. Nothing is asked of the school, so the learner is never outside meanwhile.
 */
async function handOver(
  tx: Tx,
  move: { readonly from: string; readonly to: string; readonly courses: readonly string[] },
): Promise<void> {
  const same = await tx.maybeOne(sql('move_same_address')`
    select 1 as one from person a join person b on b.id = ${move.to} where a.id = ${move.from} and a.email = b.email`)
  if (same === null) return
  await tx.run(sql('move_account')`
    update lms_account a set person_id = ${move.to}
    where a.person_id = ${move.from}
      and not exists (select 1 from lms_account b where b.person_id = ${move.to} and b.connection_id = a.connection_id)`)
  await tx.run(sql('move_enrollment')`
    update enrollment n set person_id = ${move.to}, updated_at = ${ts(tx.now)}
    where n.person_id = ${move.from} and n.course_id = any(${move.courses}::text[])
      and not exists (select 1 from enrollment m where m.person_id = ${move.to} and m.course_id = n.course_id)
      and (select count(*) from entitlement e where e.person_id = ${move.from} and e.course_id = n.course_id
        and e.revoked_at is null) <= 1`)
}

/** The seats of an order that were assigned to one person are another's; the order is locked. */
export async function moveAssignedOf(
  tx: Tx,
  ctx: Ctx,
  order: OrderRow,
  move: { readonly from: string; readonly to: string },
): Promise<readonly string[]> {
  const { from, to } = move
  const reasons = await tx.many<Reason>(sql('move_assigned_reasons')`
    select e.id, e.source, e.source_id as "sourceId", e.course_id as "courseId", e.ends_at as "endsAt", e.ended_by_hand as "endedByHand"
    from entitlement e join seat_assignment a on a.line_id = e.source_id and a.person_id = e.person_id
    where e.order_id = ${order.id} and e.person_id = ${from} order by e.id`)
  await tx.run(sql('move_assignment')`
    update seat_assignment a set person_id = ${to} where a.order_id = ${order.id} and a.person_id = ${from}
      and not exists (select 1 from seat_assignment b where b.line_id = a.line_id and b.person_id = ${to})`)
  await keepEndedByHand(tx, ctx, reasons, to)
  await handOver(tx, { from, to, courses: [...new Set(reasons.map((r) => r.courseId))] })
  const ended = await endFor(tx, ctx, order.id, from, reasons)
  const settled = await reevaluate(tx, ctx, order, order)
  return [...ended, ...(settled.outcome === 'settled' ? settled.accounts : [])]
}
