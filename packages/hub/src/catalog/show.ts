import { z } from 'zod'
import type { Ctx } from '#action/context.ts'
import type { ActionCtx } from '#action/define.ts'
import { instant } from '#action/fields.ts'
import { breakerOf } from '#db/breaker.ts'
import type { Tx } from '#db/database.ts'
import type { JobSpec } from '#db/jobs/queue.ts'
import { sharedNow } from '#db/rate.ts'
import { json, sql, ts } from '#db/sql.ts'
import { type Connection, sealedFor } from './connections.ts'
import { lmsOf, secretNames } from './open.ts'

/** A connection as the doors show it: settings without secrets, and how it is doing. */
export const connectionShape = z.object({
  id: z.string(),
  category: z.enum(['lms', 'payment']),
  platform: z.string(),
  name: z.string(),
  state: z.enum(['active', 'paused']),
  config: z.record(z.string(), z.unknown()),
  /** Which secrets are set, by name; their values are never shown. */
  sealed: z.array(z.string()),
  webhookUrl: z.string().nullable(),
  webhookKeys: z.number().int(),
  health: z.object({
    state: z.enum(['answers', 'frozen']),
    cause: z.enum(['unavailable', 'unauthorized']).nullable(),
    failures: z.number().int(),
    since: instant.nullable(),
    probeAt: instant.nullable(),
  }),
  /** What the platform allows, and how much of it the running window has used; null without a limit. */
  budget: z
    .object({
      requests: z.number().int(),
      windowMs: z.number().int(),
      used: z.number().int(),
      blockedUntil: instant.nullable(),
    })
    .nullable(),
  updatedAt: instant,
})

export type ShownConnection = z.output<typeof connectionShape>

export async function showConnection(ctx: ActionCtx, connection: Connection): Promise<ShownConnection> {
  const breaker = await breakerOf(ctx.tx, connection.id)
  const keys = await ctx.tx.one<{ count: number }>(sql('connection_keys')`
    select count(*)::int as count from connection_secret
    where connection_id = ${connection.id} and (valid_until is null or valid_until > ${ts(ctx.tx.now)})`)
  const { id, category, platform, name, state, config, updatedAt } = connection
  return {
    id,
    category,
    platform,
    name,
    state,
    config: { ...config },
    sealed: secretNames(ctx, connection),
    webhookUrl: category === 'payment' ? `${ctx.publicUrl}/api/${platform}/webhook/${id}` : null,
    webhookKeys: keys.count,
    health: {
      state: breaker.state === 'open' ? 'frozen' : 'answers',
      cause: breaker.cause,
      failures: breaker.failures,
      since: breaker.openedAt,
      probeAt: breaker.probeAt,
    },
    budget: await budgetOf(ctx, connection),
    updatedAt,
  }
}

/** The budget is shared by all tenants' processes and not under row-level security; the connection was found by it. */
async function budgetOf(ctx: ActionCtx, connection: Connection): Promise<ShownConnection['budget']> {
  if (connection.category !== 'lms') return null
  const { requests, windowMs } = lmsOf(ctx, connection, { lane: 'interactive' }).limits
  if (requests === 0) return null
  const now = sharedNow(ctx.clock) ?? ctx.tx.now
  const [row] = await ctx.db.direct<{ used: number; blockedUntil: bigint }>(sql('rate_used')`
    select (select count(*)::int from unnest(granted) g where g > ${now - windowMs}::bigint) as used, blocked_until as "blockedUntil"
    from rate_budget where connection_id = ${connection.id}`)
  const blocked = Number(row?.blockedUntil ?? 0n)
  return { requests, windowMs, used: row?.used ?? 0, blockedUntil: blocked > now ? blocked : null }
}

/** Wakes everything that waits for a connection. The slice above runs it. */
export const wakeJob = (organization: string, connectionId: string): JobSpec => ({
  task: 'entitlements.wake',
  payload: { organization, connectionId },
  key: `wake:${connectionId}`,
})

export const connectionPage = (tx: Tx, page: { category: string | null; after: string | null; limit: number }) =>
  tx.many<Connection>(sql('connection_page')`
    select id, organization_id as "organizationId", category, platform, name, config, credentials, state, updated_at as "updatedAt"
    from connection where organization_id = bursar_organization() and category = coalesce(${page.category}, category) and (${page.after}::text is null or id > ${page.after})
    order by id limit ${page.limit}`)

/** Whether another connection has this name. Holds the name until the transaction ends, so that two cannot take it. */
export async function nameTaken(tx: Tx, category: string, name: string, except: string | null): Promise<boolean> {
  await tx.run(sql('connection_name_lock')`
    select pg_advisory_xact_lock(hashtextextended(bursar_organization() || ${`${category} ${name}`}, 0))`)
  const row = await tx.maybeOne(sql('connection_name')`
    select id from connection where organization_id = bursar_organization() and category = ${category} and name = ${name} and id is distinct from ${except}`)
  return row !== null
}

type Change = {
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  readonly credentials: Readonly<Record<string, unknown>>
}

export const updateConnection = (tx: Tx, ctx: Ctx, id: string, change: Change) =>
  tx.run(sql('connection_update')`
    update connection set name = ${change.name}, config = ${json(change.config)},
      credentials = ${ctx.secrets.seal(json(change.credentials), sealedFor(id))}, updated_at = ${ts(tx.now)}
    where id = ${id}`)
