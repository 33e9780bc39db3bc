import type { Failure, FailureClass } from '@bursar/connectors/failure.ts'
import type { Instant } from '@bursar/kit/clock.ts'
import { day, hour, minute, second } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import { jitter } from '@bursar/kit/random.ts'

/** Why a learner may open a course. Access is the OR over all live entitlements; the reasons never merge. */
export type SourceKind = 'order_line' | 'subscription' | 'manual'

export type Entitlement = {
  readonly id: string
  readonly source: SourceKind
  readonly startsAt: Instant
  readonly endsAt: Instant | null
  readonly suspendedAt: Instant | null
  readonly revokedAt: Instant | null
}

export type Wanted = 'granted' | 'revoked'
export type Actual = 'none' | 'granted' | 'revoked' | 'unknown'

export const isLive = (e: Entitlement, at: Instant): boolean =>
  e.startsAt <= at && (e.endsAt === null || at < e.endsAt) && e.suspendedAt === null && e.revokedAt === null

/** What the platform should show for one learner and one course. */
export const wanted = (entitlements: readonly Entitlement[], at: Instant): Wanted =>
  entitlements.some((e) => isLive(e, at)) ? 'granted' : 'revoked'

/** When `wanted` may change by itself. */
export const nextChange = (entitlements: readonly Entitlement[], at: Instant): Instant | null =>
  entitlements
    .filter((e) => e.revokedAt === null && e.suspendedAt === null)
    .flatMap((e) => [e.startsAt, e.endsAt])
    .filter((t): t is Instant => t !== null && t > at)
    .reduce<Instant | null>((min, t) => (min === null || t < min ? t : min), null)

/**
 * True when the platform must be told something. `none` and a wanted revoke is rest: nothing was ever opened. A try that
 * was cut off may have got through, whichever it was, so it is never rest.
 */
export const needsWork = (row: {
  readonly wanted: Wanted
  readonly actual: Actual
  readonly uncertain: boolean
}): boolean =>
  row.uncertain ||
  (row.wanted === 'granted' ? row.actual !== 'granted' : row.actual === 'granted' || row.actual === 'unknown')

/** What to do after a failure. `stuck`: no try will help until somebody acts; it is a dead letter. */
export type Next =
  | { readonly kind: 'retry'; readonly at: Instant; readonly counted: boolean }
  | { readonly kind: 'stuck' }

type Policy = {
  readonly baseMs: number
  readonly capMs: number
  /** How many counted tries before a person must look; null = for ever. */
  readonly attemptsMax: number | null
  readonly counted: boolean
}

/**
 * One row per failure class: the whole retry policy. An outage is not in it: while the breaker is open nobody tries,
 * so nothing is counted. `unavailable` gives up after about a week of single failures while the platform works for
 * others (F21); `not_yet_visible` starts at half a second (F7).
 */
export const policies: Readonly<Record<FailureClass, Policy>> = {
  rate_limited: { baseMs: second, capMs: minute, attemptsMax: null, counted: false },
  unavailable: { baseMs: 5 * second, capMs: 6 * hour, attemptsMax: 40, counted: true },
  unauthorized: { baseMs: minute, capMs: 10 * minute, attemptsMax: null, counted: false },
  not_yet_visible: { baseMs: second / 2, capMs: 10 * minute, attemptsMax: 12, counted: true },
  needs_learner: { baseMs: day, capMs: day, attemptsMax: 30, counted: true },
  needs_person: { baseMs: 0, capMs: 0, attemptsMax: 0, counted: true },
  invalid: { baseMs: 0, capMs: 0, attemptsMax: 0, counted: true },
  conflict: { baseMs: 2 * second, capMs: minute, attemptsMax: 5, counted: true },
}

const exponentMax = 20

/** When to try again, or that it makes no sense. `attempts` counts this failure already if its class counts. */
export function afterFailure(failure: Failure, attempts: number, now: Instant, random: Random): Next {
  const policy = policies[failure.class]
  if (policy.attemptsMax !== null && attempts > policy.attemptsMax) return { kind: 'stuck' }
  if (policy.attemptsMax === 0) return { kind: 'stuck' }
  const growth = policy.baseMs * 2 ** Math.min(Math.max(attempts - 1, 0), exponentMax)
  const wait = Math.max(failure.retryAfterMs ?? 0, jitter(Math.min(growth, policy.capMs), random))
  return { kind: 'retry', at: now + wait, counted: policy.counted }
}

/** After these the rest of a learner's work waits too: they speak about the connection, not about one course. */
export const stopsRest = (failure: Failure): boolean =>
  failure.class === 'rate_limited' || failure.class === 'unavailable' || failure.class === 'unauthorized'
