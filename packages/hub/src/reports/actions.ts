import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { action } from '#action/define.ts'
import { id, instant, money } from '#action/fields.ts'
import { type Question, timelineOf } from './timeline.ts'
import { verdictKinds } from './verdict.ts'

export const timelineShape = z.object({
  now: instant,
  orders: z.array(
    z.object({
      id: z.string(),
      state: z.string(),
      email: z.string().nullable(),
      total: money.nullable(),
      refunded: money.nullable(),
      issue: z.string().nullable(),
      createdAt: instant,
      paidAt: instant.nullable(),
    }),
  ),
  seats: z.array(
    z.object({
      course: z.string(),
      school: z.string().nullable(),
      kind: z.enum(verdictKinds),
      sentence: z.string(),
      orderIds: z.array(z.string()).readonly(),
      enrollmentId: z.string().nullable(),
    }),
  ),
  entries: z.array(
    z.object({
      id: z.string(),
      at: instant,
      /** Since the first entry. */
      afterMs: z.number().int(),
      kind: z.string(),
      sentence: z.string(),
      /** An attempt that began and never told how it ended. */
      interrupted: z.boolean(),
      orderId: z.string().nullable(),
      enrollmentId: z.string().nullable(),
      traceId: z.string(),
      data: z.record(z.string(), z.unknown()),
    }),
  ),
})

/** The answer as it travels: instants are ISO texts, amounts digits. */
export type TimelineWire = z.input<typeof timelineShape>

export const timelineGet = action({
  name: 'timeline.get',
  summary:
    'Tell what happened to a purchase, in order, and how each seat stands. Name one: order, enrollment, e-mail, or a payment provider’s id.',
  input: z.object({
    orderId: id('ord').optional(),
    enrollmentId: id('enr').optional(),
    email: z.email().max(320).optional(),
    externalId: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe('A checkout, payment, charge, refund, dispute, invoice, subscription or event id.'),
  }),
  output: timelineShape,
  access: 'timeline:read',
  effect: 'read',
  sensitive: true,
  examples: [
    { summary: 'All purchases of an address', input: { email: 'learner@example.com' } },
    { summary: 'By a Stripe id from the dashboard', input: { externalId: 'pi_3Qexample' } },
  ],
  run: async (ctx, input) => {
    const named = Object.entries(input).filter(([, value]) => value !== undefined)
    if (named.length !== 1)
      throw new CodedError('input_invalid', 'Name exactly one of orderId, enrollmentId, email and externalId.')
    return timelineOf(ctx.tx, Object.fromEntries(named) as Question)
  },
})

export const reportActions = [timelineGet] as const
