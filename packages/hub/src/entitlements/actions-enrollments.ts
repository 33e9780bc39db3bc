import { failureClasses } from '@bursar/connectors/failure.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { action } from '#action/define.ts'
import { id, instant, page } from '#action/fields.ts'
import { normalizeEmail } from '#identity/people.ts'
import { alertPage } from './alerts.ts'
import { acceptAccount, failureGroups, fixAccount, mustFindSeat, retrySeats } from './failures.ts'
import { entitlementsOf, type Seat, seatStates, seats } from './find.ts'
import { isLive } from './rules.ts'
import { entitlementShape, showEntitlement } from './shape.ts'

const retryMax = 5_000
const failureClass = z.enum(failureClasses)
const failureCode = z.string().min(1).max(120)
const reason = z.string().trim().min(3).max(300)

export const seatShape = z.object({
  id: z.string(),
  state: z.enum(seatStates),
  personId: z.string(),
  email: z.string().nullable(),
  courseId: z.string(),
  course: z.string(),
  connectionId: z.string(),
  school: z.string(),
  attempts: z.number().int(),
  nextTryAt: instant.nullable(),
  failure: z.object({ class: z.string(), code: z.string(), message: z.string(), since: instant.nullable() }).nullable(),
  openedAt: instant.nullable(),
  closedAt: instant.nullable(),
  updatedAt: instant,
})

const showSeat = (s: Seat): z.output<typeof seatShape> => ({
  id: s.id,
  state: s.state,
  personId: s.personId,
  email: s.email,
  courseId: s.courseId,
  course: s.course,
  connectionId: s.connectionId,
  school: s.school,
  attempts: s.attempts,
  nextTryAt: s.nextTryAt,
  failure:
    s.failureClass === null
      ? null
      : { class: s.failureClass, code: s.failureCode ?? '', message: s.failureMessage ?? '', since: s.failingSince },
  openedAt: s.openedAt,
  closedAt: s.closedAt,
  updatedAt: s.updatedAt,
})

export const list = action({
  name: 'enrollments.list',
  summary:
    'List seats by state, school, failure or e-mail. A stuck seat waits for a person; a waiting one goes on by itself.',
  input: z.object({
    state: z.enum(seatStates).optional(),
    connectionId: id('con').optional(),
    failureClass: failureClass.optional(),
    failureCode: failureCode.optional(),
    email: z.email().max(320).optional(),
    after: id('enr').optional(),
    limit: page.limit,
  }),
  output: z.object({ enrollments: z.array(seatShape), next: z.string().nullable() }),
  access: 'enrollments:read',
  effect: 'read',
  sensitive: true,
  examples: [{ summary: 'Seats that need a person', input: { state: 'stuck' } }],
  run: async (ctx, { limit, email, ...filter }) => {
    const rows = await seats(ctx.tx, {
      ...filter,
      email: email === undefined ? undefined : normalizeEmail(email),
      limit: limit + 1,
    })
    const enrollments = rows.slice(0, limit).map(showSeat)
    return { enrollments, next: rows.length > limit ? (enrollments.at(-1)?.id ?? null) : null }
  },
})

const needs: Readonly<Record<string, string>> = {
  needs_person: 'somebody on your side must act',
  needs_learner: 'the learner must act',
  invalid: 'the school refuses the data',
  unauthorized: 'the school refuses the credentials',
  unavailable: 'the school does not answer',
  rate_limited: 'the school’s limit is reached',
}

export const failures = action({
  name: 'enrollments.failures',
  summary: 'Show why seats are not as they should be: equal causes together, with how many and since when.',
  input: z.object({ connectionId: id('con').optional() }),
  output: z.object({
    failures: z.array(
      z.object({
        connectionId: z.string(),
        school: z.string(),
        failureClass: z.string(),
        failureCode: z.string(),
        sentence: z.string(),
        stuck: z.number().int(),
        waiting: z.number().int(),
        firstSeen: instant,
        lastSeen: instant,
        examples: z.array(z.string()).readonly(),
      }),
    ),
  }),
  access: 'enrollments:read',
  effect: 'read',
  run: async (ctx, { connectionId }) => {
    const groups = await failureGroups(ctx.tx, connectionId ?? null)
    return {
      failures: groups.map(({ message, ...group }) => {
        const count = group.stuck + group.waiting
        const why = needs[group.failureClass] ?? 'it was refused'
        return {
          ...group,
          sentence: `${count} ${count === 1 ? 'seat' : 'seats'} at ${group.school}: ${why}. ${message}`,
        }
      }),
    }
  },
})

