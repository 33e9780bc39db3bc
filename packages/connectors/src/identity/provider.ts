import type { Clock } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import { type Simulator, startSimulator } from '#simulator/server.ts'
import { auth0Grants, auth0Routes } from './simulator/auth0.ts'
import { controlRoutes } from './simulator/control.ts'
import { type SigningAlgorithm, type SigningKey, signJwt } from './simulator/keys.ts'
import { oidcRoutes } from './simulator/oidc.ts'
import {
  accessTokenOf,
  addKey,
  type IdentityWorld,
  issuerOf,
  logoutTokenOf,
  type SentCode,
  type SimClient,
  type SimUser,
  secret,
  signingKey,
} from './simulator/world.ts'

export type { SigningAlgorithm, SigningKey } from './simulator/keys.ts'
export type { SentCode, SimClient, SimUser } from './simulator/world.ts'

export type IdentityProviderOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly port?: number
  /** `auth0`: an issuer with a trailing slash, codes by back channel. Default `plain`. */
  readonly flavour?: 'plain' | 'auth0'
  readonly alg?: SigningAlgorithm
  /** The audience of its access tokens. */
  readonly audience?: string
  readonly clients?: readonly SimClient[]
  readonly users?: readonly Partial<SimUser>[]
}

type Claims = Readonly<Record<string, unknown>>

export type IdentityProvider = Simulator & {
  /** The exact value of `iss`. */
  readonly issuer: string
  addUser(user: Partial<SimUser>): SimUser
  addClient(client: SimClient): void
  /** Who is signed in without a page at /authorize; null shows the login form. */
  approve(sub: string | null): void
  /** Makes a new key the signing one. The old one stays published until it is withdrawn. */
  rotate(alg?: SigningAlgorithm): SigningKey
  withdraw(kid: string): void
  readonly keys: readonly SigningKey[]
  accessToken(claims: Claims, header?: Claims, key?: SigningKey): string
  logoutToken(clientId: string, claims: Claims): string
  /** Any JWT at all, signed with its key. */
  sign(claims: Claims, header?: Claims, key?: SigningKey): string
  /** Codes it has mailed, oldest first. */
  sent(): readonly SentCode[]
  /** False: only UserInfo tells address and name. */
  profileInIdToken(on: boolean): void
}

const userOf = (world: IdentityWorld, user: Partial<SimUser>): SimUser => ({
  sub: secret(world, 'user'),
  email: null,
  emailVerified: false,
  name: null,
  secondFactor: false,
  blocked: false,
  ...user,
})

function emptyWorld(options: IdentityProviderOptions): IdentityWorld {
  const { clock, random, flavour = 'plain', audience = 'https://hub.example/api' } = options
  return {
    ...{ clock, random, flavour, url: '', accessAudience: audience, connection: 'Username-Password-Authentication' },
    ...{ clients: new Map(), users: new Map(), keys: [], codes: new Map(), refresh: new Map(), tokens: new Map() },
    ...{ deadFamilies: new Set(), challenges: new Map(), sent: [], approves: null, profileInIdToken: true },
  }
}

/** A small OpenID provider on loopback: it keeps the protocol, takes faults, and signs whatever a test asks for. */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const world = emptyWorld(options)
  const alg = options.alg ?? 'RS256'
  const addUser = (user: Partial<SimUser>): SimUser => {
    const made = userOf(world, user)
    world.users.set(made.sub, made)
    return made
  }
  addKey(world, alg)
  for (const client of options.clients ?? []) world.clients.set(client.id, client)
  for (const user of options.users ?? []) addUser(user)
  const auth0 = world.flavour === 'auth0'
  const simulator = await startSimulator(
    {
      name: 'identity',
      clock: options.clock,
      random: options.random,
      routes: [...oidcRoutes(world, auth0 ? auth0Grants(world) : {}), ...(auth0 ? auth0Routes(world) : [])],
      control: controlRoutes(world, addUser),
      state: () => ({ issuer: issuerOf(world), users: [...world.users.values()], sent: world.sent }),
      reset: () => {
        for (const map of [world.codes, world.refresh, world.tokens, world.challenges]) map.clear()
        world.sent.length = 0
      },
    },
    options.port,
  )
  world.url = simulator.url
  return Object.assign(simulator, {
    issuer: issuerOf(world),
    addUser,
    addClient: (client: SimClient) => void world.clients.set(client.id, client),
    approve: (sub: string | null) => {
      world.approves = sub
    },
    rotate: (next = alg) => addKey(world, next),
    withdraw: (kid: string) => {
      for (const key of world.keys) if (key.kid === kid) key.published = false
    },
    keys: world.keys,
    accessToken: (claims: Claims, header?: Claims, key?: SigningKey) => accessTokenOf(world, claims, header, key),
    logoutToken: (clientId: string, claims: Claims) => logoutTokenOf(world, clientId, claims),
    sign: (claims: Claims, header: Claims = {}, key = signingKey(world)) => signJwt(key, claims, header),
    sent: () => world.sent,
    profileInIdToken: (on: boolean) => {
      world.profileInIdToken = on
    },
  })
}
