import { hour, type Instant, second } from '../clock.ts'
import { jitter, type Random } from '../random.ts'
import type { HttpOutcome } from './types.ts'

/** The longest wait another system can impose on one call; what needs longer belongs to a job. */
export const retryAfterMaxMs = hour
const backoffBaseMs = 500
const backoffCapMs = 30 * second

const retryableStatus: ReadonlySet<number> = new Set([429, 502, 503, 504])
const retryableKind: ReadonlySet<string> = new Set(['timeout', 'reset', 'refused'])
const httpDate = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /

/**
 * Milliseconds to wait as a `Retry-After` header says, as seconds or as an HTTP date; at most one hour, never
 * negative. Null when the header is missing or unreadable.
 */
export function parseRetryAfter(value: string | undefined, now: Instant): number | null {
  const text = value?.trim() ?? ''
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * second), retryAfterMaxMs)
  if (!httpDate.test(text)) return null
  // The third date form of RFC 9110 (asctime) names no zone and means UTC.
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(at) ? null : Math.min(Math.max(0, at - now), retryAfterMaxMs)
}

export const isRetryable = (outcome: HttpOutcome): boolean =>
  outcome.ok ? retryableStatus.has(outcome.response.status) : retryableKind.has(outcome.failure.kind)

/** How long to wait before attempt `attempt + 1`: jittered doubling, but never less than the other side asks for. */
export function retryDelayMs(outcome: HttpOutcome, attempt: number, now: Instant, random: Random): number {
  const backoff = jitter(Math.min(backoffCapMs, backoffBaseMs * 2 ** (attempt - 1)), random)
  const asked = outcome.ok ? parseRetryAfter(outcome.response.headers['retry-after'], now) : null
  return asked === null ? backoff : Math.max(asked, backoff)
}
