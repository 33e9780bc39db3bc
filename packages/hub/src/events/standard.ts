import type { Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { parseVerifyingKey, type StandardKey, verifyStandard } from '@bursar/kit/signature/standard.ts'
import type { RawDelivery, Verdict } from './endpoint.ts'

const keysOf = (secrets: readonly string[]): readonly StandardKey[] | null => {
  try {
    return secrets.map((s) => parseVerifyingKey(s))
  } catch (error) {
    if (error instanceof CodedError) return null
    throw error
  }
}

const parse = (body: Buffer): Readonly<Record<string, unknown>> | null => {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    // Not JSON or not UTF-8: the answer says so (body_unreadable).
    return null
  }
}

/**
 * A delivery in the Standard Webhooks scheme. The event's id is `webhook-id`, which a retry keeps; its type and time
 * stand in the signed body.
 */
export function verifyStandardDelivery(delivery: RawDelivery, secrets: readonly string[], now: Instant): Verdict {
  const keys = keysOf(secrets)
  if (keys === null) return { ok: false, reason: 'secret_weak' }
  const verified = verifyStandard(delivery.body, delivery.headers, keys, now)
  if (!verified.ok) return verified
  const body = parse(delivery.body)
  if (body === null || typeof body.type !== 'string') return { ok: false, reason: 'body_unreadable' }
  const at = typeof body.timestamp === 'string' ? Date.parse(body.timestamp) : Number.NaN
  return {
    ok: true,
    event: {
      externalId: verified.id,
      type: body.type,
      form: 'snapshot',
      livemode: null,
      account: null,
      apiVersion: null,
      occurredAt: Number.isNaN(at) ? verified.timestamp * 1000 : at,
    },
  }
}
