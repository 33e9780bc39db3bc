import { chance } from '#chance.ts'
import { nowMs } from './browser.ts'

/** Who is signed in here. The token stays in this frame; on the hub's own pages a cookie takes its place. */
export type Session = { readonly token: string | null; readonly email: string; readonly expiresAt: number }

export type Order = {
  readonly orderRef: string
  readonly claimSecret: string | null
  readonly clientSecret: string | null
  readonly publishableKey: string | null
  readonly url: string | null
  readonly mode: string
  readonly expiresAt: number
  /** As the buyer typed it here; a hint for the sign-in. */
  readonly email: string
  readonly gift: boolean
  /** Under which name the key of its cart is kept. */
  readonly cart: string
}

// A browser may forbid storage to frames. Then it lasts as long as the page, which is enough to buy.
const kept = new Map<string, string>()

/** `session` is this tab's, `local` is every tab's on the same site: browsers part both by the site around us. */
type Place = 'session' | 'local'

function storage(place: Place): Storage | null {
  try {
    return window[`${place}Storage`]
  } catch {
    // Forbidden is an answer: `kept` takes over.
    return null
  }
}

const read = (key: string, place: Place = 'session'): unknown =>
  JSON.parse(storage(place)?.getItem(`bursar.${key}`) ?? kept.get(key) ?? 'null')

function write(key: string, value: unknown, place: Place = 'session'): void {
  const text = JSON.stringify(value)
  kept.set(key, text)
  try {
    storage(place)?.setItem(`bursar.${key}`, text)
  } catch {
    // Full is like forbidden.
  }
}

const living = <T extends { readonly expiresAt: number }>(value: unknown): T | null =>
  value !== null && (value as T).expiresAt > nowMs() ? (value as T) : null

export const readSession = (organization: string): Session | null => living(read(`session.${organization}`))
export const writeSession = (organization: string, session: Session | null): void =>
  write(`session.${organization}`, session)

/** Whether a storage event is about who is signed in. */
export const isSessionKey = (key: string | null): boolean => key?.startsWith('bursar.session.') === true

export const readOrder = (key: string): Order | null => living(read(`order.${key}`))
/** Under what was asked for, so that a reload goes on, and under its reference, for the status element beside us. */
export function writeOrder(key: string, order: Order): void {
  write(`order.${key}`, order)
  write(`order.${order.orderRef}`, order)
}
export const forgetOrder = (key: string): void => write(`order.${key}`, null)

// As long as a code is good.
const codeMs = 10 * 60_000
type Sent = { readonly email: string; readonly expiresAt: number }
/** The address a code went to a moment ago: whoever reloads the page types that one, and gets no second mail. */
export const readSent = (organization: string): string | null =>
  living<Sent>(read(`sent.${organization}`))?.email ?? null
export const writeSent = (organization: string, email: string | null): void =>
  write(`sent.${organization}`, email === null ? null : { email, expiresAt: nowMs() + codeMs })

// An hour less than a checkout lives, so that nobody is led into one that is about to end.
const cartMs = 22 * 3_600_000

/**
 * A short name for what was asked for: words to a person that gets a gift do not belong into a list of keys. Two carts of
 * one name would only be refused by the hub, and get a new key then.
 */
export const cartName = (asked: object): string =>
  `cart.${[...JSON.stringify(asked)].reduce((sum, c) => (Math.imul(sum, 31) + c.charCodeAt(0)) | 0, 0)}`

/** One key per cart, the same in every tab, because the hub makes one order per key. */
export function cartKey(cart: string): string {
  const known = living<{ readonly key: string; readonly expiresAt: number }>(read(cart, 'local'))
  if (known !== null) return known.key
  const key = chance()
  write(cart, { key, expiresAt: nowMs() + cartMs }, 'local')
  return key
}
/** Its order is over, so the same wish is a new order; other tabs hear of it. */
export const forgetCart = (cart: string): void => write(cart, null, 'local')
/** Calls when another tab forgets this cart. */
export function onCartForgotten(cart: string, call: () => void, signal: AbortSignal): void {
  addEventListener('storage', ({ key, newValue }) => key === `bursar.${cart}` && newValue === 'null' && call(), {
    signal,
  })
}
