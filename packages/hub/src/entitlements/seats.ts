import type { Instant } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { record, type TimelineEntry } from '#events/timeline.ts'
import { type Actual, type Entitlement, needsWork, nextChange, type SourceKind, type Wanted, wanted } from './rules.ts'

/** What one reason should give from now on. The hub's facts decide it; calling it twice changes nothing. */
export type Desired = {
  readonly source: SourceKind
  readonly sourceId: string
  readonly orderId: string | null
  readonly personId: string
  readonly courseId: string
  readonly access: 'live' | 'suspended' | 'ended'
  /** Only of a reason that is new; left out: from now on. */
  readonly startsAt?: Instant
  readonly endsAt: Instant | null
  readonly reason: string
}

type EntitlementRow = Entitlement & {
  readonly sourceId: string
  readonly personId: string
  readonly courseId: string
  readonly orderId: string | null
  readonly reason: string
  readonly endedByHand: boolean
}

export type Change = 'granted' | 'extended' | 'suspended' | 'resumed' | 'revoked'

/** How a reason changes, or null when it already is as desired. A reason that never lived is not born ended. */
export function changeOf(before: Entitlement | null, desired: Desired): Change | null {
  if (before === null) return desired.access === 'ended' ? null : desired.access === 'live' ? 'granted' : 'suspended'
  if (desired.access === 'ended') return before.revokedAt === null ? 'revoked' : null
  if (desired.access === 'suspended') return before.suspendedAt === null ? 'suspended' : null
  if (before.revokedAt !== null || before.suspendedAt !== null) return 'resumed'
  return before.endsAt === desired.endsAt ? null : 'extended'
}

const existing = (tx: Tx, desired: readonly Desired[]) =>
  tx.many<EntitlementRow>(sql('entitlement_existing')`
    select e.id, e.source, e.source_id as "sourceId", e.person_id as "personId", e.course_id as "courseId",
      e.order_id as "orderId", e.reason, e.starts_at as "startsAt", e.ends_at as "endsAt",
      e.suspended_at as "suspendedAt", e.revoked_at as "revokedAt", e.ended_by_hand as "endedByHand"
    from unnest(${desired.map((d) => d.source)}::text[], ${desired.map((d) => d.sourceId)}::text[],
      ${desired.map((d) => d.personId)}::text[], ${desired.map((d) => d.courseId)}::text[]) as d(source, source_id, person_id, course_id)
    join entitlement e using (source, source_id, person_id, course_id)`)

type Write = { readonly id: string; readonly desired: Desired; readonly change: Change }

const write = (tx: Tx, ctx: Ctx, writes: readonly Write[]) =>
  tx.run(sql('entitlement_write')`
    insert into entitlement (id, organization_id, person_id, course_id, source, source_id, order_id, starts_at, ends_at,
      suspended_at, revoked_at, reason, created_at, updated_at)
    select w.id, ${ctx.organization}, w.person_id, w.course_id, w.source, w.source_id, w.order_id,
      coalesce(w.starts_at::timestamptz, ${ts(tx.now)}::timestamptz),
      w.ends_at::timestamptz,
      case w.access when 'suspended' then ${ts(tx.now)}::timestamptz end,
      case w.access when 'ended' then ${ts(tx.now)}::timestamptz end, w.reason, ${ts(tx.now)}::timestamptz, ${ts(tx.now)}::timestamptz
    from unnest(${writes.map((w) => w.id)}::text[], ${writes.map((w) => w.desired.personId)}::text[],
      ${writes.map((w) => w.desired.courseId)}::text[], ${writes.map((w) => w.desired.source)}::text[],
      ${writes.map((w) => w.desired.sourceId)}::text[], ${writes.map((w) => w.desired.orderId)}::text[],
      ${writes.map((w) => ts(w.desired.endsAt))}::text[], ${writes.map((w) => w.desired.access)}::text[],
      ${writes.map((w) => w.desired.reason)}::text[], ${writes.map((w) => ts(w.desired.startsAt ?? null))}::text[])
      as w(id, person_id, course_id, source, source_id, order_id, ends_at, access, reason, starts_at)
    on conflict (source, source_id, person_id, course_id) do update set
      ends_at = case when excluded.revoked_at is null then excluded.ends_at else entitlement.ends_at end,
      suspended_at = excluded.suspended_at, revoked_at = excluded.revoked_at, reason = excluded.reason,
      revision = entitlement.revision + 1, updated_at = excluded.updated_at`)

