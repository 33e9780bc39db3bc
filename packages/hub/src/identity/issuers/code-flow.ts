import { type Instant, minute, second } from '@bursar/kit/clock.ts'
import * as client from 'openid-client'
import { freshFactorMs } from '#action/caller.ts'
import type { App } from '#action/context.ts'
import { type Claimed, multiFactorAcr, readClaims } from './claims.ts'
import { type ExchangeCode, makeExchangeCode } from './exchange.ts'
import { type Deps, ProviderUnreachable, relyingParty, verifyIdToken } from './relying-party.ts'
import { isRevoked } from './revocations.ts'
import { isNewcomer, mintSessionToken, openSession } from './sessions.ts'
import { findIssuer, type Issuer } from './store.ts'

export const callbackPath = '/sign-in/external/callback'
/** How long somebody may take at the provider. */
export const flowMs = 10 * minute
const cookiePrefix = 'bursar_external_'
const cookieOwner = 'sign-in at an external issuer'
const scope = 'openid email profile'

/** What the browser carries through the provider and back, sealed: nobody else can finish this sign-in. */
type Flow = {
  readonly issuer: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly mode: 'popup' | 'page'
  readonly returnPath: string
  readonly secondFactor: boolean
  readonly until: Instant
}

export type Wish = {
  readonly mode: Flow['mode']
  readonly returnPath: string
  readonly loginHint: string | null
  readonly secondFactor: boolean
}

export type SignInFailure = 'unknown' | 'state' | 'denied' | 'second_factor' | 'refused' | 'unavailable'

const returnPathMax = 500

/** A path on this hub to come back to, or null: nothing that a browser reads as another host. */
export function safeReturnPath(text: string, publicUrl: string): string | null {
  const printable = /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/
  if (text.length > returnPathMax || !printable.test(text)) return null
  const url = URL.parse(text, publicUrl)
  if (url === null || url.origin !== new URL(publicUrl).origin) return null
  // `/.//evil.example` lies here, but without its dots it is `//evil.example`, which browsers read as another host.
  return url.pathname.startsWith('//') ? null : url.pathname + url.search + url.hash
}

const cookieTail = (app: App): string =>
  `Path=/sign-in/external; HttpOnly; SameSite=Lax${app.publicUrl.startsWith('https:') ? '; Secure' : ''}`
// One cookie per flow, so that two tabs do not spoil each other.
const cookieName = (state: string): string => `${cookiePrefix}${state.slice(0, 16)}`
const statePattern = /^[A-Za-z0-9_-]{20,100}$/

export type Started =
  | { readonly ok: true; readonly location: string; readonly cookie: string }
  | { readonly ok: false; readonly reason: SignInFailure }

/** Sends the browser to the provider: authorization code with PKCE, state and nonce. */
export async function startFlow(deps: Deps, issuerId: string, wish: Wish): Promise<Started> {
  const { app } = deps
  const issuer = await findIssuer(app.db, issuerId)
  if (issuer === null || !issuer.signIn || issuer.state !== 'active') return { ok: false, reason: 'unknown' }
  const party = await relyingParty(deps, issuer)
  if (!party.ok || party.metadata.authorization_endpoint === undefined) return { ok: false, reason: 'unavailable' }
  const flow: Flow = {
    issuer: issuer.id,
    state: client.randomState(),
    nonce: client.randomNonce(),
    verifier: client.randomPKCECodeVerifier(),
    ...{ mode: wish.mode, returnPath: wish.returnPath, secondFactor: wish.secondFactor },
    until: app.clock.now() + flowMs,
  }
  const url = client.buildAuthorizationUrl(party.config, {
    redirect_uri: app.publicUrl + callbackPath,
    response_type: 'code',
    scope,
    state: flow.state,
    nonce: flow.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(flow.verifier),
    code_challenge_method: 'S256',
    ...(wish.loginHint === null ? {} : { login_hint: wish.loginHint }),
    ...(wish.secondFactor ? { acr_values: multiFactorAcr, max_age: String(freshFactorMs / second) } : {}),
  })
  const sealed = app.secrets.seal(JSON.stringify(flow), cookieOwner).toString('base64url')
  const cookie = `${cookieName(flow.state)}=${sealed}; Max-Age=${flowMs / second}; ${cookieTail(app)}`
  return { ok: true, location: url.href, cookie }
}

/** The flow this browser began with that state; null for a stranger's, an old and a forged one. */
function flowOf(app: App, cookies: string, state: string | null): Flow | null {
  if (state === null || !statePattern.test(state)) return null
  const name = `${cookieName(state)}=`
  const sealed = cookies
    .split(/; */)
    .find((it) => it.startsWith(name))
    ?.slice(name.length)
  if (sealed === undefined) return null
  try {
    const flow = JSON.parse(app.secrets.open(Buffer.from(sealed, 'base64url'), cookieOwner)) as Flow
    return flow.state === state && app.clock.now() < flow.until ? flow : null
  } catch {
    // What does not open was not sealed by this hub, and counts as no flow at all.
    return null
  }
}

