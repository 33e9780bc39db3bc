import type { Capabilities } from '@bursar/connectors/lms/port.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Ctx, inTx } from '#action/context.ts'
import { action } from '#action/define.ts'
import { id } from '#action/fields.ts'
import { resetBreaker } from '#db/breaker.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { mustFind } from './actions-connections.ts'
import { connectionById } from './connections.ts'
import { lmsOf, paymentsOf } from './open.ts'
import { wakeJob } from './show.ts'

const finding = z.object({
  code: z.string(),
  level: z.enum(['ok', 'warning', 'problem']),
  message: z.string(),
  fix: z.string().nullable(),
})

export const probe = action({
  name: 'connections.probe',
  summary: 'Ask a platform whether the settings work and say what to mend. When they do, waiting work goes on at once.',
  input: z.object({ connectionId: id('con') }),
  output: z.object({
    usable: z.boolean().nullable().describe('Null in a dry run: nobody was asked.'),
    findings: z.array(finding),
    resumed: z.boolean().describe('Whether calls were frozen and go again.'),
  }),
  access: 'connections:write',
  effect: 'outside',
  run: async (ctx, { connectionId }) => {
    const connection = await inTx(ctx, (tx) => connectionById(tx, connectionId))
    if (connection === null) throw new CodedError('not_found', 'There is no such connection.')
    if (ctx.dryRun) return { usable: null, findings: [], resumed: false }
    const connector =
      connection.category === 'lms'
        ? lmsOf(ctx, connection, { lane: 'interactive', whilePaused: true })
        : paymentsOf(ctx, connection)
    const { usable, findings } = await connector.probe()
    return { usable, findings: [...findings], resumed: usable && (await resume(ctx, connectionId)) }
  },
})

/** Closes the breaker and wakes what waited; false when nothing was frozen. */
const resume = (ctx: Ctx, connectionId: string): Promise<boolean> =>
  inTx(ctx, async (tx) => {
    const closed = (await resetBreaker(tx, connectionId)) === 'closed'
    if (closed) await enqueue(tx, [wakeJob(ctx.organization, connectionId)])
    return closed
  })

const mode = z.object({ mode: z.enum(['api', 'at_launch', 'manual', 'none']), note: z.string() })

const lmsCapabilities = z.object({
  accounts: mode,
  grant: mode,
  revoke: mode.extend({ modes: z.array(z.enum(['suspend', 'remove', 'expire'])).readonly() }),
  launch: mode,
  progress: mode.extend({
    grain: z.enum(['percent', 'milestone', 'score', 'completion', 'unknown']),
    access: z.enum(['since', 'bulk_course', 'bulk_site', 'per_learner', 'push', 'none']),
  }),
  certificates: mode,
  webhooks: mode.extend({ trust: z.enum(['signed', 'shared_secret', 'unsigned', 'none']) }),
}) satisfies z.ZodType<Capabilities>

export const capabilities = action({
  name: 'connections.capabilities',
  summary: 'Tell what a connection’s platform can do by itself, and which steps a person does.',
  input: z.object({ connectionId: id('con') }),
  output: z.object({
    lms: lmsCapabilities.nullable(),
    payment: z.object({ canRead: z.boolean() }).nullable(),
  }),
  access: 'connections:read',
  effect: 'read',
  run: async (ctx, input) => {
    const connection = await mustFind(ctx, input.connectionId)
    if (connection.category === 'lms')
      return { lms: lmsOf(ctx, connection, { lane: 'interactive' }).describe(), payment: null }
    return { lms: null, payment: { canRead: paymentsOf(ctx, connection).canRead } }
  },
})
