import type Stripe from 'stripe'
import { done, type Failure, failed, type Outcome } from '#failure.ts'
import type { ConnectorIo } from '#io.ts'
import type { PaymentConnector, PaymentTruth, Subject } from '#payments/port.ts'
import { listPrices, makeRefund } from './act.ts'
import { openCheckout } from './checkout.ts'
import { createClient } from './client.ts'
import type { StripeConfig } from './config.ts'
import { classify, isMissing, noKey } from './failures.ts'
import { toStripe } from './money.ts'
import { probe } from './probe.ts'
import { checkoutOf, readSubject } from './read.ts'
import { sweep } from './sweep.ts'
import { readStored, verifyDelivery } from './verify.ts'

const idPattern = /^[A-Za-z0-9_]{1,255}$/

// A payment without an intent is known by its charge; no session has ever made one.
const isPaymentIntent = (id: string): boolean => id.startsWith('pi_') && idPattern.test(id)

async function readOrNull(stripe: Stripe, subject: Subject): Promise<PaymentTruth | null> {
  // An empty or foreign id would become another address of the API, such as a list.
  if (!idPattern.test(subject.externalId)) return null
  try {
    return await readSubject(stripe, subject)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

const notRepresentable = (currency: string): Failure => ({
  class: 'invalid',
  code: 'stripe.amount_not_representable',
  message: `Stripe has no such amount in ${currency}.`,
  field: 'amount',
  unsent: true,
})

const clientOf = (config: StripeConfig, io: ConnectorIo): Stripe | null =>
  typeof config.secretKey !== 'string'
    ? null
    : createClient(
        {
          secretKey: config.secretKey,
          ...(config.apiBase === undefined ? {} : { apiBase: config.apiBase }),
          ...(config.account === undefined ? {} : { account: config.account }),
        },
        io,
      )

/** Stripe for one account. Without a key it verifies and parses events, and answers everything else `unauthorized`. */
export function createStripe(config: StripeConfig, io: ConnectorIo): PaymentConnector {
  const stripe = clientOf(config, io)
  const attempt = async <T>(work: (stripe: Stripe) => Promise<Outcome<T>>): Promise<Outcome<T>> => {
    if (stripe === null) return failed(noKey)
    try {
      return await work(stripe)
    } catch (error) {
      return failed(classify(error))
    }
  }
  const call = <T>(work: (stripe: Stripe) => Promise<T>): Promise<Outcome<T>> =>
    attempt(async (client) => done(await work(client)))
  return {
    provider: 'stripe',
    canRead: stripe !== null,
    publishableKey: config.publishableKey ?? null,
    probe: () => probe(stripe, config),
    classify,
    verify: verifyDelivery,
    parse: readStored,
    read: (subject) => call((client) => readOrNull(client, subject)),
    checkoutOf: (paymentId) =>
      call(async (client) => (isPaymentIntent(paymentId) ? checkoutOf(client, paymentId) : null)),
    events: (since, cursor) => call((client) => sweep(client, since, io.clock.now(), cursor)),
    createCheckout: (request) => attempt((client) => openCheckout(client, request)),
    refund: async ({ amount: asked, currency, ...request }) => {
      if (asked === undefined) return call((client) => makeRefund(client, request))
      const amount = toStripe(asked, currency)
      if (amount === null) return failed(notRepresentable(currency))
      return call((client) => makeRefund(client, { ...request, amount }))
    },
    prices: (cursor) => call((client) => listPrices(client, cursor)),
  }
}
