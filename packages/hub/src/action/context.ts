import type { TokenStore } from '@bursar/connectors/io.ts'
import type { Clock, Instant } from '@bursar/kit/clock.ts'
import type { AddressGuard, Http } from '@bursar/kit/http.ts'
import type { Ids } from '@bursar/kit/ids.ts'
import type { Random } from '@bursar/kit/random.ts'
import type { Database, Tx } from '#db/database.ts'

/** Encrypts what must not lie open in the database. `aad` ties a value to its row, so it cannot be moved. */
export interface Secrets {
  seal(plain: string, aad: string): Buffer
  open(sealed: Buffer, aad: string): string
}

export interface Log {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
  error(message: string, facts?: Readonly<Record<string, unknown>>): void
}

/** Hands one message to a mail server. Its own words (OutgoingMail, Delivered) stand in mail/port.ts. */
export interface Mailer {
  deliver(message: {
    readonly id: string
    readonly to: string
    readonly senderName: string
    readonly subject: string
    readonly text: string
    readonly html: string
  }): Promise<{ readonly ok: true } | { readonly ok: false; readonly failure: MailFailure }>
  close(): Promise<void>
}

/**
 * temporary   this message, now; the same later may be taken
 * permanent   this message for good: the address or the content is refused
 * transport   no message at all: the server is away, or refuses us or our sender; nothing is held against the message
 */
export type MailFailure = {
  readonly class: 'temporary' | 'permanent' | 'transport'
  /** Stable and ours, such as `mail.recipient_refused`. */
  readonly code: string
  /** One sentence for an operator, without secrets and without what was in the message. */
  readonly message: string
  /** It may have been taken all the same: the connection broke after the last byte. */
  readonly uncertain?: boolean
  /** The server, or our own patience with it, named a time. */
  readonly retryAfterMs?: number
}

/** What one process has: built once in main/build.ts, handed to everything. */
export type App = {
  readonly clock: Clock
  readonly random: Random
  readonly ids: Ids
  readonly db: Database
  readonly http: Http
  /** Which addresses `http` may call; asked when one is registered. Left out: public https, and loopback in the demo. */
  readonly guard?: Pick<AddressGuard, 'check'>
  readonly secrets: Secrets
  /** Left out in the demo, whose messages stay in the mailbox, and where no mail server is set: messages then wait. */
  readonly mailer?: Mailer
  readonly log: Log
  /** Names this process among its peers; its leases carry it. */
  readonly node: string
  /** Where the outside world reaches us, without a trailing slash. */
  readonly publicUrl: string
  /** True for the simulated school: loopback addresses are allowed and the sandbox answers. */
  readonly demo: boolean
  /** Access tokens of platforms, kept in memory only. */
  readonly tokens: TokenStore
  /** How long a call may wait for its turn in the budget before its job is put back; 0 never waits. */
  readonly budgetWaitMs: number
}

/** Who asks. `client` is another program with a token of its own; `system` is this program: a job, a schedule. */
export type Actor =
  | { readonly kind: 'key' | 'client'; readonly id: string; readonly name: string }
  /** A signed-in person; the id is the person's in this organization. */
  | { readonly kind: 'user'; readonly id: string; readonly name: string }
  | { readonly kind: 'system'; readonly name: string }

/** A signed-in person in this organization, with what their session has proven. */
export type CallerUser = {
  readonly personId: string
  readonly sessionId: string
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  readonly emailVerified: boolean
  /** When this session proved the mailbox itself; null when it was made otherwise. */
  readonly mailboxProvenAt: Instant | null
  readonly authenticatedAt: Instant
  readonly secondFactorAt: Instant | null
  /** Their roles would give scopes that wait for a second factor. */
  readonly scopesWait: boolean
}

/** What an action or a job sees: the process, the tenant and who asks. */
export type Ctx = App & {
  readonly organization: string
  readonly actor: Actor
  /** The person who asks, when it is one. */
  readonly user?: CallerUser
  /** One id from the first webhook to the last platform call. */
  readonly traceId: string
  /** True when everything will be rolled back: nothing outside may be called. */
  readonly dryRun: boolean
  /** The idempotency key of the request, equal in all its repetitions. */
  readonly requestKey?: string
}

/** A transaction in the tenant of the context. */
export const inTx = <T>(ctx: Pick<Ctx, 'db' | 'organization'>, work: (tx: Tx) => Promise<T>): Promise<T> =>
  ctx.db.tx({ organization: ctx.organization }, work)

export const systemCtx = (app: App, organization: string, name: string, traceId?: string): Ctx => ({
  ...app,
  organization,
  actor: { kind: 'system', name },
  traceId: traceId ?? app.ids.next('trc'),
  dryRun: false,
})
