import { z } from 'zod'
import { id } from '#action/fields.ts'

const idsMax = 100
const hint = z.string().max(320).optional()
const courseIds = z.array(z.string().min(1).max(255)).max(idsMax).optional()

export const onboardBody = z
  .strictObject({
    orderRef: id('ord').optional(),
    // The name of a payment, as the original plan sends it. It proves nothing.
    stripePaymentIntentId: z
      .string()
      .regex(/^[A-Za-z0-9_]{1,255}$/)
      .optional(),
    organization: z.string().max(80).optional(),
    claimSecret: z.string().min(1).max(200).optional(),
    linkToken: z.string().min(1).max(200).optional(),
    confirmEmail: z.boolean().default(false),
    courseIds,
    bundleIds: courseIds,
    redirectTo: z.string().max(2_000).optional(),
    email: hint,
    auth0UserId: hint,
    firstName: hint,
    lastName: hint,
  })
  .refine((body) => (body.orderRef === undefined) !== (body.stripePaymentIntentId === undefined), {
    path: ['orderRef'],
    message: 'name the order, or its payment, and not both',
  })

export type OnboardInput = z.output<typeof onboardBody>
