import { CodedError } from '@bursar/kit/errors.ts'
import { sql, ts } from '#db/sql.ts'
import type { SignedIn } from '../signed-in.ts'
import type { AuthHome } from './auth.ts'
import { readAddress, type SignInContext } from './codes.ts'
import { type ChangeState, mayChangeSignIn } from './guard.ts'
import { forgetAttempts, takeAttempt } from './limits.ts'
import { passwordLength } from './options.ts'
import { checkPassword, hashPassword, isOutdated, pretendToCheck } from './passwords/passwords.ts'
import { endSessions, handOut, type NewSession } from './sessions.ts'

type Known = { readonly user: string; readonly proven: boolean; readonly account: string; readonly hash: string }

const findPassword = async (home: AuthHome, email: string): Promise<Known | null> => {
  const rows = await home.deps.app.db.direct<Known>(sql('auth_password_find')`
    select u.id as user, u."emailVerified" as proven, a.id as account, a.password as hash
    from auth."user" u join auth.account a on a."userId" = u.id and a."providerId" = 'credential'
    where u.email = ${email} and a.password is not null`)
  return rows[0] ?? null
}

/**
 * Signs in with a password. One refusal for every reason, at the price of one hash: it tells nobody who has an
 * account. A stored hash in a format we cannot read sends a code instead, with which a new password can be set.
 */
export async function signInWithPassword(
  home: AuthHome,
  given: string,
  password: string,
  context: SignInContext,
): Promise<NewSession | { readonly refused: 'wrong' }> {
  const { app } = home.deps
  const email = readAddress(given)
  if (context.address !== null) await takeAttempt(app, 'password from network', context.address)
  await takeAttempt(app, 'password at address', email)
  const known = await findPassword(home, email)
  if (known === null) {
    await pretendToCheck(password)
    return { refused: 'wrong' }
  }
  const verdict = await checkPassword(known.hash, password)
  if (verdict === 'unknown') {
    await pretendToCheck(password)
    void sendReset(home, email, context)
  }
  // An unproven address may have been somebody else's guess, and so may its password (I6).
  if (verdict !== 'right' || !known.proven) return { refused: 'wrong' }
  if (isOutdated(known.hash)) await rehash(home, known, password)
  await forgetAttempts(app, 'password at address', email)
  const { internalAdapter } = await home.auth().$context
  const from = { ipAddress: context.address ?? '', userAgent: context.userAgent ?? '' }
  const session = await internalAdapter.createSession(known.user, false, { method: 'password', ...from }, true)
  return handOut(home, session.token)
}

/** In today's form, unless somebody changed the password meanwhile. */
async function rehash(home: AuthHome, known: Known, password: string): Promise<void> {
  const fresh = await hashPassword(password)
  await home.deps.app.db.direct(sql('auth_password_rehash')`
    update auth.account set password = ${fresh}, "updatedAt" = ${ts(home.deps.app.clock.now())}
    where id = ${known.account} and password = ${known.hash}`)
}

// Not waited for: the mail would tell by its time that there is an account.
async function sendReset(home: AuthHome, email: string, context: SignInContext): Promise<void> {
  const { app, deliverCode } = home.deps
  try {
    await takeAttempt(app, 'code to address', email)
    await takeAttempt(app, 'code to address, day', email)
    const code = await home.auth().api.createVerificationOTP({ body: { email, type: 'sign-in' } })
    await deliverCode({ email, code, kind: 'password_reset', organization: context.organization })
  } catch (error) {
    app.log.warn('a code to set a new password could not be sent', { error })
  }
}

/** What `mayChangeSignIn` asks of a session that came through our own door. */
export async function changeState(home: AuthHome, signedIn: SignedIn): Promise<ChangeState> {
  const [row] = await home.deps.app.db.direct<{ has: boolean }>(sql('auth_has_factor')`
    select coalesce(u."twoFactorEnabled", false) or exists (select from auth.passkey p where p."userId" = u.id) as has
    from auth."user" u where u.id = ${signedIn.subject}`)
  if (row === undefined) throw new CodedError('unauthenticated')
  return { mailboxProvenAt: signedIn.mailboxProvenAt, secondFactorAt: signedIn.secondFactorAt, hasFactor: row.has }
}

/** Throws `email_unproven` or `second_factor_required` when this session may not change how its person signs in. */
export async function demandProof(home: AuthHome, signedIn: SignedIn): Promise<void> {
  const state = await changeState(home, signedIn)
  if (mayChangeSignIn(state, home.deps.app.clock.now())) return
  throw new CodedError(state.hasFactor ? 'second_factor_required' : 'email_unproven')
}

/**
 * Sets or replaces the password of a signed-in person, who must have proven the mailbox (or the second factor) just
 * now. Every other session ends. Throws `input_invalid`, `email_unproven`, `second_factor_required`.
 */
export async function setPassword(home: AuthHome, signedIn: SignedIn, password: string): Promise<void> {
  await demandProof(home, signedIn)
  if (password.length < passwordLength.min || password.length > passwordLength.max)
    throw new CodedError('input_invalid', `A password has ${passwordLength.min} to ${passwordLength.max} characters.`)
  const { app } = home.deps
  const hash = await hashPassword(password)
  const now = ts(app.clock.now())
  await app.db.direct(sql('auth_password_set')`
    with changed as (
      update auth.account set password = ${hash}, "updatedAt" = ${now}
      where "userId" = ${signedIn.subject} and "providerId" = 'credential' returning id)
    insert into auth.account (id, "accountId", "providerId", "userId", password, "createdAt", "updatedAt")
    select ${app.ids.next('acc')}, ${signedIn.subject}, 'credential', ${signedIn.subject}, ${hash}, ${now}, ${now}
    where not exists (select from changed)`)
  await endSessions(home, signedIn.subject, { except: signedIn.sessionId })
}
