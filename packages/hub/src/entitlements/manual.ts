import type { Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { ActionCtx } from '#action/define.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { sql } from '#db/sql.ts'
import { ensureMailboxPerson } from '#identity/people.ts'
import { entitlementById, entitlementsOf, seatOf } from './find.ts'
import { isLive } from './rules.ts'
import { setEntitlements } from './seats.ts'
import { applyJob } from './store.ts'

export type Grant = {
  readonly person: { readonly id: string } | { readonly email: string; readonly name: string | null }
  readonly courseId: string
  readonly reason: string
  readonly startsAt: Instant | null
  readonly endsAt: Instant | null
}

const courseExists = async (tx: Tx, id: string): Promise<boolean> =>
  (await tx.maybeOne(sql('course_exists')`select id from course where id = ${id}`)) !== null

const personExists = async (tx: Tx, id: string): Promise<boolean> =>
  (await tx.maybeOne(sql('person_exists')`select id from person where id = ${id}`)) !== null

/** Gives somebody a course by hand: a reason of its own beside all others, and a job that opens the seat. */
export async function grantByHand(ctx: ActionCtx, grant: Grant) {
  const { tx } = ctx
  const { startsAt, endsAt, courseId } = grant
  if (endsAt !== null && endsAt <= Math.max(tx.now, startsAt ?? tx.now))
    throw new CodedError('input_invalid', 'The end must lie in the future and after the start.', {
      issues: [{ path: 'endsAt', message: 'must be later' }],
    })
  if (!(await courseExists(tx, courseId))) throw new CodedError('not_found', 'There is no such course.')
  if ('id' in grant.person && !(await personExists(tx, grant.person.id)))
    throw new CodedError('not_found', 'There is no such person.')
  const personId = 'id' in grant.person ? grant.person.id : (await ensureMailboxPerson(tx, ctx, grant.person)).id
  const sourceId = ctx.ids.next('man')
  const accounts = await setEntitlements(tx, ctx, [
    {
      source: 'manual',
      sourceId,
      orderId: null,
      personId,
      courseId,
      access: 'live',
      ...(startsAt === null ? {} : { startsAt }),
      endsAt,
      reason: grant.reason,
    },
  ])
  await pokeAll(ctx, accounts)
  const entitlement = (await entitlementsOf(tx, { personId, courseId })).find((e) => e.sourceId === sourceId)
  const seat = await seatOf(tx, personId, courseId)
  if (entitlement === undefined || seat === null) throw new Error(`grant ${sourceId} left no row`)
  return { entitlementId: entitlement.id, enrollmentId: seat.id, personId }
}

/** Ends one reason for good. Access itself ends only when no other reason is left. */
export async function endByHand(ctx: ActionCtx, entitlementId: string, reason: string) {
  const { tx } = ctx
  const found = await entitlementById(tx, entitlementId)
  if (found === null) throw new CodedError('not_found', 'There is no such entitlement.')
  if (found.revokedAt !== null)
    throw new CodedError('conflict', 'This reason has ended already.', {
      endedAt: new Date(found.revokedAt).toISOString(),
    })
  const { source, sourceId, orderId, personId, courseId, endsAt } = found
  const accounts = await setEntitlements(tx, ctx, [
    { source, sourceId, orderId, personId, courseId, endsAt, access: 'ended', reason: `Ended by hand: ${reason}` },
  ])
  await tx.run(
    sql('entitlement_ended_by_hand')`update entitlement set ended_by_hand = true where id = ${entitlementId}`,
  )
  await pokeAll(ctx, accounts)
  const all = await entitlementsOf(tx, { personId, courseId })
  const keptBecause = all.filter((e) => isLive(e, tx.now)).map((e) => ({ entitlementId: e.id, reason: e.reason }))
  return { access: keptBecause.length > 0 ? ('kept' as const) : ('ending' as const), keptBecause }
}

export const pokeAll = (ctx: ActionCtx, accounts: readonly string[]): Promise<void> =>
  enqueue(
    ctx.tx,
    accounts.map((account) => applyJob(ctx.organization, account)),
  )
