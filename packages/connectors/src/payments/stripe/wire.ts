import type Stripe from 'stripe'
import { z } from 'zod'

/**
 * The parts of Stripe's objects that we read, in today's shape and in the older ones a foreign endpoint may still
 * send. Everything else is ignored. The checks at the end prove that the SDK's own types fit.
 */
const ref = z
  .union([z.string(), z.object({ id: z.string() }).transform((o) => o.id)])
  .nullish()
  .transform((id) => id ?? null)

const metadata = z
  .record(z.string(), z.string())
  .nullish()
  .transform((m) => m ?? {})

const amount = z.number().int()
const text = z
  .string()
  .nullish()
  .transform((s) => s ?? null)
const maybeSeconds = z
  .number()
  .nullish()
  .transform((s) => s ?? null)

/** A reference that may have been expanded: the id, and the thing itself when it came along. */
const expandable = <T extends { id: string }, I>(schema: z.ZodType<T, I>) =>
  z
    .union([
      z.string().transform((id) => ({ id, value: null as T | null })),
      schema.transform((value) => ({ id: value.id, value: value as T | null })),
    ])
    .nullish()
    .transform((found) => found ?? null)

const list = <T, I>(schema: z.ZodType<T, I>) =>
  z.object({ data: z.array(schema), has_more: z.boolean().default(false) })

export const refundWire = z.object({
  id: z.string(),
  amount,
  currency: z.string(),
  charge: ref,
  payment_intent: ref,
  status: text,
  reason: text,
  metadata,
  created: z.number(),
})

export const disputeWire = z.object({
  id: z.string(),
  amount,
  currency: z.string(),
  charge: ref,
  payment_intent: ref,
  status: z.string(),
  reason: text,
  balance_transactions: z.array(z.object({ amount })).nullish(),
  created: z.number(),
})

export const chargeWire = z.object({
  id: z.string(),
  amount,
  amount_captured: amount.nullish(),
  amount_refunded: amount,
  currency: z.string(),
  status: z.string(),
  livemode: z.boolean(),
  customer: ref,
  payment_intent: ref,
  disputed: z.boolean().nullish(),
  receipt_email: text,
  billing_details: z.object({ email: text }).nullish(),
  refunds: list(refundWire).nullish(),
  metadata,
  created: z.number(),
})

export const paymentWire = z.object({
  id: z.string(),
  amount,
  amount_received: amount.nullish(),
  currency: z.string(),
  status: z.string(),
  livemode: z.boolean(),
  customer: ref,
  receipt_email: text,
  last_payment_error: z.object({ type: text }).nullish(),
  latest_charge: expandable(chargeWire),
  // Before 2022-11-15 the charges stood here, newest first.
  charges: list(chargeWire).nullish(),
  metadata,
  created: z.number(),
})

const price = z.object({ id: z.string(), product: ref })

export const lineItemWire = z.object({
  id: z.string(),
  amount_total: amount,
  amount_tax: amount.nullish(),
  description: text,
  quantity: z.number().nullish(),
  price: price.nullish(),
})

export const subscriptionItemWire = z.object({
  id: z.string(),
  price: z.object({ id: z.string() }),
  quantity: z.number().nullish(),
  current_period_end: maybeSeconds,
})

export const subscriptionWire = z.object({
  id: z.string(),
  status: z.string(),
  livemode: z.boolean(),
  customer: ref,
  items: list(subscriptionItemWire),
  // Until 2025-03-31 the period stood on the subscription, not on its items.
  current_period_end: maybeSeconds,
  cancel_at: maybeSeconds,
  canceled_at: maybeSeconds,
  ended_at: maybeSeconds,
  latest_invoice: ref,
  metadata,
  created: z.number(),
})

export const checkoutWire = z.object({
  id: z.string(),
  mode: z.string(),
  status: text,
  payment_status: z.string(),
  livemode: z.boolean(),
  customer: ref,
  customer_details: z.object({ email: text, name: text, individual_name: text }).nullish(),
  customer_email: text,
  currency: text,
  amount_total: amount.nullish(),
  total_details: z.object({ amount_tax: amount, amount_discount: amount }).nullish(),
  client_reference_id: text,
  metadata,
  line_items: list(lineItemWire).nullish(),
  payment_intent: expandable(paymentWire),
  subscription: expandable(subscriptionWire),
  invoice: ref,
  created: z.number(),
})

export const invoiceLineWire = z.object({
  id: z.string(),
  amount,
  quantity: z.number().nullish(),
  period: z.object({ start: z.number(), end: z.number() }),
  discount_amounts: z.array(z.object({ amount })).nullish(),
  taxes: z.array(z.object({ amount, tax_behavior: text })).nullish(),
  pricing: z.object({ price_details: z.object({ price: ref }).nullish() }).nullish(),
  // Until 2025-03-31.
  price: z.object({ id: z.string() }).nullish(),
})

export const invoiceWire = z.object({
  id: z.string(),
  status: text,
  livemode: z.boolean(),
  parent: z.object({ subscription_details: z.object({ subscription: ref }).nullish() }).nullish(),
  payments: list(
    z.object({
      is_default: z.boolean().nullish(),
      status: text,
      payment: z.object({ payment_intent: ref, charge: ref }).nullish(),
    }),
  ).nullish(),
  // Until 2025-03-31 these two stood on the invoice itself.
  subscription: ref,
  payment_intent: ref,
  customer: ref,
  customer_email: text,
  currency: z.string(),
  amount_due: amount,
  amount_paid: amount,
  attempt_count: z.number().nullish(),
  next_payment_attempt: maybeSeconds,
  lines: list(invoiceLineWire),
  created: z.number(),
})

export type RefundWire = z.output<typeof refundWire>
export type DisputeWire = z.output<typeof disputeWire>
export type ChargeWire = z.output<typeof chargeWire>
export type PaymentWire = z.output<typeof paymentWire>
export type LineItemWire = z.output<typeof lineItemWire>
export type CheckoutWire = z.output<typeof checkoutWire>
export type SubscriptionWire = z.output<typeof subscriptionWire>
export type SubscriptionItemWire = z.output<typeof subscriptionItemWire>
export type InvoiceWire = z.output<typeof invoiceWire>
export type InvoiceLineWire = z.output<typeof invoiceLineWire>

type Fits<Sdk extends Wire, Wire> = Sdk
/** Compiles only while the SDK's objects have the shape read above: the first thing an SDK upgrade breaks. */
export type SdkFits = [
  Fits<Stripe.Refund, z.input<typeof refundWire>>,
  Fits<Stripe.Dispute, z.input<typeof disputeWire>>,
  Fits<Stripe.Charge, z.input<typeof chargeWire>>,
  Fits<Stripe.PaymentIntent, z.input<typeof paymentWire>>,
  Fits<Stripe.LineItem, z.input<typeof lineItemWire>>,
  Fits<Stripe.Checkout.Session, z.input<typeof checkoutWire>>,
  Fits<Stripe.Subscription, z.input<typeof subscriptionWire>>,
  Fits<Stripe.SubscriptionItem, z.input<typeof subscriptionItemWire>>,
  Fits<Stripe.Invoice, z.input<typeof invoiceWire>>,
  Fits<Stripe.InvoiceLineItem, z.input<typeof invoiceLineWire>>,
]
