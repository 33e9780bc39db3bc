import type { Instant } from '@bursar/kit/clock.ts'
import type { Failure, Outcome } from '../failure.ts'
import type { Page, ProbeReport, RawDelivery } from '../lms/port.ts'

/** What an event is about. The hub reads this thing back and decides from what it is now, not from the event. */
export type Subject = {
  readonly kind: 'checkout' | 'payment' | 'charge' | 'refund' | 'dispute' | 'invoice' | 'subscription'
  readonly externalId: string
}

/** A verified delivery. `externalId` is the provider's event id, unique for ever within the account. */
export type VerifiedEvent = {
  readonly externalId: string
  readonly type: string
  readonly occurredAt: Instant
  readonly livemode: boolean
  readonly account: string | null
  readonly apiVersion: string | null
  readonly form: 'snapshot' | 'thin'
  /** What to read back; empty for types that mean nothing to us. */
  readonly subjects: readonly Subject[]
  /**
   * What a snapshot itself says about its subjects. Used only where the hub has no key to read back with: then a
   * signed snapshot is the best truth there is. Never for thin events.
   */
  readonly stated: readonly PaymentTruth[]
}

export type Money = { readonly amount: bigint; readonly currency: string }

export type CheckoutLine = {
  readonly externalId: string
  readonly priceId: string | null
  readonly productId: string | null
  readonly description: string
  readonly quantity: number
  /** Paid for this line: after discounts, tax included. */
  readonly amount: bigint
  readonly tax: bigint
}

export type RefundTruth = {
  readonly kind: 'refund'
  readonly externalId: string
  readonly paymentId: string | null
  readonly chargeId: string | null
  readonly amount: bigint
  readonly currency: string
  readonly state: 'pending' | 'succeeded' | 'failed' | 'canceled' | 'requires_action'
  readonly reason: string | null
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAt: Instant
}

export type DisputeTruth = {
  readonly kind: 'dispute'
  readonly externalId: string
  readonly paymentId: string | null
  readonly chargeId: string | null
  readonly amount: bigint
  readonly currency: string
  /** `inquiry` = a warning, no money has moved. `won` includes a closed warning and a prevented dispute. */
  readonly state: 'inquiry' | 'open' | 'won' | 'lost'
  readonly providerState: string
  readonly fundsWithdrawn: boolean
  readonly reason: string
  readonly createdAt: Instant
}

export type PaymentFacts = {
  readonly kind: 'payment'
  readonly externalId: string
  readonly state: 'pending' | 'processing' | 'succeeded' | 'failed' | 'canceled'
  readonly amount: bigint
  readonly amountReceived: bigint
  readonly currency: string
  readonly livemode: boolean
  readonly customerId: string | null
  readonly email: string | null
  readonly chargeId: string | null
  /** Cumulative, as the charge says; the single refunds are the facts. */
  readonly amountRefunded: bigint
  readonly disputed: boolean
  readonly refunds: readonly RefundTruth[]
  readonly disputes: readonly DisputeTruth[]
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAt: Instant
}

export type CheckoutTruth = {
  readonly kind: 'checkout'
  readonly externalId: string
  readonly mode: 'payment' | 'subscription' | 'setup'
  readonly state: 'open' | 'complete' | 'expired'
  readonly paid: 'paid' | 'unpaid' | 'no_payment_required'
  readonly livemode: boolean
  readonly customerId: string | null
  readonly email: string | null
  readonly name: string | null
  readonly currency: string
  readonly amount: bigint
  readonly tax: bigint
  readonly discount: bigint
  readonly clientReferenceId: string | null
  readonly metadata: Readonly<Record<string, string>>
  /** Null when they could not be read (a snapshot carries none and there is no key). */
  readonly lines: readonly CheckoutLine[] | null
  readonly paymentId: string | null
  readonly payment: PaymentFacts | null
  readonly subscriptionId: string | null
  readonly subscription: SubscriptionTruth | null
  readonly invoiceId: string | null
  readonly createdAt: Instant
}

export type SubscriptionTruth = {
  readonly kind: 'subscription'
  readonly externalId: string
  readonly state:
    | 'incomplete'
    | 'incomplete_expired'
    | 'trialing'
    | 'active'
    | 'past_due'
    | 'canceled'
    | 'unpaid'
    | 'paused'
  readonly livemode: boolean
  readonly customerId: string | null
  readonly items: readonly {
    readonly externalId: string
    readonly priceId: string
    readonly quantity: number
    readonly periodEnd: Instant
  }[]
  readonly cancelAt: Instant | null
  readonly canceledAt: Instant | null
  readonly endedAt: Instant | null
  readonly latestInvoiceId: string | null
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAt: Instant
}

