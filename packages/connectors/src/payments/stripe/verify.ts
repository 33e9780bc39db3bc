import type { Instant } from '@bursar/kit/clock.ts'
import { verifyStripe } from '@bursar/kit/signature/stripe.ts'
import type { RawDelivery } from '#lms/port.ts'
import type { RefusalReason, VerifiedEvent } from '#payments/port.ts'
import { eventOf } from './event.ts'

export type Verified =
  | { readonly ok: true; readonly event: VerifiedEvent }
  | { readonly ok: false; readonly reason: RefusalReason }

// Strict: bytes that are not UTF-8, or start with a byte order mark, are not what Stripe signs.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** JSON from raw bytes, or `undefined` when they are not JSON in UTF-8. */
function parse(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body))
  } catch {
    // Both throw for a stranger's bytes only; the caller answers `body_unreadable`.
    return undefined
  }
}

/** One entry for both forms: signature over the raw bytes first, only then a look at what they say. */
export function verifyDelivery(delivery: RawDelivery, secrets: readonly string[], now: Instant): Verified {
  const header = delivery.headers['stripe-signature']
  const signature = verifyStripe(delivery.body, header, secrets, now)
  if (!signature.ok) return { ok: false, reason: signature.reason }
  const event = eventOf(parse(delivery.body))
  return event === null ? { ok: false, reason: 'body_unreadable' } : { ok: true, event }
}

/** The event in bytes that were verified before. */
export const readStored = (body: Buffer): VerifiedEvent | null => eventOf(parse(body))
