import type { Instant } from '@bursar/kit/clock.ts'
import type Stripe from 'stripe'
import type { Page } from '#lms/port.ts'
import type { VerifiedEvent } from '#payments/port.ts'
import { eventOf } from './event.ts'
import { sweptTypes } from './subjects.ts'

export type SweptEvent = VerifiedEvent & { readonly raw: Buffer }

const pageSize = 100
/** 1,000 events per answer; a busier window is halved. */
const maxPages = 10

/** All events of [from, until) in seconds, newest first as Stripe lists them; `null` when there are too many. */
async function window(stripe: Stripe, from: number, until: number, limit: number): Promise<Stripe.Event[] | null> {
  const events: Stripe.Event[] = []
  for (let i = 0; i < limit; i++) {
    const after = events.at(-1)?.id
    const page = await stripe.events.list({
      limit: pageSize,
      created: { gte: from, lt: until },
      types: [...sweptTypes],
      ...(after === undefined ? {} : { starting_after: after }),
    })
    events.push(...page.data)
    if (!page.has_more) return events
  }
  return null
}

/**
 * Events from `since` on, oldest first. Stripe lists newest first, so a window of time is read whole and turned
 * round; the cursor is where the next window starts. A window that is too full is halved, down to one second.
 */
export async function sweep(stripe: Stripe, since: Instant, now: Instant, cursor?: string): Promise<Page<SweptEvent>> {
  const from = cursor === undefined ? Math.floor(since / 1_000) : Number(cursor)
  if (!Number.isSafeInteger(from)) throw new RangeError('not a cursor of this sweep')
  const end = Math.floor(now / 1_000) + 1
  let until = Math.max(end, from + 1)
  for (;;) {
    const smallest = until - from <= 1
    const events = await window(stripe, from, until, smallest ? Number.POSITIVE_INFINITY : maxPages)
    if (events === null) {
      until = from + Math.ceil((until - from) / 2)
      continue
    }
    const items = events.reverse().flatMap((event) => {
      const read = eventOf(event)
      return read === null ? [] : [{ ...read, raw: Buffer.from(JSON.stringify(event)) }]
    })
    return { items, next: until >= end ? null : String(until) }
  }
}
