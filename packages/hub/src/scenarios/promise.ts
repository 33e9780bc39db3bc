import assert from 'node:assert/strict'
import { minute } from '@bursar/kit/clock.ts'
import { normalizeEmail } from '#identity/people.ts'
import type { World } from '#main/world.ts'
import { claimViolations } from './promise-claims.ts'
import { type Expectation, expectedSeats } from './promise-provider.ts'
import { type EntitlementRow, type Rows, readRows, type SeatRow, type Violation } from './promise-rows.ts'

export type { Violation } from './promise-rows.ts'

// After quiet, what is due has been tried; a minute allows for the sweep that finds lost pokes.
const overdueMs = minute

/**
 * The promise, checked after quiet: what Stripe was paid for, our reasons, what we want of each seat, what we believe
 * of it and what the school really shows agree for every person and course, or a typed row says why not and who acts
 * next. And every effect happened once. Reads only; returns what is wrong.
 */
export async function violations(world: World): Promise<readonly Violation[]> {
  const rows = await readRows(world)
  const truth = expectedSeats({ rows, truth: world.stripe.truth(), now: world.clock.now() })
  return [
    ...truth.violations,
    ...wishes(rows, truth.expected),
    ...seats(world, rows),
    ...owners(world, rows),
    ...school(world, rows),
    ...(await once(world)),
    ...(await claimViolations(world)),
  ]
}

/** Throws with every violation in its message. */
export async function assertPromise(world: World): Promise<void> {
  const found = await violations(world)
  assert.deepEqual(found, [], `the promise is broken ${found.length} times`)
}

const seatKey = (s: { readonly person: string; readonly course: string }) => `${s.person} ${s.course}`

type Wish = { readonly expectations: Expectation[]; readonly reasons: EntitlementRow[]; explained: boolean }

/** Provider ↔ reasons ↔ wanted. A reason given by hand is its own truth. */
function wishes(rows: Rows, expected: ReturnType<typeof expectedSeats>['expected']): Violation[] {
  const byKey = new Map<string, Wish>()
  const wishOf = (key: string): Wish => {
    const known = byKey.get(key) ?? { expectations: [], reasons: [], explained: false }
    byKey.set(key, known)
    return known
  }
  const isTold = (names: readonly (string | null)[]) =>
    rows.open.some(
      (event) => event.state !== 'unmatched' && names.some((name) => name !== null && event.text.includes(name)),
    )
  for (const e of expected) {
    const wish = wishOf(seatKey(e))
    wish.expectations.push(e.expectation)
    wish.explained ||= e.order.issue !== null || isTold(e.names)
  }
  for (const reason of rows.entitlements) {
    const wish = wishOf(seatKey(reason))
    wish.reasons.push(reason)
    if (reason.source === 'manual') wish.expectations.push(reason.live ? 'open' : 'shut')
  }
  const bySeat = new Map(rows.seats.map((s) => [seatKey(s), s]))
  for (const key of bySeat.keys()) wishOf(key)
  return [...byKey].flatMap(([key, wish]): Violation[] => {
    const seat = bySeat.get(key)
    const live = wish.reasons.some((r) => r.live)
    const found: Violation[] = []
    const due = sum(wish.expectations)
    if (!wish.explained && (due === 'open') !== live)
      found.push({ code: 'reasons_differ', about: key, detail: `Stripe: ${due}, live reasons: ${live}.` })
    const wanted = seat?.wanted ?? 'revoked'
    if ((wanted === 'granted') !== live)
      found.push({
        code: 'wanted_differs',
        about: seat?.id ?? key,
        detail: `Wanted: ${wanted}, live reasons: ${live}.`,
      })
    return found
  })
}

/** Access is the OR over all sources. */
const sum = (expectations: readonly Expectation[]): Expectation => (expectations.includes('open') ? 'open' : 'shut')

const isAsWanted = (seat: SeatRow) =>
  !seat.uncertain &&
  (seat.wanted === 'granted' ? seat.actual === 'granted' : seat.actual !== 'granted' && seat.actual !== 'unknown')

/** Two persons of one address share the school's account, and with it a seat in the same course. */
const isShared = (rows: Rows, seat: SeatRow): boolean =>
  seat.account !== null &&
  rows.seats.some(
    (s) => s.id !== seat.id && s.account === seat.account && s.product === seat.product && s.wanted === 'granted',
  )

