import { hour, minute, second } from '@bursar/kit/clock.ts'
import * as z from 'zod'
import { type App, inTx, systemCtx } from '#action/context.ts'
import { enqueue } from '#db/jobs/queue.ts'
import type { Task } from '#db/jobs/task.ts'
import { sql, ts } from '#db/sql.ts'
import { openWork } from '#entitlements/merge.ts'
import { mergeJob, moveAll, settleMs } from './merge.ts'

const payloadSchema = z.object({ organization: z.string(), mergeId: z.string() })
const lookMs = 30 * second
// A seat that only a person can close has an alert of its own; the merge looks again now and then.
const stuckLookMs = hour

type Row = { readonly from: string; readonly into: string; readonly movedAt: number }

/** Follows a merge until nothing of the old person is left: late rows are moved, the schools have closed their seats. */
export const mergeFollower =
  (app: App): Task =>
  async (payload) => {
    const { organization, mergeId } = payloadSchema.parse(payload)
    const ctx = systemCtx(app, organization, 'people')
    return inTx(ctx, async (tx) => {
      const row = await tx.maybeOne<Row>(sql('person_merge_follow')`
        select from_person_id as "from", into_person_id as "into", moved_at as "movedAt" from person_merge
        where id = ${mergeId} and state = 'moved' for update`)
      if (row === null) return undefined
      // The other may have joined a third meanwhile.
      const { into } = await tx.one<{ into: string }>(sql('person_merge_end')`
        select coalesce(merged_into, id) as "into" from person where id = ${row.into}`)
      await moveAll(tx, ctx, { from: row.from, into, provenMailbox: null })
      const { due, stuck } = await openWork(tx, row.from)
      if (due > 0) return { snoozeUntil: tx.now + lookMs }
      if (tx.now < row.movedAt + settleMs) return { snoozeUntil: row.movedAt + settleMs }
      if (stuck > 0) return { snoozeUntil: tx.now + stuckLookMs }
      await tx.run(sql('person_merge_done')`
        update person_merge set state = 'done', done_at = ${ts(tx.now)} where id = ${mergeId}`)
      return undefined
    })
  }

const lostMs = 10 * minute
const sweepMax = 200

/** Merges whose job was lost are followed again. */
export async function sweepMerges(app: App): Promise<number> {
  const rows = await app.db.direct<{ organization: string; id: string }>(sql('person_merge_sweep')`
    select organization_id as organization, id from person_merge
    where state = 'moved' and moved_at < ${ts(app.clock.now() - lostMs)} order by moved_at limit ${sweepMax}`)
  for (const { organization, id } of rows)
    await app.db.tx({ organization }, (tx) =>
      enqueue(tx, [{ ...mergeJob(organization, id), keyMode: 'preserve_run_at' }]),
    )
  return rows.length
}
