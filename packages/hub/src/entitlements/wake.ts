import * as z from 'zod'
import { type App, type Ctx, inTx, systemCtx } from '#action/context.ts'
import { enqueue } from '#db/jobs/queue.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { sql, ts } from '#db/sql.ts'
import { applyJob } from './store.ts'

const payloadSchema = z.object({ organization: z.string(), connectionId: z.string() })
const wakeMax = 2_000

/** Makes everything that waits for a connection due now. Returns how many rows; call again while it is the maximum. */
export const wake = (ctx: Ctx, connectionId: string): Promise<number> =>
  inTx(ctx, async (tx) => {
    const rows = await tx.many<{ accountId: string }>(sql('enrollment_wake_all')`
      update enrollment set next_try_at = ${ts(tx.now)}::timestamptz
      where id in (select id from enrollment where connection_id = ${connectionId} and next_try_at > ${ts(tx.now)}::timestamptz
        order by next_try_at limit ${wakeMax} for update skip locked)
      returning account_id as "accountId"`)
    const accounts = [...new Set(rows.map((r) => r.accountId))]
    await enqueue(
      tx,
      accounts.map((a) => applyJob(ctx.organization, a)),
    )
    return rows.length
  })

export const wakeTasks = (app: App): Tasks => ({
  'entitlements.wake': async (payload) => {
    const { organization, connectionId } = payloadSchema.parse(payload)
    const ctx = systemCtx(app, organization, 'entitlements')
    while ((await wake(ctx, connectionId)) === wakeMax);
    return undefined
  },
})
