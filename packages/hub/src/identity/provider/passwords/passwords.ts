import { hashArgon2id, verifyArgon2 } from './argon2.ts'

export const hashPassword = hashArgon2id

/** Whether a password belongs to a stored hash, whatever made it; told by its prefix. */
export async function verifyPassword(stored: string, password: string): Promise<boolean> {
  if (stored.startsWith('$argon2')) return (await verifyArgon2(stored, password)) ?? false
  return false
}
