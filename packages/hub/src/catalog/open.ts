import type { CallRecord, ConnectorIo } from '@bursar/connectors/io.ts'
import type { LimitPolicy, LmsConnector } from '@bursar/connectors/lms/port.ts'
import { lmsRegistry } from '@bursar/connectors/lms/registry.ts'
import type { PaymentConnector } from '@bursar/connectors/payments/port.ts'
import { paymentRegistry } from '@bursar/connectors/payments/registry.ts'
import { type Instant, minute, second } from '@bursar/kit/clock.ts'
import { CodedError, fail } from '@bursar/kit/errors.ts'
import { type App, type Ctx, inTx } from '#action/context.ts'
import type { Database } from '#db/database.ts'
import { type Lane, sharedNow, takeSlot } from '#db/rate.ts'
import { type Connection, connectionById, sealedFor } from './connections.ts'

export type OpenOptions = {
  readonly lane: Lane
  readonly record?: (call: CallRecord) => void
  /** A person looks whether it works: also while it is paused. */
  readonly whilePaused?: boolean
}

// A paused connection is asked for nothing; resuming wakes what waits, so this is only how often it looks.
const pausedWaitMs = 30 * minute

/** Puts the sealed secrets back where they belong in the settings. Keys are dotted paths. */
export function withSecrets(
  config: Readonly<Record<string, unknown>>,
  secrets: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const whole = structuredClone(config) as Record<string, unknown>
  for (const [path, value] of Object.entries(secrets)) {
    const parts = path.split('.')
    const last = parts.pop() ?? ''
    let place = whole
    for (const part of parts) {
      const inner = (place[part] ?? {}) as Record<string, unknown>
      place[part] = inner
      place = inner
    }
    place[last] = value
  }
  return whole
}

/** Takes the secrets out of the settings, so that what is stored in the open holds none. */
export function withoutSecrets(config: Readonly<Record<string, unknown>>, paths: readonly string[]) {
  const open = structuredClone(config) as Record<string, unknown>
  const secrets: Record<string, unknown> = {}
  for (const path of paths) {
    const parts = path.split('.')
    const last = parts.pop() ?? ''
    const place = parts.reduce<Record<string, unknown> | undefined>(
      (at, part) => at?.[part] as Record<string, unknown> | undefined,
      open,
    )
    if (place === undefined || place[last] === undefined) continue
    secrets[path] = place[last]
    delete place[last]
  }
  return { open, secrets }
}

/** The sealed values by their dotted paths. */
const sealedOf = (app: App, connection: Connection): Record<string, unknown> =>
  connection.credentials === null
    ? {}
    : (JSON.parse(app.secrets.open(connection.credentials, sealedFor(connection.id))) as Record<string, unknown>)

/** Which secrets are set, by name. Their values never leave. */
export const secretNames = (app: App, connection: Connection): string[] =>
  Object.entries(sealedOf(app, connection))
    .filter(([, value]) => value !== null && value !== '')
    .map(([path]) => path)

/** The settings with their secrets, for the connector and for whoever changes them. */
export const settingsOf = (app: App, connection: Connection): Record<string, unknown> =>
  withSecrets(connection.config, sealedOf(app, connection))

async function acquire(app: App, connection: string, lane: Lane, limit: LimitPolicy, cost: number) {
  const ask = () => takeSlot(app.db, { connection, lane, limit, cost, now: sharedNow(app.clock) })
  const deadline = app.clock.now() + app.budgetWaitMs
  for (;;) {
    const slot = await ask()
    if (slot.ok || app.clock.now() + slot.retryAfterMs > deadline) return slot
    await app.clock.sleep(slot.retryAfterMs)
  }
}

const ioFor = (app: App, connection: Connection, limit: () => LimitPolicy, options: OpenOptions): ConnectorIo => ({
  http: app.http,
  clock: app.clock,
  random: app.random,
  tokens: {
    get: (key) => app.tokens.get(`${connection.id} ${key}`),
    set: (key, value) => app.tokens.set(`${connection.id} ${key}`, value),
  },
  acquire: async (cost) =>
    connection.state === 'paused' && options.whilePaused !== true
      ? { ok: false, retryAfterMs: pausedWaitMs }
      : acquire(app, connection.id, options.lane, limit(), cost),
  ...(options.record === undefined ? {} : { record: options.record }),
})

