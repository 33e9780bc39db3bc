import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { json, sql, ts } from '#db/sql.ts'
import { mergeSeats } from '#entitlements/merge.ts'
import { applyJob } from '#entitlements/store.ts'
import { record } from '#events/timeline.ts'
import { mailboxIssuer, normalizeEmail } from '#identity/people.ts'
import { giveOrders, lockOrdersOf } from '#orders/person.ts'

export type MergeEvidence =
  /** Both identities were shown at once, or the mailbox was proven. `how` says which, without an address; `provenMailbox` is theirs from now on. */
  | { readonly kind: 'proof'; readonly how: string; readonly provenMailbox?: string }
  | { readonly kind: 'operator'; readonly reason: string; readonly staffAccounts?: boolean }

export type MergeWish = { readonly from: string; readonly into: string; readonly evidence: MergeEvidence }

/** What goes over, as counts and ids: also what a dry run shows. */
export type Moved = {
  readonly identities: number
  readonly orders: number
  readonly entitlements: number
  readonly customers: number
  readonly roles: string[]
  /** School accounts that come along, with their progress. */
  readonly accountsMoved: string[]
  /** Accounts whose seats are opened or closed at a school because of it. */
  readonly accountsWithWork: string[]
}

export type Merge = {
  readonly id: string
  readonly from: string
  readonly into: string
  readonly evidence: 'proof' | 'operator'
  readonly state: 'waiting_person' | 'moved' | 'done'
  readonly waitsFor: string | null
  readonly moved: Moved | null
}

export const mergeTask = 'people.merge'
/** A transaction that began before the merge may still write to the old person; after this long none is left. */
export const settleMs = 2 * minute

export const mergeJob = (organization: string, mergeId: string, runAt?: number) => ({
  task: mergeTask,
  payload: { organization, mergeId },
  key: `merge:${mergeId}`,
  ...(runAt === undefined ? {} : { runAt }),
})

type PersonRow = { readonly id: string; readonly mergedInto: string | null; readonly erasedAt: number | null }

/**
 * Makes one person of two, in the caller's transaction: identities, orders, reasons for access, customers and roles of
 * `from` are those of `into` from now on, and a job follows the schools until they agree. The same pair again is the
 * same merge; the pair the other way round too. A staff account at a school comes along only by an operator's word:
 * until then the merge waits and nothing is moved.
 */
export async function mergePeople(tx: Tx, ctx: Ctx, wish: MergeWish): Promise<Merge> {
  const { from, into, evidence } = wish
  if (from === into) throw new CodedError('conflict', 'This is the same person already.')
  const people = await lockPersons(tx, [from, into])
  const known = await mergeOf(tx, from, into)
  if (known !== null && (known.state !== 'waiting_person' || evidence.kind === 'proof')) return known
  refuse(people, known?.from ?? from, known?.into ?? into, await erasing(tx, [from, into]))
  const pair = { from: known?.from ?? from, into: known?.into ?? into }
  const staff = evidence.kind === 'operator' && evidence.staffAccounts === true ? [] : await staffAccounts(tx, pair)
  const waitsFor =
    staff.length === 0
      ? null
      : `A staff account at ${staff.map((s) => s.school).join(', ')} is involved; an operator must say whose it is.`
  const id = known?.id ?? ctx.ids.next('mrg')
  await saveMerge(tx, ctx, { id, ...pair, evidence, waitsFor })
  if (waitsFor !== null) return { id, ...pair, evidence: evidence.kind, state: 'waiting_person', waitsFor, moved: null }
  const moved = await moveAll(tx, ctx, { ...pair, provenMailbox: provenBy(evidence) })
  await tx.run(sql('person_merge_moved')`
    update person_merge set state = 'moved', moved = ${json(moved)}, moved_at = ${ts(tx.now)} where id = ${id}`)
  const fact = { from: pair.from, into: pair.into, evidence: evidence.kind }
  await record(
    tx,
    ctx,
    [pair.from, pair.into].map((personId) => ({ kind: 'person.merged', personId, data: fact }) as const),
  )
  await enqueue(tx, [mergeJob(ctx.organization, id)])
  return { id, ...pair, evidence: evidence.kind, state: 'moved', waitsFor: null, moved }
}

