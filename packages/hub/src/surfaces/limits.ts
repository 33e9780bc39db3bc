import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Limits } from './bounds.ts'

/** Brings `createRateLimit`; nothing is limited by itself. Counters are per process. */
export const registerLimits = async (fastify: FastifyInstance): Promise<void> => {
  await fastify.register(rateLimit, { global: false, cache: trackedMax })
}

// How many keys and addresses are counted at once; the longest unseen is dropped.
const trackedMax = 10_000

export type Gate = {
  /** Before a key is looked at: too many failures from here, or too many requests with this key, end the request. */
  enter(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Counts one failed authentication from this address. */
  failed(request: FastifyRequest): Promise<void>
}

export function createGate(fastify: FastifyInstance, limits: Limits): Gate {
  const address = (request: FastifyRequest) => normalizeIP(request.ip)
  const failures = fastify.createRateLimit({
    max: limits.failuresPerMinute - 1,
    timeWindow: minute,
    keyGenerator: (request) => `failed ${address(request)}`,
  })
  const requests = fastify.createRateLimit({
    max: limits.requestsPerMinute,
    timeWindow: minute,
    keyGenerator: (request) => keyOf(request) ?? `address ${address(request)}`,
  })
  const refuse = (reply: FastifyReply, seconds: number): never => {
    void reply.header('retry-after', String(Math.max(1, seconds)))
    throw new CodedError('rate_limited', undefined, { retryAfterSeconds: Math.max(1, seconds) })
  }
  return {
    enter: async (request, reply) => {
      const failed = await failures(request, { increment: false })
      if (!failed.isAllowed && failed.isExceeded) refuse(reply, failed.ttlInSeconds)
      const used = await requests(request)
      if (!used.isAllowed && used.isExceeded) refuse(reply, used.ttlInSeconds)
    },
    failed: async (request) => {
      await failures(request)
    },
  }
}

// The whole key, hashed: whoever knows only its id cannot use up its owner's share with forged secrets.
const keyOf = (request: FastifyRequest): string | null => {
  const { authorization } = request.headers
  return authorization === undefined ? null : hashSecret(authorization)
}
