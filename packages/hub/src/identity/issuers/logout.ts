import { minute } from '@bursar/kit/clock.ts'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { toleranceSeconds } from './access-tokens.ts'
import type { Deps } from './relying-party.ts'
import { revokeBefore } from './revocations.ts'
import { findIssuer, type Issuer } from './store.ts'

const eventName = 'http://schemas.openid.net/event/backchannel-logout'
const types: ReadonlySet<string> = new Set(['logout+jwt', 'jwt'])
const tokenCharsMax = 8_192
// Providers send them at once; an old one is a copy.
const ageMaxSeconds = (5 * minute) / 1_000

export type LogoutResult =
  | { readonly ok: true; readonly ended: number }
  | { readonly ok: false; readonly reason: string }

const refuse = (reason: string): LogoutResult => ({ ok: false, reason })

/**
 * OpenID back-channel logout. With a subject, everything of that person ends, sessions and access tokens: access tokens
 * seldom name their session. With a session alone, that session.
 */
export async function acceptLogout(deps: Deps, issuerId: string, token: string): Promise<LogoutResult> {
  const issuer = await findIssuer(deps.app.db, issuerId)
  if (issuer === null || issuer.clientId === null) return refuse('no such issuer')
  if (token.length > tokenCharsMax) return refuse('the token is too long')
  const payload = await verifyLogoutToken(deps, issuer, issuer.clientId, token)
  if (typeof payload === 'string') return refuse(payload)
  const { jti, sub, sid } = payload
  if (typeof jti !== 'string' || jti.length > 300) return refuse('jti is missing')
  if (typeof sub !== 'string' && typeof sid !== 'string') return refuse('neither sub nor sid')
  return deps.app.db.tx({ organization: issuer.organization }, async (tx) => {
    const first = await tx.run(sql('logout_token_insert')`
      insert into logout_token (organization_id, issuer, jti, received_at)
      values (${issuer.organization}, ${issuer.url}, ${jti}, ${ts(tx.now)}) on conflict do nothing`)
    if (first === 0) return refuse('this token was used already')
    const ended =
      typeof sub === 'string' ? await end(tx, issuer, 'subject', sub) : await end(tx, issuer, 'session', String(sid))
    return { ok: true, ended }
  })
}

async function verifyLogoutToken(
  { app, keys }: Deps,
  issuer: Issuer,
  audience: string,
  token: string,
): Promise<JWTPayload | string> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys.keyFor(issuer.url), {
      ...{ issuer: issuer.url, audience, algorithms: [...issuer.algorithms] },
      ...{ clockTolerance: toleranceSeconds, maxTokenAge: ageMaxSeconds, requiredClaims: ['iat', 'jti'] },
      currentDate: new Date(app.clock.now()),
    })
    const type = protectedHeader.typ?.toLowerCase().replace(/^application\//, '')
    if (type !== undefined && !types.has(type)) return 'it is another kind of token'
    if (payload.nonce !== undefined) return 'a logout token has no nonce'
    const events = payload.events as Record<string, unknown> | undefined
    const event = typeof events === 'object' && events !== null ? events[eventName] : undefined
    return typeof event === 'object' && event !== null ? payload : 'the logout event is missing'
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return 'the token does not verify'
    throw error
  }
}

async function end(tx: Tx, issuer: Issuer, kind: 'subject' | 'session', value: string): Promise<number> {
  await revokeBefore(tx, { organization: issuer.organization, issuer: issuer.url, kind, value }, tx.now)
  return tx.run(sql('session_end_by_issuer')`
    update session set revoked_at = ${ts(tx.now)}
    where organization_id = ${issuer.organization} and issuer = ${issuer.url} and revoked_at is null
      and ((${kind} = 'subject' and subject = ${value}) or (${kind} = 'session' and provider_session_id = ${value}))`)
}
