import type { IncomingHttpHeaders } from 'node:http'
import { type Instant, minute } from '@bursar/kit/clock.ts'

/**
 * Somebody who proved who they are, as one session or token says it. A person is known by issuer and subject; the
 * address is a hint, and `mailboxProvenAt` the only proof of it.
 */
export type SignedIn = {
  /** Names this session or token in lists, in the audit and when it is revoked. */
  readonly sessionId: string
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  /** The issuer says so, and its word counts here: the built-in provider, or an issuer trusted for addresses. */
  readonly emailVerified: boolean
  /** When this very session proved the mailbox by a code or link sent to it; null when it was made otherwise. */
  readonly mailboxProvenAt: Instant | null
  readonly name: string | null
  readonly authenticatedAt: Instant
  readonly secondFactorAt: Instant | null
  /** The only organization this session counts in; null for the built-in provider, whose people may be in several. */
  readonly organization: string | null
  /** A cookie is sent by browsers unasked, so it needs `cookieCounts`. */
  readonly via: 'cookie' | 'token'
}

export type IdentityRequest = { readonly method: string; readonly headers: IncomingHttpHeaders }

/**
 * One way in which requests say who sends them. Null when the request carries nothing of this kind, `invalid` when it
 * does and it is unknown, ended or forged.
 */
export type SessionSource = (request: IdentityRequest) => Promise<SignedIn | 'invalid' | null>

/** How long a proof of a mailbox counts as "now". */
export const freshProofMs = 15 * minute

export const isFresh = (at: Instant | null, now: Instant, withinMs: number): boolean =>
  at !== null && now - at <= withinMs

/**
 * Whether a cookie may speak for this request. Reading always; anything else only from our own pages, because
 * browsers send cookies along with what other sites ask for.
 */
export function cookieCounts(request: IdentityRequest, publicUrl: string): boolean {
  if (request.method === 'GET' || request.method === 'HEAD') return true
  const site = request.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin } = request.headers
  return origin !== undefined && origin === new URL(publicUrl).origin
}

/** The issuer of people who sign in at this hub itself. */
export const builtInIssuer = (app: { readonly publicUrl: string }): string => `${app.publicUrl}/auth`

/** The first source that knows the request. `invalid` ends the search: a wrong token is never overlooked. */
export async function signedInBy(
  sources: readonly SessionSource[],
  request: IdentityRequest,
): Promise<SignedIn | 'invalid' | null> {
  for (const source of sources) {
    const found = await source(request)
    if (found !== null) return found
  }
  return null
}
