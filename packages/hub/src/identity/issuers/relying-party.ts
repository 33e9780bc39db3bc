import { second, systemClock } from '@bursar/kit/clock.ts'
import type { Http, HttpRequest } from '@bursar/kit/http.ts'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import * as client from 'openid-client'
import type { App } from '#action/context.ts'
import { toleranceSeconds } from './access-tokens.ts'
import type { IssuerKeys } from './keys.ts'
import type { Metadata, Problem } from './metadata.ts'
import { type Issuer, openClientSecret } from './store.ts'

export type Deps = { readonly app: App; readonly keys: IssuerKeys }

const timeoutMs = 8 * second
const bodyBytesMax = 256 * 1024

/** No answer from the provider: the network's fault or the guard's, not the person's. */
export class ProviderUnreachable extends Error {}

const methods: readonly string[] = ['GET', 'POST']

/** openid-client's way out: our guarded HTTP, which checks every address and follows no redirect. */
const fetchThrough =
  (http: Http): client.CustomFetch =>
  async (url, { method, headers, body }) => {
    if (!methods.includes(method)) throw new Error(`a sign-in does not send ${method}`)
    const outcome = await http({
      method: method as HttpRequest['method'],
      url,
      headers,
      ...(body === undefined || body === null ? {} : { body: String(body) }),
      timeoutMs,
      maxBodyBytes: bodyBytesMax,
    })
    if (!outcome.ok) throw new ProviderUnreachable(outcome.failure.message)
    const { status, headers: answered, body: bytes } = outcome.response
    return new Response(status === 204 || status === 304 ? null : new Uint8Array(bytes), { status, headers: answered })
  }

/** The hub as the issuer's client. Our clock decides about times, also when a test or a replay owns it. */
export async function relyingParty(
  { app, keys }: Deps,
  issuer: Issuer,
): Promise<
  | { readonly ok: true; readonly config: client.Configuration; readonly metadata: Metadata }
  | { readonly ok: false; readonly problem: Problem }
> {
  const metadata = await keys.metadata(issuer.url)
  if (!metadata.ok) return metadata
  const [secret, clientId] = [await openClientSecret(app, issuer.id), issuer.clientId]
  if (secret === null || clientId === null)
    return {
      ok: false,
      problem: { step: 'discovery', message: 'The client id or its secret is missing.', blocked: false },
    }
  const offered = metadata.value.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  const config = new client.Configuration(
    // The shape was checked where it was read; the library's type lists a hundred optional members.
    metadata.value as client.ServerMetadata,
    clientId,
    {
      [client.clockSkew]: Math.round((app.clock.now() - systemClock.now()) / second),
      [client.clockTolerance]: toleranceSeconds,
    },
    offered.includes('client_secret_post') ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret),
  )
  config[client.customFetch] = fetchThrough(app.http)
  config.timeout = timeoutMs / second
  // Plain http reaches only what the guard opens: loopback in the demo, and origins the operator named.
  if (issuer.url.startsWith('http:')) client.allowInsecureRequests(config)
  return { ok: true, config, metadata: metadata.value }
}

/** The claims of an ID token for us, or null: by the issuer's keys, not only by the connection it came over. */
export async function verifyIdToken(
  { app, keys }: Deps,
  issuer: Issuer,
  token: string,
  nonce: string | null,
): Promise<JWTPayload | null> {
  if (issuer.clientId === null) return null
  try {
    const { payload } = await jwtVerify(token, keys.keyFor(issuer.url), {
      issuer: issuer.url,
      audience: issuer.clientId,
      algorithms: [...issuer.algorithms],
      clockTolerance: toleranceSeconds,
      requiredClaims: ['exp', 'iat', 'sub'],
      currentDate: new Date(app.clock.now()),
    })
    if (payload.events !== undefined) return null
    if (Array.isArray(payload.aud) && payload.aud.length > 1 && payload.azp !== issuer.clientId) return null
    return (payload.nonce ?? null) === nonce ? payload : null
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return null
    throw error
  }
}
