import { createHash, type JsonWebKey } from 'node:crypto'
import type { Http } from '@bursar/kit/http.ts'
import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import { cookieOf, html, htmlText, originOf, sessionCookie } from './html.ts'
import { readIdToken } from './id-token.ts'
import { type Body, textOf } from './respond.ts'
import { hexId, logEvent, type School, type SignIn, type SimUser } from './state.ts'
import { addUser } from './users.ts'

type Oidc = NonNullable<SignIn['oidc']>
type Pending = { readonly target: string; readonly nonce: string; readonly verifier: string }
type Provider = { readonly authorize: string; readonly token: string; readonly keys: string; readonly issuer: string }

const pendingMax = 1_000
const callback = '/oidc/callback'

/** Where somebody lands after signing in; never outside the school. */
function landing(school: School, request: SimRequest): string {
  const origin = originOf(school, request)
  const wanted = URL.parse(request.query.get('redirectUrl') ?? '/', origin)
  return wanted !== null && wanted.origin === origin ? wanted.href : `${origin}/`
}

const wrong = (school: School, why: string, status = 400): SimReply =>
  html(school, 'Sign-in failed', `<h1>Sign-in failed</h1><p>${htmlText(why)}</p>`, status)

const found = (location: string, cookies?: string): SimReply => ({
  status: 302,
  headers: { location, ...(cookies === undefined ? {} : { 'set-cookie': cookies }) },
})

/** People sign in at the school: at the OpenID provider of its owner, or on the owner's own page. */
export function signInRoutes(school: School, http: Http | undefined): SimRoute[] {
  const pending = new Map<string, Pending>()
  const accounts = new Map<string, string>()
  const ask = http === undefined ? null : asking(http)

  const toPage = (action: string) => (request: SimRequest) => {
    const { oidc, page } = school.signIn
    if (oidc !== null && ask !== null) return start(school, request, { oidc, ask, pending })
    if (page === null) return wrong(school, 'Nobody has set up a sign-in for this school.', 404)
    const address = new URL(page)
    address.searchParams.set('action', action)
    address.searchParams.set('redirectUrl', landing(school, request))
    return found(address.href)
  }
  return [
    { method: 'GET', pattern: '/login', handle: toPage('login') },
    { method: 'GET', pattern: '/signup', handle: toPage('signup') },
    { method: 'GET', pattern: '/forgot-password', handle: toPage('passwordreset') },
    {
      method: 'GET',
      pattern: callback,
      handle: async (request) => {
        const { oidc } = school.signIn
        if (oidc === null || ask === null) return wrong(school, 'OpenID sign-in is not set up.', 404)
        const claims = await finish(school, request, { oidc, ask, pending })
        if (typeof claims === 'string') return wrong(school, claims)
        const user = accountOf(school, claims.claims, accounts)
        if (typeof user === 'string') return wrong(school, user, 403)
        user.lastLogin = school.clock.now()
        logEvent(school, user.id, 'login')
        return found(claims.target, sessionCookie(user.id))
      },
    },
  ]
}

type Ask = (request: Parameters<Http>[0]) => Promise<Body | null>

const asking =
  (http: Http): Ask =>
  async (request) => {
    const outcome = await http({ ...request, timeoutMs: 10_000 })
    if (!outcome.ok || outcome.response.status !== 200) return null
    const body: unknown = JSON.parse(outcome.response.body.toString('utf8'))
    return typeof body === 'object' && body !== null ? (body as Body) : null
  }

type Flow = { readonly oidc: Oidc; readonly ask: Ask; readonly pending: Map<string, Pending> }

async function discover({ oidc, ask }: Flow): Promise<Provider | null> {
  const url = `${oidc.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const found = await ask({ method: 'GET', url })
  const [authorize, token, keys] = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'].map((n) => textOf(found, n))
  const issuer = textOf(found, 'issuer')
  return authorize && token && keys && issuer === oidc.issuer ? { authorize, token, keys, issuer } : null
}

async function start(school: School, request: SimRequest, flow: Flow): Promise<SimReply> {
  const provider = await discover(flow)
  if (provider === null) return wrong(school, 'The OpenID provider does not describe itself.', 502)
  const state = hexId(school.random) + hexId(school.random)
  const verifier = Buffer.from(school.random.bytes(32)).toString('base64url')
  const nonce = hexId(school.random)
  if (flow.pending.size >= pendingMax) flow.pending.clear()
  flow.pending.set(state, { target: landing(school, request), nonce, verifier })
  const to = new URL(provider.authorize)
  const wanted = {
    response_type: 'code',
    client_id: flow.oidc.clientId,
    redirect_uri: originOf(school, request) + callback,
    scope: 'openid email profile',
    state,
    nonce,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(wanted)) to.searchParams.set(name, value)
  return found(to.href, `school_sign_in=${state}; Path=/oidc; HttpOnly; SameSite=Lax`)
}

type Finished = { readonly claims: Body; readonly target: string }

async function finish(school: School, request: SimRequest, flow: Flow): Promise<Finished | string> {
  const state = request.query.get('state') ?? ''
  const begun = flow.pending.get(state)
  if (begun === undefined || cookieOf(request, 'school_sign_in') !== state) return 'This sign-in was not begun here.'
  flow.pending.delete(state)
  const code = request.query.get('code')
  if (code === null) return `The provider refused: ${request.query.get('error') ?? 'no code'}.`
  const provider = await discover(flow)
  if (provider === null) return 'The OpenID provider does not describe itself.'
  const { oidc, ask } = flow
  const basic = [oidc.clientId, oidc.clientSecret].map(encodeURIComponent).join(':')
  const tokens = await ask({
    method: 'POST',
    url: provider.token,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(basic).toString('base64')}`,
    },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: originOf(school, request) + callback,
      code_verifier: begun.verifier,
    }).toString(),
  })
  const idToken = textOf(tokens, 'id_token')
  if (idToken === null) return 'The provider did not answer the code with an ID token.'
  const keys = (await ask({ method: 'GET', url: provider.keys }))?.keys
  const claims = readIdToken(idToken, Array.isArray(keys) ? (keys as JsonWebKey[]) : [], {
    issuer: provider.issuer,
    audience: oidc.clientId,
    nonce: begun.nonce,
    now: school.clock.now(),
  })
  return typeof claims === 'string' ? claims : { claims, target: begun.target }
}

/** The account of the subject as seen before, else of the address; a new one when there is none. Never staff. */
function accountOf(school: School, claims: Body, accounts: Map<string, string>): SimUser | string {
  const subject = textOf(claims, 'sub')
  const email = textOf(claims, 'email')?.toLowerCase()
  if (subject === null || email === undefined) return 'The ID token holds no e-mail address.'
  if (claims.email_verified === false) return 'The provider has not verified the address.'
  const { users, userByEmail } = school.state
  const known = users.get(accounts.get(subject) ?? '') ?? users.get(userByEmail.get(email) ?? '')
  const user = known ?? addUser(school, { email, username: textOf(claims, 'name') ?? email.split('@')[0] ?? email })
  if (user.level !== 'user') return 'Staff sign in with their own password.'
  if (user.suspended) return 'This account has no access.'
  accounts.set(subject, user.id)
  return user
}
