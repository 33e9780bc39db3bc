import type { JsonWebKey } from 'node:crypto'
import { createPublicKey, verify } from 'node:crypto'
import { second } from '@bursar/kit/clock.ts'
import type { Body } from './respond.ts'

const partOf = (text: string | undefined): Body | null => {
  try {
    return JSON.parse(Buffer.from(text ?? '', 'base64url').toString('utf8')) as Body
  } catch {
    return null // not a token; the caller says so
  }
}

// Clocks of two machines differ by a little.
const skewMs = 60 * second

/** The claims of an ID token, or the sentence that says why it does not count. RS256 only, as schools expect. */
export function readIdToken(
  token: string,
  keys: readonly (JsonWebKey & { readonly kid?: string })[],
  wanted: { readonly issuer: string; readonly audience: string; readonly nonce: string; readonly now: number },
): Body | string {
  const [head, body, signature] = token.split('.')
  const header = partOf(head)
  const claims = partOf(body)
  if (header === null || claims === null || signature === undefined) return 'The ID token cannot be read.'
  if (header.alg !== 'RS256') return `The ID token is signed with ${String(header.alg)} instead of RS256.`
  const key = keys.find((k) => k.kid === header.kid)
  if (key === undefined) return 'The key of the ID token is not published.'
  const publicKey = createPublicKey({ key, format: 'jwk' })
  const signed = verify('RSA-SHA256', Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, 'base64url'))
  if (!signed) return 'The signature of the ID token is wrong.'
  const audience = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  if (claims.iss !== wanted.issuer) return 'The ID token is of another issuer.'
  if (!audience.includes(wanted.audience)) return 'The ID token is for somebody else.'
  if (claims.nonce !== wanted.nonce) return 'The ID token belongs to another sign-in.'
  if (typeof claims.exp !== 'number' || claims.exp * 1_000 + skewMs < wanted.now) return 'The ID token is too old.'
  return claims
}
