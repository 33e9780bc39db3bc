import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'

/*
 * `$6$`, the crypt(3) of Linux, which Moodle has used since 4.3. After Ulrich Drepper's "Unix crypt using SHA-256 and
 * SHA-512", version 0.6; the letters in comments are the steps of that text. The tests hold its published vectors.
 */

const roundsDefault = 5_000
const roundsMin = 1_000
/** The text allows a thousand million; that would hold the program for minutes. Half a second is enough. */
export const roundsMax = 200_000
const saltMax = 16
const roundsPerTurn = 2_000

const pattern = /^\$6\$(?:rounds=(\d{1,9})\$)?([^$:\n]*)\$([./0-9A-Za-z]{86})$/

const sha512 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** As many bytes of `block`, over and over, as `length` says. */
const stretch = (block: Buffer, length: number): Buffer => {
  const out = Buffer.alloc(length)
  for (let at = 0; at < length; at += block.length) block.copy(out, at, 0, Math.min(block.length, length - at))
  return out
}

function start(key: Buffer, salt: Buffer): Buffer {
  const b = sha512(key, salt, key) // 4-8
  const parts = [key, salt, stretch(b, key.length)] // 1-3, 9-10
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push((bits & 1) === 1 ? b : key) // 11
  return sha512(...parts) // 12
}

async function digest(key: Buffer, salt: Buffer, rounds: number): Promise<Buffer> {
  let last = start(key, salt)
  const p = stretch(sha512(...Array<Buffer>(key.length).fill(key)), key.length) // 13-16
  const s = stretch(sha512(...Array<Buffer>(16 + (last[0] ?? 0)).fill(salt)), salt.length) // 17-20
  for (let n = 0; n < rounds; n++) {
    const odd = n % 2 === 1
    const parts = [odd ? p : last] // 21 a-c
    if (n % 3 !== 0) parts.push(s) // 21 d
    if (n % 7 !== 0) parts.push(p) // 21 e
    parts.push(odd ? last : p) // 21 f-g
    last = sha512(...parts)
    if (n % roundsPerTurn === roundsPerTurn - 1) await nextTurn()
  }
  return last
}

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Three bytes become four letters, lowest bits first, in the order of step 22: (0,21,42), (22,43,1), … */
function encode(bytes: Buffer): string {
  let text = ''
  const put = (value: number, letters: number) => {
    for (let n = 0, rest = value; n < letters; n++, rest >>= 6) text += alphabet[rest & 63]
  }
  let [a, b, c] = [0, 21, 42]
  for (let n = 0; n < 21; n++) {
    put(((bytes[a] ?? 0) << 16) | ((bytes[b] ?? 0) << 8) | (bytes[c] ?? 0), 4)
    ;[a, b, c] = [b + 1, c + 1, a + 1]
  }
  put(bytes[63] ?? 0, 2)
  return text
}

/** The hash of a password in the form of `setting` (`$6$salt`, `$6$rounds=…$salt$…`); null when it is none we compute. */
export async function sha512Crypt(password: string, stored: string): Promise<string | null> {
  const [, given, wholeSalt] = pattern.exec(stored) ?? []
  if (wholeSalt === undefined) return null
  const rounds = given === undefined ? roundsDefault : Math.max(roundsMin, Number(given))
  if (rounds > roundsMax) return null
  const salt = Buffer.from(wholeSalt).subarray(0, saltMax)
  const hash = encode(await digest(Buffer.from(password), salt, rounds))
  return `$6$${given === undefined ? '' : `rounds=${rounds}$`}${salt.toString()}$${hash}`
}
