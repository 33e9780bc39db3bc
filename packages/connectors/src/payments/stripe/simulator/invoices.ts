import type Stripe from 'stripe'
import { attempt, createPayment, type Method } from './payments.ts'
import type { Priced } from './pricing.ts'
import { emit, idOf, newId, type World } from './world.ts'

export type InvoiceLineInput = {
  readonly item: Stripe.SubscriptionItem
  readonly priced: Priced
  readonly start: number
  readonly end: number
}

export type InvoiceInput = {
  readonly customer: Stripe.Customer
  readonly subscription: Stripe.Subscription
  readonly reason: Stripe.Invoice.BillingReason
  readonly coupon: string | null
  readonly lines: readonly InvoiceLineInput[]
  readonly at: number
}

const behaviorOf = (item: Stripe.SubscriptionItem) =>
  item.price.tax_behavior === 'inclusive' ? ('inclusive' as const) : ('exclusive' as const)

/** A tax that is worked out; none where tax is off or the rate is 0. */
const taxOf = (line: InvoiceLineInput) =>
  line.priced.tax === 0
    ? []
    : [
        {
          amount: line.priced.tax,
          tax_behavior: behaviorOf(line.item),
          tax_rate_details: null,
          taxability_reason: 'standard_rated' as const,
          taxable_amount: line.priced.subtotal - line.priced.discount,
          type: 'tax_rate_details' as const,
        },
      ]

const invoiceLine = (world: World, input: InvoiceInput, invoice: string, line: InvoiceLineInput) =>
  ({
    id: newId(world, 'il'),
    object: 'line_item',
    amount: line.priced.subtotal,
    currency: input.subscription.currency,
    description: `${line.item.quantity ?? 1} × ${world.products.get(idOf(line.item.price.product) ?? '')?.name ?? 'Course'}`,
    discount_amounts:
      line.priced.discount === 0 ? [] : [{ amount: line.priced.discount, discount: `di_${input.coupon}` }],
    discountable: true,
    discounts: [],
    invoice,
    livemode: world.livemode,
    metadata: {},
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: null,
        subscription: input.subscription.id,
        subscription_item: line.item.id,
      },
      type: 'subscription_item_details',
    },
    period: { start: line.start, end: line.end },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: line.item.price.id, product: idOf(line.item.price.product) ?? '' },
      unit_amount_decimal: line.item.price.unit_amount_decimal,
      type: 'price_details',
    },
    quantity: line.item.quantity ?? 1,
    quantity_decimal: null,
    subscription: input.subscription.id,
    subtotal: line.priced.subtotal,
    taxes: taxOf(line),
  }) satisfies Stripe.InvoiceLineItem

/** Features this fake has not, as an invoice without them shows it. */
const unused = {
  account_tax_ids: null,
  application: null,
  automatically_finalizes_at: null,
  custom_fields: null,
  customer_account: null,
  customer_address: null,
  customer_phone: null,
  customer_shipping: null,
  default_payment_method: null,
  default_source: null,
  description: null,
  due_date: null,
  footer: null,
  from_invoice: null,
  invoice_pdf: null,
  last_finalization_error: null,
  latest_revision: null,
  on_behalf_of: null,
  receipt_number: null,
  rendering: null,
  shipping_cost: null,
  shipping_details: null,
  statement_descriptor: null,
  webhooks_delivered_at: null,
}

