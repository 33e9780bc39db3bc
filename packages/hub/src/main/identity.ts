import { hkdfSync } from 'node:crypto'
import { second } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { inTx, systemCtx } from '#action/context.ts'
import { provideClients } from '#identity/actions-clients.ts'
import { type CallerSource, userCallers } from '#identity/callers.ts'
import { createIssuers, type Issuers } from '#identity/issuers/index.ts'
import { setSessionCookie } from '#identity/issuers/sessions.ts'
import type { CodeDelivery } from '#identity/provider/deps.ts'
import { codeSeconds } from '#identity/provider/options.ts'
import { createProvider, type Provider } from '#identity/provider/provider.ts'
import { type SessionSource, type SignedIn, signedInBy } from '#identity/signed-in.ts'
import { callerOfUser } from '#identity/user-caller.ts'
import { sendMailNow } from '#mail/deliver.ts'
import { claimMailbox } from '#orders/claim-mailbox.ts'
import { joinWaitingMailbox } from '#people/join.ts'
import { provideSignIn } from '#people/sign-in-systems.ts'
import type { SignInDoor } from '#surfaces/sign-in-routes.ts'

/** Everything by which this process knows who asks. */
export type Identity = {
  readonly provider: Provider
  readonly issuers: Issuers
  readonly sources: readonly SessionSource[]
  readonly callers: readonly CallerSource[]
  readonly door: SignInDoor
  /** Takes out what has run out. */
  sweep(): Promise<void>
  close(): Promise<void>
}

export type IdentityParts = {
  readonly databaseUrl: string
  /** Signs cookies and encrypts second factors; see `signInSecret`. */
  readonly secret: string
  /** The scopes that programs with a token may be given. */
  readonly scopes: readonly string[]
}

const secretBytes = 32

/** The sign-in secret of an installation, from its master key: another purpose, another key. */
export const signInSecret = (masterKey: Buffer): string =>
  Buffer.from(hkdfSync('sha256', masterKey, '', 'bursar built-in identity provider', secretBytes)).toString('base64url')

export function buildIdentity(app: App, parts: IdentityParts): Identity {
  const provider = createProvider({
    app,
    databaseUrl: parts.databaseUrl,
    secret: parts.secret,
    serviceScopes: parts.scopes,
    deliverCode: (delivery) => deliverCode(app, delivery),
  })
  const issuers = createIssuers(app)
  const sources = [provider.source, ...issuers.sources]
  provideClients(app.db, provider.clients)
  provideSignIn(app.db, {
    readToken: (token) => signedInBy(sources, { method: 'POST', headers: { authorization: `Bearer ${token}` } }),
    builtIn: provider,
  })
  return {
    provider,
    issuers,
    sources,
    callers: [serviceCallers(provider), userCallers(app, sources)],
    door: doorOf(app, provider, issuers),
    sweep: async () => {
      await provider.sweep()
      await issuers.sweep()
    },
    close: () => provider.close(),
  }
}

/** Written first, then sent at once; when the mail server is away, the job goes on. */
async function deliverCode(app: App, { email, code, organization }: CodeDelivery): Promise<void> {
  const expiresAt = app.clock.now() + codeSeconds * second
  await sendMailNow({ ...app, organization }, { to: email, kind: 'sign_in_code', data: { code, expiresAt } })
}

/** Programs with a token of the built-in provider; anybody else's token is left to the next source. */
const serviceCallers =
  (provider: Provider): CallerSource =>
  async ({ headers }) => {
    const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(headers.authorization ?? '')?.[1]
    const found = token === undefined ? null : await provider.verifyServiceToken(token)
    if (found === null) return null
    const { clientId, organization, scopes } = found
    return { organization, actor: { kind: 'client', id: clientId, name: clientId }, scopes }
  }

const doorOf = (app: App, provider: Provider, issuers: Issuers): SignInDoor => ({
  app,
  codesOf: async (organization) => {
    const external = await issuers.codes(organization)
    if (external === null)
      return {
        request: provider.requestCode,
        verify: (email, code, context) => provider.verifyCode(email, code, context),
      }
    return {
      request: (email, context) => external.request(email, context),
      verify: async (email, code, context) => {
        const answer = await external.verify(email, code, context)
        return 'refused' in answer ? answer : { ...answer, cookies: [setSessionCookie(app, answer.token)] }
      },
    }
  },
  methodsOf: async (organization) => {
    const others = await issuers.methods(organization)
    return [
      { kind: 'code' },
      { kind: 'passkey' },
      { kind: 'password' },
      ...others.map(({ id, name }) => ({ kind: 'issuer' as const, id, name })),
    ]
  },
  signOut: async (request) => {
    const ended = await Promise.all([provider.signOut(request), issuers.signOut(request)])
    return ended.flatMap(({ cookies }) => cookies)
  },
  onSignedIn: (organization, signedIn) => takeWhatWaits(app, organization, signedIn),
})

/** The person of this organization, with everything that was paid for the mailbox they have just proven. */
export async function takeWhatWaits(app: App, organization: string, signedIn: SignedIn): Promise<void> {
  const { actor, user } = await callerOfUser(app, signedIn, organization)
  if (user === undefined) return
  const ctx = { ...systemCtx(app, organization, 'sign-in'), actor, user }
  // Whole persons first: what is claimed singly would leave behind the roles that wait at the mailbox.
  await inTx(ctx, (tx) => joinWaitingMailbox(tx, ctx, user))
  await claimMailbox(ctx, user)
}
