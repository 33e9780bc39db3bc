import type { Instant } from '@bursar/kit/clock.ts'

export type Form = 'snapshot' | 'thin'
export type Webhook = {
  readonly url: string
  readonly secret: string
  readonly form?: Form | 'both'
  /** Event types delivered; absent: all. */
  readonly events?: readonly string[]
}

export type Delivery = {
  readonly id: string
  readonly eventId: string
  readonly type: string
  readonly form: Form
  readonly createdAt: Instant
  state: 'waiting' | 'delivered' | 'given_up' | 'dropped'
  attempts: number
  nextAt: Instant | null
  lastStatus: number | null
}

/** What a delivery looks like on the wire; `body` is exactly what is signed. */
export type Signed = { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }

export type DeliverAll = {
  /** Every delivery is sent this many times. Default 1. */
  readonly duplicate?: number
  readonly shuffle?: boolean
  /** The share of deliveries that is lost for good, 0 to 1. */
  readonly drop?: number
  /** Waits on the simulator's clock before each delivery. */
  readonly delayMs?: number
  /** How many are under way at once. Default 1. */
  readonly parallel?: number
}
