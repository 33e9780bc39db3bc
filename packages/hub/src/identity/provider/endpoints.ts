import { createAuthEndpoint } from '@better-auth/core/api'
import { APIError, getSessionFromCtx } from 'better-auth/api'
import { setSessionCookie } from 'better-auth/cookies'
import { revokeUnprovenAccountAccess } from 'better-auth/db'
import * as z from 'zod'
import { refuse, signInFirst } from './refusals.ts'

/** Signs in whoever followed a link sent to their mailbox: the same as a code typed in. */
const signInByLink = createAuthEndpoint.serverOnly(
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
)

/** Goes on with an application's request after signing in on our page; the library reads `oauth_query`. */
const continueSignIn = createAuthEndpoint(
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
)

/** Ends sessions from within the library, so that applications are told (back-channel logout). */
const endSessions = createAuthEndpoint.serverOnly(
  { method: 'POST', body: z.object({ tokens: z.array(z.string()) }) },
  async (ctx) => {
    for (const token of ctx.body.tokens) await ctx.context.internalAdapter.deleteSession(token)
    return ctx.json({ ended: ctx.body.tokens.length })
  },
)

/** What we add to the library's endpoints. The two without an address are for our own code only. */
export const ownEndpoints = { signInByLink, continueSignIn, endSessions }
