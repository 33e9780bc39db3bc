import { hour } from '@bursar/kit/clock.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose'
import type { App } from '#action/context.ts'
import { builtInIssuer, type IdentityRequest, type SessionSource, type SignedIn } from '#identity/signed-in.ts'
import { audiencesOf, isForAnother, isOfProgram, readClaims } from './claims.ts'
import type { IssuerKeys } from './keys.ts'
import { isRevoked } from './revocations.ts'
import { findAcceptingIssuers, type Issuer } from './store.ts'

/** Clocks differ by this much. */
export const toleranceSeconds = 5
/** Auth0 gives a day by default; older tokens are not taken, whatever their `exp`. */
const ageMaxSeconds = (24 * hour) / 1_000
const tokenCharsMax = 8_192
const jwtPattern = /^[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*$/
// Each names a key by the token's own word. Keys come from the issuer's published set and from nowhere else.
const foreignKeyHeaders = ['jku', 'x5u', 'x5c', 'jwk'] as const
const accessTokenTypes: ReadonlySet<string> = new Set(['at+jwt', 'jwt'])

type Deps = { readonly app: App; readonly keys: IssuerKeys }

/** The token of `Authorization: Bearer …`, or null. */
export const bearerOf = (request: IdentityRequest): string | null =>
  /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null

/**
 * Access tokens of issuers on an organization's allow list. They say who somebody is and nothing about a mailbox:
 * `emailVerified` only if the organization trusts the issuer's word, `mailboxProvenAt` never.
 */
export const accessTokenSource =
  (deps: Deps): SessionSource =>
  async (request) => {
    const token = bearerOf(request)
    if (token === null || !jwtPattern.test(token)) return null
    const read = token.length <= tokenCharsMax ? peek(token) : null
    if (read === null) return 'invalid'
    // The built-in provider's own tokens are another source's.
    if (read.payload.iss === builtInIssuer(deps.app)) return null
    const issuer = await acceptedBy(deps.app, request, read.payload)
    return issuer !== null && isPlain(read.header, issuer) ? verify(deps, issuer, token) : 'invalid'
  }

type Peeked = { readonly header: ProtectedHeaderParameters; readonly payload: JWTPayload }

/** What the token claims before anything is proven: only good for finding out whom to ask. */
function peek(token: string): Peeked | null {
  try {
    return { header: decodeProtectedHeader(token), payload: decodeJwt(token) }
  } catch {
    // It looks like a token and cannot be read, so it is refused.
    return null
  }
}

/**
 * The allow list's row for this token. When two organizations trust the same issuer for the same audience, the request
 * must name one of them: a token is never counted where nobody meant it.
 */
async function acceptedBy(app: App, request: IdentityRequest, payload: JWTPayload): Promise<Issuer | null> {
  if (payload.iss === undefined) return null
  const audiences = audiencesOf(payload)
  const named = request.headers['bursar-organization']
  const fitting = (await findAcceptingIssuers(app.db, payload.iss)).filter(
    (it) =>
      it.audiences.some((audience) => audiences.includes(audience)) &&
      (named === undefined || named === it.slug || named === it.organization),
  )
  return fitting.length === 1 ? (fitting[0] ?? null) : null
}

function isPlain(header: ProtectedHeaderParameters, issuer: Issuer): boolean {
  if (foreignKeyHeaders.some((name) => header[name] !== undefined)) return false
  const type = header.typ?.toLowerCase().replace(/^application\//, '')
  return issuer.tokenType === 'at+jwt' ? type === 'at+jwt' : type === undefined || accessTokenTypes.has(type)
}

async function verify({ app, keys }: Deps, issuer: Issuer, token: string): Promise<SignedIn | 'invalid'> {
  let payload: JWTPayload
  try {
    const verified = await jwtVerify(token, keys.keyFor(issuer.url), {
      issuer: issuer.url,
      audience: [...issuer.audiences],
      algorithms: [...issuer.algorithms],
      clockTolerance: toleranceSeconds,
      maxTokenAge: ageMaxSeconds,
      requiredClaims: ['exp', 'iat', 'sub'],
      currentDate: new Date(app.clock.now()),
    })
    payload = verified.payload
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return 'invalid'
    throw error
  }
  const isIdToken = issuer.clientId !== null && audiencesOf(payload).includes(issuer.clientId)
  if (isIdToken || isForAnother(payload) || isOfProgram(payload)) return 'invalid'
  const claimed = readClaims(payload)
  if (claimed === null) return 'invalid'
  const { subject, issuedAt, providerSession: session } = claimed
  if (await isRevoked(app.db, { issuer, subject, session, issuedAt })) return 'invalid'
  return {
    sessionId: `tok_${hashSecret(token).slice(0, 26)}`,
    issuer: issuer.url,
    subject: claimed.subject,
    email: claimed.email,
    emailVerified: claimed.emailVerified && issuer.trustsEmail,
    mailboxProvenAt: null,
    name: claimed.name,
    authenticatedAt: claimed.authenticatedAt,
    secondFactorAt: claimed.secondFactorAt,
    organization: issuer.organization,
    via: 'token',
  }
}
