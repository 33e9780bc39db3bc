import { type Bytes, hmacSha256 } from './hmac.ts'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/**
 * A compact JWT signed with HS256, as some platforms ask for in their single sign-on. Only for tokens we send: what we
 * receive is verified against the issuer's published keys.
 */
export function signJwtHs256(claims: Readonly<Record<string, unknown>>, secret: Bytes): string {
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${text}.${hmacSha256(secret, text).toString('base64url')}`
}
