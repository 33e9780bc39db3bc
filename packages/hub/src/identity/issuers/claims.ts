import type { Instant } from '@bursar/kit/clock.ts'
import type { JWTPayload } from 'jose'

/** What a token says about a person. Pure; whether its word about the address counts is decided by the caller. */
export type Claimed = {
  readonly subject: string
  readonly email: string | null
  /** As the issuer puts it; only `true` itself counts, not "true". */
  readonly emailVerified: boolean
  readonly name: string | null
  readonly providerSession: string | null
  readonly issuedAt: Instant
  readonly authenticatedAt: Instant
  readonly secondFactorAt: Instant | null
}

// How OpenID providers say "more than one factor": RFC 8176 and the policy name that Auth0 and others use.
const strongMethods: ReadonlySet<string> = new Set(['mfa'])
export const multiFactorAcr = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'

const textMax = 320
const text = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' && value.length <= textMax ? value : null

const seconds = (value: unknown): Instant | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value * 1_000 : null

const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((it): it is string => typeof it === 'string') : []

/** Null when there is no subject or no moment: then it is about nobody. */
export function readClaims(payload: JWTPayload): Claimed | null {
  const subject = text(payload.sub)
  const signedInAt = seconds(payload.auth_time)
  const issuedAt = seconds(payload.iat)
  if (subject === null || issuedAt === null) return null
  const strong = texts(payload.amr).some((it) => strongMethods.has(it)) || payload.acr === multiFactorAcr
  return {
    subject,
    email: text(payload.email),
    emailVerified: payload.email_verified === true,
    name: text(payload.name),
    providerSession: text(payload.sid),
    issuedAt,
    authenticatedAt: signedInAt ?? issuedAt,
    // Without auth_time nobody knows when the factor was shown: a token may be renewed for months.
    secondFactorAt: strong ? signedInAt : null,
  }
}

/** A token that stands for a program, not a person: the same audience, no human behind it (RFC 9068 §5). */
export const isOfProgram = (payload: JWTPayload): boolean =>
  payload.gty === 'client-credentials' ||
  payload.sub === payload.client_id ||
  payload.sub === payload.azp ||
  (typeof payload.sub === 'string' && payload.sub.endsWith('@clients'))

/** Marks of tokens that are for somebody else: ID tokens and logout tokens. */
export const isForAnother = (payload: JWTPayload): boolean =>
  ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'].some((claim) => payload[claim] !== undefined)

export const audiencesOf = (payload: JWTPayload): readonly string[] =>
  typeof payload.aud === 'string' ? [payload.aud] : texts(payload.aud)