/** Without blocking those who only refer to the row: a payment that arrives meanwhile is caught by the job. */
const lockPersons = (tx: Tx, ids: readonly string[]) =>
  tx.many<PersonRow>(sql('persons_lock')`
    select id, merged_into as "mergedInto", erased_at as "erasedAt" from person
    where id = any(${ids}::text[]) order by id for no key update`)

function refuse(people: readonly PersonRow[], from: string, into: string, erasing: boolean): void {
  const [gone, stays] = [people.find((p) => p.id === from), people.find((p) => p.id === into)]
  if (gone === undefined || stays === undefined) throw new CodedError('not_found', 'There is no such person.')
  if (gone.erasedAt !== null || stays.erasedAt !== null || erasing)
    throw new CodedError('conflict', 'One of the two is erased or about to be; it can join nobody.')
  if (gone.mergedInto !== null)
    throw new CodedError('conflict', 'This person has joined another already.', { mergedInto: gone.mergedInto })
  if (stays.mergedInto !== null)
    throw new CodedError('conflict', 'This person has joined another; name that one.', { mergedInto: stays.mergedInto })
}

const erasing = async (tx: Tx, ids: readonly string[]): Promise<boolean> =>
  (await tx.maybeOne(sql('persons_erasing')`
    select 1 from privacy_request where person_id = any(${ids}::text[]) and kind = 'erase' limit 1`)) !== null

/** The merge of these two, whoever of them goes. */
const mergeOf = (tx: Tx, a: string, b: string) =>
  tx.maybeOne<Merge>(sql('person_merge_of')`
    select id, from_person_id as "from", into_person_id as "into", evidence, state, waits_for as "waitsFor", moved
    from person_merge where (from_person_id = ${a} and into_person_id = ${b}) or (from_person_id = ${b} and into_person_id = ${a})
    order by id limit 1`)

type NewMerge = {
  readonly id: string
  readonly from: string
  readonly into: string
  readonly evidence: MergeEvidence
  readonly waitsFor: string | null
}

const saveMerge = (tx: Tx, ctx: Ctx, it: NewMerge) => {
  const reason = it.evidence.kind === 'proof' ? it.evidence.how : it.evidence.reason
  const staff = it.evidence.kind === 'operator' && it.evidence.staffAccounts === true
  return tx.run(sql('person_merge_save')`
    insert into person_merge (id, organization_id, from_person_id, into_person_id, evidence, reason, requested_by, state,
      waits_for, staff_accepted, created_at, moved_at)
    values (${it.id}, ${ctx.organization}, ${it.from}, ${it.into}, ${it.evidence.kind}, ${reason}, ${actorId(ctx)},
      ${it.waitsFor === null ? 'moved' : 'waiting_person'}, ${it.waitsFor}, ${staff}, ${ts(tx.now)},
      ${it.waitsFor === null ? ts(tx.now) : null}::timestamptz)
    on conflict (id) do update set evidence = excluded.evidence, reason = excluded.reason,
      requested_by = excluded.requested_by, state = excluded.state, waits_for = excluded.waits_for,
      staff_accepted = excluded.staff_accepted, moved_at = excluded.moved_at`)
}

/** Who did it, without an address: entries outlive the person who made them. */
export const actorId = ({ actor }: Pick<Ctx, 'actor'>): string => (actor.kind === 'system' ? actor.name : actor.id)

const provenBy = (evidence: MergeEvidence): string | null =>
  evidence.kind === 'proof' && evidence.provenMailbox !== undefined ? normalizeEmail(evidence.provenMailbox) : null

type Pair = { readonly from: string; readonly into: string }

