import { secureRandom } from '@bursar/kit/random.ts'

/** `bsk_<live|demo>_<id>_<secret>`: a prefix that scanners for leaked secrets can look for, then 256 random bits. */
export type KeyMode = 'live' | 'demo'

const tokenPattern = /^bsk_(live|demo)_([0-9a-hjkmnp-tv-z]{26})_([A-Za-z0-9_-]{43})$/
const secretBytes = 32

/** A new key in clear. Always real chance, also in a demo: a key that can be foretold opens the demo to everyone. */
export const mintToken = (mode: KeyMode, keyId: string): string =>
  `bsk_${mode}_${keyId.slice('key_'.length)}_${Buffer.from(secureRandom.bytes(secretBytes)).toString('base64url')}`

/** The key's id, or null for anything that is not one of our keys. */
export function parseToken(token: string): { readonly mode: KeyMode; readonly keyId: string } | null {
  const match = tokenPattern.exec(token)
  const [, mode, id] = match ?? []
  return mode === 'live' || mode === 'demo' ? { mode, keyId: `key_${id}` } : null
}
