import { createHash } from 'node:crypto'
import { bytesEqual } from './hmac.ts'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Compares a token somebody sent with those we know, in constant time: digests have one length, and every secret is
 * compared. Blank secrets never match.
 */
export function tokenEquals(given: string | undefined, secrets: readonly string[]): boolean {
  if (given === undefined) return false
  const bytes = digest(given)
  let good = false
  for (const secret of secrets) {
    if (bytesEqual(bytes, digest(secret)) && secret.trim() !== '') good = true
  }
  return good
}

/**
 * What is stored instead of an API key or claim secret, as hex. Plain SHA-256 is enough for 256 random bits, which no
 * one can guess; never use it for passwords.
 */
export const hashSecret = (secret: string): string => digest(secret).toString('hex')

export const verifySecretHash = (secret: string, hash: string): boolean =>
  bytesEqual(digest(secret), Buffer.from(hash, 'hex'))
