import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import type { CallerUser } from '#action/caller.ts'
import type { Ctx } from '#action/context.ts'
import { type Action, action } from '#action/define.ts'
import { id, instant, integer } from '#action/fields.ts'
import { freshProofMs, isFresh } from '#identity/signed-in.ts'
import { claimMailbox } from './claim-mailbox.ts'
import { purchasesOf, seatsOfPerson } from './own.ts'
import { type SeatWord, seatWord } from './seat-words.ts'

const listMax = 100
const limit = z.number().int().min(1).max(listMax).default(50)

/** The person who asks. The wrapper lets nobody else through. */
function personIn(ctx: Pick<Ctx, 'user'>): CallerUser {
  if (ctx.user === undefined) throw new CodedError('forbidden', 'Only a signed-in person can do this.')
  return ctx.user
}

export const purchasesList = action({
  name: 'purchases.list',
  summary: 'List what you bought or were given, newest first.',
  input: z.object({ after: id('ord').optional(), limit }),
  output: z.object({
    purchases: z.array(
      z.object({
        orderRef: z.string(),
        state: z.string(),
        amount: integer,
        amountRefunded: integer,
        currency: z.string().nullable(),
        paidAt: instant.nullable(),
        createdAt: instant,
        gift: z.boolean(),
        learner: z.boolean().describe('Yours to learn; false for a gift you gave.'),
        claimed: z.boolean(),
        items: z.array(z.object({ title: z.string(), quantity: z.number().int() })).readonly(),
      }),
    ),
    next: z.string().nullable(),
  }),
  access: 'person',
  effect: 'read',
  run: async (ctx, input) => {
    const { personId } = personIn(ctx)
    const rows = await purchasesOf(ctx.tx, personId, { after: input.after, limit: input.limit + 1 })
    const purchases = rows.slice(0, input.limit)
    return { purchases, next: rows.length > input.limit ? (purchases.at(-1)?.orderRef ?? null) : null }
  },
})

export const purchasesClaim = action({
  name: 'purchases.claim_mailbox',
  summary: 'Take over what was paid for with the mailbox you have just proven, and what waits for it. Safe to repeat.',
  input: z.object({}),
  output: z.object({ orderRefs: z.array(z.string()).readonly() }),
  access: 'person',
  effect: 'outside',
  run: async (ctx) => {
    const user = personIn(ctx)
    if (!isFresh(user.mailboxProvenAt, ctx.clock.now(), freshProofMs)) throw new CodedError('email_unproven')
    if (ctx.dryRun) return { orderRefs: [] }
    return { orderRefs: (await claimMailbox(ctx, user)).orders }
  },
})

const states = ['open', 'preparing', 'waiting', 'closed'] as const satisfies readonly SeatWord[]

export const seatsList = action({
  name: 'seats.list',
  summary: 'List your courses, newest first, with how each stands at its school.',
  input: z.object({ after: id('enr').optional(), limit }),
  output: z.object({
    seats: z.array(
      z.object({
        enrollmentId: z.string(),
        courseId: z.string(),
        course: z.string(),
        kind: z.string(),
        school: z.string(),
        state: z.enum(states),
        message: z.string(),
        /** Percent; null while nobody has told. */
        progress: z.number().nullable(),
        openedAt: instant.nullable(),
        endsAt: instant.nullable(),
      }),
    ),
    next: z.string().nullable(),
  }),
  access: 'person',
  effect: 'read',
  run: async (ctx, input) => {
    const { personId } = personIn(ctx)
    const rows = await seatsOfPerson(ctx.tx, personId, { after: input.after, limit: input.limit + 1 })
    const seats = rows.slice(0, input.limit).map((row) => {
      const { enrollmentId, courseId, course, kind, school, openedAt, endsAt } = row
      const { state, message } = seatWord({ ...row, ended: row.endedBecause })
      return { enrollmentId, courseId, course, kind, school, state, message, progress: null, openedAt, endsAt }
    })
    return { seats, next: rows.length > input.limit ? (seats.at(-1)?.enrollmentId ?? null) : null }
  },
})

export const ownActions: readonly Action[] = [purchasesList, purchasesClaim, seatsList]
