import { hour, type Instant, minute } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import type { App } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { cookieCounts, type IdentityRequest, type SessionSource, type SignedIn } from '#identity/signed-in.ts'
import { bearerOf } from './access-tokens.ts'
import type { Claimed } from './claims.ts'

/** A working day; afterwards the provider is asked again, usually without a page. */
export const sessionMs = 12 * hour
/** Over https bound to this very host: nobody else below the same domain can set it. */
export const sessionCookie = (app: Pick<App, 'publicUrl'>): string =>
  app.publicUrl.startsWith('https:') ? '__Host-bursar_session' : 'bursar_session'
const touchEveryMs = minute
const tokenPattern = /^bss_[A-Za-z0-9_-]{43}$/
const userAgentMax = 300

/** 256 random bits after a prefix that scanners for leaked secrets can look for. */
export const mintSessionToken = (): string => `bss_${Buffer.from(secureRandom.bytes(32)).toString('base64url')}`

type Row = {
  readonly id: string
  readonly organization_id: string
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  readonly email_verified: boolean
  readonly name: string | null
  readonly authenticated_at: Instant
  readonly second_factor_at: Instant | null
  readonly mailbox_proven_at: Instant | null
  readonly trusts_email: boolean
}

/** The issuer's word about an address counts only while its organization trusts it: asked anew at every use. */
const toSignedIn = (row: Row, via: SignedIn['via']): SignedIn => ({
  sessionId: row.id,
  issuer: row.issuer,
  subject: row.subject,
  email: row.email,
  emailVerified: row.email_verified && row.trusts_email,
  mailboxProvenAt: row.trusts_email ? row.mailbox_proven_at : null,
  name: row.name,
  authenticatedAt: row.authenticated_at,
  secondFactorAt: row.second_factor_at,
  organization: row.organization_id,
  via,
})

export type NewSession = {
  readonly organization: string
  readonly issuer: string
  readonly claimed: Claimed
  /** When a code to the mailbox was checked in this very sign-in; null otherwise. */
  readonly mailboxProvenAt: Instant | null
  readonly userAgent: string | null
  readonly address: string | null
  /** Null: the token is made when the one-time code is exchanged. */
  readonly token: string | null
}

/** Writes the session; what it is worth is read back by its token. */
export async function openSession(tx: Tx, app: Pick<App, 'ids'>, it: NewSession) {
  const id = app.ids.next('ses')
  const expiresAt = tx.now + sessionMs
  const { claimed } = it
  await tx.run(sql('session_insert')`
    insert into session (id, organization_id, token_hash, issuer, subject, email, email_verified, name,
      provider_session_id, authenticated_at, second_factor_at, mailbox_proven_at, user_agent, address, created_at,
      last_seen_at, expires_at)
    values (${id}, ${it.organization}, ${it.token === null ? null : hashSecret(it.token)}, ${it.issuer}, ${claimed.subject},
      ${claimed.email}, ${claimed.emailVerified}, ${claimed.name}, ${claimed.providerSession}, ${ts(claimed.authenticatedAt)},
      ${ts(claimed.secondFactorAt)}, ${ts(it.mailboxProvenAt)}, ${it.userAgent?.slice(0, userAgentMax) ?? null}, ${it.address},
      ${ts(tx.now)}, ${ts(tx.now)}, ${ts(expiresAt)})`)
  return { id, expiresAt }
}

/** Whether nobody in this organization was known by this issuer and subject. */
export const isNewcomer = async (app: Pick<App, 'db'>, organization: string, issuer: string, subject: string) => {
  const rows = await app.db.direct(sql('session_newcomer')`
    select 1 from identity where organization_id = ${organization} and issuer = ${issuer} and subject = ${subject}`)
  return rows.length === 0
}

/** Who holds this token, while the session lives and its issuer is on the allow list. */
export async function sessionByToken(
  app: Pick<App, 'db' | 'clock'>,
  token: string,
  via: SignedIn['via'],
): Promise<SignedIn | null> {
  if (!tokenPattern.test(token)) return null
  const now = app.clock.now()
  const rows = await app.db.direct<Row>(sql('session_by_token')`
    with found as (
      select s.*, i.trusts_email from session s
      join issuer i on i.organization_id = s.organization_id and i.url = s.issuer and i.state = 'active'
      where s.token_hash = ${hashSecret(token)} and s.revoked_at is null and s.expires_at > ${ts(now)}
    ), touched as (
      update session set last_seen_at = ${ts(now)} from found
      where session.id = found.id and found.last_seen_at <= ${ts(now - touchEveryMs)}
    )
    select * from found`)
  return rows[0] === undefined ? null : toSignedIn(rows[0], via)
}

