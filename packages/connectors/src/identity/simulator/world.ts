import type { Clock, Instant } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import { createSigningKey, type SigningAlgorithm, type SigningKey, signJwt } from './keys.ts'

export type SimUser = {
  readonly sub: string
  readonly email: string | null
  /** What the provider claims, right or wrong. */
  readonly emailVerified: boolean
  readonly name: string | null
  /** Signs in with more than one factor. */
  readonly secondFactor: boolean
  readonly blocked: boolean
}

export type SimClient = {
  readonly id: string
  /** Null for an application without a back end, such as a single-page one. */
  readonly secret: string | null
  readonly redirectUris: readonly string[]
}

type Grant = {
  readonly sub: string
  readonly clientId: string
  readonly redirectUri: string
  readonly nonce: string | null
  readonly challenge: string | null
  readonly scope: string
  readonly sid: string
  readonly authTime: Instant
  readonly strong: boolean
  used: boolean
}

export type SentCode = { readonly email: string; readonly code: string; readonly session: string }
type Challenge = {
  readonly email: string
  readonly code: string
  readonly works: boolean
  attempts: number
  used: boolean
  readonly until: Instant
}

export type IdentityWorld = {
  readonly clock: Clock
  readonly random: Random
  readonly flavour: 'plain' | 'auth0'
  /** Where it listens; known once it does. */
  url: string
  readonly clients: Map<string, SimClient>
  readonly users: Map<string, SimUser>
  readonly keys: SigningKey[]
  readonly codes: Map<string, Grant>
  readonly refresh: Map<string, Grant & { readonly family: string }>
  readonly deadFamilies: Set<string>
  readonly tokens: Map<string, Grant>
  readonly challenges: Map<string, Challenge>
  readonly sent: SentCode[]
  /** Who approves at /authorize without a page; null shows the login form. */
  approves: string | null
  /** Whether ID tokens carry address and name, or only UserInfo does. */
  profileInIdToken: boolean
  connection: string
  accessAudience: string
}

export type { Grant }

export const issuerOf = (world: IdentityWorld): string => (world.flavour === 'auth0' ? `${world.url}/` : world.url)

export const secret = (world: IdentityWorld, prefix: string): string =>
  `${prefix}_${Buffer.from(world.random.bytes(18)).toString('base64url')}`

export const signingKey = (world: IdentityWorld): SigningKey => {
  const key = world.keys.at(-1)
  if (key === undefined) throw new Error('the provider has no key')
  return key
}

export function addKey(world: IdentityWorld, alg: SigningAlgorithm): SigningKey {
  const key = createSigningKey(secret(world, 'key'), alg)
  world.keys.push(key)
  return key
}

export const seconds = (at: Instant): number => Math.floor(at / 1_000)

const lifeSeconds = 600

/** The claims every token of ours carries. */
export const baseClaims = (world: IdentityWorld, sub: string, aud: string): Record<string, unknown> => {
  const now = seconds(world.clock.now())
  return { iss: issuerOf(world), sub, aud, iat: now, exp: now + lifeSeconds }
}

export const profileOf = (user: SimUser): Record<string, unknown> => ({
  ...(user.email === null ? {} : { email: user.email, email_verified: user.emailVerified }),
  ...(user.name === null ? {} : { name: user.name }),
})

export function idTokenOf(world: IdentityWorld, grant: Grant): string {
  const user = world.users.get(grant.sub)
  if (user === undefined) throw new Error(`no user ${grant.sub}`)
  return signJwt(
    signingKey(world),
    {
      ...baseClaims(world, grant.sub, grant.clientId),
      auth_time: seconds(grant.authTime),
      sid: grant.sid,
      ...(grant.nonce === null ? {} : { nonce: grant.nonce }),
      ...(grant.strong ? { amr: ['pwd', 'mfa'] } : { amr: ['pwd'] }),
      ...(world.profileInIdToken ? profileOf(user) : {}),
    },
    { typ: 'JWT' },
  )
}

export const accessTokenOf = (
  world: IdentityWorld,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
  key: SigningKey = signingKey(world),
): string =>
  signJwt(
    key,
    { ...baseClaims(world, 'nobody', world.accessAudience), jti: secret(world, 'jti'), ...claims },
    { typ: 'at+jwt', ...header },
  )

export const logoutTokenOf = (world: IdentityWorld, aud: string, claims: Readonly<Record<string, unknown>>): string => {
  const now = seconds(world.clock.now())
  return signJwt(
    signingKey(world),
    {
      iss: issuerOf(world),
      aud,
      iat: now,
      exp: now + 120,
      jti: secret(world, 'jti'),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      ...claims,
    },
    { typ: 'logout+jwt' },
  )
}
