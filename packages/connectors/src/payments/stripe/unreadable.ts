import type { Instant } from '@bursar/kit/clock.ts'

/** Stripe said something this version has no word for, in a place where guessing would decide about money or access. */
export class UnreadableAnswer extends Error {
  readonly field: string
  constructor(field: string, value: unknown) {
    super(`Stripe sent a value for ${field} that this version does not know: ${JSON.stringify(value)?.slice(0, 60)}`)
    this.name = 'UnreadableAnswer'
    this.field = field
  }
}

/** Stripe's whole seconds as a moment. */
export const instant = (seconds: number): Instant => seconds * 1_000
