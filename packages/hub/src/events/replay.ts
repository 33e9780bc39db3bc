import { type Instant, minute } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue, type JobSpec } from '#db/jobs/queue.ts'
import { inboundTask, overdue, setPending } from './store.ts'

const jobFor = (organization: string, eventId: string, runAt?: Instant): JobSpec => ({
  task: inboundTask,
  payload: { eventId, organization },
  key: eventId,
  ...(runAt === undefined ? {} : { runAt }),
})

/** Has these events processed at a moment; a job that waits for one of them already takes that moment. */
export const pokeAt = (tx: Tx, organization: string, eventIds: readonly string[], at: Instant): Promise<void> =>
  enqueue(
    tx,
    eventIds.map((eventId) => jobFor(organization, eventId, at)),
  )

/** Sets events back to pending, with all their tries, and has them processed now. Returns how many exist. */
export async function replay(tx: Tx, organization: string, eventIds: readonly string[]): Promise<number> {
  const rows = await setPending(tx, eventIds)
  await pokeAt(
    tx,
    organization,
    rows.map((r) => r.id),
    tx.now,
  )
  return rows.length
}

// A row is overdue when its job had ample time: then the job is late or lost, and a second poke does no harm.
const overdueMs = 10 * minute
const sweepMax = 500

/** Finds pending events whose job got lost and pokes them again. Returns how many. */
export async function sweepPending(app: Pick<App, 'db' | 'clock'>): Promise<number> {
  return app.db.tx('system', async (tx) => {
    const rows = await overdue(tx, app.clock.now() - overdueMs, sweepMax)
    await enqueue(
      tx,
      rows.map((r) => ({ ...jobFor(r.organization_id, r.id), keyMode: 'unsafe_dedupe' as const })),
    )
    return rows.length
  })
}
