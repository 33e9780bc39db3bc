import { type Instant, second } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { ActionCtx } from '#action/define.ts'
import { connectionById } from '#catalog/connections.ts'
import { lmsOf } from '#catalog/open.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { normalizeEmail } from '#identity/people.ts'
import { type Seat, seatById } from './find.ts'
import { pokeAll } from './manual.ts'

export type FailureGroup = {
  readonly connectionId: string
  readonly school: string
  readonly failureClass: string
  readonly failureCode: string
  readonly message: string
  readonly stuck: number
  readonly waiting: number
  readonly firstSeen: Instant
  readonly lastSeen: Instant
  readonly examples: readonly string[]
}

/** Dead letters as a query: seats that fail, equal causes together, those that need a person first. */
export const failureGroups = (tx: Tx, connectionId: string | null) =>
  tx.many<FailureGroup>(sql('enrollment_failure_groups')`
    select n.connection_id as "connectionId", k.name as school, n.failure_class as "failureClass", n.failure_code as "failureCode",
      max(n.failure_message) as message, count(*) filter (where n.next_try_at is null)::int as stuck,
      count(*) filter (where n.next_try_at is not null)::int as waiting,
      min(coalesce(n.failing_since, n.updated_at)) as "firstSeen", max(n.updated_at) as "lastSeen",
      (array_agg(n.id order by n.id desc))[1:5] as examples
    from enrollment n join connection k on k.id = n.connection_id
    where n.organization_id = bursar_organization() and n.failure_class is not null and (${connectionId}::text is null or n.connection_id = ${connectionId})
    group by 1, 2, 3, 4 order by stuck desc, waiting desc, 1, 4 limit 200`)

export type RetryFilter = {
  readonly enrollmentId?: string | undefined
  readonly connectionId?: string | undefined
  readonly failureClass?: string | undefined
  readonly failureCode?: string | undefined
  readonly limit: number
}

type Retried = { readonly id: string; readonly accountId: string; readonly connectionId: string }

// A seat costs an account look-up or create, and the enrolment itself.
const callsPerSeat = 2

/** Gives failing seats a fresh start, now. `more` says that the filter fits further ones. */
export async function retrySeats(ctx: ActionCtx, filter: RetryFilter) {
  const rows = await ctx.tx.many<Retried>(sql('enrollment_retry')`
    with picked as (
      select id, row_number() over (order by next_try_at nulls first, id) as n from (
        select id, next_try_at from enrollment
        where organization_id = bursar_organization() and failure_class is not null and (${filter.enrollmentId ?? null}::text is null or id = ${filter.enrollmentId ?? null})
          and (${filter.connectionId ?? null}::text is null or connection_id = ${filter.connectionId ?? null})
          and (${filter.failureClass ?? null}::text is null or failure_class = ${filter.failureClass ?? null})
          and (${filter.failureCode ?? null}::text is null or failure_code = ${filter.failureCode ?? null})
        order by next_try_at nulls first, id limit ${filter.limit + 1} for update skip locked) p)
    update enrollment e set attempts = 0, failure_class = null, failure_code = null, failure_message = null, failing_since = null,
      next_try_at = ${ts(ctx.tx.now)}::timestamptz, updated_at = ${ts(ctx.tx.now)}::timestamptz
    from picked where picked.id = e.id and picked.n <= ${filter.limit}
    returning e.id, e.account_id as "accountId", e.connection_id as "connectionId"`)
  const more = rows.length === filter.limit && (await remains(ctx.tx, filter))
  const accounts = [...new Set(rows.map((r) => r.accountId))]
  await pokeAll(ctx, accounts)
  return { seats: rows.length, learners: accounts.length, aboutSeconds: await secondsFor(ctx, rows), more }
}

const remains = async (tx: Tx, filter: RetryFilter): Promise<boolean> => {
  const row = await tx.maybeOne(sql('enrollment_retry_more')`
    select 1 as one from enrollment where organization_id = bursar_organization() and failure_class is not null and ${filter.enrollmentId ?? null}::text is null
      and (${filter.connectionId ?? null}::text is null or connection_id = ${filter.connectionId ?? null})
      and (${filter.failureClass ?? null}::text is null or failure_class = ${filter.failureClass ?? null})
      and (${filter.failureCode ?? null}::text is null or failure_code = ${filter.failureCode ?? null}) limit 1`)
  return row !== null
}

