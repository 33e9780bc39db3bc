import type { Instant } from '@bursar/kit/clock.ts'
import { momentText, sinceText } from './names.ts'
import { issueText } from './sentences.ts'

export const verdictKinds = [
  'open',
  'being_set_up',
  'waiting',
  'needs_person',
  'needs_learner',
  'closing',
  'closed',
  'not_started',
  'unpaid',
] as const
export type VerdictKind = (typeof verdictKinds)[number]

export type Verdict = { readonly kind: VerdictKind; readonly sentence: string }

/** What is known of one learner's seat in one course. */
export type SeatFacts = {
  readonly school: string
  readonly wanted: 'granted' | 'revoked'
  readonly paused: boolean
  readonly actual: 'none' | 'granted' | 'revoked' | 'unknown'
  readonly nextTryAt: Instant | null
  readonly nextChangeAt: Instant | null
  readonly failingSince: Instant | null
  readonly failureClass: string | null
  readonly failureMessage: string | null
  readonly openedAt: Instant | null
  readonly closedAt: Instant | null
  readonly updatedAt: Instant
  /** The reasons that hold now, in words. */
  readonly live: readonly string[]
  /** Why the last reason ended or pauses; null when none ever did. */
  readonly ended: string | null
}

const stop = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

const waitingText = (seat: SeatFacts, now: Instant): string => {
  if (seat.paused) return `${seat.school} is paused by hand; it goes on with connections.resume.`
  const since = seat.failingSince === null ? '' : ` Since ${sinceText(seat.failingSince, now)}.`
  const next = seat.nextTryAt === null ? '' : ` Next try ${momentText(seat.nextTryAt, now)}.`
  return `${stop(`${seat.school}: ${seat.failureMessage ?? 'not yet done'}`)}${since}${next}`
}

function granted(seat: SeatFacts, now: Instant): Verdict {
  if (seat.actual === 'granted') {
    const since = seat.openedAt === null ? '' : ` since ${sinceText(seat.openedAt, now)}`
    const why = seat.live.length === 0 ? '' : ` ${stop(seat.live.join('; '))}`
    return { kind: 'open', sentence: `Open at ${seat.school}${since}.${why}` }
  }
  if (seat.failureClass === null && !seat.paused)
    return { kind: 'being_set_up', sentence: `Being set up at ${seat.school}.` }
  if (seat.nextTryAt !== null) return { kind: 'waiting', sentence: `Waiting. ${waitingText(seat, now)}` }
  const needsLearner = seat.failureClass === 'needs_learner'
  return {
    kind: needsLearner ? 'needs_learner' : 'needs_person',
    sentence: `${needsLearner ? 'The learner' : 'A person'} must act. ${waitingText(seat, now)}`,
  }
}

function revoked(seat: SeatFacts, now: Instant): Verdict {
  const why = stop(seat.ended ?? 'No reason for access is left')
  if (seat.nextTryAt !== null || seat.actual === 'granted' || seat.actual === 'unknown') {
    if (seat.failureClass !== null && seat.nextTryAt === null)
      return {
        kind: 'needs_person',
        sentence: `Should be closed, still open. ${why} A person must act. ${waitingText(seat, now)}`,
      }
    const how = seat.failureClass === null ? '' : ` ${waitingText(seat, now)}`
    return { kind: 'closing', sentence: `Should be closed, still open at ${seat.school}. ${why}${how}` }
  }
  if (seat.actual === 'none' && seat.nextChangeAt !== null && seat.ended === null)
    return { kind: 'not_started', sentence: `Opens ${momentText(seat.nextChangeAt, now)}.` }
  const at = seat.closedAt ?? seat.updatedAt
  return { kind: 'closed', sentence: `Closed ${momentText(at, now)}. ${why}` }
}

/** How a seat stands, in one sentence that can be read to the person who asks. */
export const seatVerdict = (seat: SeatFacts, now: Instant): Verdict =>
  seat.wanted === 'granted' ? granted(seat, now) : revoked(seat, now)

export type LineFacts = {
  readonly description: string
  readonly priceId: string | null
  readonly mapped: boolean
}

export type OrderStanding = {
  readonly state: string
  readonly issue: string | null
  readonly issueDetail: string | null
  readonly paidAt: Instant | null
  readonly hasPerson: boolean
}

/** A line that has no seat: why it has none. */
export function lineVerdict(order: OrderStanding, line: LineFacts | null): Verdict {
  if (order.paidAt === null) return unpaid(order)
  if (line !== null && !line.mapped) {
    const what = line.priceId === null ? 'this payment' : `price ${line.priceId}`
    return {
      kind: 'needs_person',
      sentence: `A person must act: paid, but ${what} is not mapped to a course; map it with ${line.priceId === null ? 'metadata.map' : 'prices.map'}.`,
    }
  }
  if (!order.hasPerson) return { kind: 'needs_person', sentence: `A person must act. ${stop(issueText('no_email'))}` }
  if (order.issue !== null)
    return { kind: 'needs_person', sentence: `A person must act. ${stop(issueText(order.issue))}` }
  if (order.state === 'refunded' || order.state === 'charged_back')
    return { kind: 'closed', sentence: 'Never opened: the money went back first.' }
  return { kind: 'being_set_up', sentence: 'Paid; the seat is being set up.' }
}

function unpaid(order: OrderStanding): Verdict {
  switch (order.state) {
    case 'awaiting_funds':
      return { kind: 'unpaid', sentence: 'Not open yet: the money is on its way, the bank has not confirmed it.' }
    case 'expired':
      return { kind: 'unpaid', sentence: 'Never paid: the checkout expired.' }
    case 'canceled':
      return { kind: 'unpaid', sentence: 'Never paid: the payment failed.' }
    default:
      return { kind: 'unpaid', sentence: 'Not paid yet.' }
  }
}
