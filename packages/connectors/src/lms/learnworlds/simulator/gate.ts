import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import { type Body, invalid, listed, ok, problem, readBody, textOf } from './respond.ts'
import { hexId, type School } from './state.ts'

const denial = 'The resource owner or authorization server denied the request.'
const loginPage = '<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>'

function denied(school: School): SimReply {
  school.state.counts.denied += 1
  switch (school.variants.denied) {
    case 'access_denied_400':
      return listed(400, 'access_denied', denial)
    case 'unauthorized_401':
      return listed(401, 'access_denied', denial)
    case 'html_200':
      return { status: 200, body: loginPage, headers: { 'content-type': 'text/html' } }
  }
}

export type Limiter = { take(client: string): number | null; reset(): void }

/** Null when the call is allowed, else the milliseconds until one will be. A refused call does not count. */
export function createLimiter(school: School): Limiter {
  let windows = new Map<string, number[]>()
  return {
    take: (client) => {
      const { requests, windowMs, limiter } = school.variants
      if (requests === 0) return null
      const now = school.clock.now()
      const start = limiter === 'fixed' ? Math.floor(now / windowMs) * windowMs : now - windowMs + 1
      const kept = (windows.get(client) ?? []).filter((at) => at >= start)
      windows.set(client, kept)
      if (kept.length < requests) {
        kept.push(now)
        return null
      }
      return limiter === 'fixed' ? start + windowMs - now : (kept[0] ?? now) + windowMs - now
    },
    reset: () => {
      windows = new Map()
    },
  }
}

function tooMany(school: School, waitMs: number): SimReply {
  school.state.counts.limited += 1
  const reply = problem(429, 'Too many requests')
  switch (school.variants.retryAfter) {
    case 'none':
      return reply
    case 'seconds':
      return { ...reply, headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) } }
    case 'date': {
      // HTTP dates have whole seconds; rounding up never invites too early.
      const at = Math.ceil((school.clock.now() + waitMs) / 1_000) * 1_000
      return { ...reply, headers: { 'retry-after': new Date(at).toUTCString() } }
    }
  }
}

const headerOf = (request: SimRequest, name: string): string => {
  const value = request.headers[name]
  return typeof value === 'string' ? value : ''
}

const routeOf = (request: SimRequest): string => {
  const path = request.path
    .replace('/admin/api', '')
    .split('/')
    .map((part) => (/^[0-9a-f]{24}$/.test(part) || /%40|@/.test(part) ? ':id' : part))
  return `${request.method} ${path.join('/')}`
}

const routesMax = 2_000

function count(school: School, request: SimRequest): void {
  const { counts } = school.state
  counts.calls += 1
  const route = routeOf(request)
  if (route in counts.byRoute || Object.keys(counts.byRoute).length < routesMax)
    counts.byRoute[route] = (counts.byRoute[route] ?? 0) + 1
}

const isApi = (request: SimRequest) => request.path.startsWith('/admin/api/')
const isToken = (request: SimRequest) => request.path === '/admin/api/oauth2/access_token'

/** Counts, limits and authenticates every call below /admin/api. */
export function createGuard(school: School, limiter: Limiter) {
  return (request: SimRequest): SimReply | null => {
    if (!isApi(request)) return null
    count(school, request)
    const client = headerOf(request, 'lw-client')
    const waitMs = limiter.take(client)
    if (waitMs !== null) return tooMany(school, waitMs)
    if (client !== school.clientId) return denied(school)
    if (isToken(request)) return null
    const token = headerOf(request, 'authorization').replace(/^Bearer /, '')
    if (token === school.accessToken) return null
    const expiresAt = school.tokens.get(token)
    return expiresAt !== undefined && school.clock.now() < expiresAt ? null : denied(school)
  }
}

/** Both encodings: JSON, or a form whose one field `data` is JSON. */
function readGrant(request: SimRequest): Body | null {
  if (!headerOf(request, 'content-type').startsWith('application/x-www-form-urlencoded')) return readBody(request)
  const data = new URLSearchParams(request.body.toString('utf8')).get('data')
  return data === null ? null : readBody({ ...request, body: Buffer.from(data) })
}

export const tokenRoutes = (school: School): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/admin/api/oauth2/access_token',
    handle: (request) => {
      const grant = readGrant(request)
      if (grant === null) return invalid('data', 'The body holds no grant.', 400)
      const fits =
        textOf(grant, 'client_id') === school.clientId &&
        textOf(grant, 'client_secret') === school.clientSecret &&
        textOf(grant, 'grant_type') === 'client_credentials'
      if (!fits) return denied(school)
      const token = `sim_${hexId(school.random)}${hexId(school.random)}`
      school.tokens.set(token, school.clock.now() + school.variants.tokenExpiresInS * 1_000)
      school.state.counts.tokens += 1
      return ok({
        success: true,
        tokenData: { access_token: token, token_type: 'Bearer', expires_in: school.variants.tokenExpiresInS },
        errors: [],
      })
    },
  },
]
