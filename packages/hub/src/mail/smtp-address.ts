import { isMailAddress } from './address.ts'
import { oneLine } from './words.ts'

/** Where mail is handed in, and how far the line is trusted. */
export type SmtpServer = {
  readonly host: string
  readonly port: number
  /** tls: from the first byte. starttls: before anything is said, or not at all. plain: as it is. */
  readonly line: 'tls' | 'starttls' | 'plain'
  readonly user: string | null
  readonly password: string | null
}

export type MailSender = { readonly address: string; readonly name: string | null }

// smtp+plain: whoever runs the hub says in so many words that the network in between is theirs.
const schemes = { 'smtp:': 587, 'smtps:': 465, 'smtp+plain:': 25 } as const
const nameMax = 100

/**
 * Reads `smtp://user:password@host:587`, `smtps://…:465` or `smtp+plain://…:25`. The first needs STARTTLS except on
 * this machine. Throws a sentence that says what is expected and shows no password.
 */
export function parseSmtpUrl(text: string): SmtpServer {
  const expected = 'must be an address such as smtp://user:password@mail.example.com:587 or smtps://…:465'
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !isScheme(url.protocol) || url.hostname === '') throw new Error(expected)
  if (url.pathname.length > 1 || url.search !== '' || url.hash !== '') throw new Error(expected)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? schemes[url.protocol] : Number(url.port)
  const user = decoded(url.username, expected)
  const password = decoded(url.password, expected)
  if ((user === null) !== (password === null)) throw new Error('names a user without a password, or a password alone')
  const line = url.protocol === 'smtps:' ? 'tls' : url.protocol === 'smtp:' && !isLoopback(host) ? 'starttls' : 'plain'
  return { host, port, line, user, password }
}

const isScheme = (protocol: string): protocol is keyof typeof schemes => Object.hasOwn(schemes, protocol)

function decoded(part: string, expected: string): string | null {
  if (part === '') return null
  try {
    return decodeURIComponent(part)
  } catch {
    // A lone percent sign: told with the rest of what is expected.
    throw new Error(expected)
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)

/** Reads `school@example.com` or `Harbour School <school@example.com>`. Throws a sentence. */
export function parseSender(text: string): MailSender {
  const named = /^(?<name>[^<>]*)<(?<address>[^<>]+)>$/.exec(text.trim())?.groups
  const address = (named?.address ?? text).trim()
  if (!isMailAddress(address)) throw new Error('must be an address, alone or as: Name <address>')
  const name = oneLine((named?.name ?? '').replaceAll('"', ''), nameMax)
  return { address, name: name === '' ? null : name }
}

/** The mail settings as they stand in the environment. */
export type MailSettings = {
  readonly demo: boolean
  readonly smtpUrl: string | null
  readonly mailFrom: string | null
  readonly mailReplyTo: string | null
}

/** What is wrong with them, in sentences; none of them shows a password. */
export function mailProblems({ smtpUrl, mailFrom, mailReplyTo }: MailSettings): readonly string[] {
  const problems = [
    problem('BURSAR_SMTP_URL', smtpUrl, parseSmtpUrl),
    problem('BURSAR_MAIL_FROM', mailFrom, parseSender),
    problem('BURSAR_MAIL_REPLY_TO', mailReplyTo, parseSender),
  ]
  if (smtpUrl !== null && mailFrom === null) problems.push('BURSAR_MAIL_FROM is missing: messages need a sender.')
  return problems.filter((p) => p !== null)
}

function problem(name: string, text: string | null, read: (text: string) => unknown): string | null {
  if (text === null) return null
  try {
    read(text)
    return null
  } catch (error) {
    return `${name} ${error instanceof Error ? error.message : String(error)}.`
  }
}
