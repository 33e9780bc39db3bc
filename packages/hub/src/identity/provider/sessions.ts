import { type Instant, second } from '@bursar/kit/clock.ts'
import { hmacSha256 } from '@bursar/kit/signature/hmac.ts'
import { sql, ts } from '#db/sql.ts'
import { builtInIssuer, cookieCounts, type IdentityRequest, type SessionSource, type SignedIn } from '../signed-in.ts'
import type { AuthHome } from './auth.ts'
import { type SignInMethod, sessionPrefix, sessionSeconds } from './session-rows.ts'

/** A session as it is handed out: the secret for headers, and the same as a cookie for our own pages. */
export type NewSession = {
  readonly signedIn: SignedIn
  /** In clear, this once: `bst_…`, for `Authorization: Bearer`. */
  readonly token: string
  /** Whole Set-Cookie values. */
  readonly cookies: readonly string[]
  readonly expiresAt: Instant
}

type Found = {
  readonly session: {
    readonly id: string
    readonly createdAt: Date
    readonly expiresAt: Date
    // The library types fields of ours as what they may be in any database.
    readonly mailboxProvenAt?: unknown
    readonly secondFactorAt?: unknown
  }
  readonly user: {
    readonly id: string
    readonly email: string
    readonly emailVerified: boolean
    readonly name: string
  }
}

function instant(date: unknown): Instant | null {
  if (date === null || date === undefined) return null
  if (date instanceof Date) return date.getTime()
  throw new Error('a moment that is no Date')
}

const toSignedIn = (home: AuthHome, { session, user }: Found, via: SignedIn['via']): SignedIn => ({
  sessionId: session.id,
  issuer: builtInIssuer(home.deps.app),
  subject: user.id,
  email: user.email,
  emailVerified: user.emailVerified,
  mailboxProvenAt: instant(session.mailboxProvenAt),
  name: user.name === '' ? null : user.name,
  authenticatedAt: session.createdAt.getTime(),
  secondFactorAt: instant(session.secondFactorAt),
  organization: null,
  via,
})

// The library signs what it hands out, in cookies and (requireSignature) in headers: whoever reads the table has no key.
const signed = (home: AuthHome, token: string): string =>
  `${token}.${hmacSha256(home.deps.secret, token).toString('base64')}`

/** Turns a session the library has just made into what the caller may hand out. */
export async function handOut(home: AuthHome, rawToken: string): Promise<NewSession> {
  const { internalAdapter, authCookies } = await home.auth().$context
  const found = await internalAdapter.findSession(rawToken)
  if (found === null) throw new Error('a session was made and is not there')
  const token = signed(home, rawToken)
  const { name, attributes } = authCookies.sessionToken
  const secure = attributes.secure ? '; Secure' : ''
  const cookie = `${name}=${encodeURIComponent(token)}; Max-Age=${sessionSeconds.expiresIn}; Path=/; HttpOnly${secure}; SameSite=Lax`
  return {
    signedIn: toSignedIn(home, found, 'token'),
    token,
    cookies: [cookie],
    expiresAt: found.session.expiresAt.getTime(),
  }
}

const bearer = `bearer ${sessionPrefix}`

/** The headers by which a request says it belongs to one of our sessions; null when it does not say so. */
function credential(request: IdentityRequest, cookieName: string, publicUrl: string): Headers | null {
  const { authorization, cookie } = request.headers
  // Whoever names a credential means that one: a cookie sent along by the browser does not speak beside it.
  if (authorization !== undefined)
    return authorization.toLowerCase().startsWith(bearer) ? new Headers({ authorization }) : null
  const isThere = cookie?.split(';').some((part) => part.trim().startsWith(`${cookieName}=`))
  if (cookie === undefined || isThere !== true || !cookieCounts(request, publicUrl)) return null
  return new Headers({ cookie })
}

/**
 * Knows the sessions of the built-in provider, by cookie or by `Authorization: Bearer bst_…`. Browsers send an ended
 * session's cookie for weeks, unasked: it counts as nobody's, and shuts out nobody who signed in elsewhere since.
 */
export const sessionSource =
  (home: AuthHome): SessionSource =>
  async (request) => {
    const auth = home.auth()
    const { authCookies } = await auth.$context
    const headers = credential(request, authCookies.sessionToken.name, home.deps.app.publicUrl)
    if (headers === null) return null
    const found = await auth.api.getSession({ headers })
    const via = headers.has('cookie') ? 'cookie' : 'token'
    if (found === null) return via === 'cookie' ? null : 'invalid'
    return toSignedIn(home, found, via)
  }

