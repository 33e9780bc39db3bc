import { minute } from '@bursar/kit/clock.ts'
import { CodedError, type ErrorCode, errorBody } from '@bursar/kit/errors.ts'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '#action/context.ts'
import { launch, launchPath, launchState, readLink } from '#entitlements/launch.ts'
import { acceptJson } from '#surfaces/bodies.ts'
import { busyPage, expiredPage, pageHeaders, seatPage, unavailablePage } from './launch-page.ts'

const requestsPerMinute = 60
const formBytesMax = 1_024
const tokenPattern = /^[A-Za-z0-9_-]{43}$/
const enrollmentPattern = /^enr_[0-9a-hjkmnp-tv-z]{26}$/

type LaunchRoute = { Params: { enrollmentId: string }; Querystring: { token?: unknown } }
type Request = FastifyRequest<LaunchRoute>

/**
 * The page behind a launch link. GET shows how the seat stands and changes nothing, so that a mail scanner or a
 * preview spends no link; the button's POST spends it and leads to the school. Needs `registerLimits` on its server.
 */
export function launchRoutes(fastify: FastifyInstance, app: App): void {
  acceptJson(fastify)
  fastify.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: formBytesMax },
    (_, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )
  const limit = fastify.createRateLimit({
    max: requestsPerMinute,
    timeWindow: minute,
    keyGenerator: (request) => `launch ${normalizeIP(request.ip)}`,
  })
  const guarded =
    (handle: (request: Request, reply: FastifyReply) => Promise<FastifyReply>) =>
    async (request: Request, reply: FastifyReply): Promise<FastifyReply> => {
      const used = await limit(request)
      if (used.isAllowed || !used.isExceeded) return handle(request, reply)
      void reply.header('retry-after', String(Math.max(1, used.ttlInSeconds)))
      return refuse(request, reply, 'rate_limited', busyPage())
    }

  fastify.get<LaunchRoute>(`${launchPath}/:enrollmentId`, {
    handler: guarded((request, reply) => show(app, request, reply)),
  })
  fastify.post<LaunchRoute>(`${launchPath}/:enrollmentId`, {
    handler: guarded((request, reply) => enter(app, request, reply)),
  })
}

async function linkOf(app: App, request: Request, token: unknown) {
  const { enrollmentId } = request.params
  if (typeof token !== 'string' || !tokenPattern.test(token) || !enrollmentPattern.test(enrollmentId)) return null
  return readLink(app, enrollmentId, token)
}

async function show(app: App, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  const { token } = request.query
  const seat = await linkOf(app, request, token)
  if (seat === null) return refuse(request, reply, 'link_expired', expiredPage())
  const state = launchState(seat)
  if (wantsJson(request)) return reply.header('cache-control', 'no-store').send({ state, course: seat.course })
  return reply.headers(pageHeaders(seat)).send(seatPage(seat, state, String(token)))
}

async function enter(app: App, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  // A foreign page must not sign its visitor in as somebody else. Old browsers say nothing; the token decides there.
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return refuse(request, reply, 'forbidden', expiredPage())
  const { token } = (request.body ?? {}) as { token?: unknown }
  const seat = await linkOf(app, request, token)
  if (seat === null) return refuse(request, reply, 'link_expired', expiredPage())
  const state = launchState(seat)
  if (state !== 'open') return refuse(request, reply, 'launch_unavailable', seatPage(seat, state, ''), { state })
  const launched = await launch(app, seat)
  if (launched.ok) return reply.code(303).headers(pageHeaders(seat)).header('location', launched.url).send('')
  if (launched.reason === 'expired') return refuse(request, reply, 'link_expired', expiredPage())
  const page = unavailablePage(seat.course, launched.reason === 'refused')
  return refuse(request, reply, 'launch_unavailable', page, { state: launched.reason })
}

const wantsJson = (request: Request): boolean => {
  const accept = request.headers.accept ?? ''
  return accept.includes('application/json') && !accept.includes('text/html')
}

function refuse(
  request: Request,
  reply: FastifyReply,
  code: ErrorCode,
  page: string,
  details: Record<string, unknown> = {},
): FastifyReply {
  const { status, body } = errorBody(new CodedError(code, undefined, details), request.id)
  if (wantsJson(request)) return reply.code(status).header('cache-control', 'no-store').send(body)
  return reply.code(status).headers(pageHeaders(null)).send(page)
}
