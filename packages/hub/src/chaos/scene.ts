import type { App } from '#action/context.ts'
import type { ContractDeps } from '#contract/asking.ts'
import { builtInIssuer, type SignedIn } from '#identity/signed-in.ts'
import { keptMail } from '#mail/mailbox.ts'
import type { World } from '#main/world.ts'
import type { Violation } from '#scenarios/promise.ts'
import type { ChaosWeb } from './web.ts'

/** What is on sale and who is about, made once per run. */
export type Cast = {
  readonly prices: readonly string[]
  readonly subscriptions: readonly string[]
  readonly people: readonly string[]
}

export type Draw = {
  one<T>(from: readonly T[]): T | undefined
  chance(probability: number): boolean
  between(low: number, high: number): number
}

/** A cart in a buyer's browser: what it asked for, and what it keeps of the answers. */
export type Cart = {
  readonly key: string
  readonly body: Readonly<Record<string, unknown>>
  /** Who holds this browser, by their number. */
  readonly buyer: number
  /** The session the order was begun with; null for a stranger. */
  readonly begunAs: SignedIn | null
  orderRef: string | null
  /** Each answer brings a further one; browsers keep them all. */
  readonly secrets: string[]
}

/** What was answered and must still be true at the end. */
export type Told = {
  /** Second claimants that were refused, with the case they were named. */
  readonly refused: { readonly order: string; readonly caseId: string; readonly subject: string }[]
  /** Logins at the school that were handed out. */
  readonly launched: { readonly subject: string; readonly accountEmail: string; readonly rogue: boolean }[]
  /** Humans that were joined, by their numbers. */
  readonly joined: (readonly [number, number])[]
}

/** Everything a life can touch. */
export type Scene = {
  readonly world: World
  readonly cast: Cast
  readonly by: Draw
  readonly slug: string
  readonly web: () => ChaosWeb
  readonly carts: Cart[]
  readonly told: Told
  /** What was wrong at the moment it happened. */
  readonly seen: Violation[]
  /** Whether those who act at once really do; the story of such a run is not repeated exactly. */
  readonly atOnce: boolean
}

/** Something happens in somebody's life; null when what was drawn could not happen. */
export type Act = (scene: Scene) => Promise<string | null>

export type Way = 'hub' | 'other' | 'rogue'

/** Each human signs in at the hub, at an issuer of their own with another address, and has an impostor with theirs. */
export function sessionOf({ world, cast }: Scene, human: number, way: Way, fresh: boolean): SignedIn {
  const now = world.clock.now()
  const mine = cast.people[human] ?? ''
  const issuer = { hub: builtInIssuer(world.app), other: 'https://idp.storm.example', rogue: 'https://rogue.example' }[
    way
  ]
  return {
    sessionId: `session-${way}-${human}`,
    issuer,
    subject: `${way}-${human}`,
    email: way === 'other' ? otherAddress(human) : mine,
    emailVerified: way !== 'rogue',
    mailboxProvenAt: fresh && way !== 'rogue' ? now : null,
    name: null,
    authenticatedAt: now,
    secondFactorAt: null,
    organization: null,
    via: 'token',
  }
}

export const otherAddress = (human: number): string => `other${human}@storm.example`

/** The human behind an address or a subject of this storm; null when it is nobody's. */
export const humanOf = (name: string): number | null => {
  const found = /^(?:person|other|hub-|other-|rogue-)(\d+)/.exec(name)?.[1]
  return found === undefined ? null : Number(found)
}

export const asking = (app: App, signedIn: SignedIn | null): ContractDeps => ({
  app,
  sources: [async () => signedIn],
})

export const request = { method: 'POST', headers: {} } as const

/** Tokens of links of this form in the messages to an address, newest first. */
export async function tokensIn(scene: Scene, email: string, form: RegExp): Promise<readonly string[]> {
  const mails = await keptMail(scene.world.app, email)
  return mails.flatMap((mail) => mail.links.flatMap((link) => form.exec(link)?.[1] ?? []))
}

/** What a refusal says, or the error itself when it is none. */
export function refusal(error: unknown): { readonly code: string; readonly caseId: string | null } {
  const coded = error as { code?: unknown; details?: { caseId?: unknown } } | null
  if (!(error instanceof Error) || error.constructor.name !== 'CodedError' || typeof coded?.code !== 'string')
    throw error
  const { caseId } = coded.details ?? {}
  return { code: coded.code, caseId: typeof caseId === 'string' ? caseId : null }
}
