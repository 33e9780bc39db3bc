import { hour, type Instant, minute, second, startRealDeadline } from '@bursar/kit/clock.ts'
import { jitter } from '@bursar/kit/random.ts'
import type { App } from '#action/context.ts'
import { enqueue } from '#db/jobs/queue.ts'
import type { Mail } from './kinds.ts'
import { type Delivered, type MailFailure, mailRoute } from './port.ts'
import { type MailCtx, type StoredContent, sealedFor, sendJob, sendMail, type Written, writeMail } from './send.ts'
import { type Claimed, claimMessage, markEnded, markSent, markWaiting, nextTry } from './store.ts'

/** Longer than one try may take (mail/smtp.ts), so that nobody else sends the message meanwhile. */
const leaseMs = 3 * minute
// The first answer of a server that does not know us is often "later" (greylisting: 1 to 15 minutes).
const retryMsMin = 10 * second
const retryMsMax = hour
/** Ten within the first hour and a half, then one an hour: about three days. */
export const attemptsMax = 80
const transportWaitMs = minute
/** How often a message looks whether there is a mail server by now. */
export const noServerWaitMs = 5 * minute

export type Tried =
  | { readonly outcome: 'sent' | 'failed' | 'given_up' }
  /** Not sent yet; `at` is when to look again. */
  | { readonly outcome: 'waiting'; readonly at: Instant }
  /** Sent, ended, or never there. */
  | { readonly outcome: 'nothing_to_do' }

/**
 * Tries to send one message, once. The row is taken before the server is asked and told afterwards, so two processes
 * do not send it twice. What stays open is SMTP's own gap: a process or a line that dies between the server's yes and
 * our note sends it again, under the same Message-ID, by which mail programs know it is one.
 */
export async function deliverMessage(app: App, id: string): Promise<Tried> {
  const now = app.clock.now()
  const message = await claimMessage(app.db, id, { now, leaseUntil: now + leaseMs })
  if (message === null) {
    const at = await nextTry(app.db, id)
    return at === null ? { outcome: 'nothing_to_do' } : { outcome: 'waiting', at }
  }
  if (message.expiresAt <= now) return end(app, message, 'given_up', overdue)
  const route = mailRoute(app)
  if (route === 'mailbox') {
    await markSent(app.db, message, now, true)
    return { outcome: 'sent' }
  }
  if (route === 'none') return wait(app, message, { ...noServer, retryAfterMs: noServerWaitMs })
  return record(app, message, await hand(app, message))
}

const overdue: MailFailure = {
  class: 'permanent',
  code: 'mail.overdue',
  message: 'It could not be sent before the code or the link in it was over.',
}
const noServer: MailFailure = {
  class: 'transport',
  code: 'mail.no_server',
  message: 'No mail server is set (BURSAR_SMTP_URL). The message waits.',
}

async function hand(app: App, message: Claimed): Promise<Delivered> {
  const content = JSON.parse(app.secrets.open(message.sealed, sealedFor(message.id))) as StoredContent
  const { id, to } = message
  const { subject, text, html, senderName } = content
  if (app.mailer === undefined) throw new Error('a message was handed over without a mail server')
  return app.mailer.deliver({ id, to, senderName, subject, text, html })
}

async function record(app: App, message: Claimed, delivered: Delivered): Promise<Tried> {
  if (delivered.ok) {
    await markSent(app.db, message, app.clock.now(), false)
    return { outcome: 'sent' }
  }
  const { failure } = delivered
  if (failure.class === 'permanent') return end(app, message, 'failed', failure)
  if (failure.class === 'temporary' && message.attempts >= attemptsMax) return end(app, message, 'given_up', failure)
  return wait(app, message, failure)
}

async function end(app: App, message: Claimed, state: 'failed' | 'given_up', failure: MailFailure): Promise<Tried> {
  await markEnded(app.db, message, state, failure)
  app.log.warn('a message will not be sent', { id: message.id, kind: message.kind, state, failure: failure.code })
  return { outcome: state }
}

async function wait(app: App, message: Claimed, failure: MailFailure): Promise<Tried> {
  const now = app.clock.now()
  const spent = failure.class === 'temporary'
  const delay = failure.retryAfterMs ?? (spent ? retryMsMin * 2 ** (message.attempts - 1) : transportWaitMs)
  const least = failure.retryAfterMs ?? 0
  // Not past the end of a code: its row leaves the queue then.
  const at = Math.min(now + least + jitter(Math.min(retryMsMax, delay), app.random), message.expiresAt)
  await markWaiting(app.db, message, at, failure, spent)
  return { outcome: 'waiting', at }
}

/** How long the one who asked waits for the mail server; the sending itself goes on. */
const inlineMs = 5 * second
/** When the job takes over, should this process be gone by then: right after the lease. */
const fallbackMs = leaseMs + second

export type SentNow = Written & { readonly sent: boolean }

/**
 * Writes a message and tries it at once, for codes somebody is waiting for. Written first, with its job as the
 * fallback: whatever happens to this process, it goes out or is told as not sent. Returns within five seconds.
 */
export async function sendMailNow(app: App & { readonly organization: string | null }, mail: Mail): Promise<SentNow> {
  const ctx: MailCtx = { ids: app.ids, secrets: app.secrets, publicUrl: app.publicUrl, organization: app.organization }
  const { organization } = app
  const written = await app.db.tx(organization === null ? 'system' : { organization }, async (tx) => {
    const row = await writeMail(tx, ctx, mail)
    if (row.outcome === 'queued') await enqueue(tx, [{ ...sendJob(row.id), runAt: tx.now + fallbackMs }])
    return row
  })
  if (written.outcome !== 'queued') return { ...written, sent: false }
  const trying = deliverNow(app, written.id)
  const patience = new Promise<false>((resolve) => {
    const call = startRealDeadline(inlineMs, () => resolve(false))
    void trying.finally(call)
  })
  return { ...written, sent: await Promise.race([trying, patience]) }
}

/** A try that failed moves its job to the moment of the next; one that threw leaves it to the job. */
async function deliverNow(app: App, id: string): Promise<boolean> {
  try {
    const tried = await deliverMessage(app, id)
    if (tried.outcome === 'waiting')
      await app.db.tx('system', (tx) => enqueue(tx, [{ ...sendJob(id), runAt: tried.at }]))
    return tried.outcome === 'sent'
  } catch (error) {
    app.log.error('a message could not be tried at once; its job will', { id, error })
    return false
  }
}

export { sendMail }
