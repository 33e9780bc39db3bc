import * as z from 'zod'
import { done, failed, type Outcome } from '../../../failure.ts'
import type { ConnectorIo, TokenStore } from '../../../io.ts'
import type { Settings } from '../config.ts'
import { learnWorldsFailure } from './errors.ts'
import { onePerSchool } from './per-school.ts'
import type { Send } from './send.ts'

/** A token is renewed before it ends: a tenth of its life, at most five minutes. */
const earlyShare = 0.1
const earlyLimitMs = 5 * 60_000

const answerSchema = z.looseObject({
  tokenData: z.looseObject({
    access_token: z.string().min(1),
    expires_in: z.coerce.number().positive().optional().catch(undefined),
  }),
})

type Token = { readonly token: string; readonly expiresAt: number }

export type Tokens = {
  /** A token that should work now. */
  current(): Promise<Outcome<string>>
  /** A token other than the refused one. Callers at the same time share one renewal. */
  renewed(refused: string): Promise<Outcome<string>>
  /** After an answer that may mean a dead token: the next call fetches another. */
  forget(doubtful: string): void
}

export const memoryTokens = (): TokenStore => {
  const kept = new Map<string, { token: string; expiresAt: number }>()
  return {
    get: (key) => kept.get(key),
    set: (key, value) => {
      if (value === null) kept.delete(key)
      else kept.set(key, value)
    },
  }
}

const requestFor = (settings: Settings, secret: string, encoding: 'form' | 'json') => {
  const fields = JSON.stringify({
    client_id: settings.clientId,
    client_secret: secret,
    grant_type: 'client_credentials',
  })
  return encoding === 'json'
    ? { body: fields, contentType: 'application/json' }
    : { body: new URLSearchParams({ data: fields }).toString(), contentType: 'application/x-www-form-urlencoded' }
}

const refused = (message: string) => failed(learnWorldsFailure('unauthorized', 'credentials_refused', message))

/** The renewal that is running, if any, for all clients of one school. */
const renewalOf = onePerSchool<{ running: Promise<Outcome<Token>> | null }>(() => ({ running: null }))

export function createTokens(settings: Settings, io: ConnectorIo, send: Send): Tokens {
  const { auth } = settings
  if (auth.kind === 'token') {
    return {
      current: async () => done(auth.accessToken),
      renewed: async () => refused('The access token of this connection is refused and cannot renew itself.'),
      forget: () => {},
    }
  }
  const store = io.tokens ?? memoryTokens()
  const key = `${settings.origin}|${settings.clientId}`
  const renewal = renewalOf(settings, io)

  const fetchToken = async (): Promise<Outcome<Token>> => {
    const { body, contentType } = requestFor(settings, auth.clientSecret, auth.encoding)
    const sent = await send({
      method: 'POST',
      path: '/admin/api/oauth2/access_token',
      body,
      headers: { 'content-type': contentType },
    })
    if (!sent.ok) {
      const { failure } = sent
      const theirs = failure.class === 'invalid' || failure.class === 'conflict' || failure.class === 'unauthorized'
      return theirs ? refused(`No token for this client id and secret (${failure.code}).`) : sent
    }
    const parsed = answerSchema.safeParse(sent.value)
    if (!parsed.success) return refused('The token answer has no access token. Check host, client id and secret.')
    const { access_token: token, expires_in: lifetimeS = settings.flags.tokenLifetimeS } = parsed.data.tokenData
    const lifetimeMs = lifetimeS * 1_000
    const expiresAt = io.clock.now() + lifetimeMs - Math.min(earlyLimitMs, lifetimeMs * earlyShare)
    return done({ token, expiresAt })
  }

  const renew = async (): Promise<Outcome<string>> => {
    renewal.running ??= fetchToken().finally(() => {
      renewal.running = null
    })
    const renewed = await renewal.running
    if (!renewed.ok) return renewed
    store.set(key, renewed.value)
    return done(renewed.value.token)
  }

  const forget = (old: string) => {
    if (store.get(key)?.token === old) store.set(key, null)
  }

  return {
    current: async () => {
      const kept = store.get(key)
      return kept !== undefined && io.clock.now() < kept.expiresAt ? done(kept.token) : renew()
    },
    renewed: async (old) => {
      const kept = store.get(key)
      if (renewal.running === null && kept !== undefined && kept.token !== old) return done(kept.token)
      forget(old)
      return renew()
    },
    forget,
  }
}
