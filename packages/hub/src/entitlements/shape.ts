import { z } from 'zod'
import { instant } from '#action/fields.ts'
import type { EntitlementView } from './find.ts'
import { isLive } from './rules.ts'

export const entitlementShape = z.object({
  id: z.string(),
  personId: z.string(),
  email: z.string().nullable(),
  courseId: z.string(),
  course: z.string(),
  source: z.enum(['order_line', 'subscription', 'manual']),
  orderId: z.string().nullable(),
  state: z.enum(['live', 'not_started', 'on_hold', 'ended']),
  reason: z.string(),
  startsAt: instant,
  endsAt: instant.nullable(),
  revokedAt: instant.nullable(),
})

/** A reason as the doors show it. */
export const showEntitlement = (e: EntitlementView, now: number): z.output<typeof entitlementShape> => ({
  id: e.id,
  personId: e.personId,
  email: e.email,
  courseId: e.courseId,
  course: e.course,
  source: e.source,
  orderId: e.orderId,
  state: isLive(e, now)
    ? 'live'
    : e.revokedAt !== null || (e.endsAt !== null && e.endsAt <= now)
      ? 'ended'
      : e.suspendedAt !== null
        ? 'on_hold'
        : 'not_started',
  reason: e.reason,
  startsAt: e.startsAt,
  endsAt: e.endsAt,
  revokedAt: e.revokedAt,
})
