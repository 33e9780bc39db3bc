import { z } from 'zod'

/** What a person enters for a Stripe account. Without a key the connection only understands signed events. */
export const stripeConfigSchema = z.object({
  secretKey: z
    .string()
    .trim()
    .min(8)
    .nullable()
    .default(null)
    .describe('Secret (sk_…) or restricted (rk_…) API key; empty to only receive events.'),
  apiBase: z.url().optional().describe('Another address than https://api.stripe.com; for the simulator.'),
  livemode: z
    .boolean()
    .optional()
    .describe('Whether this connection handles real money; the key must be of that mode.'),
  account: z
    .string()
    .regex(/^acct_[A-Za-z0-9]+$/)
    .optional()
    .describe('A connected account (acct_…) to act for; empty for the key\u2019s own.'),
})

/** Before defaults: what a connection stores. */
export type StripeConfig = z.input<typeof stripeConfigSchema>

export const stripeSecretFields = ['secretKey'] as const
