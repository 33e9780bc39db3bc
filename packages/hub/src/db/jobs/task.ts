import { type Instant, minute, second } from '@bursar/kit/clock.ts'
import { jitter, type Random } from '@bursar/kit/random.ts'

export type JobInfo = { readonly id: string; readonly attempts: number; readonly maxAttempts: number }

/**
 * What a job does. Returns nothing when it is done, or the moment to be called again: a snooze holds no slot and
 * counts no attempt. Anything thrown counts one and comes again later. May run twice, so it must not mind.
 */
export type Task = (payload: unknown, job: JobInfo) => Promise<undefined | { readonly snoozeUntil: Instant }>
export type Tasks = Readonly<Record<string, Task>>

export const retryMsMin = second
export const retryMsMax = 5 * minute
/** After this many failures a job stays in the table, dead, for someone to look at (jobs/dead.ts). */
export const attemptsMax = 25
const errorLengthMax = 2_000

/** How long to wait after the n-th failed attempt: 1, 2, 4 … s up to 5 min, each between its half and its whole. */
export const retryDelayMs = (attempts: number, random: Random): number =>
  jitter(Math.min(retryMsMax, retryMsMin * 2 ** Math.max(0, attempts - 1)), random)

/** What becomes of a job that is not done. */
export type Verdict =
  | { readonly snooze: true; readonly runAt: string }
  | { readonly runAt: string; readonly error: string }

export const snoozed = (until: Instant): Verdict => ({ snooze: true, runAt: new Date(until).toISOString() })

export const failed = (error: unknown, job: JobInfo, now: Instant, random: Random): Verdict => ({
  runAt: new Date(now + retryDelayMs(job.attempts, random)).toISOString(),
  error: describe(error),
})

/** How a verdict travels as the error text of the library's own statement; migration 0007 reads it there. */
export const encodeVerdict = (verdict: Verdict): string => `bursar:${JSON.stringify(verdict)}`

export function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  // PostgreSQL's text and jsonb cannot hold NUL.
  return text.replaceAll('\0', '').slice(0, errorLengthMax)
}
