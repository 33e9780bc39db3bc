import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { cookieCounts } from '#identity/signed-in.ts'
import { callbackPath, finishFlow, type SignInFailure, safeReturnPath, startFlow } from './code-flow.ts'
import { exchange } from './exchange.ts'
import { acceptLogout } from './logout.ts'
import { failedPage, failureStatus, handOverPage, popupHeaders } from './page.ts'
import type { Deps } from './relying-party.ts'
import { setSessionCookie } from './sessions.ts'

const requestsPerMinute = 60
/** Back-channel logout comes from one address for everybody. */
const logoutsPerMinute = 600
const formBytesMax = 16 * 1024
const hintMax = 320

type StartRoute = {
  Params: { issuerId: string }
  Querystring: { return?: unknown; login_hint?: unknown; second_factor?: unknown }
}

/**
 * Signing in at an external issuer, in a popup or as a whole page, and the issuer's own logout. Needs `registerLimits`
 * on its server; a scope of its own, because it takes forms.
 */
export function issuerRoutes(fastify: FastifyInstance, deps: Deps): void {
  const { app } = deps
  acceptForms(fastify)
  const limit = limiter(fastify)
  const page = (reply: FastifyReply, reason: SignInFailure) =>
    reply
      .code(failureStatus[reason])
      .headers(popupHeaders)
      .type('text/html; charset=utf-8')
      .send(failedPage(new URL(app.publicUrl).origin, reason))

  fastify.get<StartRoute>('/sign-in/external/:issuerId', async (request, reply) => {
    await limit.people(request, reply)
    const { return: back, login_hint: hint, second_factor: factor } = request.query
    const returnPath = typeof back === 'string' ? safeReturnPath(back, app.publicUrl) : null
    if (back !== undefined && returnPath === null)
      throw new CodedError('input_invalid', 'The path to return to is not one of this hub.', {
        issues: [{ path: 'return', message: 'must be a path that begins with one slash' }],
      })
    const started = await startFlow(deps, request.params.issuerId, {
      mode: returnPath === null ? 'popup' : 'page',
      returnPath: returnPath ?? '/account',
      loginHint: typeof hint === 'string' && hint !== '' ? hint.slice(0, hintMax) : null,
      secondFactor: factor === '1',
    })
    if (!started.ok) return page(reply, started.reason)
    return reply
      .code(303)
      .headers(popupHeaders)
      .header('set-cookie', started.cookie)
      .header('location', started.location)
      .send('')
  })

  // Changes state on GET because OpenID Connect says so; the state cookie is what a stranger's link lacks (code-flow.ts).
  fastify.get(callbackPath, async (request, reply) => {
    await limit.people(request, reply)
    const at = request.url.indexOf('?')
    const finished = await finishFlow(deps, {
      query: at < 0 ? '' : request.url.slice(at),
      cookies: request.headers.cookie ?? '',
      ...from(request),
    })
    if (finished.clear !== null) void reply.header('set-cookie', finished.clear)
    if (!finished.ok) return page(reply, finished.reason)
    if (finished.mode === 'popup')
      return reply
        .headers(popupHeaders)
        .type('text/html; charset=utf-8')
        .send(handOverPage(new URL(app.publicUrl).origin, finished.code))
    return signIn(reply, finished.token, finished.returnPath)
  })

  const signIn = (reply: FastifyReply, token: string, returnPath: string) =>
    reply
      .code(303)
      .headers(popupHeaders)
      .header('set-cookie', setSessionCookie(app, token))
      .header('location', returnPath)
      .send('')

  // The way on for a popup that has lost its opener: the same code, for a cookie.
  fastify.post('/sign-in/external/finish', async (request, reply) => {
    await limit.people(request, reply)
    if (!cookieCounts(request, app.publicUrl)) throw new CodedError('forbidden', 'Only our own page may do this.')
    const done = await exchange(app, textOf(request.body, 'code'))
    return done === null ? page(reply, 'state') : signIn(reply, done.token, done.returnPath)
  })

  fastify.post('/api/sign-in/exchange', async (request, reply) => {
    await limit.people(request, reply)
    // A foreign page could post a form and sign its visitor in as somebody else; JSON it cannot post unasked.
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
      throw new CodedError('encoding_unsupported', 'Send JSON.')
    const done = await exchange(app, textOf(request.body, 'code'))
    if (done === null) throw new CodedError('code_wrong')
    const { token, expiresAt, isNew } = done
    return reply
      .header('cache-control', 'no-store')
      .send({ token, expiresAt: new Date(expiresAt).toISOString(), isNew })
  })

  fastify.post<{ Params: { issuerId: string } }>('/api/sign-in/logout/:issuerId', async (request, reply) => {
    await limit.logouts(request, reply)
    const result = await acceptLogout(deps, request.params.issuerId, textOf(request.body, 'logout_token'))
    void reply.header('cache-control', 'no-store')
    if (result.ok) return reply.code(200).send('')
    // The shape the protocol asks for; the provider's log is where it is read.
    return reply.code(400).send({ error: 'invalid_request', error_description: result.reason })
  })
}

const from = (request: FastifyRequest) => ({
  userAgent: request.headers['user-agent'] ?? null,
  address: normalizeIP(request.ip),
})

const textOf = (body: unknown, field: string): string => {
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined
  return typeof value === 'string' ? value : ''
}

function acceptForms(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error')
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: formBytesMax },
    (request, body, done) => parse(request, String(body), done),
  )
  fastify.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: formBytesMax },
    (_, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )
}

function limiter(fastify: FastifyInstance) {
  const of = (max: number, name: string) => {
    const used = fastify.createRateLimit({
      max,
      timeWindow: minute,
      keyGenerator: (request) => `${name} ${normalizeIP(request.ip)}`,
    })
    return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const state = await used(request)
      if (state.isAllowed || !state.isExceeded) return
      const retryAfterSeconds = Math.max(1, state.ttlInSeconds)
      void reply.header('retry-after', String(retryAfterSeconds))
      throw new CodedError('rate_limited', undefined, { retryAfterSeconds })
    }
  }
  return { people: of(requestsPerMinute, 'external'), logouts: of(logoutsPerMinute, 'logout') }
}
