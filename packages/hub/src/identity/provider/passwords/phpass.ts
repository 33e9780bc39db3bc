import { createHash } from 'node:crypto'

/*
 * `$P$`, the portable hashes of phpass that WordPress wrote until 6.8 (`$H$` in phpBB): MD5, 2^n times over. Weak by
 * today's measure, so it is replaced at the first sign-in.
 */

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const pattern = /^\$[PH]\$([./0-9A-Za-z])([./0-9A-Za-z]{8})([./0-9A-Za-z]{22})$/
// WordPress used 8 (the letter B stands for 13 of which it takes 8 plus 5); 18 is a quarter of a second.
const logMin = 7
const logMax = 18

const md5 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function encode(bytes: Buffer): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const left = Math.min(3, bytes.length - at)
    let value = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)
    for (let n = 0; n <= left; n++, value >>= 6) text += alphabet[value & 63]
  }
  return text
}

/** The hash of a password with the setting of `stored`; null when it is none we compute. */
export function phpass(password: string, stored: string): string | null {
  const [, letter = '', salt] = pattern.exec(stored) ?? []
  const log = alphabet.indexOf(letter)
  if (salt === undefined || log < logMin || log > logMax) return null
  const key = Buffer.from(password)
  let hash = md5(Buffer.from(salt), key)
  for (let n = 2 ** log; n > 0; n--) hash = md5(hash, key)
  return stored.slice(0, 12) + encode(hash)
}
