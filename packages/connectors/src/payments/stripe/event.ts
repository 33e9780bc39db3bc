import { z } from 'zod'
import type { PaymentTruth, VerifiedEvent } from '#payments/port.ts'
import { invoiceTruth, subscriptionTruth } from './billing.ts'
import { checkoutTruth, disputeTruth, factsOfCharge, paymentFacts, refundTruth } from './map.ts'
import { AmountError } from './money.ts'
import { subjectsOf } from './subjects.ts'
import { instant, UnreadableAnswer } from './unreadable.ts'
import {
  chargeWire,
  checkoutWire,
  disputeWire,
  invoiceWire,
  paymentWire,
  refundWire,
  subscriptionWire,
} from './wire.ts'

const idOf = z
  .union([z.string(), z.looseObject({ id: z.string() }).transform((o) => o.id)])
  .nullish()
  .catch(null)

const snapshot = z.object({
  id: z.string().min(1),
  object: z.literal('event'),
  type: z.string().min(1),
  created: z.number(),
  livemode: z.boolean(),
  account: z.string().nullish(),
  context: z.string().nullish(),
  api_version: z.string().nullish(),
  data: z.looseObject({
    object: z.looseObject({
      object: z.string().nullish().catch(null),
      id: z.string().nullish().catch(null),
      charge: idOf,
      invoice: idOf,
    }),
  }),
})

const thin = z.object({
  id: z.string().min(1),
  object: z.literal('v2.core.event'),
  type: z.string().min(1),
  created: z.string(),
  livemode: z.boolean(),
  context: z.string().nullish(),
  related_object: z.looseObject({ id: z.string().nullish(), type: z.string() }).nullish(),
})

const truthOf: Readonly<Record<string, (object: unknown) => PaymentTruth>> = {
  'checkout.session': (object) => checkoutTruth(checkoutWire.parse(object)),
  payment_intent: (object) => paymentFacts(paymentWire.parse(object)),
  charge: (object) => factsOfCharge(chargeWire.parse(object)),
  refund: (object) => refundTruth(refundWire.parse(object)),
  dispute: (object) => disputeTruth(disputeWire.parse(object)),
  invoice: (object) => invoiceTruth(invoiceWire.parse(object)),
  subscription: (object) => subscriptionTruth(subscriptionWire.parse(object)),
}

/**
 * What the payload says about its object, where we can read it. A shape or value from a version we do not know states
 * nothing: the event is kept, and with a key its subject is read back in our own version.
 */
function stated(object: Record<string, unknown>): readonly PaymentTruth[] {
  const read =
    typeof object.object === 'string' && Object.hasOwn(truthOf, object.object) ? truthOf[object.object] : null
  if (!read) return []
  try {
    return [read(object)]
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof UnreadableAnswer || error instanceof AmountError) return []
    throw error
  }
}

/** An event in either form from its parsed JSON; `null` when it is neither. */
export function eventOf(json: unknown): VerifiedEvent | null {
  const full = snapshot.safeParse(json)
  if (full.success) {
    const event = full.data
    const object = event.data.object
    const type = object.object ?? ''
    return {
      externalId: event.id,
      type: event.type,
      occurredAt: instant(event.created),
      livemode: event.livemode,
      account: event.account ?? event.context ?? null,
      apiVersion: event.api_version ?? null,
      form: 'snapshot',
      subjects: subjectsOf(event.type, {
        type,
        id: object.id ?? null,
        charge: object.charge ?? null,
        invoice: object.invoice ?? null,
      }),
      stated: stated(object),
    }
  }
  const light = thin.safeParse(json)
  if (!light.success) return null
  const event = light.data
  const occurredAt = Date.parse(event.created)
  if (!Number.isFinite(occurredAt)) return null
  return {
    externalId: event.id,
    type: event.type,
    occurredAt,
    livemode: event.livemode,
    account: event.context ?? null,
    apiVersion: null,
    form: 'thin',
    subjects: subjectsOf(event.type, {
      type: event.related_object?.type ?? '',
      id: event.related_object?.id ?? null,
    }),
    stated: [],
  }
}
