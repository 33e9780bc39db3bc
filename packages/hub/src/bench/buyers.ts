import { randomBytes } from 'node:crypto'
import { systemClock } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { Agent, request } from 'undici'
import type { Log } from '#action/context.ts'
import { createProvider, type Provider } from '#identity/provider/provider.ts'
import type { SmtpHouse } from '#mail/smtp-testing.ts'
import { buildApp } from '#main/build.ts'
import { readConfig } from '#main/config.ts'
import { signInSecret } from '#main/identity.ts'
import { secretsOf } from '#main/installation.ts'
import { benchPrice } from './provider.ts'

// Each buyer is a browser at an address of its own: what strangers may ask is counted by address.
const addresses = 500
const organization = 'main'

export type Buyer = {
  readonly email: string
  readonly orderRef: string
  readonly claimSecret: string
  /** The network they come from. */
  readonly from: number
}

export type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

/** Browsers on loopback, each group with its own address. */
export type Buyers = {
  post(from: number, path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** Fills a cart and begins its order. */
  begin(email: string, from: number): Promise<Buyer>
  /** A session as the built-in provider makes it when a mailbox was just proven, without the mail. */
  session(email: string): Promise<string>
  /** The same by the two requests of a browser and the message between them. */
  sessionByCode(buyer: Buyer): Promise<string>
  close(): Promise<void>
}

const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** The provider of the measured process, beside it: the same database, the same secret. */
function providerBeside(databaseUrl: string, secret: string): { provider: Provider; close(): Promise<void> } {
  const read = readConfig({
    DATABASE_URL: databaseUrl,
    BURSAR_SECRET: secret,
    BURSAR_DEMO: 'true',
    BURSAR_DATABASE_POOL: '4',
  })
  if (!read.ok) throw new Error(read.problems.join(' '))
  const key = Buffer.from(secret, 'base64url')
  const { app, http } = buildApp({
    config: read.config,
    databaseUrl,
    secrets: secretsOf(key),
    log: silent,
    node: 'bench',
    publicUrl: () => 'http://127.0.0.1',
    trustedOrigins: [],
  })
  const provider = createProvider({
    app: { ...app, clock: systemClock, random: secureRandom },
    databaseUrl,
    secret: signInSecret(key),
    deliverCode: async () => undefined,
    serviceScopes: [],
  })
  const close = async () => {
    await provider.close()
    await http.close()
    await app.db.close()
  }
  return { provider, close }
}

const localAddress = (from: number): string => `127.1.${Math.floor(from / 250)}.${1 + (from % 250)}`

export function openBuyers(hubUrl: string, databaseUrl: string, secret: string, smtp: SmtpHouse): Buyers {
  const agents = Array.from(
    { length: addresses },
    (_, from) => new Agent({ connections: 4, pipelining: 1, localAddress: localAddress(from) }),
  )
  const beside = providerBeside(databaseUrl, secret)
  const post: Buyers['post'] = async (from, path, body, headers = {}) => {
    const dispatcher = agents[from % addresses]
    if (dispatcher === undefined) throw new Error('no such address')
    const answer = await request(`${hubUrl}${path}`, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    return { status: answer.statusCode, body: (await answer.body.json()) as Answer['body'] }
  }
  const must = async (asked: Promise<Answer>): Promise<Answer['body']> => {
    const { status, body } = await asked
    if (status !== 200) throw new Error(`answered ${status}: ${JSON.stringify(body)}`)
    return body
  }
  return {
    post,
    begin: async (email, from) => {
      const cart = { organization, prices: [benchPrice], mode: 'elements', email }
      const headers = { 'idempotency-key': randomBytes(16).toString('hex') }
      const { orderRef, claimSecret } = await must(post(from, '/api/checkout', cart, headers))
      return { email, from, orderRef: String(orderRef), claimSecret: String(claimSecret) }
    },
    session: async (email) => {
      const made = await beside.provider.signInByMailbox(email, { organization: null, address: null, userAgent: null })
      return made.token
    },
    sessionByCode: async ({ email, from }) => {
      await must(post(from, '/api/sign-in/code', { organization, email }))
      const code = await codeFor(smtp, email)
      const { token } = await must(post(from, '/api/sign-in/verify', { organization, email, code, transport: 'token' }))
      return String(token)
    },
    close: async () => {
      await Promise.all(agents.map((agent) => agent.close()))
      await beside.close()
    },
  }
}

const codeWaitMs = 30_000
const read = new Map<string, string>()
let seen = 0

/** The code in the newest message to an address; each message is looked at once. */
async function codeFor(smtp: SmtpHouse, email: string): Promise<string> {
  for (const end = performance.now() + codeWaitMs; performance.now() < end; ) {
    for (; seen < smtp.received.length; seen++) {
      const mail = smtp.received[seen]
      const code = /\b(\d{6})\b/.exec(mail?.source.replace(/^[\s\S]*?\r?\n\r?\n/, '') ?? '')?.[1]
      if (mail?.to[0] !== undefined && code !== undefined) read.set(mail.to[0], code)
    }
    const code = read.get(email)
    if (code !== undefined) return code
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error(`no code came for ${email}`)
}
