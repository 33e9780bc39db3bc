import type Stripe from 'stripe'
import { done, failed, type Outcome } from '#failure.ts'
import type { ConnectorIo } from '#io.ts'
import type { CheckoutRequest, PaymentConnector } from '#payments/port.ts'
import { createClient } from './client.ts'
import type { StripeConfig } from './config.ts'
import { classify, isMissing, noKey } from './failures.ts'
import { refundTruth } from './map.ts'
import { currencyCode, fromStripe, toStripe } from './money.ts'
import { probe } from './probe.ts'
import { readSubject } from './read.ts'
import { sweep } from './sweep.ts'
import { UnreadableAnswer } from './unreadable.ts'
import { readStored, verifyDelivery } from './verify.ts'
import { refundWire } from './wire.ts'

const pricePage = 100
const idPattern = /^[A-Za-z0-9_]{1,255}$/

/** Stripe for one account. */
export function createStripe(config: StripeConfig, io: ConnectorIo): PaymentConnector {
  const secretKey = config.secretKey ?? null
  const stripe =
    secretKey === null
      ? null
      : createClient(
          {
            secretKey,
            ...(config.apiBase === undefined ? {} : { apiBase: config.apiBase }),
            ...(config.account === undefined ? {} : { account: config.account }),
          },
          io,
        )

  const call = async <T>(work: (stripe: Stripe) => Promise<T>): Promise<Outcome<T>> => {
    if (stripe === null) return failed(noKey)
    try {
      return done(await work(stripe))
    } catch (error) {
      return failed(classify(error))
    }
  }

  return {
    provider: 'stripe',
    canRead: stripe !== null,
    probe: () => probe(stripe, config),
    classify,
    verify: verifyDelivery,
    parse: readStored,
    read: (subject) =>
      call(async (client) => {
        // An empty or foreign id would become another address of the API, such as a list.
        if (!idPattern.test(subject.externalId)) return null
        try {
          return await readSubject(client, subject)
        } catch (error) {
          if (isMissing(error)) return null
          throw error
        }
      }),
    events: (since, cursor) => call((client) => sweep(client, since, io.clock.now(), cursor)),
    createCheckout: (request) =>
      call(async (client) => {
        const session = await client.checkout.sessions.create(sessionParams(request), {
          idempotencyKey: request.idempotencyKey,
        })
        if (session.url === null) throw new UnreadableAnswer('checkout.session.url', null)
        return { externalId: session.id, url: session.url }
      }),
    refund: async (request) => {
      const amount = request.amount === undefined ? undefined : toStripe(request.amount, request.currency)
      if (amount === null)
        return failed({
          class: 'invalid',
          code: 'stripe.amount_not_representable',
          message: `Stripe has no such amount in ${request.currency}.`,
          field: 'amount',
          unsent: true,
        })
      return call(async (client) => {
        const target = /^(ch|py)_/.test(request.paymentId)
          ? { charge: request.paymentId }
          : { payment_intent: request.paymentId }
        const refund = await client.refunds.create(
          { ...target, ...(amount === undefined ? {} : { amount }), metadata: { ...request.metadata } },
          { idempotencyKey: request.idempotencyKey },
        )
        return refundTruth(refundWire.parse(refund))
      })
    },
    prices: (cursor) =>
      call(async (client) => {
        const page = await client.prices.list({
          limit: pricePage,
          expand: ['data.product'],
          ...(cursor === undefined ? {} : { starting_after: cursor }),
        })
        const last = page.data.at(-1)
        return { items: page.data.map(priceOnSale), next: page.has_more && last !== undefined ? last.id : null }
      }),
  }
}

/** Metadata stands on the session and on what it makes: Stripe does not copy it (reference: payments §1.2). */
function sessionParams(request: CheckoutRequest): Stripe.Checkout.SessionCreateParams {
  const metadata = { ...request.metadata }
  return {
    mode: request.mode,
    line_items: request.lines.map((line) => ({ price: line.priceId, quantity: line.quantity })),
    success_url: request.successUrl,
    cancel_url: request.cancelUrl,
    metadata,
    ...(request.mode === 'payment' ? { payment_intent_data: { metadata } } : { subscription_data: { metadata } }),
    ...(request.email === undefined ? {} : { customer_email: request.email }),
    ...(request.expiresAt === undefined ? {} : { expires_at: Math.floor(request.expiresAt / 1_000) }),
  }
}

/** A price without a fixed amount (tiers, "pay what you want") has none to show: its `amount` is 0. */
function priceOnSale(price: Stripe.Price) {
  const product = price.product
  const expanded = typeof product === 'string' ? null : product
  return {
    priceId: price.id,
    productId: expanded?.id ?? String(product),
    productName: expanded !== null && 'name' in expanded ? expanded.name : '',
    currency: currencyCode(price.currency),
    amount: fromStripe(price.unit_amount ?? 0, price.currency),
    recurring: price.recurring !== null,
    active: price.active && (expanded === null || ('active' in expanded && expanded.active)),
  }
}
