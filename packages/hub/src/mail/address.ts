const addressLengthMax = 254
const localLengthMax = 64

// No blanks, no control characters, no separators of address lists: what goes into a header and an SMTP command is
// one mailbox. Quoted local parts, which nobody uses, are refused with them.
const addressPattern =
  /^[^\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}@<>(),;:\\"[\]]+@[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?(?:\.[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?)*$/u

/** Whether mail can be written to it at all. Says nothing about whether anybody reads it. */
export function isMailAddress(text: string): boolean {
  const local = text.slice(0, text.lastIndexOf('@'))
  return text.length <= addressLengthMax && local.length <= localLengthMax && addressPattern.test(text)
}

/** `x***@example.com`: enough for its owner to know it again, too little for anybody else to write to it. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  if (at < 1) return '***'
  const [first = ''] = email
  return `${first}***${email.slice(at)}`
}

/** One spelling per mailbox, for finding it again. */
export const normalAddress = (address: string): string => address.trim().normalize('NFC').toLowerCase()
