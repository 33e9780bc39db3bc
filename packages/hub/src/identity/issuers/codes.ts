import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import type { App } from '#action/context.ts'
import { sql, ts } from '#db/sql.ts'
import type { CodeContext, CodeRefusal, CodeSignIn, CodeVerified } from '#identity/code-sign-in.ts'
import { normalizeEmail } from '#identity/people.ts'
import { takeAttempt } from '#identity/provider/limits.ts'
import { isMailAddress } from '#mail/address.ts'
import { type Answer, askForCode, redeemCode } from './auth0.ts'
import { type Claimed, readClaims } from './claims.ts'
import { type Deps, verifyIdToken } from './relying-party.ts'
import { isNewcomer, mintSessionToken, openSession, sessionByToken } from './sessions.ts'
import { findCodeIssuer, type Issuer } from './store.ts'

/** How long a typed code is taken to the provider; the provider may be stricter. */
const challengeMs = 10 * minute
/** Wrong codes per code sent. The provider counts too; this holds if it does not. */
const attemptsMax = 5
/** A person who asked twice may type either code; more are not tried. */
const liveMax = 2
const codePattern = /^[0-9]{4,10}$/

const sessionOwner = (id: string): string => `issuer_challenge.auth_session ${id}`

/**
 * Signing in by a code that the organization's own provider sends. Null when it has none that does. A code that was
 * right is a fresh proof of the mailbox: the issuer is trusted for addresses, or the setting could not be on.
 */
export async function externalCodes(deps: Deps, organization: string): Promise<CodeSignIn | null> {
  const issuer = await findCodeIssuer(deps.app.db, organization)
  if (issuer === null) return null
  return {
    request: (email, context) => request(deps, issuer, normalizeEmail(email), context),
    verify: (email, code, context) =>
      verify(deps, issuer, { mailbox: normalizeEmail(email), code: code.trim(), context }),
  }
}

async function request({ app, keys }: Deps, issuer: Issuer, mailbox: string, context: CodeContext): Promise<void> {
  if (!isMailAddress(mailbox)) throw new CodedError('input_invalid', 'This is not an e-mail address.')
  // Counted by what was asked for here, so that it tells nothing about who is known there, and before the provider is
  // asked, so that requests at the same moment are counted too.
  if (context.address !== null) await takeAttempt(app, 'code from network', context.address)
  await takeAttempt(app, 'external code to address', mailbox)
  await takeAttempt(app, 'code to address, day', mailbox)
  const answer = await askForCode({ app, keys }, issuer, mailbox)
  if (!answer.ok) throw refusalOf(app, issuer, answer)
  const id = app.ids.next('chl')
  const sealed = app.secrets.seal(answer.value, sessionOwner(id))
  await app.db.tx({ organization: issuer.organization }, (tx) =>
    tx.run(sql('issuer_challenge_insert')`
      insert into issuer_challenge (id, organization_id, issuer_id, mailbox_hash, auth_session, created_at, expires_at)
      values (${id}, ${issuer.organization}, ${issuer.id}, ${hashSecret(mailbox)}, ${sealed}, ${ts(tx.now)}, ${ts(tx.now + challengeMs)})`),
  )
}

function refusalOf(app: App, issuer: Issuer, answer: Answer<never>): CodedError {
  if (answer.ok) throw new Error('an answer is no refusal')
  if (answer.reason === 'rate_limited')
    return new CodedError('rate_limited', undefined, { retryAfterSeconds: answer.retryAfterSeconds ?? 60 })
  app.log.warn('an external issuer sent no code', { issuer: issuer.id, said: answer.said })
  return new CodedError('upstream_failed', 'The code could not be sent. Please try again in a minute.')
}

type Typed = { readonly mailbox: string; readonly code: string; readonly context: CodeContext }
type Live = { readonly id: string; readonly auth_session: Buffer }

async function verify(
  deps: Deps,
  issuer: Issuer,
  typed: Typed,
): Promise<CodeVerified | { readonly refused: CodeRefusal }> {
  if (!codePattern.test(typed.code)) return { refused: 'wrong' }
  if (typed.context.address !== null) await takeAttempt(deps.app, 'guess from network', typed.context.address)
  const live = await takeAttempts(deps.app, issuer, typed.mailbox)
  if (live === 'spent') return { refused: 'too_many' }
  let refused: CodeRefusal = 'wrong'
  for (const challenge of live) {
    const session = deps.app.secrets.open(challenge.auth_session, sessionOwner(challenge.id))
    const answer = await redeemCode(deps, issuer, session, typed.code)
    if (answer.ok) {
      const claimed = await claimedBy(deps, issuer, answer.value, typed.mailbox)
      if (claimed === null) return { refused: 'unavailable' }
      return open(deps, issuer, challenge.id, claimed, typed.context)
    }
    if (answer.reason === 'misconfigured' || answer.reason === 'unavailable') {
      deps.app.log.warn('an external issuer checked no code', { issuer: issuer.id, said: answer.said })
      return { refused: 'unavailable' }
    }
    if (answer.reason !== 'wrong') refused = answer.reason
  }
  return { refused }
}

/** Counts the attempt before anybody is asked, so that guesses at the same time are counted too. Newest code first. */
async function takeAttempts(app: App, issuer: Issuer, mailbox: string): Promise<readonly Live[] | 'spent'> {
  const now = ts(app.clock.now())
  const rows = await app.db.direct<Live & { readonly attempts: number }>(sql('issuer_challenge_attempt')`
    update issuer_challenge set attempts = attempts + 1
    where id in (
      select id from issuer_challenge
      where mailbox_hash = ${hashSecret(mailbox)} and issuer_id = ${issuer.id} and used_at is null and expires_at > ${now}
      order by id desc limit ${liveMax} for update)
    returning id, auth_session, attempts`)
  const live = rows.filter((it) => it.attempts <= attemptsMax).sort((a, b) => (a.id < b.id ? 1 : -1))
  return rows.length > 0 && live.length === 0 ? 'spent' : live
}

/**
 * What the provider says about who typed the right code. It must be this very mailbox, verified: otherwise the code
 * went somewhere else than it was asked for, and nothing is proven.
 */
async function claimedBy(deps: Deps, issuer: Issuer, idToken: string, mailbox: string): Promise<Claimed | null> {
  const payload = await verifyIdToken(deps, issuer, idToken, null)
  const claimed = payload === null ? null : readClaims(payload)
  const same = claimed !== null && claimed.email !== null && normalizeEmail(claimed.email) === mailbox
  if (same && claimed.emailVerified) return claimed
  deps.app.log.warn('an external issuer took a code and did not name its mailbox', { issuer: issuer.id })
  return null
}

async function open(
  deps: Deps,
  issuer: Issuer,
  challenge: string,
  claimed: Claimed,
  context: CodeContext,
): Promise<CodeVerified> {
  const { app } = deps
  const token = mintSessionToken()
  const isNew = await isNewcomer(app, issuer.organization, issuer.url, claimed.subject)
  const { expiresAt } = await app.db.tx({ organization: issuer.organization }, async (tx) => {
    await tx.run(
      sql('issuer_challenge_used')`update issuer_challenge set used_at = ${ts(tx.now)} where id = ${challenge}`,
    )
    const { userAgent, address } = context
    const { organization, url } = issuer
    return openSession(tx, app, {
      organization,
      issuer: url,
      claimed,
      mailboxProvenAt: tx.now,
      userAgent,
      address,
      token,
    })
  })
  const signedIn = await sessionByToken(app, token, 'token')
  if (signedIn === null) throw new Error('a session ended before it was handed out')
  return { signedIn, token, expiresAt, isNew }
}
