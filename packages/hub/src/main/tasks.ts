import { day } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { purgeIdempotencyKeys } from '#action/idempotency.ts'
import { tickOf, tickTask } from '#db/jobs/schedules.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { entitlementTasks } from '#entitlements/jobs.ts'
import { inboundTasks } from '#events/jobs.ts'
import { mailTasks } from '#mail/jobs.ts'
import { handlePaymentEvent } from '#orders/handle.ts'
import { orderTasks } from '#orders/jobs.ts'
import { resettleTasks } from '#orders/resettle.ts'
import { sweepEvents } from '#orders/sweep.ts'
import { peopleTasks } from '#people/jobs.ts'

// Stripe repeats for three days; a client that repeats after a week asks for something new.
const idempotencyKeptMs = 7 * day

export type TaskOptions = {
  readonly payloadDays?: number
  /** Takes out sessions and codes that have run out; left out where nobody signs in. */
  readonly sweepIdentity?: () => Promise<void>
}

/** Everything a worker can do, by name. */
export const tasksOf = (app: App, options: TaskOptions = {}): Tasks => ({
  ...inboundTasks(app, { stripe: handlePaymentEvent }, options),
  ...entitlementTasks(app),
  [tickTask]: tickOf(app.db),
  ...resettleTasks(app),
  ...orderTasks(app),
  ...mailTasks(app),
  ...peopleTasks(app),
  'orders.sweep': async () => {
    await sweepEvents(app)
    return undefined
  },
  'identity.sweep': async () => {
    await options.sweepIdentity?.()
    return undefined
  },
  'actions.purge': async () => {
    await app.db.tx('system', (tx) => purgeIdempotencyKeys(tx, app.clock.now() - idempotencyKeptMs))
    return undefined
  },
})
