import type { Instant } from '../clock.ts'
import { CodedError } from '../errors.ts'
import { bytesEqual, hmacSha256 } from './hmac.ts'
import { secretMinBytes } from './verdict.ts'

/** What a link is good for. That it works once is the caller's part: it remembers spent nonces until they expire. */
export type LinkClaims = {
  readonly purpose: string
  readonly subject: string
  /** The last moment is exclusive. */
  readonly expiresAt: Instant
  readonly nonce: string
}

export type LinkVerified =
  | { readonly ok: true; readonly claims: LinkClaims }
  | {
      readonly ok: false
      readonly reason: 'signature_malformed' | 'signature_invalid' | 'link_expired' | 'secret_weak'
    }

const tokenMax = 2048
const tokenPattern = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})$/
// Keeps a key that also signs something else from being tricked into signing links.
const domain = 'link.v1.'

const macOf = (payload: string, key: Uint8Array): Buffer => hmacSha256(key, domain, payload)

/** A token for a URL: readable by everybody, forgeable by nobody. Throws `secret_weak` for a key under 24 bytes. */
export function signLink(claims: LinkClaims, key: Uint8Array): string {
  if (key.length < secretMinBytes) throw new CodedError('secret_weak')
  const fields = [claims.purpose, claims.subject, claims.expiresAt, claims.nonce]
  const payload = Buffer.from(JSON.stringify(fields)).toString('base64url')
  return `${payload}.${macOf(payload, key).toString('base64url')}`
}

function read(payload: string): LinkClaims | null {
  const fields: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
  if (!Array.isArray(fields)) return null
  const [purpose, subject, expiresAt, nonce] = fields as unknown[]
  if (typeof purpose !== 'string' || typeof subject !== 'string') return null
  return typeof expiresAt === 'number' && typeof nonce === 'string' ? { purpose, subject, expiresAt, nonce } : null
}

/** Checks a token for one purpose; all keys count, for rotation. A token for another purpose is `signature_invalid`. */
export function verifyLink(token: string, keys: readonly Uint8Array[], purpose: string, now: Instant): LinkVerified {
  if (keys.length === 0 || keys.some((k) => k.length < secretMinBytes)) return { ok: false, reason: 'secret_weak' }
  const [, payload = '', signature = ''] = token.length > tokenMax ? [] : (tokenPattern.exec(token) ?? [])
  if (payload === '') return { ok: false, reason: 'signature_malformed' }
  const given = Buffer.from(signature, 'base64url')
  let good = false
  for (const key of keys) if (bytesEqual(given, macOf(payload, key))) good = true
  if (!good) return { ok: false, reason: 'signature_invalid' }
  // Only now, as our own signature vouches that it is our own JSON.
  const claims = read(payload)
  if (claims === null || claims.purpose !== purpose) return { ok: false, reason: 'signature_invalid' }
  return now < claims.expiresAt ? { ok: true, claims } : { ok: false, reason: 'link_expired' }
}
