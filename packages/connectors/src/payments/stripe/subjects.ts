import type { Subject } from '#payments/port.ts'

type SubjectKind = Subject['kind']

/** The object an event is about → what the hub reads back. */
const kindOfObject: Readonly<Record<string, SubjectKind>> = {
  'checkout.session': 'checkout',
  payment_intent: 'payment',
  charge: 'charge',
  refund: 'refund',
  dispute: 'dispute',
  invoice: 'invoice',
  subscription: 'subscription',
}

/** Each event that moves an order, and its object. The hub subscribes to exactly these. */
export const eventTypes = {
  'checkout.session.completed': 'checkout',
  'checkout.session.async_payment_succeeded': 'checkout',
  'checkout.session.async_payment_failed': 'checkout',
  'checkout.session.expired': 'checkout',
  'payment_intent.succeeded': 'payment',
  'payment_intent.processing': 'payment',
  'payment_intent.payment_failed': 'payment',
  'payment_intent.canceled': 'payment',
  'invoice.paid': 'invoice',
  'invoice.payment_failed': 'invoice',
  'invoice.payment_action_required': 'invoice',
  'customer.subscription.created': 'subscription',
  'customer.subscription.updated': 'subscription',
  'customer.subscription.deleted': 'subscription',
  'customer.subscription.paused': 'subscription',
  'customer.subscription.resumed': 'subscription',
  'customer.subscription.trial_will_end': 'subscription',
  'refund.created': 'refund',
  'refund.updated': 'refund',
  'refund.failed': 'refund',
  'charge.refunded': 'charge',
  'charge.refund.updated': 'refund',
  'charge.dispute.created': 'dispute',
  'charge.dispute.updated': 'dispute',
  'charge.dispute.funds_withdrawn': 'dispute',
  'charge.dispute.funds_reinstated': 'dispute',
  'charge.dispute.closed': 'dispute',
  'radar.early_fraud_warning.created': 'charge',
  'invoice_payment.paid': 'invoice',
} as const satisfies Readonly<Record<string, SubjectKind>>

export type HandledEventType = keyof typeof eventTypes

/**
 * What a sweep asks for: Stripe's list takes at most 20 types. Left out are those that another of the list follows
 * or that move nothing.
 */
export const sweptTypes: readonly HandledEventType[] = [
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'checkout.session.expired',
  'payment_intent.succeeded',
  'payment_intent.payment_failed',
  'invoice.paid',
  'invoice.payment_failed',
  'customer.subscription.updated',
  'customer.subscription.deleted',
  'customer.subscription.paused',
  'customer.subscription.resumed',
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
  'charge.dispute.closed',
  'radar.early_fraud_warning.created',
]

/** Known, frequent, and saying nothing that one of the events above does not say. Reading back would be waste. */
const meaningless = new Set([
  'payment_intent.created',
  'payment_intent.requires_action',
  'charge.succeeded',
  'charge.updated',
  'charge.pending',
  'charge.failed',
  'charge.captured',
  'invoice.created',
  'invoice.finalized',
  'invoice.updated',
  'invoice.payment_succeeded',
  'invoice.sent',
  'invoice.upcoming',
])

/** An event's own object, as either form names it; `charge` and `invoice` are set where the object refers to one. */
export type EventObject = {
  readonly type: string
  readonly id: string | null
  readonly charge?: string | null
  readonly invoice?: string | null
}

/**
 * What to read back for an event. `v1.` in front marks the thin form of the same type. A type we do not know still
 * names its object, and reading that once too often is harmless; an object we do not know gives nothing.
 */
export function subjectsOf(type: string, object: EventObject): readonly Subject[] {
  const name = type.startsWith('v1.') ? type.slice(3) : type
  if (meaningless.has(name)) return []
  if (object.type === 'radar.early_fraud_warning') return subject('charge', object.charge)
  if (object.type === 'invoice_payment') return subject('invoice', object.invoice)
  const kind = kindOfObject[object.type]
  return kind === undefined ? [] : subject(kind, object.id)
}

const subject = (kind: SubjectKind, id: string | null | undefined): readonly Subject[] =>
  typeof id === 'string' && id !== '' ? [{ kind, externalId: id }] : []
