import type Stripe from 'stripe'
import type { z } from 'zod'
import type { PaymentTruth, Subject } from '#payments/port.ts'
import { invoiceTruth, subscriptionTruth } from './billing.ts'
import { type Attached, checkoutTruth, disputeTruth, factsOfCharge, paymentFacts, refundTruth } from './map.ts'
import {
  type ChargeWire,
  chargeWire,
  checkoutWire,
  disputeWire,
  invoiceLineWire,
  invoiceWire,
  lineItemWire,
  paymentWire,
  refundWire,
  subscriptionItemWire,
  subscriptionWire,
} from './wire.ts'

const pageSize = 100
/** 2,000 of anything on one order. Stripe itself allows 100 lines per session. */
const maxPages = 20

type Listed = { readonly data: readonly { readonly id: string }[]; readonly has_more: boolean }

/** Every item of a list, each read as our wire shape. More than the limit throws: half a truth is none. */
async function all<T>(
  schema: z.ZodType<T>,
  page: (after: { starting_after?: string }) => Promise<Listed>,
): Promise<T[]> {
  const items: T[] = []
  let after: string | undefined
  for (let i = 0; i < maxPages; i++) {
    const listed = await page(after === undefined ? {} : { starting_after: after })
    items.push(...listed.data.map((item) => schema.parse(item)))
    after = listed.data.at(-1)?.id
    if (!listed.has_more || after === undefined) return items
  }
  throw new RangeError(`a list at Stripe is longer than ${maxPages * pageSize}`)
}

/** What hangs on a charge and did not come with it: further refunds, and disputes, which never do. */
async function attached(stripe: Stripe, charge: ChargeWire | null): Promise<Attached> {
  if (charge === null) return {}
  const refunds =
    charge.refunds?.has_more === true || (charge.refunds === undefined && charge.amount_refunded > 0)
      ? await all(refundWire, (after) => stripe.refunds.list({ charge: charge.id, limit: pageSize, ...after }))
      : undefined
  const disputes =
    charge.disputed === true
      ? await all(disputeWire, (after) => stripe.disputes.list({ charge: charge.id, limit: pageSize, ...after }))
      : undefined
  return { ...(refunds === undefined ? {} : { refunds }), ...(disputes === undefined ? {} : { disputes }) }
}

const chargeExpands = ['latest_charge', 'latest_charge.refunds']

async function readCheckout(stripe: Stripe, id: string): Promise<PaymentTruth> {
  const session = checkoutWire.parse(
    await stripe.checkout.sessions.retrieve(id, {
      expand: ['line_items', 'subscription', ...chargeExpands.map((path) => `payment_intent.${path}`)],
    }),
  )
  const lines =
    session.line_items?.has_more === true
      ? await all(lineItemWire, (after) => stripe.checkout.sessions.listLineItems(id, { limit: pageSize, ...after }))
      : (session.line_items?.data ?? null)
  const charge = session.payment_intent?.value?.latest_charge?.value ?? null
  return checkoutTruth(session, lines, await attached(stripe, charge))
}

async function readPayment(stripe: Stripe, id: string): Promise<PaymentTruth> {
  // A payment made without an intent is known by its charge.
  if (id.startsWith('ch_') || id.startsWith('py_')) return readCharge(stripe, id)
  const payment = paymentWire.parse(await stripe.paymentIntents.retrieve(id, { expand: chargeExpands }))
  return paymentFacts(payment, await attached(stripe, payment.latest_charge?.value ?? null))
}

async function readCharge(stripe: Stripe, id: string): Promise<PaymentTruth> {
  const found = await stripe.charges.retrieve(id, {
    expand: ['refunds', 'payment_intent', ...chargeExpands.map((path) => `payment_intent.${path}`)],
  })
  if (found.payment_intent !== null && typeof found.payment_intent !== 'string') {
    const payment = paymentWire.parse(found.payment_intent)
    return paymentFacts(payment, await attached(stripe, payment.latest_charge?.value ?? null))
  }
  const charge = chargeWire.parse(found)
  return factsOfCharge(charge, await attached(stripe, charge))
}

async function readInvoice(stripe: Stripe, id: string): Promise<PaymentTruth> {
  const invoice = invoiceWire.parse(await stripe.invoices.retrieve(id, { expand: ['payments'] }))
  const lines = invoice.lines.has_more
    ? await all(invoiceLineWire, (after) => stripe.invoices.listLineItems(id, { limit: pageSize, ...after }))
    : invoice.lines.data
  return invoiceTruth(invoice, lines)
}

async function readSubscription(stripe: Stripe, id: string): Promise<PaymentTruth> {
  const subscription = subscriptionWire.parse(await stripe.subscriptions.retrieve(id))
  const items = subscription.items.has_more
    ? await all(subscriptionItemWire, (after) =>
        stripe.subscriptionItems.list({ subscription: id, limit: pageSize, ...after }),
      )
    : subscription.items.data
  return subscriptionTruth(subscription, items)
}

/** The checkout session of a payment; a subscription's session names no payment, so its payments have none. */
export async function checkoutOf(stripe: Stripe, paymentId: string): Promise<string | null> {
  const { data } = await stripe.checkout.sessions.list({ payment_intent: paymentId, limit: 1 })
  return data[0]?.id ?? null
}

/** The thing as it is now, in one call where Stripe allows it: more only for long lists and for disputes. */
export async function readSubject(stripe: Stripe, subject: Subject): Promise<PaymentTruth> {
  const id = subject.externalId
  switch (subject.kind) {
    case 'checkout':
      return readCheckout(stripe, id)
    case 'payment':
      return readPayment(stripe, id)
    case 'charge':
      return readCharge(stripe, id)
    case 'refund':
      return refundTruth(refundWire.parse(await stripe.refunds.retrieve(id)))
    case 'dispute':
      return disputeTruth(disputeWire.parse(await stripe.disputes.retrieve(id)))
    case 'invoice':
      return readInvoice(stripe, id)
    case 'subscription':
      return readSubscription(stripe, id)
  }
}