const keyOf = (e: { source: string; sourceId: string; personId: string; courseId: string }) =>
  `${e.source} ${e.sourceId} ${e.personId} ${e.courseId}`

/** One writer per person at a time: two orders of one learner must see each other's reasons before they add them up. */
export const lockPeople = async (tx: Tx, people: readonly string[]) => {
  for (const person of [...new Set(people)].sort())
    await tx.run(sql('person_lock')`select pg_advisory_xact_lock(hashtextextended(${person}, 0))`)
}

/**
 * Makes the reasons as desired and says which accounts at which schools now have work. All in the caller's
 * transaction; nothing outside is touched.
 */
export async function setEntitlements(tx: Tx, ctx: Ctx, desired: readonly Desired[]): Promise<readonly string[]> {
  if (desired.length === 0) return []
  await lockPeople(
    tx,
    desired.map((d) => d.personId),
  )
  const before = new Map((await existing(tx, desired)).map((e) => [keyOf(e), e]))
  const writes = desired.flatMap((d): Write[] => {
    const known = before.get(keyOf(d)) ?? null
    // What a person ended stays ended, whatever the order says later.
    const change = known?.endedByHand === true ? null : changeOf(known, d)
    return change === null ? [] : [{ id: known?.id ?? ctx.ids.next('ent'), desired: d, change }]
  })
  if (writes.length === 0) return []
  await write(tx, ctx, writes)
  const told = writes.map(
    (w): TimelineEntry => ({
      kind: `entitlement.${w.change}`,
      orderId: w.desired.orderId,
      personId: w.desired.personId,
      data: {
        entitlementId: w.id,
        courseId: w.desired.courseId,
        source: w.desired.source,
        reason: w.desired.reason,
        endsAt: w.desired.endsAt,
      },
    }),
  )
  const seats = writes.map((w) => ({
    personId: w.desired.personId,
    courseId: w.desired.courseId,
    orderId: w.desired.orderId,
  }))
  return addUp(tx, ctx, seats, told)
}

type Seat = { readonly personId: string; readonly courseId: string; readonly orderId?: string | null }

type SeatRow = {
  readonly personId: string
  readonly courseId: string
  readonly connectionId: string
  readonly email: string | null
  readonly enrollmentId: string | null
  readonly accountId: string | null
  readonly wanted: Wanted | null
  readonly actual: Actual | null
  readonly uncertain: boolean | null
  readonly nextChangeAt: Instant | null
  readonly reasons: readonly {
    id: string
    source: SourceKind
    starts: number
    ends: number | null
    suspended: number | null
    revoked: number | null
  }[]
}

const seatRows = (tx: Tx, seats: readonly Seat[]) =>
  tx.many<SeatRow>(sql('seat_rows')`
    select s.person_id as "personId", s.course_id as "courseId", c.connection_id as "connectionId", p.email,
      n.id as "enrollmentId",
      -- A school has one account per address: persons who share one share the account.
      coalesce(n.account_id, a.id, (select x.id from lms_account x
        where x.email = p.email and x.connection_id = c.connection_id order by x.created_at, x.id limit 1)) as "accountId", n.wanted, n.actual, n.uncertain, n.next_change_at as "nextChangeAt",
      (select jsonb_agg(jsonb_build_object('id', e.id, 'source', e.source,
          'starts', extract(epoch from e.starts_at) * 1000, 'ends', extract(epoch from e.ends_at) * 1000,
          'suspended', extract(epoch from e.suspended_at) * 1000, 'revoked', extract(epoch from e.revoked_at) * 1000))
        from entitlement e where e.person_id = s.person_id and e.course_id = s.course_id) as reasons
    from (select distinct * from unnest(${seats.map((s) => s.personId)}::text[], ${seats.map((s) => s.courseId)}::text[]) as u(person_id, course_id)) s
    join course c on c.id = s.course_id
    join person p on p.id = s.person_id
    left join enrollment n on n.person_id = s.person_id and n.course_id = s.course_id
    left join lms_account a on a.person_id = s.person_id and a.connection_id = c.connection_id
    order by 1, 2`)