export type Arrived = {
  readonly query: string
  readonly cookies: string
  readonly userAgent: string | null
  readonly address: string | null
}

export type Finished =
  | { readonly ok: true; readonly mode: 'popup'; readonly code: string; readonly clear: string }
  | {
      readonly ok: true
      readonly mode: 'page'
      readonly token: string
      readonly returnPath: string
      readonly clear: string
    }
  | { readonly ok: false; readonly reason: SignInFailure; readonly mode: Flow['mode']; readonly clear: string | null }

/**
 * The browser is back from the provider. A GET that changes state, by the protocol's design; what keeps a stranger's
 * link from signing somebody in as somebody else is the state, which only the browser that began holds in its cookie.
 */
export async function finishFlow(deps: Deps, arrived: Arrived): Promise<Finished> {
  const { app } = deps
  const url = new URL(app.publicUrl + callbackPath + arrived.query)
  const flow = flowOf(app, arrived.cookies, url.searchParams.get('state'))
  if (flow === null) return { ok: false, reason: 'state', mode: 'popup', clear: null }
  const clear = `${cookieName(flow.state)}=; Max-Age=0; ${cookieTail(app)}`
  const fail = (reason: SignInFailure): Finished => ({ ok: false, reason, mode: flow.mode, clear })
  const issuer = await findIssuer(app.db, flow.issuer)
  if (issuer === null || !issuer.signIn || issuer.state !== 'active') return fail('unknown')
  const claimed = await redeem(deps, issuer, flow, url)
  if (typeof claimed === 'string') return fail(claimed)
  if (flow.secondFactor && claimed.secondFactorAt === null) return fail('second_factor')
  const { subject, issuedAt, providerSession: session } = claimed
  // A logout that came while the browser was on its way counts for the session it would open.
  if (await isRevoked(app.db, { issuer, subject, session, issuedAt })) return fail('refused')
  const isNew = await isNewcomer(app, issuer.organization, issuer.url, subject)
  const token = flow.mode === 'page' ? mintSessionToken() : null
  const code = await app.db.tx({ organization: issuer.organization }, async (tx) => {
    const { userAgent, address } = arrived
    const { organization } = issuer
    const opened = await openSession(tx, app, {
      organization,
      issuer: issuer.url,
      claimed,
      mailboxProvenAt: null,
      userAgent,
      address,
      token,
    })
    const wish: ExchangeCode = { session: opened.id, organization, returnPath: flow.returnPath, isNew }
    return token === null ? makeExchangeCode(tx, wish) : null
  })
  if (token !== null) return { ok: true, mode: 'page', token, returnPath: flow.returnPath, clear }
  if (code === null) throw new Error('a popup sign-in ended without its code')
  return { ok: true, mode: 'popup', code, clear }
}

/** The provider's answer for what it says about the person, or why there is nothing to be had. */
async function redeem(deps: Deps, issuer: Issuer, flow: Flow, url: URL): Promise<Claimed | SignInFailure> {
  const party = await relyingParty(deps, issuer)
  if (!party.ok) return 'unavailable'
  try {
    const tokens = await client.authorizationCodeGrant(party.config, url, {
      expectedState: flow.state,
      expectedNonce: flow.nonce,
      pkceCodeVerifier: flow.verifier,
      idTokenExpected: true,
      ...(flow.secondFactor ? { maxAge: freshFactorMs / second } : {}),
    })
    const payload = await verifyIdToken(deps, issuer, tokens.id_token ?? '', flow.nonce)
    const claimed = payload === null ? null : readClaims(payload)
    if (claimed === null) return 'refused'
    if (claimed.email !== null || party.metadata.userinfo_endpoint === undefined) return claimed
    const info = await client.fetchUserInfo(party.config, tokens.access_token, claimed.subject)
    const { email, emailVerified, name } = readClaims({ ...info, iat: 1 }) ?? claimed
    return { ...claimed, email, emailVerified, name: claimed.name ?? name }
  } catch (error) {
    return failureOf(deps.app, issuer, error)
  }
}

// openid-client's names for answers that are none: a proxy's page, a 500, half a document, silence.
const noAnswer: ReadonlySet<string> = new Set([
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
  'OAUTH_TIMEOUT',
])

function failureOf(app: App, issuer: Issuer, error: unknown): SignInFailure {
  if (error instanceof client.AuthorizationResponseError)
    return error.error === 'access_denied' || error.error === 'login_required' ? 'denied' : 'refused'
  const told = (said: string, reason: SignInFailure): SignInFailure => {
    // The library's words name the step and the claim, never a token.
    app.log.warn('a sign-in at an external issuer failed', { issuer: issuer.id, said })
    return reason
  }
  if (error instanceof client.ResponseBodyError)
    return told(error.error, error.status === 429 || error.status >= 500 ? 'unavailable' : 'refused')
  if (error instanceof ProviderUnreachable) return told(error.message, 'unavailable')
  if (!(error instanceof client.ClientError)) throw error
  const silent = error.cause instanceof ProviderUnreachable || noAnswer.has(error.code ?? '')
  return told(error.message, silent ? 'unavailable' : 'refused')
}
