import type { App, Mailer, MailFailure } from '#action/context.ts'

export type { Mailer, MailFailure } from '#action/context.ts'

/** A message as it goes out: one recipient, a text for every program and the same as HTML. */
export type OutgoingMail = Parameters<Mailer['deliver']>[0]

export type Delivered = { readonly ok: true } | { readonly ok: false; readonly failure: MailFailure }

/** Where messages of this process go: to a mail server, to the mailbox of the demo, or nowhere yet. */
export type MailRoute = 'server' | 'mailbox' | 'none'

export const mailRoute = (app: Pick<App, 'mailer' | 'demo'>): MailRoute =>
  app.mailer !== undefined ? 'server' : app.demo ? 'mailbox' : 'none'
