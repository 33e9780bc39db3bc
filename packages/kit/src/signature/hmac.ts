import { createHmac, timingSafeEqual } from 'node:crypto'

export type Bytes = string | Uint8Array

/** HMAC-SHA-256 over the parts as if joined. Throws on an empty key: Node accepts one, and everybody could forge it. */
export function hmacSha256(key: Bytes, ...parts: readonly Bytes[]): Buffer {
  if (key.length === 0) throw new RangeError('an HMAC needs a key')
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** HMAC-SHA-384, for passwords that WordPress hashed. */
export const hmacSha384 = (key: string, text: string): Buffer => createHmac('sha384', key).update(text).digest()

/** Constant time for equal lengths; false, never an exception, for unequal ones. */
export const bytesEqual = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)

const hex64 = /^[0-9a-fA-F]{64}$/

/**
 * Checks a bare hex HMAC-SHA-256 of a body, as some platforms send it. It carries no time and no id, so a replay
 * passes: treat what it signs as a hint and read the fact back. Blank secrets never match.
 */
export function verifyHexHmac(body: Uint8Array, given: string | undefined, secrets: readonly string[]): boolean {
  if (given === undefined || !hex64.test(given)) return false
  const bytes = Buffer.from(given, 'hex')
  let good = false
  for (const secret of secrets) {
    if (secret.trim() !== '' && bytesEqual(bytes, hmacSha256(secret, body))) good = true
  }
  return good
}
