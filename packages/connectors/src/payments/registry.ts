import type { z } from 'zod'
import type { ConnectorIo } from '#io.ts'
import type { PaymentConnector } from './port.ts'
import { type StripeConfig, stripeConfigSchema, stripeSecretFields } from './stripe/config.ts'
import { createStripe } from './stripe/index.ts'

/** One payment provider the hub can connect to. */
export type PaymentProvider<Config> = {
  readonly title: string
  /** Validates what a person enters. `Config` is its input: defaults are filled in by `create`. */
  readonly configSchema: z.ZodType<unknown, Config>
  /** Dotted paths of the values to encrypt and never to show. An absent path is fine. */
  readonly secretFields: readonly string[]
  readonly create: (config: Config, io: ConnectorIo) => PaymentConnector
}

const provider = <Config>(entry: PaymentProvider<Config>): PaymentProvider<Config> => entry

/** Every provider, by the name that a connection stores. A new one is a folder and a line here. */
export const paymentRegistry = {
  stripe: provider<StripeConfig>({
    title: 'Stripe',
    configSchema: stripeConfigSchema,
    secretFields: stripeSecretFields,
    create: createStripe,
  }),
} as const

export type PaymentProviderName = keyof typeof paymentRegistry

export const isPaymentProvider = (name: string): name is PaymentProviderName => Object.hasOwn(paymentRegistry, name)
