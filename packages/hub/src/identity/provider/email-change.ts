import { type Instant, minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret, verifySecretHash } from '@bursar/kit/signature/token.ts'
import { sql, ts } from '#db/sql.ts'
import type { SignedIn } from '../signed-in.ts'
import type { AuthHome } from './auth.ts'
import { readAddress, type SignInContext } from './codes.ts'
import { takeAttempt } from './limits.ts'
import { demandProof } from './password-sign-in.ts'
import { endSessions } from './sessions.ts'

const codeMs = 10 * minute
const attemptsMax = 3

/** One pending change per person; takeMailbox (session-rows.ts) drops it under this name. */
const identifierOf = (subject: string): string => `email-change:${subject}`

type Pending = {
  readonly email: string
  readonly hash: string
  readonly session: string
  readonly attempts: number
  readonly startedAt: Instant
}

const mintCode = (): string => {
  const number = Buffer.from(secureRandom.bytes(6)).readUIntBE(0, 6)
  return String(number % 1_000_000).padStart(6, '0')
}

/**
 * Sends a code to the address a person wants to have from now on. The session must have proven the old mailbox just
 * now, or the second factor. Says nothing about whether somebody has that address already.
 */
export async function requestEmailChange(
  home: AuthHome,
  signedIn: SignedIn,
  given: string,
  context: Pick<SignInContext, 'organization'>,
): Promise<void> {
  const { app, deliverCode } = home.deps
  await demandProof(home, signedIn)
  const email = readAddress(given)
  await takeAttempt(app, 'email change', signedIn.subject)
  await takeAttempt(app, 'code to address', email)
  const code = mintCode()
  const pending: Pending = {
    email,
    hash: hashSecret(code),
    session: signedIn.sessionId,
    attempts: 0,
    startedAt: app.clock.now(),
  }
  await store(home, signedIn.subject, pending)
  await deliverCode({ email, code, kind: 'email_change', organization: context.organization })
}

const store = async (home: AuthHome, subject: string, pending: Pending): Promise<void> => {
  const { app } = home.deps
  const now = app.clock.now()
  await app.db.direct(sql('auth_email_change_store')`
    with gone as (delete from auth.verification where identifier = ${identifierOf(subject)})
    insert into auth.verification (id, identifier, value, "expiresAt", "createdAt", "updatedAt")
    values (${app.ids.next('aut')}, ${identifierOf(subject)}, ${JSON.stringify(pending)}, ${ts(now + codeMs)}, ${ts(now)}, ${ts(now)})`)
}

export type EmailChanged = {
  readonly before: string
  readonly after: string
  /** When it was asked for: whoever has taken over the mailbox since then keeps it. */
  readonly startedAt: Instant
}

/**
 * Changes the address, with the code that was sent to the new one, in the session that asked for it. Other sessions
 * end. Throws `code_wrong` for every reason but `already_exists`, which only the owner of the new mailbox can see.
 */
export async function confirmEmailChange(home: AuthHome, signedIn: SignedIn, code: string): Promise<EmailChanged> {
  const { app } = home.deps
  // Taken out first: two answers at once cannot both use it.
  const [row] = await app.db.direct<{ value: string; expires: number }>(sql('auth_email_change_take')`
    delete from auth.verification where identifier = ${identifierOf(signedIn.subject)}
    returning value, "expiresAt" as expires`)
  if (row === undefined || row.expires <= app.clock.now()) throw new CodedError('code_wrong')
  const pending = JSON.parse(row.value) as Pending
  if (pending.session !== signedIn.sessionId) throw new CodedError('code_wrong')
  if (!verifySecretHash(code, pending.hash)) {
    if (pending.attempts + 1 < attemptsMax)
      await store(home, signedIn.subject, { ...pending, attempts: pending.attempts + 1 })
    throw new CodedError('code_wrong')
  }
  const now = ts(app.clock.now())
  const [changed] = await app.db.direct<{ before: string }>(sql('auth_email_change')`
    update auth."user" u set email = ${pending.email}, "emailVerified" = true, "provenAt" = ${now}, "updatedAt" = ${now}
    from auth."user" old
    where u.id = ${signedIn.subject} and old.id = u.id
      and not exists (select from auth."user" other where other.email = ${pending.email} and other.id <> u.id)
    returning old.email as before`)
  if (changed === undefined) throw new CodedError('already_exists', 'Somebody signs in with this address already.')
  await app.db.direct(sql('auth_session_proven')`
    update auth.session set "mailboxProvenAt" = ${now} where id = ${signedIn.sessionId}`)
  await endSessions(home, signedIn.subject, { except: signedIn.sessionId })
  return { before: changed.before, after: pending.email, startedAt: pending.startedAt }
}
