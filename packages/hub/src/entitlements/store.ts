import type { CourseKind } from '@bursar/connectors/lms/port.ts'
import type { Instant } from '@bursar/kit/clock.ts'
import { minute } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { sql, ts } from '#db/sql.ts'
import { record, type TimelineEntry } from '#events/timeline.ts'
import { raiseAlerts } from './alerts.ts'
import type { Actual, Wanted } from './rules.ts'

/** What one claim takes on: the account and everything of it that is due. */
export type Claim = {
  readonly token: string
  /** From then on somebody else may work on the account. */
  readonly until: Instant
  readonly account: ClaimedAccount
  readonly work: readonly WorkItem[]
}

export type ClaimedAccount = {
  readonly id: string
  readonly connectionId: string
  readonly personId: string
  readonly externalId: string | null
  readonly email: string
  readonly username: string | null
  readonly name: string | null
  readonly createdAt: Instant | null
  readonly privileged: boolean
}

export type WorkItem = {
  readonly enrollmentId: string
  readonly courseId: string
  readonly kind: CourseKind
  readonly externalId: string
  readonly wanted: Wanted
  readonly actual: Actual
  readonly revision: bigint
  readonly attempts: number
  readonly failingSince: Instant | null
  readonly wasUncertain: boolean
  /** Another person with the same address has the same course there: one seat at the school for both. */
  readonly shared: boolean
  /** The school shows this course on this account already, or may, because of that other person: look before asking. */
  readonly shown: boolean
}

// Longer than the slowest honest run (15 s a call, some tens of calls); a dead holder is freed by the reaper long before.
const leaseMs = 10 * minute
const workMax = 50

/**
 * Takes the account for this process and everything of it that is due, in one transaction that is closed before the
 * first call. From here on each row counts as uncertain: if we die now, whoever comes next looks before it asks again.
 */
export async function claim(tx: Tx, ctx: Ctx, accountId: string): Promise<Claim | 'busy' | 'nothing_due'> {
  const token = ctx.ids.next('lse')
  const now = ts(tx.now)
  const taken = await tx.one<{ account: ClaimedAccount | null; work: WorkRow[] | null; due: boolean }>(sql(
    'account_claim',
  )`
    with account as (
      update lms_account a set lease_node = ${ctx.node}, lease_token = ${token}, lease_until = ${ts(tx.now + leaseMs)}::timestamptz
      from person p
      where a.id = ${accountId} and p.id = a.person_id and (a.lease_until is null or a.lease_until <= ${now}::timestamptz)
        and exists (select 1 from enrollment n where n.account_id = ${accountId} and n.next_try_at <= ${now}::timestamptz)
      returning a.id, a.connection_id as "connectionId", a.person_id as "personId", a.external_id as "externalId", a.email,
        a.username, p.name, extract(epoch from a.external_created_at) * 1000 as "createdAt",
        a.privileged and not a.privileged_accepted as privileged
    ), due as (
      -- Locked rows are looked at again after the wait, so what another holder has just done is not done twice.
      select n.id as "enrollmentId", n.course_id as "courseId", c.kind, c.external_id as "externalId", n.wanted, n.actual,
        n.revision::text as revision, n.attempts, extract(epoch from n.failing_since) * 1000 as "failingSince", n.uncertain as "wasUncertain",
        exists (select 1 from enrollment m where m.account_id = n.account_id and m.course_id = n.course_id and m.id <> n.id
          and m.wanted = 'granted') as shared,
        exists (select 1 from enrollment m where m.account_id = n.account_id and m.course_id = n.course_id and m.id <> n.id
          and (m.actual = 'granted' or m.uncertain)) as shown
      from enrollment n join course c on c.id = n.course_id
      where n.account_id = (select id from account) and n.next_try_at <= ${now}::timestamptz
      order by n.id limit ${workMax} for update of n
    ), marked as (
      update enrollment n set uncertain = true, tried_at = ${now}::timestamptz from due where n.id = due."enrollmentId"
    )
    select (select to_jsonb(account) from account) as account,
      (select jsonb_agg(to_jsonb(due) order by due."enrollmentId") from due) as work,
      exists (select 1 from enrollment n where n.account_id = ${accountId} and n.next_try_at <= ${now}::timestamptz) as due`)
  const { account } = taken
  if (account === null) return taken.due ? 'busy' : 'nothing_due'
  const work = (taken.work ?? []).map((row): WorkItem => ({ ...row, revision: BigInt(row.revision) }))
  if (work.length === 0) {
    await tx.run(sql('account_unclaim')`
      update lms_account set lease_node = null, lease_token = null, lease_until = null where id = ${accountId} and lease_token = ${token}`)
    return 'nothing_due'
  }
  await record(
    tx,
    ctx,
    work.map((w) => startedEntry(account, w)),
  )
  return { token, until: tx.now + leaseMs, account, work }
}

type WorkRow = Omit<WorkItem, 'revision'> & { readonly revision: string }

const startedEntry = (account: ClaimedAccount, item: WorkItem): TimelineEntry => ({
  kind: 'apply.started',
  enrollmentId: item.enrollmentId,
  personId: account.personId,
  data: {
    connectionId: account.connectionId,
    wanted: item.wanted,
    attempt: item.attempts + 1,
    uncertain: item.wasUncertain,
  },
})

