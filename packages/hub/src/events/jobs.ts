import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import type { App } from '#action/context.ts'
import type { Tasks } from '#db/jobs/task.ts'
import { type Handlers, processInbound } from './process.ts'
import { sweepPending } from './replay.ts'
import { dropOldPayloads, payloadDaysDefault, preparePayloadDays } from './retention.ts'
import { inboundTask } from './store.ts'

const payload = z.object({ eventId: z.string(), organization: z.string() })

/** Belongs on a schedule of some minutes. */
export const sweepTask = 'inbound.sweep'
/** Belongs on a daily schedule. */
export const payloadTask = 'inbound.payloads'

/** What the worker runs for inbound events. */
export function inboundTasks(app: App, handlers: Handlers, options: { readonly payloadDays?: number } = {}): Tasks {
  return {
    [inboundTask]: async (raw) => {
      const parsed = payload.safeParse(raw)
      if (!parsed.success) throw new CodedError('internal', `${inboundTask}: unreadable payload`)
      await processInbound(app, parsed.data, handlers)
      return undefined
    },
    [sweepTask]: async () => {
      const poked = await sweepPending(app)
      if (poked > 0) app.log.warn('pending inbound events had lost their jobs', { events: poked })
      return undefined
    },
    [payloadTask]: async () => {
      const made = await preparePayloadDays(app)
      const dropped = await dropOldPayloads(app, options.payloadDays ?? payloadDaysDefault)
      app.log.info('inbound payloads kept in order', { made, ...dropped })
      return undefined
    },
  }
}