export type InvoiceTruth = {
  readonly kind: 'invoice'
  readonly externalId: string
  readonly state: 'draft' | 'open' | 'paid' | 'uncollectible' | 'void'
  readonly livemode: boolean
  readonly subscriptionId: string | null
  readonly customerId: string | null
  readonly email: string | null
  readonly currency: string
  readonly amountDue: bigint
  readonly amountPaid: bigint
  readonly attempts: number
  readonly nextAttemptAt: Instant | null
  readonly paymentId: string | null
  readonly lines: readonly {
    readonly externalId: string
    readonly priceId: string | null
    readonly amount: bigint
    readonly periodStart: Instant
    readonly periodEnd: Instant
    readonly quantity: number
  }[]
  readonly createdAt: Instant
}

export type PaymentTruth = CheckoutTruth | PaymentFacts | RefundTruth | DisputeTruth | InvoiceTruth | SubscriptionTruth

type CheckoutAsked = {
  readonly mode: 'payment' | 'subscription'
  readonly lines: readonly { readonly priceId: string; readonly quantity: number }[]
  readonly email?: string
  /** A customer the provider knows already; its address is then used and `email` is not sent. */
  readonly customerId?: string
  /** A code as the buyer typed it. One that is not on offer fails with `promotion_unknown`. */
  readonly promotionCode?: string
  /** The buyer may enter a code on the form. Without effect where a code was named already. */
  readonly allowPromotionCodes?: boolean
  /** The provider works out the tax; the form then asks for the billing address. */
  readonly automaticTax?: boolean
  /** Stands on session, payment and subscription alike; sessions do not pass theirs on. */
  readonly metadata: Readonly<Record<string, string>>
  readonly expiresAt?: Instant
  readonly idempotencyKey: string
}

/**
 * Where the buyer pays: on the provider's page, in the provider's page inside ours, or in single fields inside ours.
 * Addresses may hold {CHECKOUT_SESSION_ID}.
 */
export type CheckoutRequest = CheckoutAsked &
  (
    | { readonly ui: 'hosted_page'; readonly successUrl: string; readonly cancelUrl: string }
    | { readonly ui: 'embedded_page' | 'elements'; readonly returnUrl: string }
  )

/** `url` for a hosted page, `clientSecret` for the two others; the secret opens the form and is never truth. */
export type CheckoutOpened = {
  readonly externalId: string
  readonly url: string | null
  readonly clientSecret: string | null
}

export type RefusalReason =
  | 'signature_missing'
  | 'signature_malformed'
  | 'signature_invalid'
  | 'signature_expired'
  | 'secret_weak'
  | 'body_unreadable'

/** One payment provider, configured for one account. */
export interface PaymentConnector {
  readonly provider: string
  /** False when there is no key: then only signed snapshots say anything. */
  readonly canRead: boolean
  /** What a browser needs to show the provider's form; no secret. Null when none was entered. */
  readonly publishableKey: string | null
  probe(): Promise<ProbeReport>
  classify(error: unknown): Failure
  /** Over the raw bytes, in constant time; never throws for a stranger's input. Several secrets while one is replaced. */
  verify(
    delivery: RawDelivery,
    secrets: readonly string[],
    now: Instant,
  ): { readonly ok: true; readonly event: VerifiedEvent } | { readonly ok: false; readonly reason: RefusalReason }
  /** A delivery that was verified when it was stored; null when its bytes say nothing. */
  parse(body: Buffer): VerifiedEvent | null
  /** The thing as it is now. `null` when the provider does not know it. */
  read(subject: Subject): Promise<Outcome<PaymentTruth | null>>
  /**
   * The checkout a payment was made through; null when there is none: it was asked for elsewhere, or pays an invoice
   * of a subscription.
   */
  checkoutOf(paymentId: string): Promise<Outcome<string | null>>
  /** Events since a moment, oldest first: finds what was never delivered. Stripe keeps 30 days. */
  events(since: Instant, cursor?: string): Promise<Outcome<Page<VerifiedEvent & { readonly raw: Buffer }>>>
  createCheckout(request: CheckoutRequest): Promise<Outcome<CheckoutOpened>>
  refund(request: {
    readonly paymentId: string
    readonly amount?: bigint
    readonly currency: string
    readonly metadata: Readonly<Record<string, string>>
    readonly idempotencyKey: string
  }): Promise<Outcome<RefundTruth>>
  prices(cursor?: string): Promise<
    Outcome<
      Page<{
        readonly priceId: string
        readonly productId: string
        readonly productName: string
        readonly currency: string
        readonly amount: bigint
        readonly recurring: boolean
        readonly active: boolean
      }>
    >
  >
}
