import { day, minute } from '@bursar/kit/clock.ts'
import * as z from 'zod'
import type { App } from '#action/context.ts'
import { enqueue } from '#db/jobs/queue.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { sql, ts } from '#db/sql.ts'
import { deliverMessage } from './deliver.ts'
import { sendJob, sendTask } from './send.ts'

const sendPayload = z.object({ id: z.string() })
const sweepMax = 500
// Rows get this long to be sent by the job that came with them; only then the sweep calls them forgotten.
const sweepGraceMs = 2 * minute
// What is kept is who was told what and when: long enough for a question of the next quarter.
const keptMs = 120 * day
const purgeMax = 10_000

export const mailTasks = (app: App): Tasks => ({
  [sendTask]: async (payload) => {
    const tried = await deliverMessage(app, sendPayload.parse(payload).id)
    return tried.outcome === 'waiting' ? { snoozeUntil: tried.at } : undefined
  },
  'mail.sweep': async () => {
    await sweepMail(app)
    return undefined
  },
  'mail.purge': async () => {
    await purgeMail(app)
    return undefined
  },
})

/** Gives messages that nobody pokes their job back. The row is the state; a job is only a poke. */
export async function sweepMail(app: App): Promise<number> {
  const due = await app.db.direct<{ id: string }>(sql('mail_forgotten')`
    select id from mail_message where state = 'queued' and next_try_at <= ${ts(app.clock.now() - sweepGraceMs)}
    order by next_try_at limit ${sweepMax}`)
  const jobs = due.map(({ id }) => ({ ...sendJob(id), keyMode: 'preserve_run_at' as const }))
  await app.db.tx('system', (tx) => enqueue(tx, jobs))
  return due.length
}

/** Lets go of messages whose sending is long past, the mailbox of the demo with them. */
export async function purgeMail(app: App): Promise<void> {
  await app.db.direct(sql('mail_purge')`
    delete from mail_message where id in (
      select id from mail_message where state <> 'queued' and created_at < ${ts(app.clock.now() - keptMs)}
      order by created_at limit ${purgeMax})`)
}
