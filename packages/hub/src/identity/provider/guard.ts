import { createAuthMiddleware } from '@better-auth/core/api'
import type { Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { BetterAuthPlugin } from 'better-auth'
import { APIError, getSessionFromCtx } from 'better-auth/api'
import { freshFactorMs } from '#action/caller.ts'
import { freshProofMs, isFresh } from '../signed-in.ts'
import type { ProviderDeps } from './deps.ts'
import { ownEndpoints } from './endpoints.ts'
import { type LimitName, takeAttempt } from './limits.ts'
import { refuse, signInFirst } from './refusals.ts'

/** What changes how somebody signs in. It asks for a proof made just now, not only for a session. */
const needsProof = new Set([
  '/two-factor/enable',
  '/two-factor/disable',
  '/two-factor/generate-backup-codes',
  '/passkey/generate-register-options',
  '/passkey/verify-registration',
  '/passkey/delete-passkey',
])

const factorPaths = new Set(['/two-factor/verify-totp', '/two-factor/verify-backup-code'])

type Fields = { readonly mailboxProvenAt?: Date | null; readonly secondFactorAt?: Date | null }

export type ChangeState = {
  readonly mailboxProvenAt: Instant | null
  readonly secondFactorAt: Instant | null
  /** The account has a second factor: TOTP or a passkey. */
  readonly hasFactor: boolean
}

/**
 * Whether a session may change how its person signs in: with a second factor on the account, only after that factor;
 * without one, after a code or link to the mailbox. A stolen session alone changes nothing.
 */
export function mayChangeSignIn(state: ChangeState, now: Instant): boolean {
  if (isFresh(state.secondFactorAt, now, freshFactorMs)) return true
  return !state.hasFactor && isFresh(state.mailboxProvenAt, now, freshProofMs)
}

// The library answers with its own kind of error only.
const count = (deps: ProviderDeps, name: LimitName, subject: string): Promise<void> =>
  takeAttempt(deps.app, name, subject).catch((error: unknown) => {
    if (!(error instanceof CodedError)) throw error
    throw new APIError('TOO_MANY_REQUESTS', { code: error.code, message: error.message })
  })

const hasTotp = (user: object): boolean => 'twoFactorEnabled' in user && user.twoFactorEnabled === true

const demandProof = (deps: ProviderDeps) =>
  createAuthMiddleware(async (ctx) => {
    const found = await getSessionFromCtx(ctx)
    if (found === null) throw signInFirst()
    const where = [{ field: 'userId', value: found.user.id }]
    const passkeys = await ctx.context.adapter.count({ model: 'passkey', where })
    const { mailboxProvenAt, secondFactorAt } = found.session as Fields
    const state = {
      mailboxProvenAt: mailboxProvenAt?.getTime() ?? null,
      secondFactorAt: secondFactorAt?.getTime() ?? null,
      hasFactor: passkeys > 0 || hasTotp(found.user),
    }
    if (!mayChangeSignIn(state, deps.app.clock.now()))
      throw refuse('proof_needed', 'Prove who you are first: a code to your mailbox, or your second factor.')
  })

const countFactor = (deps: ProviderDeps) =>
  createAuthMiddleware(async (ctx) => {
    // Without a session these routes would finish the library's own two-step sign-in, which we do not start.
    const found = await getSessionFromCtx(ctx)
    if (found === null) throw signInFirst()
    await count(deps, 'factor', found.user.id)
    // RFC 6238, 5.2: a code is good once. The library would take it again for as long as it lasts.
    const code: unknown = ctx.body?.code
    if (typeof code === 'string') await count(deps, 'same factor', `${found.user.id} ${code}`)
  })

const markFactor = (deps: ProviderDeps) =>
  createAuthMiddleware(async (ctx) => {
    if (ctx.context.returned instanceof Error) return
    const current = ctx.context.newSession ?? ctx.context.session
    if (current === null || current === undefined || !hasTotp(current.user)) return
    const mark: Record<string, unknown> = { secondFactorAt: new Date(deps.app.clock.now()) }
    await ctx.context.internalAdapter.updateSession(current.session.token, mark)
  })

type Owned = { readonly model: string; readonly refusal: Readonly<Record<string, string>> }
const noPasskey = { message: 'Passkey not found', code: 'PASSKEY_NOT_FOUND' } as const

/** What belongs to one person, by path, with the library's own words for what is not there. */
const owned: Readonly<Record<string, Owned>> = {
  '/oauth2/delete-consent': {
    model: 'oauthConsent',
    refusal: { error_description: 'no consent', error: 'not_found' },
  },
  '/passkey/delete-passkey': { model: 'passkey', refusal: noPasskey },
  '/passkey/update-passkey': { model: 'passkey', refusal: noPasskey },
}

/** Somebody else's thing is told like one that does not exist; the library answers 401 to the one, 404 to the other. */
const ownOnly = createAuthMiddleware(async (ctx) => {
  const found = await getSessionFromCtx(ctx)
  if (found === null) throw signInFirst()
  const wish = owned[ctx.path ?? '']
  if (wish === undefined) throw new Error(`no rule for ${ctx.path}`)
  const id: unknown = ctx.body?.id
  const where = [
    { field: 'id', value: typeof id === 'string' ? id : '' },
    { field: 'userId', value: found.user.id },
  ]
  if ((await ctx.context.adapter.count({ model: wish.model, where })) === 0)
    throw new APIError('NOT_FOUND', wish.refusal)
})

/** Our rules inside the library: what needs a fresh proof, and what a second factor leaves behind. */
export const guardPlugin = (deps: ProviderDeps) =>
  ({
    id: 'bursar',
    hooks: {
      before: [
        { matcher: (ctx) => needsProof.has(ctx.path ?? ''), handler: demandProof(deps) },
        { matcher: (ctx) => factorPaths.has(ctx.path ?? ''), handler: countFactor(deps) },
        { matcher: (ctx) => Object.hasOwn(owned, ctx.path ?? ''), handler: ownOnly },
      ],
      after: [{ matcher: (ctx) => factorPaths.has(ctx.path ?? ''), handler: markFactor(deps) }],
    },
    endpoints: ownEndpoints,
  }) satisfies BetterAuthPlugin
