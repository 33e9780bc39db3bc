import type { App } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue, type JobSpec } from '#db/jobs/queue.ts'
import { json, sql } from '#db/sql.ts'
import { isMailAddress, normalAddress } from './address.ts'
import { expiryOf, type Mail } from './kinds.ts'
import { type Rendered, render } from './render.ts'
import { insertMessage, insertRefused, messageByKey } from './store.ts'

export const sendTask = 'mail.send'
const shownAddressMax = 320
const dedupeKeyMax = 200

/** What writing a message needs. `organization` is null for what belongs to none; then the scope is `system`. */
export type MailCtx = Pick<App, 'ids' | 'secrets' | 'publicUrl'> & { readonly organization: string | null }

export type Written = {
  readonly id: string
  /** `already` when this key was written before; `refused` when the address is none. Neither is an error. */
  readonly outcome: 'queued' | 'already' | 'refused'
}

/** What is sealed: the message as it will be read. */
export type StoredContent = Rendered & { readonly senderName: string }

export const sealedFor = (id: string): string => `mail_message.sealed:${id}`

export const sendJob = (id: string): JobSpec & { readonly key: string } => ({
  task: sendTask,
  payload: { id },
  key: `mail:${id}`,
})

/**
 * Writes a message in the caller's transaction, together with the job that sends it: it goes out if and only if the
 * transaction commits. An address that is none refuses the message, not the transaction.
 */
export async function sendMail(tx: Tx, ctx: MailCtx, mail: Mail): Promise<Written> {
  const written = await writeMail(tx, ctx, mail)
  if (written.outcome === 'queued') await enqueue(tx, [sendJob(written.id)])
  return written
}

/** The row without the job. */
export async function writeMail(tx: Tx, ctx: MailCtx, mail: Mail): Promise<Written> {
  const id = ctx.ids.next('eml')
  const { dedupeKey = null } = mail
  if (dedupeKey !== null && dedupeKey.length > dedupeKeyMax) throw new Error('the key of a message is too long')
  const message = {
    id,
    organization: ctx.organization,
    to: normalAddress(mail.to),
    kind: mail.kind,
    dedupeKey,
    expiresAt: expiryOf(mail, tx.now),
  }
  const inserted = isMailAddress(message.to)
    ? await insertMessage(tx, { ...message, sealed: await sealedContent(tx, ctx, id, mail) })
    : await insertRefused(
        tx,
        { ...message, to: message.to.replaceAll('\0', '').slice(0, shownAddressMax) },
        notAnAddress,
      )
  if (inserted !== null) return { id, outcome: isMailAddress(message.to) ? 'queued' : 'refused' }
  return { ...(await messageByKey(tx, ctx.organization, dedupeKey ?? '')), outcome: 'already' }
}

const notAnAddress = {
  class: 'permanent',
  code: 'mail.address_invalid',
  message: 'This is not an address mail can be sent to.',
} as const

async function sealedContent(tx: Tx, ctx: MailCtx, id: string, mail: Mail): Promise<Buffer> {
  const senderName = await nameOf(tx, ctx)
  const content: StoredContent = { ...render(mail, senderName), senderName }
  return ctx.secrets.seal(json(content), sealedFor(id))
}

/** In whose name it is written: the organization's, or the hub's own. */
async function nameOf(tx: Tx, ctx: MailCtx): Promise<string> {
  if (ctx.organization === null) return new URL(ctx.publicUrl).hostname
  const { name } = await tx.one<{ name: string }>(
    sql('mail_sender')`select name from organization where id = ${ctx.organization}`,
  )
  return name
}
