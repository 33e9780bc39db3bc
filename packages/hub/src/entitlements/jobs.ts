import { second } from '@bursar/kit/clock.ts'
import * as z from 'zod'
import { type App, inTx, systemCtx } from '#action/context.ts'
import { enqueue } from '#db/jobs/queue.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { sql, ts } from '#db/sql.ts'
import { closeAlerts } from './alerts.ts'
import { apply } from './apply.ts'
import { isAwaited, knock } from './health.ts'
import { recompute } from './seats.ts'
import { applyJob } from './store.ts'
import { wakeTasks } from './wake.ts'

const applyPayload = z.object({ organization: z.string(), accountId: z.string() })
const knockPayload = z.object({ organization: z.string(), connectionId: z.string() })
// A busy account is freed within a call or two; a dead holder within the reaper's five seconds.
const busyWaitMs = second
const roundsMax = 20
const sweepMax = 500
// Rows get this long to be done by the poke that came with them; only then the sweep calls them forgotten.
const sweepGraceMs = 2 * second

export const entitlementTasks = (app: App): Tasks => ({
  ...wakeTasks(app),
  'entitlements.apply': async (payload) => {
    const { organization, accountId } = applyPayload.parse(payload)
    const ctx = systemCtx(app, organization, 'entitlements')
    for (let round = 0; round < roundsMax; round++) {
      const applied = await apply(ctx, accountId)
      if (applied.outcome === 'busy') return { snoozeUntil: app.clock.now() + busyWaitMs }
      if (applied.outcome !== 'worked' || applied.dueAt === null || applied.dueAt > app.clock.now()) return undefined
    }
    return { snoozeUntil: app.clock.now() + busyWaitMs }
  },
  'entitlements.knock': async (payload) => {
    const { organization, connectionId } = knockPayload.parse(payload)
    const ctx = systemCtx(app, organization, 'entitlements')
    const answer = await knock(ctx, connectionId)
    return answer.open || !(await isAwaited(ctx, connectionId)) ? undefined : { snoozeUntil: answer.until }
  },
  'entitlements.sweep': async () => {
    await sweep(app)
    await closeAlerts(app)
    return undefined
  },
})

type Due = { readonly organization: string; readonly accountId: string }
type Changing = { readonly organization: string; readonly personId: string; readonly courseId: string }

/**
 * Finds rows that nobody pokes: reasons that began or ended by themselves, and work whose job was lost. A job is only
 * a poke; the row holds the state, so this alone would be enough to keep the promise.
 */
export async function sweep(app: App): Promise<{ readonly changed: number; readonly poked: number }> {
  const now = app.clock.now()
  const changing = await app.db.direct<Changing>(sql('sweep_changing')`
    select organization_id as organization, person_id as "personId", course_id as "courseId" from enrollment
    where next_change_at <= ${ts(now)} order by next_change_at limit ${sweepMax}`)
  for (const { organization, personId, courseId } of changing) {
    const ctx = systemCtx(app, organization, 'entitlements')
    await inTx(ctx, async (tx) => {
      const accounts = await recompute(tx, ctx, [{ personId, courseId }])
      await enqueue(
        tx,
        accounts.map((a) => applyJob(organization, a)),
      )
    })
  }
  const due = await app.db.direct<Due>(sql('sweep_due')`
    select distinct organization_id as organization, account_id as "accountId" from (
      select organization_id, account_id from enrollment where next_try_at <= ${ts(now - sweepGraceMs)} order by next_try_at limit ${sweepMax}) d`)
  for (const { organization, accountId } of due)
    await app.db.tx({ organization }, (tx) =>
      enqueue(tx, [{ ...applyJob(organization, accountId), keyMode: 'preserve_run_at' }]),
    )
  return { changed: changing.length, poked: due.length }
}

/** Frees the accounts a dead process held, so that its work goes on at once. */
export const freeLeases = async (app: App, node: string): Promise<void> => {
  await app.db.direct(sql('leases_free')`
    update lms_account set lease_node = null, lease_token = null, lease_until = null where lease_node = ${node}`)
}
