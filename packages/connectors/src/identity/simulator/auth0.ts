import { minute } from '@bursar/kit/clock.ts'
import type { SimReply, SimRequest, SimRoute } from '#simulator/server.ts'
import { clientOf, type GrantHandler, oauthError, tokensOf } from './oidc.ts'
import { type IdentityWorld, secret } from './world.ts'

export const otpGrant = 'http://auth0.com/oauth/grant-type/passwordless/otp'

const codeLifeMs = 5 * minute
const attemptsMax = 3

const json = (request: SimRequest): Record<string, unknown> => {
  const value: unknown = JSON.parse(request.body.toString() || '{}')
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

const asFields = (body: Record<string, unknown>): URLSearchParams =>
  new URLSearchParams(Object.entries(body).map(([name, value]): [string, string] => [name, String(value)]))

const needsBackEnd = oauthError(
  403,
  'unauthorized_client',
  'Grant type is not allowed for this client: it needs the client secret of a back-end application.',
)

const invented = 6
const digits = (world: IdentityWorld): string =>
  Array.from({ length: invented }, () => Math.floor(world.random.next() * 10)).join('')

/**
 * `POST /otp/challenge`: always 200 with a handle, whether or not the address is known, so that nobody can list users;
 * a handle without a code never works.
 */
function challenge(world: IdentityWorld, request: SimRequest): SimReply {
  const body = json(request)
  const client = clientOf(world, request, asFields(body))
  if (typeof client === 'string') return oauthError(401, 'access_denied', client)
  if (client.secret === null) return needsBackEnd
  if (body.connection !== world.connection) return oauthError(400, 'invalid_request', 'The connection does not exist.')
  const email = typeof body.email === 'string' ? body.email.toLowerCase() : ''
  if (!email.includes('@')) return oauthError(400, 'invalid_request', 'email is required')
  const user = [...world.users.values()].find((it) => it.email === email)
  const works = user === undefined ? body.allow_signup === true : !user.blocked
  const session = secret(world, 'auth_session')
  const code = digits(world)
  world.challenges.set(session, { email, code, works, attempts: 0, used: false, until: world.clock.now() + codeLifeMs })
  if (works) world.sent.push({ email, code, session })
  return { status: 200, body: { auth_session: session } }
}

/** The code for tokens. A wrong, used, old or never working one is told alike: `invalid_request`. */
const redeem =
  (world: IdentityWorld): GrantHandler =>
  (request, fields) => {
    const client = clientOf(world, request, fields)
    if (typeof client === 'string') return oauthError(401, 'access_denied', client)
    if (client.secret === null) return needsBackEnd
    const wrong = oauthError(400, 'invalid_request', 'Invalid or expired code.')
    const found = world.challenges.get(fields.get('auth_session') ?? '')
    if (found === undefined || !found.works || found.used || world.clock.now() >= found.until) return wrong
    found.attempts += 1
    if (found.attempts > attemptsMax) return oauthError(429, 'too_many_attempts', 'Too many attempts.')
    if (found.code !== fields.get('otp')) return wrong
    found.used = true
    const known = [...world.users.values()].find((it) => it.email === found.email)
    const sub = known?.sub ?? `auth0|${secret(world, 'user')}`
    const user = known ?? {
      sub,
      email: found.email,
      name: null,
      secondFactor: false,
      blocked: false,
      emailVerified: true,
    }
    if (user.secondFactor) return oauthError(403, 'mfa_required', 'Multifactor authentication required')
    // The code was sent there: from now on the address is verified.
    world.users.set(sub, { ...user, emailVerified: true })
    return tokensOf(world, {
      sub,
      clientId: client.id,
      redirectUri: '',
      nonce: null,
      challenge: null,
      scope: fields.get('scope') ?? 'openid',
      sid: secret(world, 'sid'),
      authTime: world.clock.now(),
      strong: false,
      used: true,
    })
  }

export const auth0Grants = (world: IdentityWorld): Record<string, GrantHandler> => ({ [otpGrant]: redeem(world) })

/** What Auth0 has beside OpenID: codes by back channel, and the older passwordless start, which is not enabled here. */
export const auth0Routes = (world: IdentityWorld): SimRoute[] => [
  { method: 'POST', pattern: '/otp/challenge', handle: (request) => challenge(world, request) },
  {
    method: 'POST',
    pattern: '/passwordless/start',
    handle: () => oauthError(400, 'bad.connection', 'Connection does not exist or is not a passwordless connection.'),
  },
]
