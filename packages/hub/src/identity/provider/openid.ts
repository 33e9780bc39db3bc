import { oauthProvider } from '@better-auth/oauth-provider'
import { day, hour, minute, second } from '@bursar/kit/clock.ts'
import type { BetterAuthPlugin } from 'better-auth'
import { idTokenClaims } from './claims.ts'
import { clientSecretPrefix, storeClientSecret } from './client-secret.ts'
import type { ProviderDeps } from './deps.ts'

const accessTokenMs = 15 * minute
const idTokenMs = hour
const refreshTokenMs = 30 * day

/** What people and their applications may ask for; service clients have the hub's own scopes besides. */
export const personScopes = ['openid', 'profile', 'email', 'offline_access'] as const

/** The hub as OpenID provider. Clients come into being in clients.ts only; the library's own doors stay shut. */
export const openIdProvider = (deps: ProviderDeps, publicUrl: string): BetterAuthPlugin =>
  // The cast: its own description of itself breaks exactOptionalPropertyTypes, nothing else.
  oauthProvider({
    loginPage: `${publicUrl}/sign-in`,
    consentPage: `${publicUrl}/consent`,
    scopes: [...personScopes, ...deps.serviceScopes],
    advertisedMetadata: { scopes_supported: [...personScopes] },
    accessTokenExpiresIn: accessTokenMs / second,
    m2mAccessTokenExpiresIn: accessTokenMs / second,
    idTokenExpiresIn: idTokenMs / second,
    refreshTokenExpiresIn: refreshTokenMs / second,
    allowDynamicClientRegistration: false,
    allowUnauthenticatedClientRegistration: false,
    clientPrivileges: () => false,
    resourcePrivileges: () => false,
    storeClientSecret,
    prefix: { clientSecret: clientSecretPrefix },
    customIdTokenClaims: idTokenClaims,
  }) as unknown as BetterAuthPlugin