/** A finalized invoice of a subscription's period, open until it is paid. */
export function createInvoice(world: World, input: InvoiceInput): Stripe.Invoice {
  const id = newId(world, 'in')
  const lines = input.lines.map((line) => invoiceLine(world, input, id, line))
  const sum = (field: keyof Priced) => input.lines.reduce((all, line) => all + line.priced[field], 0)
  const total = sum('total')
  const invoice = {
    id,
    object: 'invoice',
    ...unused,
    account_country: 'US',
    account_name: 'Simulated school',
    amount_due: total,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: total,
    amount_shipping: 0,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    billing_reason: input.reason,
    collection_method: 'charge_automatically',
    created: input.at,
    currency: input.subscription.currency,
    customer: input.customer.id,
    customer_email: input.customer.email,
    customer_name: input.customer.name ?? null,
    customer_tax_exempt: 'none',
    customer_tax_ids: [],
    default_tax_rates: [],
    discounts: [],
    effective_at: input.at,
    ending_balance: 0,
    hosted_invoice_url: `${world.baseUrl}/i/${id}`,
    issuer: { type: 'self' },
    lines: { object: 'list', data: lines, has_more: false, url: `/v1/invoices/${id}/lines` },
    livemode: world.livemode,
    metadata: {},
    next_payment_attempt: null,
    number: `SIM-${String(world.invoices.size + 1).padStart(4, '0')}`,
    parent: {
      quote_details: null,
      subscription_details: { metadata: { ...input.subscription.metadata }, subscription: input.subscription.id },
      type: 'subscription_details',
    },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: input.at,
    period_start: input.subscription.items.data[0]?.current_period_start ?? input.at,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    starting_balance: 0,
    status: 'open',
    status_transitions: { finalized_at: input.at, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: sum('subtotal'),
    subtotal_excluding_tax: sum('subtotal'),
    test_clock: input.subscription.test_clock,
    total,
    total_discount_amounts: lines.flatMap((line) => line.discount_amounts),
    total_excluding_tax: total - sum('tax'),
    total_pretax_credit_amounts: [],
    total_taxes: lines.flatMap((line) => line.taxes),
  } satisfies Stripe.Invoice
  world.invoices.set(id, invoice)
  emit(world, 'invoice.created', invoice, null, input.at)
  emit(world, 'invoice.finalized', invoice, null, input.at)
  return invoice
}

function invoicePayment(world: World, invoice: Stripe.Invoice, payment: Stripe.PaymentIntent, at: number) {
  const existing = [...world.invoicePayments.values()].find((p) => idOf(p.payment.payment_intent) === payment.id)
  if (existing !== undefined) return existing
  const created = {
    id: newId(world, 'inpay'),
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: invoice.amount_due,
    created: at,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: world.livemode,
    payment: { payment_intent: payment.id, type: 'payment_intent' },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  } satisfies Stripe.InvoicePayment
  world.invoicePayments.set(created.id, created)
  return created
}

export const paymentsOf = (world: World, invoice: string): Stripe.InvoicePayment[] =>
  [...world.invoicePayments.values()].filter((payment) => idOf(payment.invoice) === invoice)

export const paymentIntentOf = (world: World, invoice: string): Stripe.PaymentIntent | null =>
  world.payments.get(idOf(paymentsOf(world, invoice)[0]?.payment.payment_intent) ?? '') ?? null

/** Collects an open invoice once. Says how it went; the invoice's own events are emitted here. */
export function collect(
  world: World,
  invoice: Stripe.Invoice,
  method: Method,
  at: number,
): 'paid' | 'processing' | 'failed' {
  invoice.attempted = true
  if (invoice.amount_due === 0) {
    markPaid(world, invoice, at)
    return 'paid'
  }
  const who = {
    amount: invoice.amount_due,
    currency: invoice.currency,
    customer: idOf(invoice.customer),
    email: invoice.customer_email,
    name: invoice.customer_name,
    metadata: {},
    description: 'Subscription',
    at,
  }
  const payment = paymentIntentOf(world, invoice.id) ?? createPayment(world, who)
  invoicePayment(world, invoice, payment, at)
  invoice.attempt_count += 1
  attempt(world, payment, who, method)
  if (method === 'card') {
    markPaid(world, invoice, at)
    return 'paid'
  }
  if (method === 'bank_debit') return 'processing'
  return 'failed'
}

export function markPaid(world: World, invoice: Stripe.Invoice, at: number): void {
  invoice.status = 'paid'
  invoice.amount_paid = invoice.amount_due
  invoice.amount_remaining = 0
  invoice.next_payment_attempt = null
  invoice.status_transitions.paid_at = at
  for (const paid of paymentsOf(world, invoice.id)) {
    paid.status = 'paid'
    paid.amount_paid = invoice.amount_due
    paid.status_transitions.paid_at = at
    emit(world, 'invoice_payment.paid', paid, null, at)
  }
  emit(world, 'invoice.paid', invoice, null, at)
  emit(world, 'invoice.payment_succeeded', invoice, null, at)
}
