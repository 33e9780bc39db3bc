import { type Clock, minute, second, startRealDeadline } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import { createTransport } from 'nodemailer'
import type { Log } from '#action/context.ts'
import type { Delivered, Mailer, MailFailure, OutgoingMail } from './port.ts'
import { withRest } from './rest.ts'
import { type MailSender, type MailSettings, parseSender, parseSmtpUrl, type SmtpServer } from './smtp-address.ts'

export type SmtpOptions = {
  readonly server: SmtpServer
  readonly from: MailSender
  readonly replyTo: MailSender | null
  readonly log: Log
  readonly limits?: Partial<SmtpLimits>
}

export type SmtpLimits = {
  readonly connectMs: number
  /** Without a byte from the server. RFC 5321 grants it minutes; a person waiting for a code does not. */
  readonly silenceMs: number
  /** From beginning to end; shorter than the lease of a message. */
  readonly wholeMs: number
}

const limitsDefault: SmtpLimits = { connectMs: 10 * second, silenceMs: 20 * second, wholeMs: minute }
const connectionsMax = 5
// Long enough to pay off, short enough that a server which limits it does not mind.
const messagesPerConnection = 100
// A pooled connection that the server closed before a byte of the message was sent; nothing else is repeated here.
const requeuesMax = 1

/** Hands messages to one SMTP server over a few kept connections. Never throws for what the server does. */
export function createSmtpMailer(options: SmtpOptions): Mailer {
  const limits = { ...limitsDefault, ...options.limits }
  const transport = createTransport(poolOptions(options.server, limits))
  // Told by each message's own failure as well.
  transport.on('error', (error: Error) => options.log.warn('a mail connection broke', { code: codeOf(error) }))
  const readToTheEnd = new Set<string>()
  transport.use('stream', (mail, done) => {
    const id = mail.data.messageId ?? ''
    mail.message.processFunc((input) => input.once('end', () => readToTheEnd.add(id)))
    done()
  })
  const domain = options.from.address.slice(options.from.address.lastIndexOf('@') + 1)
  return {
    deliver: async (message) => {
      const messageId = `<${message.id}@${domain}>`
      const stop = new AbortController()
      const inTime = startRealDeadline(limits.wholeMs, () => stop.abort())
      try {
        await transport.sendMail({ ...fieldsOf(message, options), messageId, signal: stop.signal } as Fields)
        return { ok: true }
      } catch (error) {
        return refused(error, readToTheEnd.has(messageId))
      } finally {
        inTime()
        readToTheEnd.delete(messageId)
      }
    },
    close: async () => transport.close(),
  }
}

// The typings lag behind the library: `signal`, an AbortSignal, is in its documentation and code since version 9.
type Fields = Parameters<ReturnType<typeof createTransport>['sendMail']>[0]

const poolOptions = (server: SmtpServer, limits: SmtpLimits) =>
  ({
    pool: true,
    host: server.host,
    port: server.port,
    secure: server.line === 'tls',
    requireTLS: server.line === 'starttls',
    ignoreTLS: server.line === 'plain',
    ...(server.user === null ? {} : { auth: { user: server.user, pass: server.password ?? '' } }),
    maxConnections: connectionsMax,
    maxMessages: messagesPerConnection,
    maxRequeues: requeuesMax,
    connectionTimeout: limits.connectMs,
    greetingTimeout: limits.connectMs,
    dnsTimeout: limits.connectMs,
    socketTimeout: limits.silenceMs,
    // The library's own log shows the conversation, codes and links in it.
    logger: false,
    debug: false,
    disableFileAccess: true,
    disableUrlAccess: true,
  }) as const

/** Addresses go as objects and one by one: nothing is parsed out of a text that a stranger wrote. */
const fieldsOf = (message: OutgoingMail, { from, replyTo }: SmtpOptions): Fields => ({
  from: { name: from.name ?? message.senderName, address: from.address },
  ...(replyTo === null ? {} : { replyTo: { name: replyTo.name ?? '', address: replyTo.address } }),
  to: { name: '', address: message.to },
  envelope: { from: from.address, to: [message.to] },
  subject: message.subject,
  text: message.text,
  html: message.html,
  // So that holiday replies and lists do not answer a machine (RFC 3834, and Exchange's own word for it).
  headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
  disableFileAccess: true,
  disableUrlAccess: true,
})

type SmtpError = { readonly code?: unknown; readonly command?: unknown; readonly responseCode?: unknown }

const codeOf = (error: unknown): string => {
  const { code } = error as SmtpError
  return typeof code === 'string' ? code : 'unknown'
}

const refused = (error: unknown, sentWhole: boolean): Delivered => ({ ok: false, failure: failureOf(error, sentWhole) })

const tooManyConnections = 421
// The reply is not shown: servers repeat addresses in it, and some the subject.
const answered = (status: number): string => `The mail server answered ${status}`

/** What an error of the library says about this message, and about the server. */
export function failureOf(error: unknown, sentWhole: boolean): MailFailure {
  const { command, responseCode } = error as SmtpError
  const code = codeOf(error)
  const status = typeof responseCode === 'number' ? responseCode : null
  if (code === 'EAUTH' || code === 'ENOAUTH')
    return {
      class: 'transport',
      code: 'mail.login_refused',
      message: 'The mail server does not accept the user or the password.',
    }
  if (code === 'ETLS' || (code === 'ECONNECTION' && command === 'EHLO'))
    return {
      class: 'transport',
      code: 'mail.tls_failed',
      message: 'The mail server offers no TLS that can be trusted.',
    }
  if (status === tooManyConnections)
    return { class: 'transport', code: 'mail.server_busy', message: 'The mail server takes nothing now.' }
  if (status !== null && command !== 'CONN') {
    if (command === 'RCPT TO') return byStatus(status, 'mail.recipient_refused', 'to the recipient')
    if (command === 'DATA') return byStatus(status, 'mail.message_refused', 'to the message')
    return {
      class: 'transport',
      code: 'mail.sender_refused',
      message: `${answered(status)} to the sender or the session.`,
    }
  }
  if (code === 'EENVELOPE' || code === 'EMESSAGE')
    return {
      class: 'permanent',
      code: 'mail.message_invalid',
      message: 'The message cannot be put into the form of a mail.',
    }
  if (sentWhole)
    return {
      class: 'temporary',
      code: 'mail.answer_lost',
      message:
        'The connection broke after the last byte: it may have been taken. It is sent again under the same Message-ID.',
      uncertain: true,
    }
  if (code === 'ABORT_ERR' || code === 'EABORT' || code === 'ETIMEDOUT')
    return { class: 'transport', code: 'mail.server_silent', message: 'The mail server did not answer in time.' }
  return {
    class: 'transport',
    code: 'mail.server_unreachable',
    message: `The mail server cannot be reached (${code}).`,
  }
}

const byStatus = (status: number, code: string, what: string): MailFailure => ({
  class: status >= 500 ? 'permanent' : 'temporary',
  code,
  message: `${answered(status)} ${what}.`,
})

/** The mail server of these settings; null where there is none, and in the demo, which writes to nobody. */
export function mailerOf(
  { demo, smtpUrl, mailFrom, mailReplyTo }: MailSettings,
  deps: { readonly clock: Clock; readonly random: Random; readonly log: Log },
): Mailer | null {
  if (demo || smtpUrl === null || mailFrom === null) return null
  const replyTo = mailReplyTo === null ? null : parseSender(mailReplyTo)
  const server = parseSmtpUrl(smtpUrl)
  return withRest(createSmtpMailer({ server, from: parseSender(mailFrom), replyTo, log: deps.log }), deps)
}
