import { type Clock, type Instant, minute } from '@bursar/kit/clock.ts'
import type { ErrorCode } from '@bursar/kit/errors.ts'
import type { Log } from '#action/context.ts'

/** Somebody knocked and was not let in. Carries nothing of what they sent. */
export type Refusal = {
  /** The route's name, and the connection where one was found. Never a stranger's text. */
  readonly route: string
  readonly source: string | null
  readonly reason: ErrorCode
  /** A secret of ours that fits but has been retired: a sender that missed the rotation. */
  readonly keyId: string | null
  readonly address: string
  readonly traceId: string
}

/** Told at most once a minute per source and reason; `count` says how many since the last time. */
export type OnRefused = (refusal: Refusal & { readonly count: number }) => void

export type Refusals = {
  /** Counts one refusal. True when this address has used up its refusals for now. */
  note(refusal: Refusal): boolean
  /** Total refusals since the start, by reason. */
  totals(): Readonly<Partial<Record<ErrorCode, number>>>
}

// Room for a provider whose secret was mistyped in a burst; a guesser learns nothing at any rate.
const refusalsPerMinute = 600
// Memory for strangers is bounded: whoever comes from more addresses pushes out the oldest.
const addressesMax = 10_000
const silence = minute

/** Counts refusals; speaks at most once a minute about each kind. */
export function createRefusals(deps: { clock: Clock; log: Log; onRefused?: OnRefused }): Refusals {
  const totals: Partial<Record<ErrorCode, number>> = {}
  const kinds = new Map<string, { toldAt: Instant; count: number }>()
  const addresses = new Map<string, { since: Instant; count: number }>()

  const tell = (refusal: Refusal, now: Instant): void => {
    const key = `${refusal.route} ${refusal.source ?? '-'} ${refusal.reason} ${refusal.keyId ?? '-'}`
    const kind = kinds.get(key) ?? { toldAt: now - silence, count: 0 }
    kind.count += 1
    kinds.set(key, kind)
    if (now - kind.toldAt < silence) return
    const told = { ...refusal, count: kind.count }
    kind.toldAt = now
    kind.count = 0
    deps.log.warn('inbound delivery refused', told)
    deps.onRefused?.(told)
  }

  const overLimit = (address: string, now: Instant): boolean => {
    const known = addresses.get(address)
    if (known !== undefined && now - known.since < minute) {
      known.count += 1
      return known.count > refusalsPerMinute
    }
    addresses.delete(address)
    addresses.set(address, { since: now, count: 1 })
    const oldest = addresses.keys().next().value
    if (addresses.size > addressesMax && oldest !== undefined) addresses.delete(oldest)
    return false
  }

  return {
    note: (refusal) => {
      const now = deps.clock.now()
      totals[refusal.reason] = (totals[refusal.reason] ?? 0) + 1
      tell(refusal, now)
      return overLimit(refusal.address, now)
    },
    totals: () => totals,
  }
}
