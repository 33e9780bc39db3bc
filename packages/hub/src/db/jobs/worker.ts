import { EventEmitter } from 'node:events'
import type { Clock } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import { type Task as LibraryTask, Logger, type Runner, run, type WorkerEvents } from 'graphile-worker'
import pg from 'pg'
import type { Log } from '#db/log.ts'
import { holdNode } from './nodes.ts'
import { encodeVerdict, failed, type JobInfo, snoozed, type Task, type Tasks, type Verdict } from './task.ts'

export type WorkerOptions = {
  /** The database, as the tables' owner. */
  readonly url: string
  readonly tasks: Tasks
  /** How many jobs run at a time. */
  readonly concurrency: number
  readonly clock: Clock
  readonly random: Random
  /** This process's name among its peers; each has its own. */
  readonly node: string
  readonly log: Log
  /** Frees what a dead node held besides jobs (leases). Called on one process per dead node, again until it succeeds. */
  readonly onDeadNode?: (node: string) => Promise<void>
}

export interface Worker {
  /** Takes no more jobs and waits for those that run, at most `graceMs`; what runs longer is given back. */
  stop(options?: { readonly graceMs?: number }): Promise<void>
}

// A job that comes due while nobody notifies (a snooze, a retry) starts at most this late. One indexed query each.
const pollMs = 200
// The end of a job is written together with others of the same moment: at 4,000 jobs/s a batch is 20 jobs.
const endBatchMs = 5
// Jobs fetched ahead are locked; if all slots are busy this long they go back for other nodes.
const aheadMs = 1_000
const graceMsDefault = 15_000
// One for notifications, the rest for fetching and ending jobs. Tasks bring their own connections.
const connections = 5

/** Runs jobs until it is stopped, as a node that others can see die. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { node, log } = options
  const pool = new pg.Pool({
    connectionString: options.url,
    max: connections,
    application_name: `bursar worker ${node}`,
    // What is lost when the database itself dies are the last marks of who took or finished a job; such a job runs
    // again, as after the death of a worker. The jobs themselves are written by the pools that wait for the disk.
    options: '-c synchronous_commit=off',
  })
  // The library takes a failed query up by itself; without a listener an idle connection that breaks ends the program.
  const onBreak = (error: Error) => log.warn('a worker connection broke', { error: error.message })
  pool.on('error', onBreak)
  pool.on('connect', (client) => void client.on('error', onBreak))

  let closed = false
  let generation = 0
  let current: Promise<Started> | null = null
  const ending = new Set<Promise<void>>()
  const start = () => {
    generation++
    current = startRunner(options, pool, `${node}/${generation}`, () => closed)
    current.catch((error: unknown) => log.error('the worker did not start', { error }))
  }
  const halt = (graceMs: number): Promise<void> => {
    const started = current
    current = null
    if (started === null) return Promise.resolve()
    const done = started
      .then((s) => end(s, pool, options.clock, graceMs))
      .catch((error: unknown) => log.error('stopping the worker failed', { error }))
    const tracked: Promise<void> = done.finally(() => ending.delete(tracked))
    ending.add(tracked)
    return tracked
  }

  const held = await holdNode({
    ...options,
    onLost: () => {
      log.error('this process cannot prove that it is alive; it takes no more jobs', { node })
      void halt(graceMsDefault)
    },
    onHeld: (declaredDead) => {
      log.warn('this process is known to be alive again', { node, declaredDead })
      if (current !== null) void halt(graceMsDefault)
      start()
    },
  })
  start()
  try {
    await current
  } catch (error) {
    await held.release()
    await pool.end()
    throw error
  }
  return {
    stop: async ({ graceMs = graceMsDefault } = {}) => {
      void halt(graceMs)
      await Promise.all([...ending])
      await held.release()
      closed = true
      await pool.end()
    },
  }
}

type Started = { readonly runner: Runner; readonly holder: string }

async function startRunner(
  options: WorkerOptions,
  pgPool: pg.Pool,
  holder: string,
  closed: () => boolean,
): Promise<Started> {
  const events: WorkerEvents = new EventEmitter()
  // The name under which this pool holds jobs. The library makes one up and offers no option; the pool is handed out
  // here before it asks for its first job, so that our name, whose lock we hold, stands in `locked_by` from the start.
  events.on('pool:create', ({ workerPool }) => {
    workerPool.id = holder
  })
  const runner = await run({
    pgPool,
    events,
    concurrency: options.concurrency,
    noHandleSignals: true,
    pollInterval: pollMs,
    logger: errorsOnly(options.log, closed),
    taskList: Object.fromEntries(
      Object.entries(options.tasks).map(([name, task]) => [name, adapt(name, task, options)]),
    ),
    preset: {
      worker: {
        localQueue: { size: options.concurrency, ttl: aheadMs },
        completeJobBatchDelay: endBatchMs,
        failJobBatchDelay: endBatchMs,
      },
    },
  })
  runner.promise.catch((error: unknown) => options.log.error('the worker ended', { error }))
  return { runner, holder }
}

/** Carries a verdict to the library's statement that gives the job up. Not an error of anyone's. */
class GivenUp extends Error {
  constructor(verdict: Verdict) {
    super(encodeVerdict(verdict))
    this.name = 'GivenUp'
  }
}

const adapt =
  (name: string, task: Task, options: WorkerOptions): LibraryTask =>
  async (payload, helpers) => {
    const job: JobInfo = {
      id: String(helpers.job.id),
      attempts: helpers.job.attempts,
      maxAttempts: helpers.job.max_attempts,
    }
    let result: Awaited<ReturnType<Task>>
    try {
      result = await task(payload, job)
    } catch (error) {
      options.log.error('a job failed', { task: name, job: job.id, attempt: job.attempts, error })
      throw new GivenUp(failed(error, job, options.clock.now(), options.random))
    }
    if (result !== undefined) throw new GivenUp(snoozed(result.snoozeUntil))
  }

/**
 * The library speaks up only about its own troubles; a job that failed is told by `adapt`. After the end a job that
 * was given back may still come to its own end, and the library finds the pool closed, which is no news.
 */
const errorsOnly = (log: Log, closed: () => boolean): Logger =>
  new Logger(() => (level, message, meta) => {
    if (level === 'error' && meta?.failure !== true && !closed()) log.error(message)
  })

async function end(started: Started, pool: pg.Pool, clock: Clock, graceMs: number): Promise<void> {
  const given = new AbortController()
  const stopped = started.runner.stop().then(() => true)
  const late = clock.sleep(graceMs, given.signal).then(() => false)
  const inTime = await Promise.race([stopped, late]).finally(() => given.abort())
  if (inTime) return
  // What still runs is free for others from now on. It may run twice, as after a crash.
  stopped.catch(() => undefined) // Nobody waits for it any more.
  await pool.query('select graphile_worker.force_unlock_workers(array[$1])', [started.holder])
}
