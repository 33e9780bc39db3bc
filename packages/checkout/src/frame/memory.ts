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
}

// A browser may forbid storage to frames. Then it lasts as long as the page, which is enough to buy.
const kept = new Map<string, string>()

function storage(): Storage | null {
  try {
    return window.sessionStorage
  } catch {
    // Forbidden is an answer: `kept` takes over.
    return null
  }
}

const read = (key: string): unknown => JSON.parse(storage()?.getItem(`bursar.${key}`) ?? kept.get(key) ?? 'null')

function write(key: string, value: unknown): void {
  const text = JSON.stringify(value)
  kept.set(key, text)
  storage()?.setItem(`bursar.${key}`, text)
}

const living = <T extends { readonly expiresAt: number }>(value: unknown): T | null =>
  value !== null && (value as T).expiresAt > nowMs() ? (value as T) : null

export const readSession = (organization: string): Session | null => living(read(`session.${organization}`))
export const writeSession = (organization: string, session: Session | null): void =>
  write(`session.${organization}`, session)

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
