import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Action, action } from '#action/define.ts'
import { id, instant, page } from '#action/fields.ts'
import { normalizeEmail } from '#identity/people.ts'
import { enrollmentActions } from './actions-enrollments.ts'
import { entitlementsOf } from './find.ts'
import { launchActions } from './launch-actions.ts'
import { endByHand, grantByHand } from './manual.ts'
import { entitlementShape, showEntitlement } from './shape.ts'

const reason = z.string().trim().min(3).max(300)
const email = z.email().max(320)

export const grant = action({
  name: 'entitlements.grant',
  summary: 'Give a person a course by hand, with a reason. It stands beside what they bought and ends by itself only.',
  input: z.object({
    email: email.optional(),
    name: z.string().trim().min(1).max(200).optional().describe('Of a person who is new to the hub.'),
    personId: id('prs').optional(),
    courseId: id('crs'),
    reason,
    startsAt: instant.optional(),
    endsAt: instant.optional(),
  }),
  output: z.object({ entitlementId: z.string(), enrollmentId: z.string(), personId: z.string() }),
  access: 'entitlements:write',
  effect: 'write',
  examples: [
    {
      summary: 'A seat for a jury member',
      input: { email: 'jury@example.com', courseId: `crs_${'0'.repeat(26)}`, reason: 'Member of the jury' },
    },
  ],
  run: async (ctx, input) => {
    const person =
      input.personId !== undefined && input.email === undefined
        ? { id: input.personId }
        : input.email !== undefined && input.personId === undefined
          ? { email: input.email, name: input.name ?? null }
          : null
    if (person === null)
      throw new CodedError('input_invalid', 'Name the person by either e-mail or id.', {
        issues: [{ path: 'email', message: 'give either email or personId' }],
      })
    const { courseId, startsAt, endsAt } = input
    return grantByHand(ctx, {
      person,
      courseId,
      reason: input.reason,
      startsAt: startsAt ?? null,
      endsAt: endsAt ?? null,
    })
  },
})

export const revoke = action({
  name: 'entitlements.revoke',
  summary:
    'End one reason for access, for good. Access itself ends only when no other reason is left; the answer names those.',
  input: z.object({ entitlementId: id('ent'), reason }),
  output: z.object({
    access: z.enum(['kept', 'ending']),
    keptBecause: z.array(z.object({ entitlementId: z.string(), reason: z.string() })),
  }),
  access: 'entitlements:write',
  effect: 'write',
  run: (ctx, input) => endByHand(ctx, input.entitlementId, input.reason),
})

export const list = action({
  name: 'entitlements.list',
  summary: 'List reasons for access, oldest first, by person, e-mail, course or order.',
  input: z.object({
    personId: id('prs').optional(),
    email: email.optional(),
    courseId: id('crs').optional(),
    orderId: id('ord').optional(),
    after: id('ent').optional(),
    limit: page.limit,
  }),
  output: z.object({ entitlements: z.array(entitlementShape), next: z.string().nullable() }),
  access: 'entitlements:read',
  effect: 'read',
  examples: [{ summary: 'Why somebody has access', input: { email: 'learner@example.com' } }],
  run: async (ctx, input) => {
    const { limit } = input
    const narrowed = input.email === undefined ? input : { ...input, email: normalizeEmail(input.email) }
    const rows = await entitlementsOf(ctx.tx, { ...narrowed, limit: limit + 1 })
    const entitlements = rows.slice(0, limit).map((e) => showEntitlement(e, ctx.tx.now))
    return { entitlements, next: rows.length > limit ? (entitlements.at(-1)?.id ?? null) : null }
  },
})

export const entitlementActions: readonly Action[] = [grant, revoke, list, ...enrollmentActions, ...launchActions]
