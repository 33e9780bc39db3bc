import type { Http } from '@bursar/kit/http.ts'
import type { JSONWebKeySet, JWK } from 'jose'
import { z } from 'zod'

/** What an issuer says about itself (OpenID Connect Discovery 1.0), as far as we use it. */
export const metadataSchema = z.looseObject({
  issuer: z.string(),
  jwks_uri: z.string(),
  authorization_endpoint: z.string().optional(),
  token_endpoint: z.string().optional(),
  userinfo_endpoint: z.string().optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  code_challenge_methods_supported: z.array(z.string()).optional(),
  id_token_signing_alg_values_supported: z.array(z.string()).optional(),
  backchannel_logout_supported: z.boolean().optional(),
})
export type Metadata = z.infer<typeof metadataSchema>

const keySchema = z.looseObject({ kty: z.string(), kid: z.string().optional() })
// More than any provider publishes; a document that grows without end is a fault or an attack.
const keysMax = 50
const keySetSchema = z.object({ keys: z.array(keySchema).max(keysMax) })

const timeoutMs = 5_000
const bodyBytesMax = 256 * 1024

/** Which step failed, and a sentence for the people who set the issuer up. */
export type Problem = { readonly step: 'discovery' | 'keys'; readonly message: string; readonly blocked: boolean }
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem }

export const discoveryUrl = (issuer: string): string => `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`

async function readJson(http: Http, step: Problem['step'], url: string): Promise<Read<unknown>> {
  const fail = (message: string, blocked = false): Read<never> => ({ ok: false, problem: { step, message, blocked } })
  const outcome = await http({
    method: 'GET',
    url,
    headers: { accept: 'application/json' },
    timeoutMs,
    maxBodyBytes: bodyBytesMax,
  })
  if (!outcome.ok)
    return fail(`${url} does not answer: ${outcome.failure.message}.`, outcome.failure.kind === 'blocked')
  const { status, body } = outcome.response
  if (status !== 200) return fail(`${url} answers ${status} instead of 200.`)
  try {
    return { ok: true, value: JSON.parse(body.toString('utf8')) }
  } catch {
    // The parser throws for one reason only, and the reader is told.
    return fail(`${url} does not answer with JSON.`)
  }
}

/** The issuer's own description. It must name exactly the issuer that was asked for, or somebody else answers there. */
export async function readMetadata(http: Http, issuer: string): Promise<Read<Metadata>> {
  const url = discoveryUrl(issuer)
  const read = await readJson(http, 'discovery', url)
  if (!read.ok) return read
  const parsed = metadataSchema.safeParse(read.value)
  const fail = (message: string): Read<never> => ({
    ok: false,
    problem: { step: 'discovery', message, blocked: false },
  })
  if (!parsed.success) return fail(`${url} is no description of an OpenID provider: issuer or jwks_uri is missing.`)
  if (parsed.data.issuer !== issuer)
    return fail(
      `${url} describes the issuer ${parsed.data.issuer.slice(0, 200)}, not ${issuer}. Register it letter by letter as it calls itself.`,
    )
  return { ok: true, value: parsed.data }
}

/**
 * The issuer's public keys. Symmetric keys and private parts are dropped: what is published can verify, never sign,
 * and HS256 with a public key is the oldest trick against token checks.
 */
export async function readKeys(http: Http, metadata: Metadata): Promise<Read<JSONWebKeySet>> {
  const read = await readJson(http, 'keys', metadata.jwks_uri)
  if (!read.ok) return read
  const parsed = keySetSchema.safeParse(read.value)
  const fail = (message: string): Read<never> => ({ ok: false, problem: { step: 'keys', message, blocked: false } })
  if (!parsed.success) return fail(`${metadata.jwks_uri} is no set of keys.`)
  // jose checks each member when it imports the key.
  const keys = parsed.data.keys
    .filter((key) => key.kty !== 'oct' && key.use !== 'enc')
    .map(({ d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, k: _k, ...open }) => open as JWK)
  if (keys.length === 0) return fail(`${metadata.jwks_uri} publishes no key that can verify a signature.`)
  return { ok: true, value: { keys } }
}