const cookieOf = (app: Pick<App, 'publicUrl'>, request: IdentityRequest): string | null => {
  const name = `${sessionCookie(app)}=`
  return (
    (request.headers.cookie ?? '')
      .split(/; */)
      .find((it) => it.startsWith(name))
      ?.slice(name.length) ?? null
  )
}

/** Own sessions of people who came from an external issuer: `Authorization: Bearer bss_…`, or the cookie. */
export const externalSessionSource =
  (app: App): SessionSource =>
  async (request) => {
    const token = bearerOf(request)
    if (token !== null)
      return token.startsWith('bss_') ? ((await sessionByToken(app, token, 'token')) ?? 'invalid') : null
    const cookie = cookieOf(app, request)
    if (cookie === null || !cookieCounts(request, app.publicUrl)) return null
    // Browsers send an ended session's cookie for hours, unasked; it must not shut out who signed in elsewhere since.
    return sessionByToken(app, cookie, 'cookie')
  }

const cookieTail = (app: Pick<App, 'publicUrl'>): string =>
  `Path=/; HttpOnly; SameSite=Lax${app.publicUrl.startsWith('https:') ? '; Secure' : ''}`

export const setSessionCookie = (app: Pick<App, 'publicUrl'>, token: string): string =>
  `${sessionCookie(app)}=${token}; Max-Age=${sessionMs / 1_000}; ${cookieTail(app)}`

/** Ends the session that the request carries, if it is one of ours. `cookies` are whole Set-Cookie values. */
export async function signOut(app: App, request: IdentityRequest): Promise<{ readonly cookies: readonly string[] }> {
  const found = await externalSessionSource(app)(request)
  if (found !== null && found !== 'invalid')
    await app.db.direct(
      sql(
        'session_sign_out',
      )`update session set revoked_at = ${ts(app.clock.now())} where id = ${found.sessionId} and revoked_at is null`,
    )
  return { cookies: cookieOf(app, request) === null ? [] : [`${sessionCookie(app)}=; Max-Age=0; ${cookieTail(app)}`] }
}

export type ExternalSession = {
  readonly id: string
  readonly userAgent: string | null
  readonly address: string | null
  readonly createdAt: Instant
  readonly lastSeenAt: Instant
  readonly expiresAt: Instant
}

type Person = { readonly organization: string; readonly issuer: string; readonly subject: string }
const listMax = 100

/** Sessions of people from external issuers, for the pages where they and the operator look at them. */
export const sessions = {
  /** The live ones, newest first. */
  list: (tx: Tx, it: Person): Promise<ExternalSession[]> =>
    tx.many(sql('session_list')`
      select id, user_agent as "userAgent", address, created_at as "createdAt", last_seen_at as "lastSeenAt",
        expires_at as "expiresAt"
      from session
      where issuer = ${it.issuer} and subject = ${it.subject} and organization_id = ${it.organization}
        and revoked_at is null and expires_at > ${ts(tx.now)}
      order by id desc limit ${listMax}`),
  /** Ends one session, or all of a person but perhaps one. Returns how many ended. */
  revoke: (
    tx: Tx,
    it: Person,
    which: { readonly only: string } | { readonly except: string | null },
  ): Promise<number> =>
    tx.run(sql('session_revoke')`
      update session set revoked_at = ${ts(tx.now)}
      where issuer = ${it.issuer} and subject = ${it.subject} and organization_id = ${it.organization} and revoked_at is null
        and (${'only' in which ? which.only : null}::text is null or id = ${'only' in which ? which.only : null})
        and id is distinct from ${'except' in which ? which.except : null}`),
  /** Takes out every row about a person, for who asks to be forgotten. */
  erase: async (tx: Tx, it: Person): Promise<void> => {
    await tx.run(sql('session_erase')`
      delete from session
      where issuer = ${it.issuer} and subject = ${it.subject} and organization_id = ${it.organization}`)
    await tx.run(sql('revocation_erase')`
      delete from revocation
      where issuer = ${it.issuer} and kind = 'subject' and value = ${it.subject} and organization_id = ${it.organization}`)
  },
}

/** Ends all sessions of an issuer: it left the allow list. */
export const revokeSessionsOfIssuer = (tx: Tx, organization: string, issuer: string) =>
  tx.run(sql('session_revoke_issuer')`
    update session set revoked_at = ${ts(tx.now)}
    where organization_id = ${organization} and issuer = ${issuer} and revoked_at is null`)
