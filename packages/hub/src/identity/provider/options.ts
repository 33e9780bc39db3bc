import { passkey } from '@better-auth/passkey'
import type { BetterAuthOptions, BetterAuthPlugin } from 'better-auth'
import { APIError, isAPIError } from 'better-auth/api'
import { bearer, emailOTP, jwt, twoFactor } from 'better-auth/plugins'
import type { Kysely } from 'kysely'
import { addressHeader, type ProviderDeps } from './deps.ts'
import { guardPlugin } from './guard.ts'
import { openIdProvider } from './openid.ts'
import { checkPassword, hashPassword } from './passwords/passwords.ts'
import { disabledPaths } from './paths.ts'
import { sessionFields, sessionHooks, sessionSeconds } from './session-rows.ts'

export const codeSeconds = 600
export const codeAttempts = 3
export const passwordLength = { min: 10, max: 128 } as const

const prefixes: Readonly<Record<string, string>> = { user: 'usr', session: 'ses', account: 'acc', passkey: 'psk' }

/**
 * better-auth, hardened. Accounts come into being in one way only: a code sent to the mailbox comes back. Password
 * sign-up is off because 1.7.5 lets a password planted before the proof live on (better-auth/better-auth#11023; I6).
 * The library reads the system's clock by itself; what we decide ourselves goes by `app.clock`.
 */
export function authOptions(deps: ProviderDeps, publicUrl: string, db: Kysely<Record<string, unknown>>) {
  const issuer = `${publicUrl}/auth`
  return {
    appName: 'Bursar',
    baseURL: new URL(publicUrl).origin,
    basePath: new URL(issuer).pathname,
    secret: deps.secret,
    database: { db, type: 'postgres' },
    disabledPaths: [...disabledPaths],
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      requireEmailVerification: true,
      minPasswordLength: passwordLength.min,
      maxPasswordLength: passwordLength.max,
      password: {
        hash: hashPassword,
        verify: async ({ hash, password }) => (await checkPassword(hash, password)) === 'right',
      },
    },
    account: { accountLinking: { enabled: false, disableImplicitLinking: true } },
    user: { additionalFields: { provenAt: { type: 'date', required: false, input: false } } },
    session: {
      ...sessionSeconds,
      // Ours is the guard in guard.ts: it asks for a fresh proof, not for a young session.
      freshAge: 0,
      additionalFields: sessionFields,
    },
    databaseHooks: sessionHooks(deps),
    // Counted by us, in the database, before the library is asked (limits.ts).
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: {
      level: 'error',
      log: (_level, message) => deps.app.log.warn('the identity provider reports a fault', { reason: message }),
    },
    // What it refuses is an answer, not a fault; without this it would print each on the console.
    onAPIError: {
      onError: (error) => {
        if (isAPIError(error) && error.statusCode < 500) return
        deps.app.log.error('the identity provider failed', { error })
      },
    },
    advanced: {
      ...hostCookies(publicUrl.startsWith('https://')),
      ipAddress: { ipAddressHeaders: [addressHeader] },
      database: { generateId: ({ model }) => deps.app.ids.next(prefixes[model] ?? 'aut') },
    },
    plugins: plugins(deps, publicUrl),
  } satisfies BetterAuthOptions
}

/**
 * `__Host-`: browsers take such a cookie from this very host alone, so that nobody who runs another host below the same
 * domain can sign a visitor in as themselves. The library's own switch would write `__Secure-`, which does not say so.
 */
const hostCookies = (secure: boolean) => ({
  cookiePrefix: secure ? '__Host-bursar' : 'bursar',
  useSecureCookies: false,
  defaultCookieAttributes: { secure },
})

// A tuple, because the library reads from it what its `api` can do.
const inOrder = <Plugins extends BetterAuthPlugin[]>(...all: Plugins): Plugins => all

const plugins = (deps: ProviderDeps, publicUrl: string) =>
  inOrder(
    bearer({ requireSignature: true }),
    // Codes are delivered by us (codes.ts), so that a mail knows the organization it speaks for.
    emailOTP({
      otpLength: 6,
      expiresIn: codeSeconds,
      allowedAttempts: codeAttempts,
      storeOTP: 'hashed',
      sendVerificationOTP: async () => {
        throw new Error('codes are sent by codes.ts only')
      },
    }),
    // A password is asked for as well where there is one; who signs in by code alone has none.
    twoFactor({ issuer: 'Bursar', allowPasswordless: true, backupCodeOptions: { storeBackupCodes: 'encrypted' } }),
    passkeys(publicUrl),
    jwt({
      // The library's default is EdDSA, which the clients of schools do not read.
      jwks: { keyPairConfig: { alg: 'RS256', modulusLength: 2048 } },
      jwt: { issuer: `${publicUrl}/auth` },
      disableSettingJwtHeader: true,
    }),
    openIdProvider(deps, publicUrl),
    guardPlugin(deps),
  )

const passkeys = (publicUrl: string) =>
  passkey({
    rpID: new URL(publicUrl).hostname,
    rpName: 'Bursar',
    origin: new URL(publicUrl).origin,
    authenticatorSelection: { userVerification: 'required', residentKey: 'preferred' },
    // A passkey counts as a second factor here, so touching a key is not enough: its owner must have been checked.
    authentication: { afterVerification: refuseUnverified },
  })

async function refuseUnverified({ verification }: { readonly verification: VerifiedAuthenticationResponse }) {
  if (verification.authenticationInfo.userVerified) return
  throw new APIError('UNAUTHORIZED', { code: 'user_not_verified', message: 'This key did not check who holds it.' })
}

type VerifiedAuthenticationResponse = { readonly authenticationInfo: { readonly userVerified: boolean } }
