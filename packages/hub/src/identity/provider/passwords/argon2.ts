import { type Argon2Parameters, argon2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { bytesEqual } from '@bursar/kit/signature/hmac.ts'

// OWASP's second choice (19 MiB, two passes, one lane): about 25 ms, and eight sign-ins at once stay under 160 MiB.
const memoryKib = 19_456
const passes = 2
const lanes = 1
const saltBytes = 16
const hashBytes = 32

// What an imported hash may ask of us. A forged row must not take the memory of the whole process.
const memoryKibMax = 262_144
const passesMax = 16
const lanesMax = 16

const run = promisify(argon2) as (algorithm: Kind, parameters: Argon2Parameters) => Promise<Buffer>
type Kind = 'argon2id' | 'argon2i' | 'argon2d'

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

/** A PHC string: algorithm, cost, salt and hash in one text. */
export async function hashArgon2id(password: string): Promise<string> {
  const nonce = randomBytes(saltBytes)
  const parameters = { message: password, nonce, parallelism: lanes, tagLength: hashBytes, memory: memoryKib, passes }
  const hash = await run('argon2id', parameters)
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${base64(nonce)}$${base64(hash)}`
}

const pattern =
  /^\$(argon2id|argon2i|argon2d)\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

export const isCurrent = (stored: string): boolean =>
  stored.startsWith(`$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$`)

/** Null when the text is no argon2 hash that we can compute. */
export async function verifyArgon2(stored: string, password: string): Promise<boolean | null> {
  const [, kind, memory, time, parallel, salt, hash] = pattern.exec(stored) ?? []
  if (kind === undefined || salt === undefined || hash === undefined) return null
  const cost = { memory: Number(memory), passes: Number(time), parallelism: Number(parallel) }
  if (cost.memory > memoryKibMax || cost.passes > passesMax || cost.parallelism > lanesMax) return null
  const expected = Buffer.from(hash, 'base64')
  const nonce = Buffer.from(salt, 'base64')
  if (nonce.length < 8 || expected.length < 16 || cost.memory < 8 * cost.parallelism || cost.passes < 1) return null
  const found = await run(kind as Kind, { message: password, nonce, tagLength: expected.length, ...cost })
  return bytesEqual(found, expected)
}
