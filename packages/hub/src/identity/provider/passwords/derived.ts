import { pbkdf2, type ScryptOptions, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { bytesEqual } from '@bursar/kit/signature/hmac.ts'

/*
 * Hashes by key derivation that Node computes itself: PBKDF2 as Django and Open edX write it and in PHC form, scrypt in
 * PHC form and as better-auth writes it. Each answers null when the text is not of its form, or asks for too much.
 */

const derive = promisify(pbkdf2)
const deriveScrypt = promisify<string, Buffer | string, number, ScryptOptions, Buffer>(scrypt)

const roundsMax = 5_000_000
const hashBytesMin = 16
const hashBytesMax = 128
const memoryMax = 256 * 1024 * 1024

/** Base64 as PHC strings write it, and as passlib does (`.` for `+`). */
const bytesOf = (text: string): Buffer => Buffer.from(text.replaceAll('.', '+'), 'base64')

const django = /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,8})\$([^$]+)\$([A-Za-z0-9+/=]+)$/
const phc = /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(\d{1,8})(?:,l=\d+)?\$([A-Za-z0-9+/.=]+)\$([A-Za-z0-9+/.=]+)$/

export async function verifyPbkdf2(stored: string, password: string): Promise<boolean | null> {
  const ofDjango = django.exec(stored)
  const [, digest = 'sha1', rounds, salt, hash] = ofDjango ?? phc.exec(stored) ?? []
  if (salt === undefined || hash === undefined) return null
  const expected = bytesOf(hash)
  if (Number(rounds) < 1 || Number(rounds) > roundsMax || !isLength(expected)) return null
  // Django's salt is the text itself.
  const saltBytes = ofDjango === null ? bytesOf(salt) : Buffer.from(salt)
  return bytesEqual(await derive(password, saltBytes, Number(rounds), expected.length, digest), expected)
}

const scryptPhc = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/.=]+)\$([A-Za-z0-9+/.=]+)$/

export async function verifyScrypt(stored: string, password: string): Promise<boolean | null> {
  const [, ln, r, p, salt, hash] = scryptPhc.exec(stored) ?? []
  if (salt === undefined || hash === undefined) return null
  const cost = { N: 2 ** Number(ln), r: Number(r), p: Number(p), maxmem: memoryMax }
  const expected = bytesOf(hash)
  const memory = 128 * cost.N * cost.r
  if (memory >= memoryMax || cost.N < 2 || cost.r < 1 || cost.p < 1 || cost.p > 16 || !isLength(expected)) return null
  return bytesEqual(await deriveScrypt(password, bytesOf(salt), expected.length, cost), expected)
}

const libraryForm = /^([0-9a-f]{32}):([0-9a-f]{128})$/

/** better-auth's default: `salt:key` in hexadecimal, where the salt is the text, and the password is normalised. */
export async function verifyLibraryScrypt(stored: string, password: string): Promise<boolean | null> {
  const [, salt, hash] = libraryForm.exec(stored) ?? []
  if (salt === undefined || hash === undefined) return null
  const expected = Buffer.from(hash, 'hex')
  const cost = { N: 16_384, r: 16, p: 1, maxmem: memoryMax }
  return bytesEqual(await deriveScrypt(password.normalize('NFKC'), salt, expected.length, cost), expected)
}

const isLength = (bytes: Buffer): boolean => bytes.length >= hashBytesMin && bytes.length <= hashBytesMax
