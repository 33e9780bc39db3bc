import { fill, words } from '#language.ts'
import { send } from './browser.ts'
import type { Session } from './memory.ts'

export type Refused = {
  readonly ok: false
  readonly code: string
  /** For people, in their language where we have the words. */
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}
export type Answer<T> = { readonly ok: true; readonly value: T } | Refused

const refused = (code: string, message: string, details: Refused['details'] = {}): Refused => ({
  ok: false,
  code,
  message,
  details,
})

type Asking = {
  readonly organization: string
  readonly session?: Session | null
  readonly key?: string
}

/** One call of the hub. Whatever goes wrong is an answer: people wait for a sentence, not for an exception. */
export async function ask<T>(path: string, body: object | null, asking: Asking): Promise<Answer<T>> {
  const { token } = asking.session ?? { token: null }
  const headers: Record<string, string> = { 'bursar-organization': asking.organization }
  if (body !== null) headers['content-type'] = 'application/json'
  if (token !== null) headers.authorization = `Bearer ${token}`
  if (asking.key !== undefined) headers['idempotency-key'] = asking.key
  try {
    const response = await send(path, {
      method: body === null ? 'GET' : 'POST',
      headers,
      ...(body === null ? {} : { body: JSON.stringify(body) }),
      // Frames live without cookies; the hub's own pages send theirs.
      credentials: 'same-origin',
      cache: 'no-store',
    })
    const value = (await response.json()) as T & {
      readonly error?: { readonly code: string; readonly message: string }
    }
    if (response.ok) return { ok: true, value }
    const { code = 'internal', message = '', ...details } = value.error ?? {}
    if (response.status === 429)
      return refused(code, fill(words.t_limited, { s: response.headers.get('retry-after') ?? '60' }), details)
    return refused(code, response.status < 500 && message !== '' ? message : words.t_failed, details)
  } catch {
    // Neither reached nor readable: to whoever waits it is the same, and they are told.
    return refused('offline', navigator.onLine ? words.t_failed : words.t_offline)
  }
}

export type Seat = {
  readonly enrollmentId: string | null
  readonly course: string
  readonly school: string
  readonly state: 'open' | 'preparing' | 'waiting' | 'closed'
  readonly message: string
}

export type OrderStatus = {
  readonly orderRef: string
  readonly status: string
  readonly payment: 'pending' | 'processing' | 'paid' | 'failed' | 'expired' | 'refunded'
  readonly claimed: boolean
  readonly email: string | null
  readonly seats: readonly Seat[]
}

/** A new session, as the hub hands it out. */
export type Verified = {
  readonly token?: string
  readonly expiresAt: string | number
  readonly isNew?: boolean
  readonly email?: string
}

export type Onboarded = {
  readonly success: boolean
  readonly status: 'open' | 'preparing' | 'failed'
  readonly enrollments: readonly {
    readonly enrollmentId: string | null
    readonly title: string
    readonly school: string
    readonly status: string
    readonly message: string
  }[]
  readonly message: string
}
