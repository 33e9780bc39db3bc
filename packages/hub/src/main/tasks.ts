import type { App } from '#action/context.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { entitlementTasks } from '#entitlements/jobs.ts'
import { wakeTasks } from '#entitlements/wake.ts'
import { inboundTasks } from '#events/jobs.ts'
import { handlePaymentEvent } from '#orders/handle.ts'
import { sweepEvents } from '#orders/sweep.ts'

/** Everything a worker can do, by name. */
export const tasksOf = (app: App): Tasks => ({
  ...inboundTasks(app, { stripe: handlePaymentEvent }),
  ...entitlementTasks(app),
  ...wakeTasks(app),
  'orders.sweep': async () => {
    await sweepEvents(app)
    return undefined
  },
})
