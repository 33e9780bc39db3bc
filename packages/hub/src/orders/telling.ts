import type { Instant } from '@bursar/kit/clock.ts'

/** How we came to know: read back from the provider, or only stated by a signed event of that moment. */
export type Telling = {
  readonly connectionId: string
  readonly at: Instant
  readonly stated: boolean
  readonly type: string
  readonly eventId: string | null
}

export type Settled =
  /** `accounts`: the learners' accounts at schools that have work now. */
  | { readonly outcome: 'settled'; readonly orderId: string; readonly accounts: readonly string[] }
  /** Nothing here belongs to this yet; the event waits and is tried again. */
  | { readonly outcome: 'unmatched'; readonly why: string }

/** The metadata key by which a payment names our own order. */
export const orderIdKey = 'hub_order_id'
