import { z } from 'zod'

const settings = z.object({
  secretKey: z
    .string()
    .trim()
    .min(8)
    .nullable()
    .default(null)
    .describe('Secret (sk_…) or restricted (rk_…) API key; empty to only receive events.'),
  publishableKey: z
    .string()
    .trim()
    .regex(/^pk_(test|live)_[A-Za-z0-9]+$/)
    .nullable()
    .default(null)
    .describe('Publishable key (pk_test_… or pk_live_…) of the same mode; for the form inside your own pages.'),
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

const modeOf = (key: string | null): string | null => /^(?:sk|rk|pk)_(test|live)_/.exec(key ?? '')?.[1] ?? null

/** A form of one mode cannot show a checkout of the other: the buyer would see an error instead of the fields. */
export const modesDiffer = (secretKey: string | null, publishableKey: string | null): boolean => {
  const [secret, shown] = [modeOf(secretKey), modeOf(publishableKey)]
  return secret !== null && shown !== null && secret !== shown
}

/** What a person enters for a Stripe account. Without a key the connection only understands signed events. */
export const stripeConfigSchema = settings.refine((s) => !modesDiffer(s.secretKey, s.publishableKey), {
  path: ['publishableKey'],
  message: 'The publishable key and the secret key are of different modes (test and live).',
})

/** Before defaults: what a connection stores. */
export type StripeConfig = z.input<typeof stripeConfigSchema>

export const stripeSecretFields = ['secretKey'] as const
