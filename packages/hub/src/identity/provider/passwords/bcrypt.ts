import { hmacSha384 } from '@bursar/kit/signature/hmac.ts'
import bcrypt from 'bcryptjs'

const pattern = /^\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{53}$/
// Cost 14 takes about a second in JavaScript; nobody signs in with more.
const costMax = 14

/** `$2a$`, `$2b$` and PHP's `$2y$`, which differ in name only for what is written today. */
export async function verifyBcrypt(stored: string, password: string): Promise<boolean | null> {
  const cost = pattern.exec(stored)?.[1]
  if (cost === undefined || Number(cost) < 4 || Number(cost) > costMax) return null
  return bcrypt.compare(password, stored)
}

// What PHP's trim() takes away.
const blanks = /^[ \t\n\r\0\v]+|[ \t\n\r\0\v]+$/g

/** WordPress since 6.8: bcrypt over an HMAC of the trimmed password, so that more than 72 bytes count. */
export async function verifyWordPress(stored: string, password: string): Promise<boolean | null> {
  if (!stored.startsWith('$wp$2')) return null
  const shortened = hmacSha384('wp-sha384', password.replace(blanks, '')).toString('base64')
  return verifyBcrypt(stored.slice('$wp'.length), shortened)
}
