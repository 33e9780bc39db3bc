import type { AddressInfo } from 'node:net'
import { second } from '@bursar/kit/clock.ts'
import Fastify, { type FastifyInstance } from 'fastify'
import type { App } from '#action/context.ts'
import type { Registry } from '#action/define.ts'
import type { CallerSource } from '#identity/callers.ts'
import { defaultLimits, type Limits } from './bounds.ts'
import { registerDocs } from './docs/routes.ts'
import { answerErrors, answerUnreadable, answerUnroutable } from './failures.ts'
import { registerHealth } from './health.ts'
import { registerLimits } from './limits.ts'
import { logAccess, secureHeaders } from './observe.ts'
import { registerActions } from './rest.ts'

export type ServerOptions = {
  readonly registry: Registry
  /** Whether this process can do its work: database reachable, migrations applied. */
  readonly ready: () => boolean | Promise<boolean>
  /**
   * Further routes, each in a scope of its own that accepts no body until it says which: `acceptBytes`, `acceptJson`
   * (bodies.ts) or a parser of its own.
   */
  readonly routes?: readonly ((fastify: FastifyInstance) => void | Promise<void>)[]
  readonly limits?: Partial<Limits>
  /** Callers besides API keys: signed-in people, programs with a token. Asked in this order, before keys. */
  readonly callers?: readonly CallerSource[]
  /** Which proxies in front may say who the client is (X-Forwarded-For); none by default. */
  readonly trustProxy?: boolean | string | readonly string[]
}

// Longer than the slowest answer we give (a checkout that waits for a school), shorter than a stuck socket may live.
const requestTimeoutMs = 60 * second

export type Server = {
  readonly fastify: FastifyInstance
  /** Starts to listen and returns the address without a trailing slash. Port 0 takes a free one. */
  listen(at: { readonly host: string; readonly port: number }): Promise<string>
  /** Says "not ready", lets running requests end, and closes. */
  stop(): Promise<void>
}

/** The HTTP door: every action at /api/v1/<name>, its description, health, and the routes others add. */
export async function createServer(app: App, options: ServerOptions): Promise<Server> {
  const limits = { ...defaultLimits, ...options.limits }
  const fastify = Fastify({
    logger: false,
    genReqId: () => app.ids.next('trc'),
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: requestTimeoutMs,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true },
    forceCloseConnections: 'idle',
    trustProxy: typeof options.trustProxy === 'object' ? [...options.trustProxy] : (options.trustProxy ?? false),
    frameworkErrors: answerUnroutable,
    clientErrorHandler: answerUnreadable,
    http: { maxHeaderSize: 16 * 1024 },
  })
  fastify.removeAllContentTypeParsers()
  const state = { stopping: false }
  // A connection that is kept alive would hold up the stop until the client lets go of it.
  fastify.addHook('onSend', async (_, reply) => {
    if (state.stopping) void reply.header('connection', 'close')
  })
  secureHeaders(fastify, app)
  logAccess(fastify, app)
  answerErrors(fastify, app, limits)
  await registerLimits(fastify)
  registerHealth(fastify, { ready: options.ready, stopping: () => state.stopping })
  await fastify.register(async (scope) =>
    registerActions(scope, app, { registry: options.registry, limits, callers: options.callers ?? [] }),
  )
  await fastify.register(async (scope) => registerDocs(scope, app, options.registry))
  for (const routes of options.routes ?? []) await fastify.register(async (scope) => routes(scope))

  return {
    fastify,
    listen: async (at) => {
      await fastify.listen(at)
      const address = fastify.server.address() as AddressInfo
      const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
      return `http://${host}:${address.port}`
    },
    stop: async () => {
      state.stopping = true
      await fastify.close()
    },
  }
}
