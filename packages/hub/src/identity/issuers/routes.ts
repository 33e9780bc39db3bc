import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { takeHandOver } from '#identity/provider/hand-over.ts'
import { cookieCounts } from '#identity/signed-in.ts'
import { callbackPath, finishFlow, type SignInFailure, safeReturnPath, startFlow, type Wish } from './code-flow.ts'
import { exchange } from './exchange.ts'
import { acceptLogout } from './logout.ts'
import { failedPage, failureStatus, handOverPage, popupHeaders } from './page.ts'
import type { Deps } from './relying-party.ts'
import { setSessionCookie } from './sessions.ts'

/** A whole class may sign in from one address, with three requests each. Guessing is hopeless at any rate. */
const requestsPerMinute = 300
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
  acceptForms(fastify)
  const limit = limiter(fastify, 'external', requestsPerMinute)
  pageRoutes(fastify, deps, limit)
  exchangeRoute(fastify, deps, limit)
  logoutRoute(fastify, deps, limiter(fastify, 'logout', logoutsPerMinute))
}

function pageRoutes(fastify: FastifyInstance, deps: Deps, limit: Limit): void {
  const { app } = deps
  const page = (reply: FastifyReply, status: number, body: string) =>
    reply.code(status).headers(popupHeaders).type('text/html; charset=utf-8').send(body)
  const failed = (reply: FastifyReply, reason: SignInFailure) =>
    page(reply, failureStatus[reason], failedPage(new URL(app.publicUrl).origin, reason))
  const goOn = (reply: FastifyReply, location: string, cookie: string) =>
    reply.code(303).headers(popupHeaders).header('set-cookie', cookie).header('location', location).send('')
  const signIn = (reply: FastifyReply, token: string, returnPath: string) =>
    goOn(reply, returnPath, setSessionCookie(app, token))

  fastify.get<StartRoute>('/sign-in/external/:issuerId', async (request, reply) => {
    await limit(request, reply)
    const started = await startFlow(deps, request.params.issuerId, wishOf(request.query, app.publicUrl))
    return started.ok ? goOn(reply, started.location, started.cookie) : failed(reply, started.reason)
  })

  // Changes state on GET because OpenID Connect says so; the state cookie is what a stranger's link lacks (code-flow.ts).
  fastify.get(callbackPath, async (request, reply) => {
    await limit(request, reply)
    const at = request.url.indexOf('?')
    const query = at < 0 ? '' : request.url.slice(at)
    const finished = await finishFlow(deps, { query, cookies: request.headers.cookie ?? '', ...from(request) })
    if (finished.clear !== null) void reply.header('set-cookie', finished.clear)
    if (!finished.ok) return failed(reply, finished.reason)
    if (finished.mode === 'page') return signIn(reply, finished.token, finished.returnPath)
    return page(reply, 200, handOverPage(new URL(app.publicUrl).origin, finished.code))
  })

  // The way on for a popup that has lost its opener: the same code, for a cookie.
  fastify.post('/sign-in/external/finish', async (request, reply) => {
    await limit(request, reply)
    if (!cookieCounts(request, app.publicUrl)) throw new CodedError('forbidden', 'Only our own page may do this.')
    const done = await exchange(app, textOf(request.body, 'code'))
    return done === null ? failed(reply, 'state') : signIn(reply, done.token, done.returnPath)
  })
}

function wishOf(query: StartRoute['Querystring'], publicUrl: string): Wish {
  const { return: back, login_hint: hint, second_factor: factor } = query
  const returnPath = typeof back === 'string' ? safeReturnPath(back, publicUrl) : null
  if (back !== undefined && returnPath === null)
    throw new CodedError('input_invalid', 'The path to return to is not one of this hub.', {
      issues: [{ path: 'return', message: 'must be a path that begins with one slash' }],
    })
  return {
    mode: returnPath === null ? 'popup' : 'page',
    returnPath: returnPath ?? '/account',
    loginHint: typeof hint === 'string' && hint !== '' ? hint.slice(0, hintMax) : null,
    secondFactor: factor === '1',
  }
}

function exchangeRoute(fastify: FastifyInstance, { app }: Deps, limit: Limit): void {
  fastify.post('/api/sign-in/exchange', async (request, reply) => {
    await limit(request, reply)
    // A foreign page could post a form and sign its visitor in as somebody else; JSON it cannot post unasked.
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
      throw new CodedError('encoding_unsupported', 'Send JSON.')
    const wantsCookie = textOf(request.body, 'transport') === 'cookie'
    if (wantsCookie && !cookieCounts(request, app.publicUrl))
      throw new CodedError('forbidden', 'Only our own page may take a cookie.')
    const code = textOf(request.body, 'code')
    // Of the built-in provider there is nothing to set: the window that handed it over has the cookie already.
    const builtIn = wantsCookie ? null : await takeHandOver(app, code)
    const done = builtIn === null ? await exchange(app, code) : { ...builtIn, isNew: false }
    if (done === null) throw new CodedError('code_wrong')
    const { token, isNew } = done
    const answer = { expiresAt: new Date(done.expiresAt).toISOString(), isNew }
    void reply.header('cache-control', 'no-store')
    if (!wantsCookie) return reply.send({ token, ...answer })
    return reply.header('set-cookie', setSessionCookie(app, token)).send(answer)
  })
}

function logoutRoute(fastify: FastifyInstance, deps: Deps, limit: Limit): void {
  fastify.post<{ Params: { issuerId: string } }>('/api/sign-in/logout/:issuerId', async (request, reply) => {
    await limit(request, reply)
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

type Limit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

function limiter(fastify: FastifyInstance, name: string, max: number): Limit {
  const used = fastify.createRateLimit({
    max,
    timeWindow: minute,
    keyGenerator: (request) => `${name} ${normalizeIP(request.ip)}`,
  })
  return async (request, reply) => {
    const state = await used(request)
    if (state.isAllowed || !state.isExceeded) return
    const retryAfterSeconds = Math.max(1, state.ttlInSeconds)
    void reply.header('retry-after', String(retryAfterSeconds))
    throw new CodedError('rate_limited', undefined, { retryAfterSeconds })
  }
}
