import type { Instant } from '@bursar/kit/clock.ts'
import type { Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'

export type JobSpec = {
  readonly task: string
  readonly payload: Record<string, unknown>
  /** At most one waiting job has this key: a second one replaces the first, or leaves it (`keyMode`). */
  readonly key?: string
  /** Left out: at once, by the clock of the transaction. */
  readonly runAt?: Instant
  /** Smaller runs first; 0 when left out. */
  readonly priority?: number
  /**
   * What happens when a job with this key waits already. `replace` (the default) takes the new payload and time;
   * `preserve_run_at` the new payload only; `unsafe_dedupe` changes nothing, even if that job runs already.
   */
  readonly keyMode?: 'replace' | 'preserve_run_at' | 'unsafe_dedupe'
}

/** Adds jobs in the caller's transaction, by one statement: they exist if and only if it commits. */
export async function enqueue(tx: Tx, jobs: readonly JobSpec[]): Promise<void> {
  if (jobs.length === 0) return
  const wire = lastOfEachKey(jobs).map((job) => ({ ...job, runAt: ts(job.runAt ?? tx.now) }))
  await tx.run(sql('jobs_enqueue')`select bursar_enqueue(${json(wire)}::jsonb)`)
}

/** One statement may touch a key once; and sorted keys are locked in the same order by everyone. */
function lastOfEachKey(jobs: readonly JobSpec[]): JobSpec[] {
  const keyed = new Map(jobs.flatMap((job) => (job.key === undefined ? [] : [[job.key, job] as const])))
  const sorted = [...keyed.values()].sort((a, b) => ((a.key ?? '') < (b.key ?? '') ? -1 : 1))
  return [...jobs.filter((job) => job.key === undefined), ...sorted]
}
