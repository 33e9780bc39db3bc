import type { App } from '#action/context.ts'
import { putSchedule, type ScheduleSpec, wakeTick } from '#db/jobs/schedules.ts'

const schedule = (name: string, task: string, cron: string): ScheduleSpec => ({
  name,
  task,
  cron,
  payload: {},
  timezone: 'UTC',
})

/** What every hub does by the clock. Each is a safety net: the rows and the events come with their own jobs. */
export const schedules: readonly ScheduleSpec[] = [
  // Reasons that begin or end by themselves, and work whose poke was lost. The learner waits at most this long.
  schedule('seats', 'entitlements.sweep', '*/10 * * * * *'),
  schedule('stored events without a job', 'inbound.sweep', '*/3 * * * *'),
  schedule('events that never arrived', 'orders.sweep', '*/10 * * * *'),
  schedule('partitions and old payloads', 'inbound.payloads', '17 3 * * *'),
  schedule('messages without a job', 'mail.sweep', '*/2 * * * *'),
  schedule('old messages', 'mail.purge', '51 3 * * *'),
  schedule('old sessions and codes', 'identity.sweep', '29 * * * *'),
  schedule('people: merges, addresses, copies and erasures', 'people.sweep', '*/15 * * * *'),
  schedule('old idempotency keys', 'actions.purge', '43 3 * * *'),
]

/** Puts the standing schedules in place and wakes the one task that drives them. */
export async function prepareSchedules(app: App): Promise<void> {
  for (const spec of schedules) await putSchedule(app.db, app.ids, spec)
  await app.db.tx('system', wakeTick)
}