/** Wanted ↔ believed ↔ really shown. */
function seats(world: World, rows: Rows): Violation[] {
  const { users, enrollments } = world.school.school()
  const byEmail = new Map([...users.values()].map((u) => [u.email, u]))
  return rows.seats.flatMap((seat): Violation[] => {
    const say = (code: string, detail: string): Violation[] => [{ code, about: seat.id, detail }]
    if (!isAsWanted(seat))
      return seat.failure === null && seat.nextTryAt === null
        ? say('nobody_acts', `Wanted ${seat.wanted}, is ${seat.actual}, and there is no next try and no reason.`)
        : []
    const user = byEmail.get(normalizeEmail(seat.email))
    if (seat.account !== null && user?.id !== seat.account)
      return say('account_differs', 'Not the account of this address.')
    const shown = enrollments.get(user?.id ?? '')?.get(seat.product)
    if (seat.actual === 'granted' && shown === undefined)
      return say('not_open', `The school does not show ${seat.product}.`)
    if (seat.actual === 'granted' && shown?.expires != null && shown.expires <= world.clock.now())
      return say('expired_at_school', seat.product)
    if (seat.actual !== 'granted' && shown?.justification === `hub:${seat.id}` && !isShared(rows, seat))
      return say('still_open', `The school still shows ${seat.product}.`)
    return []
  })
}

/** No row without an owner or a next try, no work forgotten, no lease left. */
function owners(world: World, rows: Rows): Violation[] {
  const late = world.clock.now() - overdueMs
  const forgotten = rows.seats.flatMap((s): Violation[] => [
    ...(s.nextTryAt !== null && s.nextTryAt < late
      ? [{ code: 'try_overdue', about: s.id, detail: 'Due and not tried.' }]
      : []),
    ...(s.nextChangeAt !== null && s.nextChangeAt < late
      ? [{ code: 'change_overdue', about: s.id, detail: 'A reason began or ended unnoticed.' }]
      : []),
  ])
  const events = rows.open
    .filter((e) => e.state === 'pending' && (e.due === null || e.due < late))
    .map((e) => ({ code: 'event_overdue', about: e.id, detail: 'Due and not processed.' }))
  return [...forgotten, ...events]
}

/** What the school shows that we gave: known to us, to the right learner, asked for once, one account per address. */
function school(world: World, rows: Rows): Violation[] {
  const { users, enrollments } = world.school.school()
  const seatById = new Map(rows.seats.map((s) => [s.id, s]))
  const found: Violation[] = []
  for (const [email, accounts] of Map.groupBy(users.values(), (u) => normalizeEmail(u.email)))
    if (accounts.length > 1)
      found.push({ code: 'two_accounts', about: email, detail: 'The school has two accounts of one address.' })
  for (const [userId, owned] of enrollments)
    for (const [product, enrollment] of owned) {
      if (enrollment.justification?.startsWith('hub:') !== true) continue
      const seat = seatById.get(enrollment.justification.slice('hub:'.length))
      const about = `${users.get(userId)?.email ?? userId} ${product}`
      if (seat === undefined || seat.product !== product || normalizeEmail(seat.email) !== users.get(userId)?.email)
        found.push({ code: 'opened_for_nobody', about, detail: `It names ${enrollment.justification}.` })
      else if (seat.wanted === 'revoked' && isAsWanted(seat) && !isShared(rows, seat))
        found.push({ code: 'still_open', about, detail: 'It should be closed, and we believe it is.' })
      if (enrollment.duplicates > 0)
        found.push({ code: 'granted_twice', about, detail: `Asked for ${enrollment.duplicates} times more.` })
    }
  return found
}

const onceText = `
  select 'lease_left' as code, id as about, coalesce(lease_node, '') as detail from lms_account where lease_token is not null
  union all select 'two_people', lower(email), count(*)::text from person p where email is not null
    -- Whoever signed in by another issuer may share an address with the person that stands for the mailbox.
    and not exists (select 1 from identity i where i.person_id = p.id and i.issuer <> 'urn:bursar:mailbox')
    group by organization_id, lower(email) having count(*) > 1
  union all select 'dead_job', id::text, task from bursar_dead_jobs(null, 100)
  union all select 'paid_twice', order_id, count(*)::text from timeline_entry where kind = 'order.paid' group by order_id having count(*) > 1
  union all select 'created_twice', order_id, count(*)::text from timeline_entry where kind = 'order.created' group by order_id having count(*) > 1
  union all select 'reason_given_twice', data->>'entitlementId', count(*)::text from timeline_entry where kind = 'entitlement.granted' group by 2 having count(*) > 1
  union all select 'invoice_counted_twice', data->>'invoiceId', count(*)::text from timeline_entry where kind = 'invoice.paid' group by 2 having count(*) > 1
  union all select 'opened_twice', n.id, o.opened || ' opened, ' || o.closed || ' closed' from enrollment n
    join lateral (select count(*) filter (where kind = 'enrollment.opened') as opened, count(*) filter (where kind = 'enrollment.closed') as closed
      from timeline_entry t where t.enrollment_id = n.id) o on o.opened > o.closed + 1`

const once = (world: World) => world.rows<Violation>(onceText)
