import {
  type IdentityProvider,
  type IdentityProviderOptions,
  startIdentityProvider,
} from '@bursar/connectors/identity/provider.ts'
import { systemClock } from '@bursar/kit/clock.ts'
import { errorBody } from '@bursar/kit/errors.ts'
import { createGuard, createHttp, type Http, type HttpClient } from '@bursar/kit/http.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { createSecretBox } from '@bursar/kit/secretbox.ts'
import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyInstance } from 'fastify'
import type { App } from '#action/context.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import type { IdentityRequest, SignedIn } from '#identity/signed-in.ts'
import { signedInBy } from '#identity/signed-in.ts'
import { createIssuers, type Issuers } from './index.ts'
import { type IssuerSettings, insertIssuer, sealClientSecret } from './store.ts'

export const audience = 'https://hub.example/api'
export const clientId = 'bursar-client'
export const clientSecret = 'provider-side-secret-0123456789'
export const publicUrl = 'http://127.0.0.1:9911'

/** A hub that may call loopback, and one identity provider; both on the test's own clock. */
export type IssuerTest = {
  readonly test: TestApp
  readonly app: App
  readonly http: HttpClient
  readonly provider: IdentityProvider
  readonly issuers: Issuers
  readonly organization: string
  /** The same hub after a restart: nothing remembered but the database. */
  restarted(): Issuers
  allow(settings?: Partial<IssuerSettings> & { readonly organization?: string; readonly url?: string }): Promise<string>
  close(): Promise<void>
}

export async function issuerTest(options: Partial<IdentityProviderOptions> = {}): Promise<IssuerTest> {
  const http = createHttp({ clock: systemClock, random: secureRandom, guard: createGuard({ allowLoopback: true }) })
  const secrets = createSecretBox([{ id: 'test', key: new Uint8Array(32).fill(7) }])
  const test = await testApp({ http, secrets, publicUrl })
  const { app, clock } = test
  const provider = await startIdentityProvider({
    ...{ clock, random: secureRandom, audience },
    clients: [{ id: clientId, secret: clientSecret, redirectUris: [`${publicUrl}/sign-in/external/callback`] }],
    ...options,
  })
  const organization = await test.organization('Alder')
  return {
    test,
    app,
    http,
    provider,
    issuers: createIssuers(app),
    organization,
    restarted: () => createIssuers(app),
    allow: async (given = {}) => {
      const id = app.ids.next('iss')
      const { organization: wanted = organization, url = provider.issuer, ...settings } = given
      const full: IssuerSettings = {
        ...{ name: 'Their provider', audiences: [audience], clientId, trustsEmail: false, signIn: true },
        ...{ accessTokens: true, codeChallenge: false, connection: null, algorithms: ['RS256', 'ES256', 'EdDSA'] },
        ...{ tokenType: 'at+jwt', state: 'active' },
        ...settings,
      }
      await app.db.tx('system', (tx) =>
        insertIssuer(tx, { ...full, id, organization: wanted, url }, sealClientSecret(app.secrets, id, clientSecret)),
      )
      return id
    },
    close: async () => {
      await provider.close()
      await http.close()
      await test.close()
    },
  }
}

export const asking = (headers: IdentityRequest['headers'], method = 'GET'): IdentityRequest => ({ method, headers })

/** The routes alone, with the errors of the real door. */
export async function door(issuers: Issuers): Promise<FastifyInstance> {
  const fastify = Fastify()
  fastify.removeAllContentTypeParsers()
  await fastify.register(rateLimit, { global: false })
  fastify.setErrorHandler((error, request, reply) => {
    const { status, body } = errorBody(error, request.id)
    return reply.code(status).send(body)
  })
  await fastify.register(async (scope) => issuers.routes(scope))
  return fastify
}

/** A browser as far as a sign-in needs one: it keeps cookies and follows the provider's redirect. */
export function browser(fastify: FastifyInstance, http: Http) {
  const jar = new Map<string, string>()
  const keep = (headers: Record<string, unknown>) => {
    const set = headers['set-cookie']
    for (const line of Array.isArray(set) ? set : set === undefined ? [] : [String(set)]) {
      const [pair = ''] = String(line).split(';')
      const at = pair.indexOf('=')
      if (/Max-Age=0/.test(String(line))) jar.delete(pair.slice(0, at))
      else jar.set(pair.slice(0, at), pair.slice(at + 1))
    }
  }
  const cookie = () => [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const visit = async (url: string) => {
    const answer = await fastify.inject({
      method: 'GET',
      url,
      headers: { cookie: cookie(), 'user-agent': 'Test browser' },
    })
    keep(answer.headers)
    return answer
  }
  return {
    jar,
    visit,
    cookie,
    /** From the hub to the provider and to the address it sends the browser back to, which is not visited yet. */
    begin: async (url: string): Promise<{ readonly sentTo: URL; readonly back: string }> => {
      const started = await visit(url)
      if (started.statusCode !== 303) throw new Error(`not started: ${started.statusCode} ${started.body}`)
      const sentTo = new URL(String(started.headers.location))
      const outcome = await http({ method: 'GET', url: sentTo.href })
      if (!outcome.ok) throw new Error(outcome.failure.message)
      const location = URL.parse(outcome.response.headers.location ?? '')
      if (location === null) throw new Error(`the provider shows ${outcome.response.body.toString()}`)
      return { sentTo, back: location.pathname + location.search }
    },
  }
}

/** Who a bearer token says it is, as the doors would ask. */
export const bearer = (
  issuers: Issuers,
  token: string,
  headers: IdentityRequest['headers'] = {},
): Promise<SignedIn | 'invalid' | null> =>
  signedInBy(issuers.sources, asking({ ...headers, authorization: `Bearer ${token}` }))
