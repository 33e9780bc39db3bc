import type { Instant } from '@bursar/kit/clock.ts'
import { minute } from '@bursar/kit/clock.ts'
import type { Ids } from '@bursar/kit/ids.ts'
import { Cron } from 'croner'
import { type Asked, ask, within } from '#db/ask.ts'
import type { Database, Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'
import { enqueue } from './queue.ts'
import type { Task } from './task.ts'

export type Schedule = {
  readonly id: string
  readonly name: string
  readonly task: string
  readonly payload: Record<string, unknown>
  /** Five fields (minute hour day month weekday), or six with seconds first. */
  readonly cron: string
  /** An IANA name such as Europe/Berlin: the times are that place's wall clock. */
  readonly timezone: string
  readonly enabled: boolean
  readonly lastRunAt: Instant | null
  /** When a run was left out because the one before was not done. */
  readonly lastSkippedAt: Instant | null
  readonly nextRunAt: Instant
}

export type ScheduleSpec = Pick<Schedule, 'name' | 'task' | 'payload' | 'cron' | 'timezone'> & {
  readonly enabled?: boolean
}

export const tickTask = 'schedules.tick'
/** The tick looks at least this often, so that a schedule changed by hand is noticed. */
const tickMsMax = minute
const dueMax = 100

/**
 * The first moment after `after` that the expression names, on that place's wall clock. A time within the
 * hour that spring leaves out runs when that hour is over; in the hour that autumn repeats, it runs once. Throws on an expression, a time
 * zone or a date that does not exist.
 */
export function nextRun(schedule: { readonly cron: string; readonly timezone: string }, after: Instant): Instant {
  const next = new Cron(schedule.cron, { timezone: schedule.timezone, paused: true }).nextRun(new Date(after))
  if (next === null) throw new Error(`${schedule.cron} names no moment after ${new Date(after).toISOString()}`)
  return next.getTime()
}

/** Makes or changes the schedule of this name. Its next run is computed anew only if its times changed. */
export const putSchedule = (at: Asked, ids: Ids, spec: ScheduleSpec): Promise<Schedule> =>
  within(at, async (tx) => {
    const next = nextRun(spec, tx.now)
    const row = await tx.one<Schedule>(sql('schedule_put')`
      insert into schedule as s (id, name, task, payload, cron, timezone, enabled, next_run_at, created_at, updated_at)
      values (${ids.next('sch')}, ${spec.name}, ${spec.task}, ${json(spec.payload)}, ${spec.cron}, ${spec.timezone},
        ${spec.enabled ?? true}, ${ts(next)}, ${ts(tx.now)}, ${ts(tx.now)})
      on conflict (name) do update set task = excluded.task, payload = excluded.payload, cron = excluded.cron,
        timezone = excluded.timezone, enabled = excluded.enabled, updated_at = excluded.updated_at,
        next_run_at = case when s.cron = excluded.cron and s.timezone = excluded.timezone and s.enabled
          then s.next_run_at else excluded.next_run_at end
      returning id, name, task, payload, cron, timezone, enabled, last_run_at as "lastRunAt",
        last_skipped_at as "lastSkippedAt", next_run_at as "nextRunAt"`)
    await wakeTick(tx)
    return row
  })

/** All schedules by name. There are tens of them: one page. */
export const listSchedules = (at: Asked): Promise<Schedule[]> =>
  ask<Schedule>(
    at,
    sql('schedule_list')`
      select id, name, task, payload, cron, timezone, enabled, last_run_at as "lastRunAt",
        last_skipped_at as "lastSkippedAt", next_run_at as "nextRunAt"
      from schedule order by name limit 1000`,
  )

/** Puts the tick into the queue, or calls it at once. Called at start-up: without it nothing is scheduled. */
export const wakeTick = (tx: Tx): Promise<void> => enqueue(tx, [{ task: tickTask, payload: {}, key: tickTask }])

/** The one task behind all schedules: starts what is due and comes again when the next is. */
export const tickOf =
  (db: Database): Task =>
  async () => ({ snoozeUntil: await tick(db) })

/**
 * Starts every schedule that is due, once: however long nobody looked, what was missed is one run. A schedule whose
 * last run still waits or works is left out this time. Returns when to look again.
 */
export const tick = (db: Database): Promise<Instant> =>
  db.tx('system', async (tx) => {
    const due = await tx.many<Schedule & { pending: boolean }>(sql('schedule_due')`
      select id, task, payload, cron, timezone, bursar_job_pending('schedule:' || id) as pending
      from schedule where enabled and next_run_at <= ${ts(tx.now)}
      order by next_run_at limit ${dueMax} for update skip locked`)
    const start = due.filter((s) => !s.pending)
    await enqueue(
      tx,
      start.map((s) => ({ task: s.task, payload: s.payload, key: `schedule:${s.id}` })),
    )
    for (const s of due) {
      await tx.run(sql('schedule_done')`
        update schedule set next_run_at = ${ts(nextRun(s, tx.now))},
          last_run_at = case when ${s.pending} then last_run_at else ${ts(tx.now)}::timestamptz end,
          last_skipped_at = case when ${s.pending} then ${ts(tx.now)}::timestamptz else last_skipped_at end
        where id = ${s.id}`)
    }
    const next = await tx.one<{ at: Instant | null }>(
      sql('schedule_next')`select min(next_run_at) as at from schedule where enabled`,
    )
    return Math.min(next.at ?? Number.POSITIVE_INFINITY, tx.now + tickMsMax)
  })
