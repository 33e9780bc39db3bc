import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret, verifySecretHash } from '@bursar/kit/signature/token.ts'

/** So that scanners for leaked secrets know it. */
export const clientSecretPrefix = 'bcs_'

/** Told to better-auth, so that the rows we write ourselves and its own checks agree. */
export const storeClientSecret = {
  hash: async (secret: string): Promise<string> => hashSecret(secret),
  verify: async (secret: string, stored: string): Promise<boolean> => verifySecretHash(secret, stored),
}

/** 256 random bits without the prefix, which the library takes off before it compares. */
export const mintClientSecret = (): string => Buffer.from(secureRandom.bytes(32)).toString('base64url')
