import { hour } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { z } from 'zod'
import type { ActionCtx } from '#action/define.ts'
import { action } from '#action/define.ts'
import { id, page, secret } from '#action/fields.ts'
import { resetBreaker } from '#db/breaker.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { addSecret, type Connection, connectionById, saveConnection, setConnectionState } from './connections.ts'
import { forgetConnection, settingsOf } from './open.ts'
import { changed, checkSettings, platformOf } from './settings.ts'
import { connectionPage, connectionShape, nameTaken, showConnection, updateConnection, wakeJob } from './show.ts'

const secretLengthMin = 24
const secretBytes = 32
const overlapHoursMax = 30 * 24

const name = z.string().trim().min(1).max(80)
const config = secret(
  z.record(z.string(), z.unknown()).describe('The platform’s own settings, secrets included; see its documentation.'),
)
const webhookSecret = secret(z.string().min(secretLengthMin).max(500))

/** The connection, or `not_found`: for another tenant's as well. */
export async function mustFind(ctx: ActionCtx, connectionId: string): Promise<Connection> {
  const connection = await connectionById(ctx.tx, connectionId)
  if (connection === null) throw new CodedError('not_found', 'There is no such connection.')
  return connection
}

export const create = action({
  name: 'connections.create',
  summary: 'Connect a school or a payment account. Secrets are encrypted and never shown again. Probe it next.',
  input: z.object({ platform: z.string().min(1).max(40), name, config, webhookSecret: webhookSecret.optional() }),
  output: z.object({ connection: connectionShape }),
  access: 'connections:write',
  effect: 'write',
  examples: [
    {
      summary: 'A LearnWorlds school',
      input: {
        platform: 'learnworlds',
        name: 'Main school',
        config: {
          baseUrl: 'https://school.example.com',
          clientId: '5f0000000000000000000000',
          auth: { kind: 'credentials', clientSecret: 'from Settings > Developers > API' },
        },
      },
    },
  ],
  run: async (ctx, input) => {
    const platform = platformOf(input.platform)
    const { open, secrets } = checkSettings(ctx, platform, input.config)
    if (await nameTaken(ctx.tx, platform.category, input.name, null))
      throw new CodedError('already_exists', `A connection named ${input.name} exists.`)
    const connectionId = await saveConnection(ctx.tx, ctx, {
      category: platform.category,
      platform: input.platform,
      name: input.name,
      config: open,
      credentials: secrets,
    })
    if (input.webhookSecret !== undefined) await addSecret(ctx.tx, ctx, connectionId, input.webhookSecret, 0)
    return { connection: await showConnection(ctx, await mustFind(ctx, connectionId)) }
  },
})

export const update = action({
  name: 'connections.update',
  summary:
    'Change the name or some settings of a connection. What is left out stays, secrets too; null takes a setting out.',
  input: z.object({ connectionId: id('con'), name: name.optional(), config: config.optional() }),
  output: z.object({ connection: connectionShape }),
  access: 'connections:write',
  effect: 'write',
  run: async (ctx, input) => {
    const connection = await mustFind(ctx, input.connectionId)
    const newName = input.name ?? connection.name
    if (await nameTaken(ctx.tx, connection.category, newName, connection.id))
      throw new CodedError('already_exists', `A connection named ${newName} exists.`)
    const whole = changed(settingsOf(ctx, connection), input.config ?? {})
    const { open, secrets } = checkSettings(ctx, platformOf(connection.platform), whole)
    await updateConnection(ctx.tx, ctx, connection.id, { name: newName, config: open, credentials: secrets })
    forgetConnection(ctx.db, connection.id)
    if (input.config !== undefined) {
      // What waited for better credentials may go.
      await resetBreaker(ctx.tx, connection.id)
      await enqueue(ctx.tx, [wakeJob(ctx.organization, connection.id)])
    }
    return { connection: await showConnection(ctx, await mustFind(ctx, connection.id)) }
  },
})

export const list = action({
  name: 'connections.list',
  summary: 'List the connected schools and payment accounts with their state; never their secrets.',
  input: z.object({ category: z.enum(['lms', 'payment']).optional(), after: id('con').optional(), limit: page.limit }),
  output: z.object({ connections: z.array(connectionShape), next: z.string().nullable() }),
  access: 'connections:read',
  effect: 'read',
  run: async (ctx, { category, after, limit }) => {
    const rows = await connectionPage(ctx.tx, { category: category ?? null, after: after ?? null, limit: limit + 1 })
    const connections = []
    for (const row of rows.slice(0, limit)) connections.push(await showConnection(ctx, row))
    return { connections, next: rows.length > limit ? (connections.at(-1)?.id ?? null) : null }
  },
})

export const get = action({
  name: 'connections.get',
  summary: 'Show one connection: settings without secrets, whether it answers, and its call budget.',
  input: z.object({ connectionId: id('con') }),
  output: z.object({ connection: connectionShape }),
  access: 'connections:read',
  effect: 'read',
  run: async (ctx, input) => ({ connection: await showConnection(ctx, await mustFind(ctx, input.connectionId)) }),
})

const stateAction = (verb: 'pause' | 'resume', summary: string) =>
  action({
    name: `connections.${verb}`,
    summary,
    input: z.object({ connectionId: id('con') }),
    output: z.object({ connection: connectionShape }),
    access: 'connections:write',
    effect: 'write',
    run: async (ctx, input) => {
      const connection = await mustFind(ctx, input.connectionId)
      await setConnectionState(ctx.tx, connection.id, verb === 'pause' ? 'paused' : 'active')
      forgetConnection(ctx.db, connection.id)
      if (verb === 'resume') await enqueue(ctx.tx, [wakeJob(ctx.organization, connection.id)])
      return { connection: await showConnection(ctx, await mustFind(ctx, connection.id)) }
    },
  })

export const pause = stateAction(
  'pause',
  'Stop all calls to a connection. Work waits and nothing is lost; deliveries are still taken in.',
)
export const resume = stateAction('resume', 'Let calls to a paused connection go again and wake what waits for it.')

export const rotateSecret = action({
  name: 'connections.rotate_secret',
  summary:
    'Replace the webhook secret of a connection. The old one stays valid for the overlap, so retried deliveries still count.',
  input: z.object({
    connectionId: id('con'),
    secret: webhookSecret
      .optional()
      .describe('The one the platform issued; left out, a new one is made (not for Stripe, which issues its own).'),
    overlapHours: z.number().int().min(0).max(overlapHoursMax).default(96),
  }),
  output: z.object({
    secretId: z.string(),
    secret: secret(z.string().nullable().describe('A generated secret, shown this once; null when it was given.')),
  }),
  access: 'connections:write',
  effect: 'write',
  run: async (ctx, input) => {
    const connection = await mustFind(ctx, input.connectionId)
    if (input.secret === undefined && connection.category === 'payment')
      throw new CodedError('input_invalid', 'The payment provider issues this secret; give it as `secret`.', {
        issues: [{ path: 'secret', message: 'is required for a payment account' }],
      })
    const made = input.secret ?? Buffer.from(secureRandom.bytes(secretBytes)).toString('base64url')
    const secretId = await addSecret(ctx.tx, ctx, connection.id, made, input.overlapHours * hour)
    return { secretId, secret: input.secret === undefined ? made : null }
  },
})
