import { day, second } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import type { App } from '#action/context.ts'
import { sql, ts } from '#db/sql.ts'

export type SignInMethod = 'code' | 'password' | 'passkey' | 'link'

const field = (type: 'string' | 'date') => ({ type, required: false, input: false }) as const

/** What our sessions say beside what the library keeps. `input: false`: nobody sets them from outside. */
export const sessionFields = {
  method: field('string'),
  mailboxProvenAt: field('date'),
  secondFactorAt: field('date'),
  device: field('string'),
} as const

/** A month without use ends a session; each day of use moves the end. */
export const sessionSeconds = { expiresIn: (30 * day) / second, updateAge: day / second } as const

/** Tells session tokens from API keys (bsk_), sessions of other issuers (bss_) and JWTs. */
export const sessionPrefix = 'bst_'
const tokenBytes = 32
const mintToken = (): string => sessionPrefix + Buffer.from(secureRandom.bytes(tokenBytes)).toString('base64url')

type Row = Record<string, unknown> & {
  readonly userId: string
  readonly userAgent?: string | null | undefined
  readonly method?: unknown
  readonly mailboxProvenAt?: unknown
  readonly secondFactorAt?: unknown
}

const byPath: Readonly<Record<string, SignInMethod>> = {
  '/sign-in/email-otp': 'code',
  '/passkey/verify-authentication': 'passkey',
}

// How a session came about: told by our own endpoints, carried over from the one it replaces, or known by the route.
function methodOf(session: Row, path: string | undefined): SignInMethod {
  const told = session.method ?? byPath[path ?? '']
  if (told === 'code' || told === 'password' || told === 'passkey' || told === 'link') return told
  throw new Error(`a session by an unknown way: ${path}`)
}

/** Library hooks: every session, whichever endpoint makes it, gets our token, our clock and our fields. */
export const sessionHooks = (deps: { readonly app: App }) => ({
  session: {
    create: {
      before: async (session: Row, context: { readonly path?: string } | null) => {
        const method = methodOf(session, context?.path)
        const isCarried = session.method !== undefined && session.mailboxProvenAt !== undefined
        const now = new Date(deps.app.clock.now())
        const proves = (method === 'code' || method === 'link') && !isCarried
        if (proves) await takeMailbox(deps.app, session.userId)
        return {
          data: {
            ...session,
            token: mintToken(),
            method,
            createdAt: now,
            mailboxProvenAt: proves ? now : (session.mailboxProvenAt ?? null),
            secondFactorAt: method === 'passkey' ? now : (session.secondFactorAt ?? null),
            device: deviceText(session.userAgent),
          },
        }
      },
    },
  },
})

const deviceTextMax = 200
const deviceText = (userAgent: string | null | undefined): string | null =>
  userAgent ? userAgent.slice(0, deviceTextMax) : null

/**
 * The first proof of a mailbox clears the account of whatever somebody else may have left on it: passkeys, second
 * factors, grants to clients, sessions and a pending change of address (I2, I3, I4). The library itself drops
 * credentials and linked identities of unverified accounts at this point, and only those.
 */
async function takeMailbox(app: App, userId: string): Promise<void> {
  await app.db.direct(sql('auth_take_mailbox')`
    with taken as (
      update auth."user" set "provenAt" = ${ts(app.clock.now())}, "twoFactorEnabled" = false
      where id = ${userId} and "provenAt" is null returning id),
    a as (delete from auth.passkey where "userId" in (select id from taken)),
    b as (delete from auth."twoFactor" where "userId" in (select id from taken)),
    c as (delete from auth."oauthAccessToken" where "userId" in (select id from taken)),
    d as (delete from auth."oauthRefreshToken" where "userId" in (select id from taken)),
    e as (delete from auth."oauthConsent" where "userId" in (select id from taken)),
    f as (delete from auth.session where "userId" in (select id from taken))
    delete from auth.verification where identifier in (select 'email-change:' || id from taken)`)
}
