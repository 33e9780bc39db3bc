import { createAuthEndpoint, createAuthMiddleware } from '@better-auth/core/api'
import type { Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { BetterAuthPlugin } from 'better-auth'
import { APIError, getSessionFromCtx } from 'better-auth/api'
import { setSessionCookie } from 'better-auth/cookies'
import { revokeUnprovenAccountAccess } from 'better-auth/db'
import * as z from 'zod'
import { freshFactorMs } from '#action/caller.ts'
import { freshProofMs, isFresh } from '../signed-in.ts'
import type { ProviderDeps } from './deps.ts'
import { takeAttempt } from './limits.ts'

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

const signInFirst = () => new APIError('UNAUTHORIZED', { code: 'unauthenticated', message: 'Sign in first.' })

const refuse = (code: string, message: string) => new APIError('FORBIDDEN', { code, message })

// The library answers with its own kind of error only.
const countFactor = (deps: ProviderDeps, userId: string): Promise<void> =>
  takeAttempt(deps.app, 'factor', userId).catch((error: unknown) => {
    if (!(error instanceof CodedError)) throw error
    throw new APIError('TOO_MANY_REQUESTS', { code: error.code, message: error.message })
  })

/** Our rules inside the library: what needs a fresh proof, what a second factor leaves behind, and two ends of ours. */
export const guardPlugin = (deps: ProviderDeps) =>
  ({
    id: 'bursar',
    hooks: {
      before: [
        {
          matcher: (ctx) => needsProof.has(ctx.path ?? ''),
          handler: createAuthMiddleware(async (ctx) => {
            const found = await getSessionFromCtx(ctx)
            if (found === null) throw signInFirst()
            const passkeys = await ctx.context.adapter.count({
              model: 'passkey',
              where: [{ field: 'userId', value: found.user.id }],
            })
            const hasFactor = passkeys > 0 || (found.user as { twoFactorEnabled?: boolean }).twoFactorEnabled === true
            const { mailboxProvenAt, secondFactorAt } = found.session as Fields
            const state = {
              mailboxProvenAt: mailboxProvenAt?.getTime() ?? null,
              secondFactorAt: secondFactorAt?.getTime() ?? null,
              hasFactor,
            }
            if (!mayChangeSignIn(state, deps.app.clock.now()))
              throw refuse('proof_needed', 'Prove who you are first: a code to your mailbox, or your second factor.')
          }),
        },
        {
          matcher: (ctx) => factorPaths.has(ctx.path ?? ''),
          handler: createAuthMiddleware(async (ctx) => {
            // Without a session these routes would finish the library's own two-step sign-in, which we do not start.
            const found = await getSessionFromCtx(ctx)
            if (found === null) throw signInFirst()
            await countFactor(deps, found.user.id)
          }),
        },
      ],
      after: [
        {
          matcher: (ctx) => factorPaths.has(ctx.path ?? ''),
          handler: createAuthMiddleware(async (ctx) => {
            if (ctx.context.returned instanceof Error) return
            const current = ctx.context.newSession ?? ctx.context.session
            const enabled = (current?.user as { twoFactorEnabled?: boolean } | undefined)?.twoFactorEnabled === true
            if (current === null || current === undefined || !enabled) return
            await ctx.context.internalAdapter.updateSession(current.session.token, {
              secondFactorAt: new Date(deps.app.clock.now()),
            } as Record<string, unknown>)
          }),
        },
      ],
    },
    endpoints: {
      /** Signs in whoever followed a link sent to their mailbox: the same as a code typed in. */
      signInByLink: createAuthEndpoint.serverOnly(
        { method: 'POST', body: z.object({ email: z.string() }) },
        async (ctx) => {
          const { internalAdapter } = ctx.context
          const { email } = ctx.body
          const known = await internalAdapter.findUserByEmail(email)
          const user =
            known === null
              ? await internalAdapter.createUser({ email, emailVerified: true, name: '' }, { method: 'magic-link' })
              : known.user.emailVerified
                ? known.user
                : await revokeUnprovenAccountAccess(ctx, known.user.id)
          if (user === null) throw new APIError('CONFLICT')
          const session = await internalAdapter.createSession(user.id, false, { method: 'link' }, true)
          return ctx.json({ token: session.token, user: { id: user.id } })
        },
      ),
      /** Goes on with an application's request after signing in on our page; the library reads `oauth_query`. */
      continueSignIn: createAuthEndpoint(
        '/sign-in/continue',
        { method: 'POST', body: z.object({ oauth_query: z.string() }) },
        async (ctx) => {
          const found = await getSessionFromCtx(ctx)
          if (found === null) throw signInFirst()
          const query = new URLSearchParams(ctx.body.oauth_query)
          // The library takes `prompt=login` as answered from here on, so it must have been: by a session made since.
          const asked = Number(query.get('ba_iat'))
          const wantsLogin = (query.get('prompt') ?? '').split(' ').includes('login')
          if (wantsLogin && !(found.session.createdAt.getTime() >= asked))
            throw refuse('sign_in_again', 'This application asks you to sign in again.')
          await setSessionCookie(ctx, found)
          return ctx.json({ ok: true })
        },
      ),
      /** Ends sessions from within the library, so that applications are told (back-channel logout). */
      endSessions: createAuthEndpoint.serverOnly(
        { method: 'POST', body: z.object({ tokens: z.array(z.string()) }) },
        async (ctx) => {
          for (const token of ctx.body.tokens) await ctx.context.internalAdapter.deleteSession(token)
          return ctx.json({ ended: ctx.body.tokens.length })
        },
      ),
    },
  }) satisfies BetterAuthPlugin
