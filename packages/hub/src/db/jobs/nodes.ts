import { type Clock, second } from '@bursar/kit/clock.ts'
import pg from 'pg'
import type { Log } from '#db/log.ts'
import { nodeLock, type ReaperDuty, reaperDuty } from './reaper.ts'

/*
 * Who is alive. Every process that takes jobs or leases holds a session advisory lock on its node id, on a connection
 * of its own, and has a row in `node`. PostgreSQL frees the lock when the process dies, however it dies; one process
 * (the reaper, itself chosen by a lock) looks at the rows every second.
 *
 *   - A node is dead when its lock was free at every look for `deadAfterMs`. Its row is marked and its jobs are freed
 *     in one transaction that holds the node's lock, so it cannot come back in the middle.
 *   - A node whose lock connection breaks takes the lock again at once. If `lostAfterMs` pass without an answer on a
 *     connection that holds the lock, it tells its worker to stop taking jobs: sooner than anyone may call it dead.
 *   - Having the lock again, it looks at its row. Unmarked: nothing happened. Marked: its jobs are others' by now, so
 *     the worker starts anew under another generation, and what it still runs no longer counts as its own.
 *   - The lock is taken and the row written before the first job is asked for, so no job is ever held by a stranger.
 */

export const beatMs = 500
const answerMsMax = 500
/** For what the reaper does on this connection; well under the 11 s after which PostgreSQL misses a vanished host. */
const workMsMax = 5 * second
export const lostAfterMs = 1_500
const takeWaitMsMax = 5 * second
const retryMs = 100

export type NodeEvents = {
  /** The lock may be gone: stop taking jobs. */
  readonly onLost?: () => void
  /** The lock is ours again; `declaredDead` = our jobs were given to others meanwhile. */
  readonly onHeld?: (declaredDead: boolean) => void
  /** Another node died: free what it held (leases). Called again until it succeeds; must not mind. */
  readonly onDeadNode?: (node: string) => Promise<void>
}

export type NodeOptions = {
  readonly url: string
  readonly node: string
  readonly clock: Clock
  readonly log: Log
} & NodeEvents

export interface HeldNode {
  readonly node: string
  /** Gives the node up in good order: nothing is left to reap. */
  release(): Promise<void>
}

/** Becomes a living node and, when it is this process's turn, the reaper. Rejects when another process has this id. */
export async function holdNode(options: NodeOptions): Promise<HeldNode> {
  const { clock, log, node } = options
  const stopping = new AbortController()
  const reaper = reaperDuty(options)
  let client = await connectAndTake(options, takeWaitMsMax)
  try {
    if (await register(client, node)) await reaper.bury(client, node)
  } catch (error) {
    await client.end()
    throw error
  }

  const beat = async (): Promise<void> => {
    let lastAnswer = clock.now()
    let lost = false
    while (!stopping.signal.aborted) {
      await clock.sleep(beatMs, stopping.signal)
      if (stopping.signal.aborted) return
      if (await answers(client)) {
        lastAnswer = clock.now()
        await lookAround(client, reaper, log)
        continue
      }
      log.warn('the connection that proves this process alive broke', { node })
      void client.end().catch(() => undefined) // It is broken; ending it only frees our side.
      const fresh = await retake(options, stopping.signal, () => {
        if (!lost && clock.now() - lastAnswer >= lostAfterMs) {
          lost = true
          options.onLost?.()
        }
      })
      if (fresh === null) return
      client = fresh
      lastAnswer = clock.now()
      const declaredDead = await wasDeclaredDead(client, node)
      if (lost || declaredDead) options.onHeld?.(declaredDead)
      lost = false
    }
  }
  const beating = beat()

  return {
    node,
    release: async () => {
      stopping.abort()
      await beating
      await client.query('delete from node where id = $1', [node]).catch((error: unknown) => {
        log.warn('could not sign off; the reaper will', { node, error })
      })
      await client.end().catch(() => undefined) // The lock ends with the session in any case.
    },
  }
}

async function lookAround(client: pg.Client, reaper: ReaperDuty, log: Log): Promise<void> {
  try {
    await reaper.look(client)
  } catch (error) {
    log.error('looking for dead nodes failed', { error })
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'bursar node',
    connectionTimeoutMillis: answerMsMax,
    query_timeout: workMsMax,
    // A host that vanishes without a word is noticed by PostgreSQL after 5 + 3 × 2 s instead of two hours.
    options: '-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c timezone=UTC',
  })
  client.on('error', () => undefined) // The next beat finds it broken and deals with it.
  await client.connect()
  return client
}

async function tryTake(options: NodeOptions): Promise<pg.Client | null> {
  const client = await connect(options.url)
  try {
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1, hashtext($2)) as taken', [
      nodeLock,
      options.node,
    ])
    if (rows[0]?.taken === true) return client
  } catch (error) {
    await client.end().catch(() => undefined) // The first error is the one to tell.
    throw error
  }
  await client.end()
  return null
}

/** At start: waits a little for the lock of a predecessor with the same id whose session is about to end. */
async function connectAndTake(options: NodeOptions, waitMs: number): Promise<pg.Client> {
  for (let waited = 0; ; waited += retryMs) {
    const client = await tryTake(options)
    if (client !== null) return client
    if (waited >= waitMs) throw new Error(`another process is node ${options.node}; give each its own name`)
    await options.clock.sleep(retryMs)
  }
}

/** After a break: tries until it has the lock again or is told to stop. */
async function retake(options: NodeOptions, signal: AbortSignal, meanwhile: () => void): Promise<pg.Client | null> {
  for (let told = false; !signal.aborted; ) {
    meanwhile()
    try {
      const client = await tryTake(options)
      if (client !== null) return client
    } catch (error) {
      if (!told) options.log.warn('cannot reach the database', { node: options.node, error })
      told = true
    }
    await options.clock.sleep(retryMs, signal)
  }
  return null
}

async function answers(client: pg.Client): Promise<boolean> {
  // `query_timeout` is pg's own; it rejects when the answer does not come, e.g. over a half-open connection.
  const question = { text: 'select 1', query_timeout: answerMsMax }
  return client.query(question).then(
    () => true,
    () => false,
  )
}

/** Writes our row; true when a predecessor with this id left one. */
async function register(client: pg.Client, node: string): Promise<boolean> {
  const { rowCount } = await client.query('insert into node (id) values ($1) on conflict do nothing', [node])
  return rowCount === 0
}

async function wasDeclaredDead(client: pg.Client, node: string): Promise<boolean> {
  const { rows } = await client.query<{ dead: boolean }>(
    `with before as (select id, dead_at from node where id = $1 for update),
          back as (insert into node (id) values ($1) on conflict (id) do update set dead_at = null)
     select not exists (select from before where dead_at is null) as dead`,
    [node],
  )
  return rows[0]?.dead ?? true
}