// New settings count within this time in every process. A process that changes them forgets at once.
const cacheMs = 5 * second
const cacheMax = 1_000

type Known = { readonly connection: Connection; readonly until: Instant }
const caches = new WeakMap<Database, Map<string, Known>>()

const cacheOf = (db: Database): Map<string, Known> => {
  const cache = caches.get(db) ?? new Map<string, Known>()
  caches.set(db, cache)
  return cache
}

/** Ends what this process remembers of a connection's settings. */
export const forgetConnection = (db: Database, connectionId: string): void => void cacheOf(db).delete(connectionId)

async function load(ctx: Ctx, connectionId: string, category: Connection['category']): Promise<Connection> {
  const cache = cacheOf(ctx.db)
  const known = cache.get(connectionId)
  const fresh =
    known !== undefined && known.connection.organizationId === ctx.organization && ctx.clock.now() < known.until
  const connection = fresh ? known.connection : await inTx(ctx, (tx) => connectionById(tx, connectionId))
  if (connection === null || connection.category !== category)
    throw new CodedError('not_found', `There is no ${category} connection ${connectionId}.`)
  if (!fresh) {
    if (cache.size >= cacheMax) cache.clear()
    cache.set(connectionId, { connection, until: ctx.clock.now() + cacheMs })
  }
  return connection
}

/** The connector of a school, ready to call, within the connection's budget. */
export async function openLms(ctx: Ctx, connectionId: string, options: OpenOptions): Promise<LmsConnector> {
  return lmsOf(ctx, await load(ctx, connectionId, 'lms'), options)
}

/** The same for a connection already at hand. */
export function lmsOf(app: App, connection: Connection, options: OpenOptions): LmsConnector {
  if (!Object.hasOwn(lmsRegistry, connection.platform))
    fail('connection_unusable', `No connector named ${connection.platform}.`)
  const platform = lmsRegistry[connection.platform as keyof typeof lmsRegistry]
  const parsed = platform.configSchema.safeParse(settingsOf(app, connection))
  if (!parsed.success) throw new CodedError('connection_unusable', undefined, { issues: issuesOf(parsed.error) })
  let limit: LimitPolicy = { requests: 0, windowMs: 1 }
  const connector = platform.create(
    settingsOf(app, connection) as Parameters<typeof platform.create>[0],
    ioFor(app, connection, () => limit, options),
  )
  limit = connector.limits
  return connector
}

export const issuesOf = (error: { issues: readonly { path: PropertyKey[]; message: string }[] }) =>
  error.issues.map((issue) => ({ path: issue.path.map(String).join('.'), message: issue.message }))

/** The connector of a payment account. Stripe's own limit is far above ours, so it has no budget. */
export async function openPayments(
  ctx: Ctx,
  connectionId: string,
  options?: { readonly record?: (call: CallRecord) => void },
): Promise<PaymentConnector> {
  return paymentsOf(ctx, await load(ctx, connectionId, 'payment'), options)
}

export function paymentsOf(
  app: App,
  connection: Connection,
  options: { readonly record?: (call: CallRecord) => void } = {},
): PaymentConnector {
  if (!Object.hasOwn(paymentRegistry, connection.platform))
    fail('connection_unusable', `No connector named ${connection.platform}.`)
  const provider = paymentRegistry[connection.platform as keyof typeof paymentRegistry]
  const settings = settingsOf(app, connection)
  const parsed = provider.configSchema.safeParse(settings)
  if (!parsed.success) throw new CodedError('connection_unusable', undefined, { issues: issuesOf(parsed.error) })
  return provider.create(settings as Parameters<typeof provider.create>[0], {
    http: app.http,
    clock: app.clock,
    random: app.random,
    ...(options.record === undefined ? {} : { record: options.record }),
  })
}
