import { type Clock, type Instant, second } from '@bursar/kit/clock.ts'
import type { ErrorCode } from '@bursar/kit/errors.ts'
import type { Delivery } from './store.ts'

/** What a verified delivery says about itself. */
export type IncomingEvent = Pick<
  Delivery,
  'externalId' | 'type' | 'form' | 'livemode' | 'account' | 'apiVersion' | 'occurredAt'
>

export type RawDelivery = {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export type Verdict =
  | { readonly ok: true; readonly event: IncomingEvent }
  | { readonly ok: false; readonly reason: ErrorCode; readonly keyId?: string }

/** A webhook secret of a connection. Several are valid while one replaces another. */
export type EndpointSecret = {
  readonly id: string
  readonly secret: string
  readonly validFrom: Instant
  readonly validUntil: Instant | null
}

/** One place that deliveries may come in at: whose they are and how they prove it. */
export type Endpoint = {
  readonly organization: string
  readonly connection: string | null
  /** Provider and connection, `stripe:con_…`; the mode is added from the event. */
  readonly source: string
  /** The mode this endpoint serves; null when the provider has none or both are welcome. */
  readonly livemode: boolean | null
  readonly secrets: readonly EndpointSecret[]
  /** Over the raw bytes; never throws for what a stranger can send. */
  verify(delivery: RawDelivery, secrets: readonly string[], now: Instant): Verdict
}

const isValid = (s: EndpointSecret, now: Instant): boolean =>
  s.validFrom <= now && (s.validUntil === null || now < s.validUntil)

/**
 * Verifies with the secrets that are valid now. When none fits, the retired ones are tried only to name the key a
 * forgotten sender still uses; the answer stays no.
 */
export function verifyAt(endpoint: Endpoint, delivery: RawDelivery, now: Instant): Verdict {
  const verify = (secrets: readonly EndpointSecret[]) =>
    endpoint.verify(
      delivery,
      secrets.map((s) => s.secret),
      now,
    )
  const valid = endpoint.secrets.filter((s) => isValid(s, now))
  const retired = endpoint.secrets.filter((s) => !isValid(s, now))
  const verdict = verify(valid)
  if (verdict.ok || (verdict.reason !== 'signature_invalid' && valid.length > 0)) return verdict
  const key = retired.find((s) => verify([s]).ok)
  if (key !== undefined) return { ok: false, reason: 'signature_invalid', keyId: key.id }
  return verdict
}

export type EndpointLookup = (connectionId: string | null) => Promise<Endpoint | null>

// A rotated secret counts within five seconds everywhere; a burst asks the database once.
const cacheMs = 5 * second
const cacheMax = 1_000

/** Remembers endpoints, and that there is none, for at most five seconds. A failed look-up is not remembered. */
export function cachedLookup(clock: Clock, load: EndpointLookup): EndpointLookup {
  const known = new Map<string, { at: Instant; endpoint: Promise<Endpoint | null> }>()
  return (connectionId) => {
    const key = connectionId ?? ''
    const now = clock.now()
    const hit = known.get(key)
    if (hit !== undefined && now - hit.at < cacheMs) return hit.endpoint
    const entry = { at: now, endpoint: load(connectionId) }
    known.delete(key)
    known.set(key, entry)
    const oldest = known.keys().next().value
    if (known.size > cacheMax && oldest !== undefined) known.delete(oldest)
    entry.endpoint.catch(() => {
      if (known.get(key) === entry) known.delete(key)
    })
    return entry.endpoint
  }
}