/** For reasons that began or ended by themselves: adds up the seats anew; returns the accounts that have work now. */
export async function recompute(tx: Tx, ctx: Ctx, seats: readonly Seat[]): Promise<readonly string[]> {
  await lockPeople(
    tx,
    seats.map((s) => s.personId),
  )
  return addUp(tx, ctx, seats, [])
}

/** A seat that went to another person together with its row leaves nothing behind for the old one. */
const isLeft = (row: SeatRow): boolean =>
  row.enrollmentId === null && (row.reasons ?? []).every((r) => r.revoked !== null)

/** Adds up the reasons of each seat and writes what is wanted. The people are locked. */
async function addUp(
  tx: Tx,
  ctx: Ctx,
  seats: readonly Seat[],
  told: readonly TimelineEntry[],
): Promise<readonly string[]> {
  const rows = await seatRows(tx, seats)
  const accounts = await ensureAccounts(
    tx,
    ctx,
    rows.filter((r) => !isLeft(r)),
  )
  const next = rows.map((row) => {
    const reasons = (row.reasons ?? []).map(
      (r): Entitlement => ({
        id: r.id,
        source: r.source,
        startsAt: Math.round(r.starts),
        endsAt: r.ends === null ? null : Math.round(r.ends),
        suspendedAt: r.suspended,
        revokedAt: r.revoked,
      }),
    )
    const want = wanted(reasons, tx.now)
    return {
      row,
      want,
      changes: nextChange(reasons, tx.now),
      enrollmentId: row.enrollmentId ?? ctx.ids.next('enr'),
      accountId: row.accountId ?? accounts.get(`${row.connectionId} ${row.personId}`) ?? '',
    }
  })
  const moved = next.filter((n) => (n.row.wanted !== n.want || n.row.nextChangeAt !== n.changes) && !isLeft(n.row))
  await writeEnrollments(tx, ctx, moved)
  const orderOf = new Map(seats.map((s) => [`${s.personId} ${s.courseId}`, s.orderId ?? null]))
  const entries = moved
    .filter((n) => n.row.wanted !== n.want)
    .map(
      (n): TimelineEntry => ({
        kind: 'enrollment.wanted',
        enrollmentId: n.enrollmentId,
        personId: n.row.personId,
        orderId: orderOf.get(`${n.row.personId} ${n.row.courseId}`) ?? null,
        data: { wanted: n.want, courseId: n.row.courseId },
      }),
    )
  await record(tx, ctx, [...told, ...entries])
  return [
    ...new Set(
      moved
        .filter((n) =>
          needsWork({ wanted: n.want, actual: n.row.actual ?? 'none', uncertain: n.row.uncertain ?? false }),
        )
        .map((n) => n.accountId),
    ),
  ]
}

