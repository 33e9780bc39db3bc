import { CodedError } from '@bursar/kit/errors.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Caller } from '#action/caller.ts'
import type { App } from '#action/context.ts'
import type { Registry } from '#action/define.ts'
import { runAction } from '#action/run.ts'
import { authenticate } from '#identity/authenticate.ts'
import type { CallerSource } from '#identity/callers.ts'
import { acceptJson } from './bodies.ts'
import type { Limits } from './bounds.ts'
import { createGate, type Gate } from './limits.ts'
import { apiPrefix } from './prefix.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller?: Caller | null
  }
}

type ActionRoute = { Params: { action: string }; Querystring: { dry_run?: string } }

/**
 * `POST /api/v1/<action name>` with a JSON object as input; the answer's body is the action's output. Headers:
 * `Authorization: Bearer`, `Idempotency-Key`, `X-Bursar-Dry-Run: true` (or `?dry_run=true`).
 */
export function registerActions(
  fastify: FastifyInstance,
  app: App,
  options: { readonly registry: Registry; readonly limits: Limits; readonly callers: readonly CallerSource[] },
): void {
  const { registry, limits, callers } = options
  acceptJson(fastify)
  const gate = createGate(fastify, limits)
  fastify.post<ActionRoute>(`${apiPrefix}/:action`, {
    // Refuses before the body is read, so that a stranger cannot make us read megabytes.
    onRequest: async (request, reply) => {
      refuseCompressed(request)
      await gate.enter(request, reply)
      request.caller = await callerOf(app, gate, callers, request)
      const isPublic = registry.find(request.params.action)?.action.access === 'public'
      if (request.caller === null && !isPublic) throw new CodedError('unauthenticated')
    },
    handler: async (request, reply) => {
      const result = await runAction(app, registry, {
        name: request.params.action,
        caller: request.caller ?? null,
        input: request.body ?? {},
        idempotencyKey: header(request, 'idempotency-key'),
        dryRun: isDryRun(request),
        traceId: request.id,
      })
      if (!result.ok) return reply.code(result.status).send(result.body)
      if (result.replayed) void reply.header('idempotency-replayed', 'true')
      if (isDryRun(request)) void reply.header('x-bursar-dry-run', 'true')
      return reply.send(result.output)
    },
  })
  fastify.route<ActionRoute>({
    method: ['GET', 'PUT', 'PATCH', 'DELETE'],
    url: `${apiPrefix}/:action`,
    handler: async (request, reply) => {
      if (registry.find(request.params.action) === undefined)
        throw new CodedError('not_found', 'There is no such action.')
      void reply.header('allow', 'POST')
      throw new CodedError('method_not_allowed')
    },
  })
}

async function callerOf(
  app: App,
  gate: Gate,
  callers: readonly CallerSource[],
  request: FastifyRequest<ActionRoute>,
): Promise<Caller | null> {
  for (const source of callers) {
    const found = await source(request)
    if (found === null) continue
    if (found !== 'invalid') {
      request.callerId = found.actor.kind === 'system' ? found.actor.name : found.actor.id
      return found
    }
    await gate.failed(request)
    throw new CodedError('unauthenticated', 'The session or token is not valid: unknown, ended or revoked.')
  }
  const result = await authenticate(app, request.headers.authorization)
  if (result.ok) {
    const { actor } = result.caller
    request.callerId = actor.kind === 'system' ? actor.name : actor.id
    return result.caller
  }
  if (result.reason === 'missing') return null
  await gate.failed(request)
  throw new CodedError('unauthenticated', 'The key is not valid: unknown, expired or revoked.')
}

function refuseCompressed(request: FastifyRequest<ActionRoute>): void {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') throw new CodedError('encoding_unsupported')
}

function isDryRun(request: FastifyRequest<ActionRoute>): boolean {
  const wish = header(request, 'x-bursar-dry-run') ?? request.query.dry_run
  if (wish === undefined || wish === 'false') return false
  if (wish === 'true') return true
  // Taking "1" or "yes" for false would do what the caller only wanted to see.
  throw new CodedError('input_invalid', 'A dry run is asked for with `true` or `false`.', {
    issues: [{ path: 'X-Bursar-Dry-Run', message: 'must be true or false' }],
  })
}

function header(request: FastifyRequest<ActionRoute>, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}
