import type { Instant } from '@bursar/kit/clock.ts'
import type { Asked } from '#db/ask.ts'
import { ask } from '#db/ask.ts'
import { sql, ts } from '#db/sql.ts'

/** A job that failed as often as it may. It stays until someone revives it or its key is asked for again. */
export type DeadJob = {
  readonly id: bigint
  readonly task: string
  readonly payload: unknown
  readonly key: string | null
  readonly attempts: number
  /** Null when its process was killed at the last attempt: it said nothing any more. */
  readonly error: string | null
  readonly failedAt: Instant
}

const pageMax = 200

/** Dead jobs, newest first, a page at a time: `before` is the id of the last one seen. System role only. */
export const deadJobs = (
  at: Asked,
  page: { readonly before?: bigint; readonly limit?: number } = {},
): Promise<DeadJob[]> =>
  ask<DeadJob>(
    at,
    sql('jobs_dead')`
      select id, task, payload, key, attempts, error, failed_at as "failedAt"
      from bursar_dead_jobs(${page.before ?? null}, ${Math.min(page.limit ?? pageMax, pageMax)})`,
  )

/** Dead jobs with the same task and cause, counted: one alert per group, not one per job. */
export const deadJobGroups = (
  at: Asked,
): Promise<{ task: string; error: string | null; jobs: number; latest: Instant }[]> =>
  ask(at, sql('jobs_dead_groups')`select task, error, jobs, latest from bursar_dead_job_groups()`)

/** Gives a dead job all its attempts again; false when it is not dead (any more). System role only. */
export async function reviveJob(at: Asked, id: bigint, now: Instant): Promise<boolean> {
  const [row] = await ask<{ revived: boolean }>(
    at,
    sql('jobs_revive')`select bursar_revive_job(${id}, ${ts(now)}) as revived`,
  )
  return row?.revived === true
}
