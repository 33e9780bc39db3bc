import type { FastifyInstance } from 'fastify'
import type { CodeSignIn } from '../code-sign-in.ts'
import type { IdentityRequest, SessionSource, SignedIn } from '../signed-in.ts'
import { createAuthHome } from './auth.ts'
import {
  type ClientEntry,
  type ClientWish,
  listClients,
  type Registered,
  registerClient,
  registerService,
  removeClient,
  type ServiceWish,
} from './clients.ts'
import { type CodeAnswer, requestCode, type SignInContext, signInByMailbox, verifyCode } from './codes.ts'
import type { ProviderDeps } from './deps.ts'
import { confirmEmailChange, type EmailChanged, requestEmailChange } from './email-change.ts'
import { handOver } from './hand-over.ts'
import { setPassword, signInWithPassword } from './password-sign-in.ts'
import { providerRoutes } from './routes.ts'
import { type ServiceCaller, verifyServiceToken } from './service-tokens.ts'
import {
  endEverything,
  endSessions,
  listSessions,
  type NewSession,
  type SessionEntry,
  sessionSource,
  signOut,
  sweep,
} from './sessions.ts'
import { deleteUser, exportUser, type ImportedUser, importUser, type UserExport } from './users.ts'

/** The built-in identity provider: people of this installation, who sign in at this hub itself. */
export type Provider = {
  readonly source: SessionSource
  /** `/auth/*`, for a scope of its own. */
  readonly handler: (fastify: FastifyInstance) => Promise<void>
  /** The same two as below, in the words every way to sign in by code shares. */
  readonly codes: CodeSignIn
  requestCode(email: string, context: SignInContext): Promise<void>
  verifyCode(email: string, code: string, context: SignInContext): Promise<CodeAnswer>
  signInByMailbox(email: string, context: SignInContext): Promise<NewSession & { readonly isNew: boolean }>
  signInWithPassword(
    email: string,
    password: string,
    context: SignInContext,
  ): Promise<NewSession | { readonly refused: 'wrong' }>
  /** Needs a session that proved itself just now; see `demandProof`. */
  setPassword(signedIn: SignedIn, password: string): Promise<void>
  requestEmailChange(signedIn: SignedIn, email: string, context: Pick<SignInContext, 'organization'>): Promise<void>
  confirmEmailChange(signedIn: SignedIn, code: string): Promise<EmailChanged>
  /** Takes over an account of another platform, with its password hash. Never called by a route. */
  importUser(user: ImportedUser): Promise<{ readonly subject: string; readonly outcome: 'made' | 'exists' }>
  deleteUser(subject: string): Promise<boolean>
  exportUser(subject: string): Promise<UserExport | null>
  /** A one-time code for the session of a window of ours, for the frame that opened it; see hand-over.ts. */
  handOver(request: IdentityRequest): Promise<string | null>
  signOut(request: IdentityRequest): Promise<{ readonly cookies: readonly string[] }>
  readonly sessions: {
    list(subject: string): Promise<SessionEntry[]>
    /** False when this person has no such session. */
    revoke(subject: string, sessionId: string): Promise<boolean>
  }
  /**
   * Ends every session of a person and what applications hold in their name, or, with `except`, the other sessions
   * only. Returns how many sessions ended.
   */
  revokeAll(subject: string, options?: { readonly except?: string }): Promise<number>
  readonly clients: {
    register(wish: ClientWish): Promise<Registered>
    registerService(wish: ServiceWish): Promise<Registered>
    list(organization: string): Promise<ClientEntry[]>
    /** False when the organization has no such client. */
    remove(organization: string, clientId: string): Promise<boolean>
  }
  /** Whom a service token speaks for; null when it is not valid. */
  verifyServiceToken(jwt: string): Promise<ServiceCaller | null>
  /** Takes out what has run out; for a schedule. */
  sweep(): Promise<void>
  close(): Promise<void>
}

export function createProvider(deps: ProviderDeps): Provider {
  const home = createAuthHome(deps)
  return {
    source: sessionSource(home),
    handler: providerRoutes(home),
    codes: {
      request: (email, context) => requestCode(home, email, context),
      verify: (email, code, context) => verifyCode(home, email, code, context),
    },
    requestCode: (email, context) => requestCode(home, email, context),
    verifyCode: (email, code, context) => verifyCode(home, email, code, context),
    signInByMailbox: (email, context) => signInByMailbox(home, email, context),
    signInWithPassword: (email, password, context) => signInWithPassword(home, email, password, context),
    setPassword: (signedIn, password) => setPassword(home, signedIn, password),
    requestEmailChange: (signedIn, email, context) => requestEmailChange(home, signedIn, email, context),
    confirmEmailChange: (signedIn, code) => confirmEmailChange(home, signedIn, code),
    importUser: (user) => importUser(home, user),
    deleteUser: (subject) => deleteUser(home, subject),
    exportUser: (subject) => exportUser(home, subject),
    handOver: (request) => handOver(home, request),
    signOut: (request) => signOut(home, request),
    sessions: {
      list: (subject) => listSessions(home, subject),
      revoke: async (subject, sessionId) => (await endSessions(home, subject, { only: sessionId })) > 0,
    },
    revokeAll: (subject, options) =>
      options?.except === undefined ? endEverything(home, subject) : endSessions(home, subject, options),
    clients: {
      register: (wish) => registerClient(home, wish),
      registerService: (wish) => registerService(home, wish),
      list: (organization) => listClients(home, organization),
      remove: (organization, clientId) => removeClient(home, organization, clientId),
    },
    verifyServiceToken: (jwt) => verifyServiceToken(home, jwt),
    sweep: () => sweep(home),
    close: () => home.close(),
  }
}
