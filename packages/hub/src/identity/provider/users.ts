import { sql, ts } from '#db/sql.ts'
import type { AuthHome } from './auth.ts'
import { readAddress } from './codes.ts'
import { endSessions, listSessions, type SessionEntry } from './sessions.ts'

export type ImportedUser = {
  readonly email: string
  /** Whether the old platform had proven the mailbox. Left false, the password counts for nothing until a code does. */
  readonly emailVerified: boolean
  readonly name: string | null
  /** As the old platform stored it; null for somebody who never had one. */
  readonly passwordHash: string | null
  /** Which platform: kept beside the hash. */
  readonly source: string
}

/**
 * Takes over an account of another platform with its password hash. An address that is known already is left as it is:
 * an import never changes how somebody signs in.
 */
export async function importUser(
  home: AuthHome,
  given: ImportedUser,
): Promise<{ readonly subject: string; readonly outcome: 'made' | 'exists' }> {
  const { app } = home.deps
  const email = readAddress(given.email)
  const now = ts(app.clock.now())
  const id = app.ids.next('usr')
  const proven = given.emailVerified ? now : null
  const made = await app.db.direct<{ id: string }>(sql('auth_user_import')`
    with made as (
      insert into auth."user" (id, name, email, "emailVerified", "createdAt", "updatedAt", "provenAt")
      values (${id}, ${given.name ?? ''}, ${email}, ${given.emailVerified}, ${now}, ${now}, ${proven})
      on conflict (email) do nothing returning id),
    credential as (
      insert into auth.account (id, "accountId", "providerId", "userId", password, scope, "createdAt", "updatedAt")
      select ${app.ids.next('acc')}, id, 'credential', id, ${given.passwordHash}, ${`import ${given.source}`}, ${now}, ${now}
      from made where ${given.passwordHash}::text is not null)
    select id from made`)
  if (made.length > 0) return { subject: id, outcome: 'made' }
  const [known] = await app.db.direct<{ id: string }>(
    sql('auth_user_by_email')`select id from auth."user" where email = ${email}`,
  )
  if (known === undefined) throw new Error('an address is neither new nor known')
  return { subject: known.id, outcome: 'exists' }
}

/** Erases a person here, with sessions, passwords, passkeys and grants. False when there is no such person. */
export async function deleteUser(home: AuthHome, subject: string): Promise<boolean> {
  await endSessions(home, subject)
  const gone = await home.deps.app.db.direct<{ email: string }>(sql('auth_user_delete')`
    with gone as (delete from auth."user" where id = ${subject} returning email),
    codes as (delete from auth.verification where identifier = ${`email-change:${subject}`}
      or identifier in (select 'sign-in-otp-' || email from gone))
    select email from gone`)
  return gone.length > 0
}

export type UserExport = {
  readonly subject: string
  readonly email: string
  readonly emailVerified: boolean
  readonly name: string
  readonly createdAt: number
  readonly hasPassword: boolean
  readonly secondFactor: boolean
  readonly passkeys: readonly { readonly name: string | null; readonly createdAt: string | null }[]
  readonly applications: readonly { readonly name: string | null; readonly scopes: readonly string[] }[]
  readonly sessions: readonly SessionEntry[]
}

/** What is kept about a person here, for the person. No secrets: they would only be stolen from the export. */
export async function exportUser(home: AuthHome, subject: string): Promise<UserExport | null> {
  const [user] = await home.deps.app.db.direct<Omit<UserExport, 'sessions'>>(sql('auth_user_export')`
    select u.id as subject, u.email, u."emailVerified", u.name, u."createdAt",
      exists (select from auth.account a where a."userId" = u.id and a.password is not null) as "hasPassword",
      coalesce(u."twoFactorEnabled", false) as "secondFactor",
      coalesce((select json_agg(json_build_object('name', p.name, 'createdAt', p."createdAt")) from auth.passkey p
                where p."userId" = u.id), '[]') as passkeys,
      coalesce((select json_agg(json_build_object('name', c.name, 'scopes', o.scopes)) from auth."oauthConsent" o
                join auth."oauthClient" c on c."clientId" = o."clientId" where o."userId" = u.id), '[]') as applications
    from auth."user" u where u.id = ${subject}`)
  if (user === undefined) return null
  return { ...user, sessions: await listSessions(home, subject) }
}
