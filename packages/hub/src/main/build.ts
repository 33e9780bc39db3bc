import { systemClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp, type HttpClient } from '@bursar/kit/http.ts'
import { createIds } from '@bursar/kit/ids.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import type { App, Log, Secrets } from '#action/context.ts'
import { defineActions, type Registry } from '#action/define.ts'
import { paymentEndpoint } from '#catalog/endpoints.ts'
import { createDatabase } from '#db/database.ts'
import { startWorker, type Worker } from '#db/jobs/worker.ts'
import { sql } from '#db/sql.ts'
import { freeLeases } from '#entitlements/jobs.ts'
import { stripeWebhookRoutes, webhookRoutes } from '#events/intake-routes.ts'
import { createIntake, type Intake } from '#events/receive.ts'
import { mailerOf } from '#mail/smtp.ts'
import { createServer, type Server } from '#surfaces/server.ts'
import { allActions } from './actions.ts'
import type { Config } from './config.ts'
import type { Demo } from './demo.ts'
import { doorRoutes } from './door.ts'
import type { Identity } from './identity.ts'
import { mailboxRoutes } from './mailbox-page.ts'
import { type TaskOptions, tasksOf } from './tasks.ts'

export type Parts = {
  readonly config: Config
  readonly databaseUrl: string
  readonly secrets: Secrets
  readonly log: Log
  readonly node: string
  /** Asked each time: a free port is known only once it is listened on. */
  readonly publicUrl: () => string
  readonly trustedOrigins: readonly string[]
}

const budgetWaitMs = 2_000

/** The process's own things, made once. Nothing below `main` makes any of them for itself. */
export function buildApp(parts: Parts): { readonly app: App; readonly http: HttpClient } {
  const { config } = parts
  const clock = systemClock
  const random = secureRandom
  const guard = createGuard({
    allowLoopback: config.demo,
    trustedOrigins: parts.trustedOrigins,
    production: config.production,
  })
  const http = createHttp({ clock, random, guard })
  const tokens = new Map<string, { token: string; expiresAt: number }>()
  const { demo, smtpUrl, mailFrom, mailReplyTo } = config
  const mailer = mailerOf({ demo, smtpUrl, mailFrom, mailReplyTo }, { clock, random, log: parts.log })
  const app: App = {
    clock,
    random,
    ...(mailer === null ? {} : { mailer }),
    ids: createIds({ clock, random }),
    db: createDatabase({
      url: parts.databaseUrl,
      clock,
      max: config.databasePool,
      applicationName: `bursar ${parts.node}`,
    }),
    http,
    guard,
    secrets: parts.secrets,
    log: parts.log,
    node: parts.node,
    get publicUrl() {
      return parts.publicUrl()
    },
    demo: config.demo,
    tokens: { get: (k) => tokens.get(k), set: (k, v) => void (v === null ? tokens.delete(k) : tokens.set(k, v)) },
    budgetWaitMs,
  }
  return { app, http }
}

export const buildRegistry = (): Registry => defineActions(allActions)

export type Door = {
  readonly server: Server
  readonly intake: Intake
  /** From now on "not ready", while it still answers: whoever balances load sends nobody new. */
  retire(): void
}

/** Whether the database answers. A failure is the answer here, and logged. */
async function isReady(app: App): Promise<boolean> {
  try {
    const rows = await app.db.direct<{ one: number }>(sql('ready')`select 1 as one`)
    return rows.length === 1
  } catch (error) {
    app.log.warn('not ready: the database does not answer', { error })
    return false
  }
}

/** The HTTP side: actions, webhooks, sign-in, checkout, pages and whatever else is given. */
export async function buildDoor(
  app: App,
  parts: {
    readonly registry: Registry
    readonly identity: Identity
    readonly demo: Demo | null
    readonly trustProxy: readonly string[]
  },
): Promise<Door> {
  const { registry, identity, demo } = parts
  const intake = createIntake(app)
  const webhooks = webhookRoutes({
    app,
    intake,
    routes: stripeWebhookRoutes(app.clock, (id) => paymentEndpoint(app, id)),
  })
  let retired = false
  const ready = async () => !retired && (await isReady(app))
  const server = await createServer(app, {
    registry,
    ready,
    trustProxy: parts.trustProxy,
    callers: identity.callers,
    routes: [
      async (fastify) => {
        await fastify.register(webhooks)
      },
      ...doorRoutes(app, { registry, identity, stripeJs: () => demo?.stripeJs ?? null }),
      ...(demo === null ? [] : [demo.routes, mailboxRoutes(app)]),
    ],
  })
  const retire = () => {
    retired = true
  }
  return { server, intake, retire }
}

/** The working side: jobs until it is stopped. */
export const buildWorker = (
  app: App,
  databaseUrl: string,
  options: { readonly concurrency: number } & TaskOptions,
): Promise<Worker> =>
  startWorker({
    url: databaseUrl,
    tasks: tasksOf(app, options),
    concurrency: options.concurrency,
    clock: app.clock,
    random: app.random,
    node: app.node,
    log: app.log,
    onDeadNode: (node) => freeLeases(app, node),
  })
