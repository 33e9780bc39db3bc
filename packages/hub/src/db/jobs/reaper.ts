import type { Clock, Instant } from '@bursar/kit/clock.ts'
import type pg from 'pg'
import type { Log } from '#db/log.ts'

/** The first half of a node's lock key: any constant will do. The second is a hash of the node id. */
export const nodeLock = 7_216_405
export const deadAfterMs = 2_000

export interface ReaperDuty {
  /** Called at every beat; does its work once a second, if this process is the reaper. */
  look(client: pg.Client): Promise<void>
  /** Frees what an earlier process with this id held. The caller holds the node's lock. */
  bury(client: pg.Client, node: string): Promise<void>
}

// Held by the one process that reaps, on the session that proves it alive. Any constant will do.
const reaperLock = 7_216_406
const lookEveryMs = 1_000
/** Jobs held by nobody we know: cannot happen by the rules of nodes.ts, so looked for rarely. */
const strayLookEveryMs = 60_000

/** The pools of a node stand in `locked_by` as node/1, node/2 …; a drain as the node itself. */
const unlock = `
  select graphile_worker.force_unlock_workers(coalesce(array_agg(distinct locked_by), '{}'))
  from graphile_worker._private_jobs where locked_by = $1 or starts_with(locked_by, $1 || '/')`

export function reaperDuty(options: {
  readonly node: string
  readonly clock: Clock
  readonly log: Log
  readonly onDeadNode?: (node: string) => Promise<void>
}): ReaperDuty {
  const { clock, log } = options
  const freeSince = new Map<string, Instant>()
  let lookedAt = 0
  let straysLookedAt = clock.now()

  const bury = async (client: pg.Client, node: string) => {
    await client.query(unlock, [node])
    await options.onDeadNode?.(node)
  }

  const reap = async (client: pg.Client, node: string) => {
    if (!(await declareDead(client, node))) return
    log.warn('a node died; its jobs are free again', { node })
    await options.onDeadNode?.(node)
    await client.query('delete from node where id = $1 and dead_at is not null', [node])
    freeSince.delete(node)
  }

  return {
    bury,
    look: async (client) => {
      const now = clock.now()
      if (now - lookedAt < lookEveryMs - lookEveryMs / 10) return
      lookedAt = now
      if (!(await isReaper(client))) return freeSince.clear()
      const free = await nodesWithFreeLock(client)
      for (const known of [...freeSince.keys()]) if (!free.includes(known)) freeSince.delete(known)
      for (const node of free) {
        const since = freeSince.get(node) ?? now
        freeSince.set(node, since)
        if (now - since >= deadAfterMs - lookEveryMs / 10) await reap(client, node)
      }
      if (now - straysLookedAt >= strayLookEveryMs) {
        straysLookedAt = now
        await freeStrays(client, log)
      }
    },
  }
}

/** Whether this session reaps: it holds the lock, or takes it because nobody does. */
async function isReaper(client: pg.Client): Promise<boolean> {
  // A session lock can be taken many times over, so it is asked for only while this session does not have it.
  const { rows } = await client.query<{ reaper: boolean }>(
    `select case when exists (
       select from pg_locks where locktype = 'advisory' and objsubid = 2 and classid::bigint = $1::int and objid = 0
         and pid = pg_backend_pid() and granted)
     then true else pg_try_advisory_lock($1::int, 0) end as reaper`,
    [reaperLock],
  )
  return rows[0]?.reaper === true
}

async function nodesWithFreeLock(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `select id from node where not exists (
       select from pg_locks l join pg_database d on d.oid = l.database
       where l.locktype = 'advisory' and d.datname = current_database() and l.objsubid = 2 and l.granted
         and l.classid = $1 and l.objid::bigint = (hashtext(node.id)::bigint & 4294967295))`,
    [nodeLock],
  )
  return rows.map((r) => r.id)
}

/** Marks a node and frees its jobs while holding its lock; false when it came back first. */
async function declareDead(client: pg.Client, node: string): Promise<boolean> {
  await client.query('begin')
  try {
    const { rows } = await client.query<{ free: boolean }>(
      'select pg_try_advisory_xact_lock($1, hashtext($2)) as free',
      [nodeLock, node],
    )
    const free = rows[0]?.free === true
    if (free) {
      await client.query('update node set dead_at = now() where id = $1', [node])
      await client.query(unlock, [node])
    }
    await client.query('commit')
    return free
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

async function freeStrays(client: pg.Client, log: Log): Promise<void> {
  const { rows } = await client.query<{ holder: string }>(
    `select distinct locked_by as holder from graphile_worker._private_jobs j
     where locked_by is not null and locked_at < now() - interval '1 minute'
       and not exists (select from node n where j.locked_by = n.id or starts_with(j.locked_by, n.id || '/'))`,
  )
  if (rows.length === 0) return
  const holders = rows.map((r) => r.holder)
  log.error('jobs were held by nodes nobody knows; they are free again', { holders })
  await client.query('select graphile_worker.force_unlock_workers($1)', [holders])
}