const staffAccounts = (tx: Tx, { from, into }: Pair) =>
  tx.many<{ school: string }>(sql('merge_staff')`
    select distinct k.name as school from lms_account a join connection k on k.id = a.connection_id
    where a.privileged and (a.person_id = ${from} or (a.person_id = ${into} and exists (
      select 1 from lms_account b where b.person_id = ${from} and b.connection_id = a.connection_id)))
    order by 1`)

/** Everything of `from` that is a row. Calling it again moves what came in between. */
export async function moveAll(
  tx: Tx,
  ctx: Ctx,
  { from, into, provenMailbox }: Pair & { readonly provenMailbox: string | null },
): Promise<Moved> {
  await lockOrdersOf(tx, [from])
  await tx.run(sql('merge_person')`
    update person i set email = coalesce(i.email, f.email), name = coalesce(i.name, f.name), locale = coalesce(i.locale, f.locale)
    from person f where i.id = ${into} and f.id = ${from} and (f.email is not null or f.name is not null)`)
  await tx.run(sql('merge_point')`
    update person set merged_into = ${into}, email = case when id = ${from} then null else email end,
      name = case when id = ${from} then null else name end
    where id = ${from} or merged_into = ${from}`)
  const identities = await moveIdentities(tx, { from, into, provenMailbox })
  const customers = await tx.run(
    sql('merge_customers')`update payment_customer set person_id = ${into} where person_id = ${from}`,
  )
  const roles = await moveRoles(tx, ctx, { from, into })
  const orders = await giveOrders(tx, from, into, await signsIn(tx, into))
  const seats = await mergeSeats(tx, ctx, from, into)
  await enqueue(
    tx,
    seats.accounts.map((account) => applyJob(ctx.organization, account)),
  )
  const { entitlements, accountsMoved, accounts } = seats
  return {
    identities,
    orders,
    entitlements,
    customers,
    roles,
    accountsMoved: [...accountsMoved],
    accountsWithWork: [...accounts],
  }
}

/**
 * Whoever proves a mailbox becomes the person it stands for. So one that nobody has proven goes along with nobody, and
 * does not stay with somebody who signs in otherwise: what is bought for it later waits for its own owner.
 */
async function moveIdentities(tx: Tx, it: Pair & { readonly provenMailbox: string | null }): Promise<number> {
  const { from, into, provenMailbox } = it
  await tx.run(sql('merge_mailbox_proven')`
    update identity set proven_at = ${ts(tx.now)}, email = subject
    where person_id in (${from}, ${into}) and issuer = ${mailboxIssuer} and subject = ${provenMailbox} and proven_at is null`)
  await tx.run(sql('merge_mailboxes_release')`
    delete from identity where person_id = ${from} and issuer = ${mailboxIssuer} and proven_at is null`)
  const moved = await tx.run(sql('merge_identities')`update identity set person_id = ${into} where person_id = ${from}`)
  await tx.run(sql('merge_mailboxes_leave')`
    delete from identity m where m.person_id = ${into} and m.issuer = ${mailboxIssuer} and m.proven_at is null
      and exists (select 1 from identity i where i.person_id = ${into} and i.issuer <> ${mailboxIssuer})`)
  return moved
}

const signsIn = async (tx: Tx, personId: string): Promise<boolean> =>
  (await tx.maybeOne(sql('merge_signs_in')`
    select 1 from identity where person_id = ${personId} and issuer <> ${mailboxIssuer} limit 1`)) !== null

async function moveRoles(tx: Tx, ctx: Ctx, { from, into }: Pair): Promise<string[]> {
  await tx.run(sql('merge_roles_end')`
    update role_grant f set revoked_at = ${ts(tx.now)}, revoked_by = ${actorId(ctx)}, revoke_reason = 'The other person holds it already.'
    where f.person_id = ${from} and f.revoked_at is null
      and exists (select 1 from role_grant i where i.person_id = ${into} and i.role = f.role and i.revoked_at is null)`)
  const rows = await tx.many<{ role: string }>(sql('merge_roles')`
    update role_grant set person_id = ${into} where person_id = ${from} and revoked_at is null returning role`)
  return rows.map((row) => row.role).sort()
}