/** How long the schools' own limits make it last: they work side by side, so the slowest counts. */
async function secondsFor(ctx: ActionCtx, rows: readonly Retried[]): Promise<number> {
  let longest = 0
  for (const id of new Set(rows.map((r) => r.connectionId))) {
    const connection = await connectionById(ctx.tx, id)
    if (connection === null) continue
    const { requests, windowMs } = lmsOf(ctx, connection, { lane: 'provisioning' }).limits
    if (requests === 0) continue
    const calls = callsPerSeat * rows.filter((r) => r.connectionId === id).length
    longest = Math.max(longest, Math.ceil(((calls / requests) * windowMs) / second))
  }
  return longest
}

type Account = {
  readonly id: string
  readonly externalId: string | null
  readonly email: string
  readonly username: string | null
  readonly privileged: boolean
}

const accountOf = (tx: Tx, id: string) =>
  tx.one<Account>(sql('account_of')`
    select id, external_id as "externalId", email, username, privileged from lms_account where id = ${id} for update`)

export async function mustFindSeat(tx: Tx, enrollmentId: string): Promise<Seat> {
  const seat = await seatById(tx, enrollmentId)
  if (seat === null) throw new CodedError('not_found', 'There is no such enrollment.')
  return seat
}

export type AccountFix = {
  readonly enrollmentId: string
  readonly email: string | null
  readonly username: string | null
}

/**
 * F9: the school refuses this learner's username or address. Changes what the hub asks the school for, for this school
 * only, and tries again. An account that exists there is not renamed; a staff account is let go of.
 */
export async function fixAccount(ctx: ActionCtx, fix: AccountFix) {
  const { tx } = ctx
  const seat = await mustFindSeat(tx, fix.enrollmentId)
  const account = await accountOf(tx, seat.accountId)
  if (account.externalId !== null && !account.privileged)
    throw new CodedError('conflict', 'The learner has an account at this school already; change it there.')
  const email = fix.email === null ? account.email : normalizeEmail(fix.email)
  const username = fix.username ?? account.username
  await tx.run(sql('account_fix')`
    update lms_account set email = ${email}, username = ${username}, external_id = null, external_created_at = null,
      privileged = false, privileged_accepted = false where id = ${account.id}`)
  await note(ctx, seat, 'The account for this school was corrected.')
  return { retried: await retryAccount(ctx, account.id) }
}

/** A person confirms that the staff account with this address is the learner's own and may take courses. */
export async function acceptAccount(ctx: ActionCtx, enrollmentId: string, reason: string) {
  const { tx } = ctx
  const seat = await mustFindSeat(tx, enrollmentId)
  const account = await accountOf(tx, seat.accountId)
  if (!account.privileged) throw new CodedError('conflict', 'This is no staff account; there is nothing to confirm.')
  await tx.run(sql('account_accept')`update lms_account set privileged_accepted = true where id = ${account.id}`)
  await note(ctx, seat, `The staff account was confirmed. ${reason}`)
  return { retried: await retryAccount(ctx, account.id) }
}

const note = (ctx: ActionCtx, seat: Seat, text: string) =>
  record(ctx.tx, ctx, [
    { kind: 'note', enrollmentId: seat.id, personId: seat.personId, data: { text, by: ctx.actor.name } },
  ])

async function retryAccount(ctx: ActionCtx, accountId: string): Promise<number> {
  const retried = await ctx.tx.run(sql('account_retry')`
    update enrollment set attempts = 0, failure_class = null, failure_code = null, failure_message = null, failing_since = null,
      next_try_at = ${ts(ctx.tx.now)}::timestamptz, updated_at = ${ts(ctx.tx.now)}::timestamptz
    where account_id = ${accountId} and failure_class is not null`)
  await pokeAll(ctx, [accountId])
  return retried
}