/** The token of the session a window's cookie carries; null without one. */
export async function tokenOf(
  home: AuthHome,
  request: IdentityRequest,
): Promise<{ readonly token: string; readonly expiresAt: Instant } | null> {
  const auth = home.auth()
  const { authCookies } = await auth.$context
  const headers = credential(request, authCookies.sessionToken.name, home.deps.app.publicUrl)
  if (headers === null) return null
  const found = await auth.api.getSession({ headers })
  if (found === null) return null
  return { token: signed(home, found.session.token), expiresAt: found.session.expiresAt.getTime() }
}

/** Ends the session of this request, if it has one, and gives the cookies that take it from the browser. */
export async function signOut(
  home: AuthHome,
  request: IdentityRequest,
): Promise<{ readonly cookies: readonly string[] }> {
  const auth = home.auth()
  const { authCookies } = await auth.$context
  const headers = credential(request, authCookies.sessionToken.name, home.deps.app.publicUrl)
  if (headers === null) return { cookies: [] }
  const answer = await auth.api.signOut({ headers, returnHeaders: true })
  return { cookies: answer.headers.getSetCookie() }
}

export type SessionEntry = {
  readonly id: string
  readonly method: SignInMethod
  /** The browser's own words, cut; null when it said nothing. */
  readonly device: string | null
  readonly address: string | null
  readonly createdAt: Instant
  readonly lastSeenAt: Instant
  readonly expiresAt: Instant
}

// More devices than a person has; a list of ten thousand would only serve who made them.
const listMax = 100

/** Living sessions of a person, newest first. */
export const listSessions = (home: AuthHome, subject: string): Promise<SessionEntry[]> =>
  home.deps.app.db.direct<SessionEntry>(sql('auth_sessions')`
    select id, method, device, nullif("ipAddress", '') as address, "createdAt", "updatedAt" as "lastSeenAt", "expiresAt"
    from auth.session where "userId" = ${subject} and "expiresAt" > now() order by "createdAt" desc, id desc limit ${listMax}`)

/** Ends sessions of a person: one, or all but one. Applications signed in through them are told. Returns how many. */
export async function endSessions(
  home: AuthHome,
  subject: string,
  which: { readonly only?: string; readonly except?: string } = {},
): Promise<number> {
  const rows = await home.deps.app.db.direct<{ token: string }>(sql('auth_session_tokens')`
    select token from auth.session where "userId" = ${subject}
      and (${which.only ?? null}::text is null or id = ${which.only ?? null})
      and (${which.except ?? null}::text is null or id <> ${which.except ?? null})`)
  if (rows.length === 0) return 0
  await home.auth().api.endSessions({ body: { tokens: rows.map((row) => row.token) } })
  return rows.length
}

/** Ends all sessions of a person, and what applications hold in their name: access and refresh tokens. */
export async function endEverything(home: AuthHome, subject: string): Promise<number> {
  const ended = await endSessions(home, subject)
  await home.deps.app.db.direct(sql('auth_tokens_end')`
    with access as (delete from auth."oauthAccessToken" where "userId" = ${subject})
    delete from auth."oauthRefreshToken" where "userId" = ${subject}`)
  return ended
}

const sweepRowsMax = 10_000
const keepEndedMs = 3_600 * second

/** Takes out what has run out; the library leaves it lying. For a schedule, once an hour is plenty. */
export async function sweep(home: AuthHome): Promise<void> {
  const before = ts(home.deps.app.clock.now() - keepEndedMs)
  const { db } = home.deps.app
  await db.direct(sql('auth_sweep_sessions')`
    delete from auth.session where id in (select id from auth.session where "expiresAt" < ${before} limit ${sweepRowsMax})`)
  await db.direct(sql('auth_sweep_verifications')`
    delete from auth.verification where id in (
      select id from auth.verification where "expiresAt" < ${before} limit ${sweepRowsMax})`)
  await db.direct(sql('auth_sweep_assertions')`
    delete from auth."oauthClientAssertion" where "expiresAt" < ${before}`)
  await db.direct(sql('auth_sweep_access')`
    delete from auth."oauthAccessToken" where id in (
      select id from auth."oauthAccessToken" where "expiresAt" < ${before} limit ${sweepRowsMax})`)
}
