import { CodedError } from '@bursar/kit/errors.ts'
import { exponentOf, isCurrency } from '@bursar/kit/money.ts'
import { coursesById } from '#catalog/products.ts'
import type { Tx } from '#db/database.ts'
import { normalizeEmail } from '#identity/people.ts'
import { interruptedAttempts } from './attempts.ts'
import { type Names, namesOf } from './names.ts'
import { sentenceOf } from './sentences.ts'
import {
  type About,
  connectionNames,
  type EntryRow,
  entriesOf,
  type LineRow,
  linesOf,
  type OrderHead,
  ordersAbout,
  peopleOf,
  type SeatRow,
  seatsOf,
} from './store.ts'
import { lineVerdict, type SeatFacts, seatVerdict, type Verdict } from './verdict.ts'

export type Question =
  | { readonly orderId: string }
  | { readonly enrollmentId: string }
  | { readonly email: string }
  | { readonly externalId: string }

const nothing: About = { orderId: null, enrollmentId: null, email: null, external: null }

const aboutOf = (question: Question): About => {
  if ('orderId' in question) return { ...nothing, orderId: question.orderId }
  if ('enrollmentId' in question) return { ...nothing, enrollmentId: question.enrollmentId }
  if ('email' in question) return { ...nothing, email: normalizeEmail(question.email) }
  return { ...nothing, external: question.externalId }
}

/** Everything that happened to a purchase, a person's purchases or a seat, and how it stands now. Reads only. */
export async function timelineOf(tx: Tx, question: Question) {
  const about = aboutOf(question)
  const orders = await ordersAbout(tx, about)
  const known = about.email === null ? [] : (await peopleOf(tx, about.email)).map((p) => p.id)
  const orderIds = orders.map((o) => o.id)
  const seats = await seatsOf(tx, { orders: orderIds, people: known, enrollmentId: about.enrollmentId })
  if (orders.length === 0 && seats.length === 0 && known.length === 0)
    throw new CodedError('not_found', 'Nothing is known under that name.')
  const people = [...new Set([...known, ...seats.map((s) => s.personId)])]
  const lines = await linesOf(tx, orderIds)
  const rows = await entriesOf(tx, { orders: orderIds, enrollments: seats.map((s) => s.enrollmentId), people })
  const names = await readNames(tx, seats, lines, rows)
  return {
    now: tx.now,
    orders: orders.map(showOrder),
    seats: verdicts(tx.now, orders, seats, lines, names),
    entries: tell(causesFirst(rows), seats, names),
  }
}

async function readNames(
  tx: Tx,
  seats: readonly SeatRow[],
  lines: readonly LineRow[],
  rows: readonly EntryRow[],
): Promise<Names> {
  const told = rows.flatMap((r) => (typeof r.data.courseId === 'string' ? [r.data.courseId] : []))
  const ids = [...new Set([...seats.map((s) => s.courseId), ...lines.flatMap((l) => l.courseIds ?? []), ...told])]
  const courses = new Map((await coursesById(tx, ids)).map((c) => [c.id, c.title]))
  return namesOf({ courses, connections: await connectionNames(tx) })
}

const moneyOf = (amount: bigint, currency: string | null) =>
  currency !== null && isCurrency(currency) && exponentOf(currency) >= 0 ? { amount, currency } : null

const showOrder = (o: OrderHead) => ({
  id: o.id,
  state: o.state,
  email: o.email,
  total: moneyOf(o.amount, o.currency),
  refunded: moneyOf(o.amountRefunded, o.currency),
  issue: o.issue,
  createdAt: o.createdAt,
  paidAt: o.paidAt,
})

export type SeatVerdict = Verdict & {
  readonly course: string
  readonly school: string | null
  readonly orderIds: readonly string[]
  readonly enrollmentId: string | null
}

const factsOf = (seat: SeatRow, names: Names): SeatFacts => ({ ...seat, school: names.connection(seat.connectionId) })

/** One verdict per seat; a bought line or an unpaid order that has none yet gets its own. */
function verdicts(
  now: number,
  orders: readonly OrderHead[],
  seats: readonly SeatRow[],
  lines: readonly LineRow[],
  names: Names,
): SeatVerdict[] {
  const ofSeats = seats.map(
    (seat): SeatVerdict => ({
      ...seatVerdict(factsOf(seat, names), now),
      course: names.course(seat.courseId),
      school: names.connection(seat.connectionId),
      orderIds: seat.orderIds,
      enrollmentId: seat.enrollmentId,
    }),
  )
  return [...ofSeats, ...orders.flatMap((order) => seatless(order, seats, lines, names))]
}

function seatless(order: OrderHead, seats: readonly SeatRow[], lines: readonly LineRow[], names: Names): SeatVerdict[] {
  const standing = { ...order, hasPerson: order.personId !== null }
  const own = lines.filter((l) => l.orderId === order.id)
  const without = (course: string, line: Parameters<typeof lineVerdict>[1]): SeatVerdict => ({
    ...lineVerdict(standing, line),
    course,
    school: null,
    orderIds: [order.id],
    enrollmentId: null,
  })
  if (own.length === 0) return [without('the purchase', null)]
  const seated = new Set(seats.filter((s) => s.personId === order.personId).map((s) => s.courseId))
  return own.flatMap((line) => {
    const facts = { description: line.description, priceId: line.priceId, mapped: line.courseIds !== null }
    if (line.courseIds === null) return [without(line.description, facts)]
    return line.courseIds.filter((c) => !seated.has(c)).map((c) => without(names.course(c), facts))
  })
}

/** What an event brought about is written with it, before it; on the page the event comes first. */
function causesFirst(rows: readonly EntryRow[]): EntryRow[] {
  const momentOf = (row: EntryRow) => `${row.trace_id} ${row.at}`
  const events = new Map<string, EntryRow[]>()
  for (const row of rows)
    if (row.kind === 'event.received') events.set(momentOf(row), [...(events.get(momentOf(row)) ?? []), row])
  return rows.flatMap((row) => {
    const first = events.get(momentOf(row)) ?? []
    events.delete(momentOf(row))
    return row.kind === 'event.received' ? first : [...first, row]
  })
}

/** The entries with their sentences; attempts that never reported say so. */
function tell(rows: readonly EntryRow[], seats: readonly SeatRow[], names: Names) {
  const working = new Set(seats.filter((s) => s.working).map((s) => s.enrollmentId))
  const { interrupted, running } = interruptedAttempts(
    rows.map((r) => ({ id: r.id, kind: r.kind, enrollmentId: r.enrollment_id })),
    working,
  )
  const schools = new Map<string, string>()
  const [first] = rows
  return rows.map((row) => {
    if (row.kind === 'apply.started') schools.set(row.trace_id, names.connection(String(row.data.connectionId)))
    const sentence = sentenceOf(row.kind, row.data, { ...names, school: schools.get(row.trace_id) ?? null })
    const end = interrupted.has(row.id)
      ? ' It was cut off and never reported; the next try looks first.'
      : running.has(row.id)
        ? ' It is under way.'
        : deliveredAgain(row)
    return {
      id: row.id,
      at: row.at,
      afterMs: row.at - (first?.at ?? row.at),
      kind: row.kind,
      sentence: sentence + end,
      interrupted: interrupted.has(row.id),
      orderId: row.order_id,
      enrollmentId: row.enrollment_id,
      traceId: row.trace_id,
      data: row.data as Record<string, unknown>,
    }
  })
}

const deliveredAgain = (row: EntryRow): string =>
  row.event !== null && row.event.deliveries > 1 ? ` It was delivered ${row.event.deliveries} times.` : ''
