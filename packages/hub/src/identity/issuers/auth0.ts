import { second } from '@bursar/kit/clock.ts'
import { parseRetryAfter } from '@bursar/kit/http.ts'
import { z } from 'zod'
import type { Metadata } from './metadata.ts'
import type { Deps } from './relying-party.ts'
import { type Issuer, openClientSecret } from './store.ts'

/**
 * Auth0's "Passwordless on database connections": two calls from the back end, no redirect and no cookie. Off unless
 * an organization switches it on, because Auth0 calls it a feature before general release. It refuses single-page
 * applications: the client needs a secret.
 */
export const otpGrant = 'http://auth0.com/oauth/grant-type/passwordless/otp'
const timeoutMs = 8 * second
const bodyBytesMax = 64 * 1024

export type Refused = {
  readonly ok: false
  readonly reason: 'wrong' | 'too_many' | 'rate_limited' | 'second_factor' | 'unavailable' | 'misconfigured'
  /** The provider's error code, for the log of those who run the hub. */
  readonly said: string
  readonly retryAfterSeconds?: number
}
export type Answer<T> = { readonly ok: true; readonly value: T } | Refused

const challenged = z.object({ auth_session: z.string().min(1).max(8_192) })
const redeemed = z.object({ id_token: z.string().min(1) })
const failed = z.object({ error: z.string().max(100) })

/** Has a code sent. Auth0 answers alike for known and unknown addresses; so do we, by passing it on. */
export async function askForCode(deps: Deps, issuer: Issuer, email: string): Promise<Answer<string>> {
  const body = { connection: issuer.connection, email, allow_signup: true }
  const answer = await post(deps, issuer, `${issuer.url.replace(/\/$/, '')}/otp/challenge`, body, challenged)
  if (answer.ok) return { ok: true, value: answer.value.auth_session }
  // Before a code exists, "invalid request" can only mean our own settings.
  return answer.reason === 'wrong' ? { ...answer, reason: 'misconfigured' } : answer
}

/** The ID token for a typed code. */
export async function redeemCode(deps: Deps, issuer: Issuer, session: string, code: string): Promise<Answer<string>> {
  const metadata = await deps.keys.metadata(issuer.url)
  if (!metadata.ok) return { ok: false, reason: 'unavailable', said: 'discovery' }
  const body = { grant_type: otpGrant, auth_session: session, otp: code, scope: 'openid email profile' }
  return postToken(deps, issuer, metadata.value, body)
}

/** Asks the token endpoint with any grant, for its ID token. */
export async function postToken(
  deps: Deps,
  issuer: Issuer,
  metadata: Metadata,
  body: Readonly<Record<string, string>>,
): Promise<Answer<string>> {
  const url = metadata.token_endpoint
  if (url === undefined) return { ok: false, reason: 'unavailable', said: 'no token endpoint' }
  const answer = await post(deps, issuer, url, body, redeemed, true)
  return answer.ok ? { ok: true, value: answer.value.id_token } : answer
}

async function post<T>(
  deps: Deps,
  issuer: Issuer,
  url: string,
  fields: Readonly<Record<string, string | boolean | null>>,
  expected: z.ZodType<T>,
  asForm = false,
): Promise<Answer<T>> {
  const { app } = deps
  const secret = await openClientSecret(app, issuer.id)
  if (secret === null || issuer.clientId === null)
    return { ok: false, reason: 'misconfigured', said: 'no client secret' }
  const body = { ...fields, client_id: issuer.clientId, client_secret: secret }
  const outcome = await app.http({
    method: 'POST',
    url,
    headers: {
      'content-type': asForm ? 'application/x-www-form-urlencoded' : 'application/json',
      accept: 'application/json',
    },
    body: asForm
      ? new URLSearchParams(Object.entries(body).map(([k, v]): [string, string] => [k, String(v)])).toString()
      : JSON.stringify(body),
    timeoutMs,
    maxBodyBytes: bodyBytesMax,
  })
  if (!outcome.ok) return { ok: false, reason: 'unavailable', said: outcome.failure.kind }
  const { status, headers, body: bytes } = outcome.response
  const answer = parse(bytes)
  if (status === 200) {
    const value = expected.safeParse(answer)
    return value.success
      ? { ok: true, value: value.data }
      : { ok: false, reason: 'unavailable', said: 'an answer of another shape' }
  }
  const said = failed.safeParse(answer)
  const waitMs = parseRetryAfter(headers['retry-after'], app.clock.now())
  return refusal(status, said.success ? said.data.error : `status ${status}`, waitMs)
}

/** Auth0 tells a wrong, used and old code alike as `invalid_request`; older grants say `invalid_grant`. */
export function refusal(status: number, said: string, waitMs: number | null): Refused {
  if (said === 'too_many_attempts') return { ok: false, reason: 'too_many', said }
  if (status === 429) {
    const retry = waitMs === null ? {} : { retryAfterSeconds: Math.ceil(waitMs / second) }
    return { ok: false, reason: 'rate_limited', said, ...retry }
  }
  if (status >= 500 || status < 400) return { ok: false, reason: 'unavailable', said }
  if (said === 'mfa_required') return { ok: false, reason: 'second_factor', said }
  if (said === 'invalid_request' || said === 'invalid_grant') return { ok: false, reason: 'wrong', said }
  return { ok: false, reason: 'misconfigured', said }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    // No JSON has no shape, which the schema then says.
    return null
  }
}
