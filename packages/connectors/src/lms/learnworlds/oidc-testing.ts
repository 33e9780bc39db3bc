import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { Clock } from '@bursar/kit/clock.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { type SimRequest, type Simulator, startSimulator } from '../../simulator/server.ts'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

export type TestIssuer = Simulator & {
  /** What the next ID token says besides issuer, audience, nonce and times. */
  claims: Record<string, unknown>
  /** What the next ID token says instead. */
  lie: Record<string, unknown>
}

type Code = { readonly nonce: string; readonly challenge: string; readonly client: string }

/** For tests: an OpenID provider that signs everybody in at once. Speaks code with PKCE and RS256, nothing else. */
export async function startTestIssuer(clock: Clock, secret: string): Promise<TestIssuer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const codes = new Map<string, Code>()
  const issuer: { claims: Record<string, unknown>; lie: Record<string, unknown> } = { claims: {}, lie: {} }
  const origin = (request: SimRequest) => `http://${request.headers.host}`
  const token = (request: SimRequest, { nonce, client }: Code) => {
    const now = Math.floor(clock.now() / 1_000)
    const body = { iss: origin(request), aud: client, nonce, iat: now, exp: now + 300, ...issuer.claims, ...issuer.lie }
    const text = `${part({ alg: 'RS256', kid: 'k1' })}.${part(body)}`
    return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`
  }
  const simulator = await startSimulator({
    name: 'issuer',
    clock,
    random: seededRandom(3),
    state: () => ({}),
    reset: () => codes.clear(),
    routes: [
      {
        method: 'GET',
        pattern: '/.well-known/openid-configuration',
        handle: (request) => ({
          status: 200,
          body: {
            issuer: origin(request),
            authorization_endpoint: `${origin(request)}/authorize`,
            token_endpoint: `${origin(request)}/token`,
            jwks_uri: `${origin(request)}/keys`,
          },
        }),
      },
      {
        method: 'GET',
        pattern: '/keys',
        handle: () => ({ status: 200, body: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] } }),
      },
      {
        method: 'GET',
        pattern: '/authorize',
        handle: ({ query }) => {
          const of = (name: string) => query.get(name) ?? ''
          const code = `code-${codes.size}`
          codes.set(code, { nonce: of('nonce'), challenge: of('code_challenge'), client: of('client_id') })
          const back = new URL(of('redirect_uri'))
          back.searchParams.set('code', code)
          back.searchParams.set('state', of('state'))
          return { status: 302, headers: { location: back.href } }
        },
      },
      {
        method: 'POST',
        pattern: '/token',
        handle: (request) => {
          const form = new URLSearchParams(request.body.toString())
          const known = codes.get(form.get('code') ?? '')
          codes.delete(form.get('code') ?? '')
          const verifier = createHash('sha256')
            .update(form.get('code_verifier') ?? '')
            .digest('base64url')
          const basic = Buffer.from(`${known?.client}:${secret}`).toString('base64')
          if (known?.challenge !== verifier || request.headers.authorization !== `Basic ${basic}`)
            return { status: 400, body: { error: 'invalid_grant' } }
          return { status: 200, body: { token_type: 'Bearer', id_token: token(request, known) } }
        },
      },
    ],
  })
  return Object.assign(issuer, simulator)
}
