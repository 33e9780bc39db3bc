import type { FastifyInstance } from 'fastify'
import type { App } from '#action/context.ts'
import type { CodeSignIn } from '#identity/code-sign-in.ts'
import type { IdentityRequest, SessionSource } from '#identity/signed-in.ts'
import { accessTokenSource } from './access-tokens.ts'
import { externalCodes } from './codes.ts'
import { createIssuerKeys, type IssuerKeys } from './keys.ts'
import { issuerRoutes } from './routes.ts'
import { externalSessionSource, sessions, signOut } from './sessions.ts'
import { listSignInIssuers } from './store.ts'
import { sweepIssuers } from './sweep.ts'

/** The external identity providers of one process. */
export type Issuers = {
  /** Who signs a request, in the order to be asked: own sessions of external people, then foreign access tokens. */
  readonly sources: readonly SessionSource[]
  readonly keys: IssuerKeys
  /** The popup and its callback, the exchange of its code, back-channel logout. */
  routes(fastify: FastifyInstance): void
  /** Signing in by a code that the organization's own provider sends; null when the hub sends codes itself. */
  codes(organization: string): Promise<CodeSignIn | null>
  /** For the list of ways to sign in. */
  methods(organization: string): Promise<readonly { readonly id: string; readonly name: string }[]>
  /** Ends the external session a request carries; `cookies` are whole Set-Cookie values. */
  signOut(request: IdentityRequest): Promise<{ readonly cookies: readonly string[] }>
  readonly sessions: typeof sessions
  /** Takes out what has run out; for a schedule. Returns how many rows went. */
  sweep(): Promise<number>
}

export function createIssuers(app: App): Issuers {
  const keys = createIssuerKeys(app)
  const deps = { app, keys }
  return {
    keys,
    sessions,
    sources: [externalSessionSource(app), accessTokenSource(deps)],
    routes: (fastify) => issuerRoutes(fastify, deps),
    codes: (organization) => externalCodes(deps, organization),
    methods: (organization) => listSignInIssuers(app.db, organization),
    signOut: (request) => signOut(app, request),
    sweep: () => sweepIssuers(app),
  }
}