export const retry = action({
  name: 'enrollments.retry',
  summary: 'Try failing seats again now: one, or a group by its filter. A dry run tells how many and about how long.',
  input: z.object({
    enrollmentId: id('enr').optional(),
    connectionId: id('con').optional(),
    failureClass: failureClass.optional(),
    failureCode: failureCode.optional(),
    limit: z.number().int().min(1).max(retryMax).default(500),
  }),
  output: z.object({
    seats: z.number().int(),
    learners: z.number().int(),
    aboutSeconds: z.number().int().describe('By the schools’ own call limits.'),
    more: z.boolean(),
  }),
  access: 'enrollments:write',
  effect: 'write',
  examples: [{ summary: 'Everything one cause held up', input: { failureCode: 'learnworlds.course_not_found' } }],
  run: async (ctx, input) => {
    const { limit: _, enrollmentId, ...group } = input
    const grouped = Object.values(group).some((value) => value !== undefined)
    if ((enrollmentId !== undefined) === grouped)
      throw new CodedError('input_invalid', 'Name either one enrollment or at least one filter.')
    if (enrollmentId !== undefined) {
      const seat = await mustFindSeat(ctx.tx, enrollmentId)
      if (seat.failureClass === null)
        throw new CodedError('conflict', 'This seat does not fail; there is nothing to retry.')
    }
    return retrySeats(ctx, input)
  },
})

export const fix = action({
  name: 'enrollments.fix_account',
  summary: 'Correct the username or e-mail a school refuses for a learner, for this school only, and try again.',
  input: z.object({
    enrollmentId: id('enr'),
    email: z.email().max(320).optional(),
    username: z.string().trim().min(1).max(60).optional(),
  }),
  output: z.object({ retried: z.number().int() }),
  access: 'enrollments:write',
  effect: 'write',
  run: (ctx, input) => {
    if (input.email === undefined && input.username === undefined)
      throw new CodedError('input_invalid', 'Give a new email or username.')
    return fixAccount(ctx, { ...input, email: input.email ?? null, username: input.username ?? null })
  },
})

export const accept = action({
  name: 'enrollments.accept_account',
  summary:
    'Confirm that the staff account with a learner’s address may take this course. The hub still never logs it in.',
  input: z.object({ enrollmentId: id('enr'), reason }),
  output: z.object({ retried: z.number().int() }),
  access: 'enrollments:write',
  effect: 'write',
  run: (ctx, input) => acceptAccount(ctx, input.enrollmentId, input.reason),
})

export const explain = action({
  name: 'enrollments.explain',
  summary: 'Tell why a seat is open or closed: every reason for access it has or had.',
  input: z.object({ enrollmentId: id('enr') }),
  output: z.object({ enrollment: seatShape, sentence: z.string(), reasons: z.array(entitlementShape) }),
  access: 'enrollments:read',
  effect: 'read',
  sensitive: true,
  run: async (ctx, { enrollmentId }) => {
    const seat = await mustFindSeat(ctx.tx, enrollmentId)
    const reasons = await entitlementsOf(ctx.tx, { personId: seat.personId, courseId: seat.courseId })
    const live = reasons.filter((e) => isLive(e, ctx.tx.now))
    const last = reasons.at(-1)
    const sentence =
      live.length > 0
        ? `Should be open, because: ${live.map((e) => e.reason).join('; ')}. ${now(seat)}`
        : `Should be closed${last === undefined ? ': there never was a reason' : `: ${last.reason}`}. ${now(seat)}`
    return { enrollment: showSeat(seat), sentence, reasons: reasons.map((e) => showEntitlement(e, ctx.tx.now)) }
  },
})

const now = (seat: Seat): string => {
  switch (seat.state) {
    case 'open':
      return `It is open at ${seat.school}.`
    case 'closed':
      return `It is closed at ${seat.school}.`
    case 'waiting':
      return seat.failureMessage === null ? 'It is being worked on.' : `It waits: ${seat.failureMessage}`
    case 'stuck':
      return `It is stuck: ${seat.failureMessage ?? 'a person must look'}`
  }
}

export const alerts = action({
  name: 'alerts.list',
  summary: 'List what needs a person, one alert per group of equal causes, newest first.',
  input: z.object({
    closed: z.boolean().default(false).describe('With those that ended.'),
    after: id('alr').optional(),
    limit: page.limit,
  }),
  output: z.object({
    alerts: z.array(
      z.object({
        id: z.string(),
        kind: z.enum(['stuck']),
        connectionId: z.string(),
        school: z.string(),
        failureClass: z.string(),
        failureCode: z.string(),
        message: z.string(),
        /** Standing there now. */
        seats: z.number().int(),
        /** How often a seat ran into it. */
        count: z.number().int(),
        firstSeen: instant,
        lastSeen: instant,
        closedAt: instant.nullable(),
      }),
    ),
    next: z.string().nullable(),
  }),
  access: 'enrollments:read',
  effect: 'read',
  run: async (ctx, { closed, after, limit }) => {
    const rows = await alertPage(ctx.tx, { closed, after, limit: limit + 1 })
    const alerts = rows.slice(0, limit).map((a) => ({ ...a, count: Number(a.count) }))
    return { alerts, next: rows.length > limit ? (alerts.at(-1)?.id ?? null) : null }
  },
})

export const enrollmentActions = [list, failures, retry, fix, accept, explain, alerts] as const