async function ensureAccounts(tx: Tx, ctx: Ctx, rows: readonly SeatRow[]): Promise<Map<string, string>> {
  const missing = [
    ...new Map(rows.filter((r) => r.accountId === null).map((r) => [`${r.connectionId} ${r.personId}`, r])).values(),
  ]
  if (missing.length === 0) return new Map()
  const made = await tx.many<{ id: string; connectionId: string; personId: string }>(sql('account_ensure')`
    insert into lms_account (id, organization_id, connection_id, person_id, email, created_at)
    select m.id, ${ctx.organization}, m.connection_id, m.person_id, m.email, ${ts(tx.now)}::timestamptz
    from unnest(${missing.map(() => ctx.ids.next('acc'))}::text[], ${missing.map((m) => m.connectionId)}::text[],
      ${missing.map((m) => m.personId)}::text[], ${missing.map((m) => m.email ?? '')}::text[]) as m(id, connection_id, person_id, email)
    on conflict (connection_id, person_id) do update set person_id = excluded.person_id
    returning id, connection_id as "connectionId", person_id as "personId"`)
  return new Map(made.map((m) => [`${m.connectionId} ${m.personId}`, m.id]))
}

type Moved = {
  readonly row: SeatRow
  readonly want: Wanted
  readonly changes: Instant | null
  readonly enrollmentId: string
  readonly accountId: string
}

const writeEnrollments = (tx: Tx, ctx: Ctx, moved: readonly Moved[]) =>
  moved.length === 0
    ? Promise.resolve(0)
    : tx.run(sql('enrollment_want')`
    insert into enrollment (id, organization_id, person_id, course_id, connection_id, account_id, wanted, next_change_at,
      next_try_at, created_at, updated_at)
    select m.id, ${ctx.organization}, m.person_id, m.course_id, m.connection_id, m.account_id, m.wanted,
      m.next_change_at::timestamptz, case when m.wanted = 'granted' then ${ts(tx.now)}::timestamptz end,
      ${ts(tx.now)}::timestamptz, ${ts(tx.now)}::timestamptz
    from unnest(${moved.map((m) => m.enrollmentId)}::text[], ${moved.map((m) => m.row.personId)}::text[],
      ${moved.map((m) => m.row.courseId)}::text[], ${moved.map((m) => m.row.connectionId)}::text[],
      ${moved.map((m) => m.accountId)}::text[], ${moved.map((m) => m.want)}::text[], ${moved.map((m) => ts(m.changes))}::text[])
      as m(id, person_id, course_id, connection_id, account_id, wanted, next_change_at)
    on conflict (person_id, course_id) do update set
      next_change_at = excluded.next_change_at,
      wanted = excluded.wanted,
      revision = enrollment.revision + (enrollment.wanted is distinct from excluded.wanted)::int,
      -- A new wish is a new start: what failed before failed for another wish.
      attempts = case when enrollment.wanted is distinct from excluded.wanted then 0 else enrollment.attempts end,
      failing_since = case when enrollment.wanted is distinct from excluded.wanted then null else enrollment.failing_since end,
      failure_class = case when enrollment.wanted is distinct from excluded.wanted then null else enrollment.failure_class end,
      failure_code = case when enrollment.wanted is distinct from excluded.wanted then null else enrollment.failure_code end,
      failure_message = case when enrollment.wanted is distinct from excluded.wanted then null else enrollment.failure_message end,
      next_try_at = case
        when enrollment.wanted is not distinct from excluded.wanted then enrollment.next_try_at
        when excluded.wanted = 'granted' and (enrollment.actual <> 'granted' or enrollment.uncertain) then excluded.updated_at
        when excluded.wanted = 'revoked' and (enrollment.actual in ('granted', 'unknown') or enrollment.uncertain) then excluded.updated_at
        end,
      updated_at = excluded.updated_at`)

/**
 * A person's accounts with work that is due. Asked when nothing changed: the process that made the change may have
 * died before it could act on it, and whoever repeats its step goes on from there.
 */
export const dueAccounts = async (tx: Tx, personId: string): Promise<readonly string[]> => {
  const rows = await tx.many<{ accountId: string }>(sql('accounts_due')`
    select distinct account_id as "accountId" from enrollment
    where person_id = ${personId} and next_try_at <= ${ts(tx.now)}::timestamptz order by 1`)
  return rows.map((row) => row.accountId)
}
