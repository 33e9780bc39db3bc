import type { Instant } from '@bursar/kit/clock.ts'

export type SeatWord = 'open' | 'preparing' | 'waiting' | 'closed'

/** How a seat stands, in a word and a sentence for its learner. `stuck`: no time opens it, somebody must act. */
export type Said = { readonly state: SeatWord; readonly message: string; readonly stuck: boolean }

export const say = (state: SeatWord, message: string, stuck = false): Said => ({ state, message, stuck })

export type SeatFacts = {
  readonly school: string
  readonly wanted: 'granted' | 'revoked'
  readonly actual: string | null
  readonly failureClass: string | null
  readonly nextTryAt: Instant | null
  /** Why it ended, when it has. */
  readonly ended: string | null
}

export function seatWord(seat: SeatFacts): Said {
  const { school } = seat
  if (seat.wanted === 'revoked') return say('closed', seat.ended ?? 'Access to this course has ended.')
  if (seat.actual === 'granted') return say('open', `Open at ${school}.`)
  if (seat.failureClass === null) return say('preparing', `The seat at ${school} is being prepared.`)
  if (seat.nextTryAt !== null)
    return say('waiting', `${school} could not open the seat yet. We keep trying; you need not do or pay anything.`)
  return seat.failureClass === 'needs_learner'
    ? say('waiting', `${school} waits for you: accept the invitation it has sent.`, true)
    : say(
        'waiting',
        `${school} needs a person to open this seat. They know about it; you need not do or pay anything.`,
        true,
      )
}