/** What one item has come to. */
export type ItemResult = {
  readonly item: WorkItem
  readonly actual: Actual
  readonly uncertain: boolean
  readonly attempts: number
  readonly nextTryAt: Instant | null
  readonly failure: { readonly class: string; readonly code: string; readonly message: string } | null
}

export type AccountUpdate = {
  readonly externalId: string
  readonly createdByHub: boolean
  readonly createdAt: Instant | null
  readonly privileged: boolean
}

/**
 * Writes the results and gives the account back. False when the lease was lost meanwhile: then somebody else has
 * looked for himself, and what we believe counts for nothing.
 */
export async function settleClaim(
  tx: Tx,
  ctx: Ctx,
  taken: Claim,
  update: AccountUpdate | null,
  results: readonly ItemResult[],
  told: readonly TimelineEntry[],
): Promise<{ readonly dueAt: Instant | null } | 'lost'> {
  const { held, dueAt } = await writeResults(tx, taken, update, results)
  if (!held) return 'lost'
  await record(tx, ctx, told)
  const stuck = results.flatMap((r) => (r.failure !== null && r.nextTryAt === null ? [r.failure] : []))
  await raiseAlerts(tx, ctx, taken.account.connectionId, stuck)
  if (dueAt !== null) await enqueue(tx, [retryJob(ctx.organization, taken.account.id, dueAt)])
  return { dueAt }
}

/** A poke at a later moment. Its key differs from the poke for now, so that neither pushes the other away. */
export const retryJob = (organization: string, accountId: string, runAt: Instant) => ({
  task: 'entitlements.apply',
  payload: { organization, accountId },
  key: `retry:${accountId}`,
  runAt,
})

/** One look at a school that is down; one per school, however much waits for it. */
export const knockJob = (organization: string, connectionId: string, runAt: Instant) => ({
  task: 'entitlements.knock',
  payload: { organization, connectionId },
  key: `knock:${connectionId}`,
  runAt,
})

/** A poke for now. */
export const applyJob = (organization: string, accountId: string) => ({
  task: 'entitlements.apply',
  payload: { organization, accountId },
  key: `apply:${accountId}`,
})

/**
 * Gives the account back and writes the results, only if the lease is still ours; says when the account has work next,
 * of rows that were not part of this claim as well.
 */
const writeResults = (tx: Tx, taken: Claim, update: AccountUpdate | null, results: readonly ItemResult[]) =>
  tx.one<{ held: boolean; dueAt: Instant | null }>(sql('enrollment_result')`
    with held as (
      update lms_account set lease_node = null, lease_token = null, lease_until = null,
        external_id = coalesce(${update?.externalId ?? null}, external_id),
        privileged = coalesce(${update?.privileged ?? null}::boolean, privileged),
        created_by_hub = coalesce(${update?.createdByHub ?? null}::boolean, created_by_hub),
        external_created_at = coalesce(${ts(update?.createdAt ?? null)}::timestamptz, external_created_at)
      where id = ${taken.account.id} and lease_token = ${taken.token} returning id
    ), written as (update enrollment n set
      actual = r.actual, uncertain = r.uncertain, applied_revision = case when r.failure_class is null then r.revision else n.applied_revision end,
      opened_at = case when r.actual = 'granted' and n.actual <> 'granted' then ${ts(tx.now)}::timestamptz else n.opened_at end,
      closed_at = case when r.actual = 'revoked' and n.actual <> 'revoked' then ${ts(tx.now)}::timestamptz when r.actual = 'granted' then null else n.closed_at end,
      -- The wish may have changed while we were out: then its failures are not ours to write, and it is due at once.
      attempts = case when n.revision = r.revision then r.attempts else n.attempts end,
      failing_since = case when n.revision <> r.revision or r.failure_class is null then null else coalesce(n.failing_since, ${ts(tx.now)}::timestamptz) end,
      failure_class = case when n.revision = r.revision then r.failure_class end,
      failure_code = case when n.revision = r.revision then r.failure_code end,
      failure_message = case when n.revision = r.revision then r.failure_message end,
      next_try_at = case
        when n.revision = r.revision then r.next_try_at::timestamptz
        when n.wanted = 'granted' and (r.actual <> 'granted' or r.uncertain) then ${ts(tx.now)}::timestamptz
        when n.wanted = 'revoked' and (r.actual in ('granted', 'unknown') or r.uncertain) then ${ts(tx.now)}::timestamptz end,
      updated_at = ${ts(tx.now)}::timestamptz
    from held, unnest(${results.map((r) => r.item.enrollmentId)}::text[], ${results.map((r) => r.item.revision)}::bigint[],
      ${results.map((r) => r.actual)}::text[], ${results.map((r) => r.uncertain)}::boolean[],
      ${results.map((r) => r.attempts)}::int[], ${results.map((r) => ts(r.nextTryAt))}::text[],
      ${results.map((r) => r.failure?.class ?? null)}::text[], ${results.map((r) => r.failure?.code ?? null)}::text[],
      ${results.map((r) => r.failure?.message ?? null)}::text[])
      as r(id, revision, actual, uncertain, attempts, next_try_at, failure_class, failure_code, failure_message)
    where n.id = r.id
    returning n.id, n.next_try_at)
    select exists (select 1 from held) as held, min(next_try_at) as "dueAt" from (
      select next_try_at from written
      union all select next_try_at from enrollment where account_id = ${taken.account.id} and id not in (select id from written)) d`)
