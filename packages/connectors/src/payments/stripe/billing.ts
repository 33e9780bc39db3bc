import type { InvoiceTruth, SubscriptionTruth } from '#payments/port.ts'
import { currencyCode, fromStripe } from './money.ts'
import { instant, UnreadableAnswer } from './unreadable.ts'
import type { InvoiceLineWire, InvoiceWire, SubscriptionItemWire, SubscriptionWire } from './wire.ts'

const subscriptionStates = [
  'incomplete',
  'incomplete_expired',
  'trialing',
  'active',
  'past_due',
  'canceled',
  'unpaid',
  'paused',
] as const

function subscriptionState(status: string): SubscriptionTruth['state'] {
  const known = subscriptionStates.find((state) => state === status)
  if (known === undefined) throw new UnreadableAnswer('subscription.status', status)
  return known
}

const maybeInstant = (seconds: number | null) => (seconds === null ? null : instant(seconds))

export function subscriptionTruth(
  subscription: SubscriptionWire,
  items: readonly SubscriptionItemWire[] = subscription.items.data,
): SubscriptionTruth {
  return {
    kind: 'subscription',
    externalId: subscription.id,
    state: subscriptionState(subscription.status),
    livemode: subscription.livemode,
    customerId: subscription.customer,
    items: items.map((item) => {
      const end = item.current_period_end ?? subscription.current_period_end
      if (end === null) throw new UnreadableAnswer('subscription_item.current_period_end', null)
      return {
        externalId: item.id,
        priceId: item.price.id,
        quantity: item.quantity ?? 1,
        periodEnd: instant(end),
      }
    }),
    cancelAt: maybeInstant(subscription.cancel_at),
    canceledAt: maybeInstant(subscription.canceled_at),
    endedAt: maybeInstant(subscription.ended_at),
    latestInvoiceId: subscription.latest_invoice,
    metadata: subscription.metadata,
    createdAt: instant(subscription.created),
  }
}

const invoiceStates = ['draft', 'open', 'paid', 'uncollectible', 'void'] as const

function invoiceState(status: string | null): InvoiceTruth['state'] {
  const known = invoiceStates.find((state) => state === status)
  if (known === undefined) throw new UnreadableAnswer('invoice.status', status)
  return known
}

/** The payment that paid it, else the one Stripe would use, else the older field. */
function invoicePayment(invoice: InvoiceWire): string | null {
  const payments = invoice.payments?.data ?? []
  const chosen = payments.find((p) => p.status === 'paid') ?? payments.find((p) => p.is_default) ?? payments[0]
  return chosen?.payment?.payment_intent ?? chosen?.payment?.charge ?? invoice.payment_intent
}

/** Stripe's line amount is before discounts and without tax on top; ours is what is asked for the line. */
function lineAmount(line: InvoiceLineWire): number {
  const discount = (line.discount_amounts ?? []).reduce((sum, d) => sum + d.amount, 0)
  const onTop = (line.taxes ?? []).filter((t) => t.tax_behavior === 'exclusive').reduce((sum, t) => sum + t.amount, 0)
  return line.amount - discount + onTop
}

export function invoiceTruth(
  invoice: InvoiceWire,
  lines: readonly InvoiceLineWire[] = invoice.lines.data,
): InvoiceTruth {
  const currency = currencyCode(invoice.currency)
  return {
    kind: 'invoice',
    externalId: invoice.id,
    state: invoiceState(invoice.status),
    livemode: invoice.livemode,
    subscriptionId: invoice.parent?.subscription_details?.subscription ?? invoice.subscription,
    customerId: invoice.customer,
    email: invoice.customer_email,
    currency,
    amountDue: fromStripe(invoice.amount_due, currency),
    amountPaid: fromStripe(invoice.amount_paid, currency),
    attempts: invoice.attempt_count ?? 0,
    nextAttemptAt: maybeInstant(invoice.next_payment_attempt),
    paymentId: invoicePayment(invoice),
    lines: lines.map((line) => ({
      externalId: line.id,
      priceId: line.pricing?.price_details?.price ?? line.price?.id ?? null,
      amount: fromStripe(lineAmount(line), currency),
      periodStart: instant(line.period.start),
      periodEnd: instant(line.period.end),
      quantity: line.quantity ?? 1,
    })),
    createdAt: instant(invoice.created),
  }
}
