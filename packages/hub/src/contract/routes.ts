import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '#action/context.ts'
import type { SessionSource } from '#identity/signed-in.ts'
import { acceptJson } from '#surfaces/bodies.ts'
import { askerOf, type ContractDeps, headerOf } from './asking.ts'
import { checkout } from './checkout.ts'
import { onboardLearner } from './onboard.ts'
import { checkoutStatus } from './status.ts'

/** How much strangers may ask, per process. Shops with a key have their own limits at the provider alone. */
export type ContractLimits = {
  /** Checkouts begun from one address in a minute. */
  readonly checkoutsPerMinute: number
  /** Checkouts begun by strangers in one organization in a minute: a crowd of addresses is still a crowd. */
  readonly checkoutsPerOrganization: number
  /** Questions about an order, and claims, from one address in a minute. */
  readonly questionsPerMinute: number
}

export const contractLimits: ContractLimits = {
  checkoutsPerMinute: 30,
  checkoutsPerOrganization: 6_000,
  questionsPerMinute: 300,
}

const bodyBytesMax = 64 * 1024

/**
 * The public contract of the original specification under its own names: `POST /api/checkout`,
 * `/api/checkout/status` and `/api/onboard-learner`. Needs `registerLimits` on its server.
 */
export function contractRoutes(
  fastify: FastifyInstance,
  app: App,
  options: { readonly sources: readonly SessionSource[]; readonly limits?: Partial<ContractLimits> },
): void {
  acceptJson(fastify)
  const deps: ContractDeps = { app, sources: options.sources }
  const limits = { ...contractLimits, ...options.limits }
  const begins = limiter(fastify, limits.checkoutsPerMinute, (request) => `checkout ${normalizeIP(request.ip)}`)
  const crowd = limiter(fastify, limits.checkoutsPerOrganization, (request) => `checkouts ${organizationIn(request)}`)
  const questions = limiter(fastify, limits.questionsPerMinute, (request) => `order ${normalizeIP(request.ip)}`)

  fastify.post('/api/checkout', { bodyLimit: bodyBytesMax }, async (request, reply) => {
    const asker = await askerOf(deps, request)
    if (asker.kind !== 'key') await begins(request, reply)
    if (asker.kind === 'stranger') await crowd(request, reply)
    const idempotencyKey = headerOf(request, 'idempotency-key')
    return noStore(reply).send(await checkout(deps, request.body, { asker, idempotencyKey, traceId: request.id }))
  })
  fastify.post('/api/checkout/status', { bodyLimit: bodyBytesMax }, async (request, reply) => {
    await questions(request, reply)
    return noStore(reply).send(await checkoutStatus(deps, request.body, { request, traceId: request.id }))
  })
  fastify.post('/api/onboard-learner', { bodyLimit: bodyBytesMax }, async (request, reply) => {
    await questions(request, reply)
    return noStore(reply).send(await onboardLearner(deps, request.body, { request, traceId: request.id }))
  })
}

const noStore = (reply: FastifyReply): FastifyReply => reply.header('cache-control', 'no-store')

const organizationMax = 80

const organizationIn = (request: FastifyRequest): string => {
  const { organization } = (request.body ?? {}) as { organization?: unknown }
  return typeof organization === 'string' ? organization.slice(0, organizationMax) : ''
}

function limiter(fastify: FastifyInstance, max: number, keyGenerator: (request: FastifyRequest) => string) {
  const count = fastify.createRateLimit({ max, timeWindow: minute, keyGenerator })
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const used = await count(request)
    if (used.isAllowed || !used.isExceeded) return
    const seconds = Math.max(1, used.ttlInSeconds)
    void reply.header('retry-after', String(seconds))
    throw new CodedError('rate_limited', undefined, { retryAfterSeconds: seconds })
  }
}
