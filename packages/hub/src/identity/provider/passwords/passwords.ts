import { tokenEquals } from '@bursar/kit/signature/token.ts'
import { hashArgon2id, isCurrent, verifyArgon2 } from './argon2.ts'
import { verifyBcrypt, verifyWordPress } from './bcrypt.ts'
import { verifyLibraryScrypt, verifyPbkdf2, verifyScrypt } from './derived.ts'
import { phpass } from './phpass.ts'
import { sha512Crypt } from './sha512-crypt.ts'

export type Verdict = 'right' | 'wrong' | 'unknown'

type Verify = (stored: string, password: string) => Promise<boolean | null>

const same = (found: string | null, stored: string): boolean | null =>
  found === null ? null : tokenEquals(found, [stored])

/** Who knows a stored hash by how it begins. The first that fits answers. */
const formats: readonly (readonly [RegExp, Verify])[] = [
  [/^\$argon2(id|i|d)\$/, verifyArgon2],
  [/^\$2[aby]\$/, verifyBcrypt],
  [/^\$wp\$2/, verifyWordPress],
  [/^(pbkdf2_|\$pbkdf2)/, verifyPbkdf2],
  [/^\$scrypt\$/, verifyScrypt],
  [/^[0-9a-f]{32}:/, verifyLibraryScrypt],
  [/^\$6\$/, async (stored, password) => same(await sha512Crypt(password, stored), stored)],
  [/^\$[PH]\$/, async (stored, password) => same(phpass(password, stored), stored)],
]

/** Longer ones are never right, and would only keep us busy. */
export const passwordMax = 1_024

/**
 * Whether a password belongs to a stored hash, whatever platform made it. `unknown`: no format of ours, so that only a
 * code to the mailbox helps.
 */
export async function checkPassword(stored: string, password: string): Promise<Verdict> {
  if (password.length > passwordMax) return 'wrong'
  const verify = formats.find(([begins]) => begins.test(stored))?.[1]
  const found = verify === undefined ? null : await verify(stored, password)
  return found === null ? 'unknown' : found ? 'right' : 'wrong'
}

/** What is written today: argon2id. */
export const hashPassword = hashArgon2id

/** Whether a right password should be written anew, in today's form and cost. */
export const isOutdated = (stored: string): boolean => !isCurrent(stored)

let decoy: Promise<string> | null = null

/** As much work as a wrong password, for addresses without one: the time must not tell who has an account. */
export async function pretendToCheck(password: string): Promise<void> {
  decoy ??= hashArgon2id('nobody signs in with this')
  await verifyArgon2(await decoy, password.slice(0, passwordMax))
}
