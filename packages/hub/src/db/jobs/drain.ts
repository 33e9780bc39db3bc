import { type Clock, type Instant, startRealDeadline, type VirtualClock } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import type pg from 'pg'
import { createPool } from '#db/database.ts'
import type { Log } from '#db/log.ts'
import { encodeVerdict, failed, type JobInfo, snoozed, type Task, type Tasks, type Verdict } from './task.ts'

export type DrainOptions = {
  /** The database, or a pool of the tables' owner (createPool with `role: null`) that others end. */
  readonly url: string | pg.Pool
  readonly tasks: Tasks
  readonly clock: Clock
  readonly random: Random
  /** Stands in `locked_by` of the job that runs. */
  readonly node: string
  readonly log: Log
  /** Left out: due jobs run by (priority, run_at, id). `any`: one of the due jobs, by `random`. */
  readonly pick?: 'first' | 'any'
}

export interface Drain {
  /** Runs one due job to its end. */
  step(): Promise<'ran' | 'idle'>
  /**
   * Steps until nothing is left that may run, moving a virtual clock to the next job whenever none is due. Stops
   * after `until` (to which the clock then stands); without it, goes on while there are jobs. Throws past `maxSteps`.
   */
  drain(options?: { readonly until?: Instant; readonly maxSteps?: number }): Promise<{ readonly steps: number }>
  /** When the next job may run, or null. A job held by a node is not counted. */
  nextRunAt(): Promise<Instant | null>
  /** Dies as by kill -9: what runs is not recorded and stays locked until reap(). */
  kill(): void
  close(): Promise<void>
}

type Row = { id: bigint; task: string; payload: unknown; attempts: number; max_attempts: number }

const stepsMax = 10_000

/** A worker that runs one job at a time, in a fixed order, by any clock: for tests and the storm. */
export function createDrain(options: DrainOptions): Drain {
  const { clock, tasks, node } = options
  const own = typeof options.url === 'string'
  const pool = typeof options.url === 'string' ? createPool({ url: options.url, role: null, max: 2 }) : options.url
  const names = Object.keys(tasks)
  let dead = false

  const step = async (): Promise<'ran' | 'idle'> => {
    if (dead) throw new Error(`node ${node} is dead`)
    const row = await take(pool, { names, node, now: clock.now(), offset: await pickOffset() })
    if (row === null) return 'idle'
    const task = tasks[row.task]
    if (task === undefined) throw new Error(`no task ${row.task}`)
    const verdict = await withTimeMoving(clock, judge(task, row, options))
    if (dead) return 'ran'
    if (verdict === null) await pool.query('delete from graphile_worker._private_jobs where id = $1', [row.id])
    else await release(pool, row.id, node, verdict)
    return 'ran'
  }

  const pickOffset = async (): Promise<number> => {
    if (options.pick !== 'any') return 0
    const due = await countDue(pool, names, clock.now())
    return Math.floor(options.random.next() * due)
  }

  const nextRunAt = async (): Promise<Instant | null> => {
    const { rows } = await pool.query<{ run_at: Instant | null }>(
      `select min(run_at) as run_at from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
       where is_available and t.identifier = any($1)`,
      [names],
    )
    return rows[0]?.run_at ?? null
  }

  return {
    step,
    nextRunAt,
    drain: async ({ until, maxSteps = stepsMax } = {}) => {
      for (let steps = 0; ; ) {
        if ((await step()) === 'ran') {
          if (++steps > maxSteps) throw new Error(`still jobs to run after ${maxSteps} steps`)
          if (dead) return { steps }
          continue
        }
        const next = await nextRunAt()
        if (next === null || (until !== undefined && next > until)) {
          if (until !== undefined) await virtual(clock).advanceTo(until)
          return { steps }
        }
        await virtual(clock).advanceTo(next)
      }
    },
    kill: () => {
      dead = true
    },
    close: async () => {
      if (own) await pool.end()
    },
  }
}

/** Frees what a dead node held, as the reaper does. */
export async function reap(pool: pg.Pool, node: string): Promise<void> {
  await pool.query('select graphile_worker.force_unlock_workers(array[$1])', [node])
}

async function judge(task: Task, row: Row, options: DrainOptions): Promise<Verdict | null> {
  const job: JobInfo = { id: String(row.id), attempts: row.attempts, maxAttempts: row.max_attempts }
  try {
    const result = await task(row.payload, job)
    return result === undefined ? null : snoozed(result.snoozeUntil)
  } catch (error) {
    options.log.error('a job failed', { task: row.task, job: job.id, attempt: job.attempts, error })
    return failed(error, job, options.clock.now(), options.random)
  }
}

async function take(
  pool: pg.Pool,
  by: { names: readonly string[]; node: string; now: Instant; offset: number },
): Promise<Row | null> {
  const { rows } = await pool.query<Row>(
    // Materialized, or a plan that joins from the other side runs the subquery once per row, and takes a job each time.
    `with due as materialized (
       select jobs.id, tasks.identifier from graphile_worker._private_jobs jobs
       join graphile_worker._private_tasks tasks on tasks.id = jobs.task_id
       where jobs.is_available and jobs.run_at <= $3 and tasks.identifier = any($1)
       order by jobs.priority, jobs.run_at, jobs.id offset $4 limit 1 for update of jobs skip locked)
     update graphile_worker._private_jobs j set attempts = j.attempts + 1, locked_by = $2, locked_at = $3
     from due where j.id = due.id
     returning j.id, due.identifier as task, j.payload, j.attempts, j.max_attempts`,
    [by.names, by.node, new Date(by.now).toISOString(), by.offset],
  )
  return rows[0] ?? null
}

async function countDue(pool: pg.Pool, names: readonly string[], now: Instant): Promise<number> {
  const { rows } = await pool.query<{ due: number }>(
    `select count(*)::int as due from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
     where is_available and run_at <= $2 and t.identifier = any($1)`,
    [names, new Date(now).toISOString()],
  )
  return rows[0]?.due ?? 0
}

/** The same statement by which the library gives up a job; the trigger of migration 0007 carries out the verdict. */
async function release(pool: pg.Pool, id: bigint, node: string, verdict: Verdict): Promise<void> {
  await pool.query(
    `update graphile_worker._private_jobs set last_error = $3, locked_by = null, locked_at = null where id = $1 and locked_by = $2`,
    [id, node, encodeVerdict(verdict)],
  )
}

const isVirtual = (clock: Clock): clock is VirtualClock => 'advanceTo' in clock

function virtual(clock: Clock): VirtualClock {
  if (!isVirtual(clock)) throw new Error('drain() moves time, so it needs a virtual clock')
  return clock
}

const lookMs = 1

/**
 * Awaits a job whose sleeps are on a virtual clock that nobody else moves: whenever it sleeps, time goes on to its
 * wake. Under a real clock this is the job alone.
 */
async function withTimeMoving<T>(clock: Clock, work: Promise<T>): Promise<T> {
  if (!isVirtual(clock)) return work
  let done = false
  const finished = work.finally(() => {
    done = true
  })
  const mover = async () => {
    while (!done) {
      await new Promise<void>((resolve) => startRealDeadline(lookMs, resolve))
      const wake = clock.nextWake()
      if (!done && wake !== null) await clock.advanceTo(wake)
    }
  }
  const [result] = await Promise.all([finished, mover()])
  return result
}
