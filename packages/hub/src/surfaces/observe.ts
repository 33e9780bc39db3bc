import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { App } from '#action/context.ts'

const headers = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cache-control': 'no-store',
} as const

// One year, as browsers ask before they hold to it.
const transportSecurity = 'max-age=31536000; includeSubDomains'

/** The strictest headers on every answer; a page that needs more replaces its own. No CORS: browsers stay out. */
export function secureHeaders(fastify: FastifyInstance, app: App): void {
  const https = app.publicUrl.startsWith('https:')
  fastify.addHook('onRequest', async (request, reply) => {
    void reply.headers(headers).header('x-trace-id', request.id)
    if (https) void reply.header('strict-transport-security', transportSecurity)
  })
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asked, for the access log: the id of a key. */
    callerId?: string
  }
}

// Asked every few seconds by whoever watches the process; says nothing.
const silent = new Set(['/healthz', '/readyz'])

/**
 * One line per request. The route's pattern stands for the address, so that neither ids, nor query strings, nor
 * whatever a stranger types reach the log.
 */
export function logAccess(fastify: FastifyInstance, app: App): void {
  fastify.addHook('onResponse', async (request, reply) => {
    const route = routeOf(request)
    if (silent.has(route)) return
    app.log.info('request', {
      method: request.method,
      route,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
      traceId: request.id,
      ...(request.callerId === undefined ? {} : { caller: request.callerId }),
    })
  })
}

const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'unmatched'
