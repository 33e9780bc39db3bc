import type { Instant } from '../clock.ts'
import { type Bytes, bytesEqual, hmacSha256 } from './hmac.ts'
import { type Refused, refused, withinWindow } from './verdict.ts'

// Stripe's own are 38 characters; shorter than this is no secret.
const secretMinLength = 16

export type StripeVerified = { readonly ok: true; readonly timestamp: number } | Refused

const headerMax = 4096
const signaturesMax = 16
const timestampPattern = /^[0-9]{1,12}$/
const hex64 = /^[0-9a-f]{64}$/i

const macOf = (body: Bytes, secret: string, timestampS: number | string): Buffer =>
  hmacSha256(secret, `${timestampS}.`, body)

/** A `Stripe-Signature` value, as Stripe makes it. The whole secret text is the key, its `whsec_` included. */
export const signStripe = (body: Bytes, secret: string, timestampS: number): string =>
  `t=${timestampS},v1=${macOf(body, secret, timestampS).toString('hex')}`

type Parsed = { readonly timestamp: string; readonly signatures: readonly string[] }

function parse(header: string): Parsed | null {
  if (header.length > headerMax) return null
  const fields = header.split(',').map((field) => {
    const at = field.indexOf('=')
    return { name: field.slice(0, at).trim(), value: field.slice(at + 1).trim() }
  })
  const [time, ...moreTimes] = fields.filter((f) => f.name === 't')
  // Two times mean two headers joined into one, or an attempt to be read in two ways.
  if (time === undefined || moreTimes.length > 0 || !timestampPattern.test(time.value)) return null
  const signatures = fields.filter((f) => f.name === 'v1').map((f) => f.value)
  return signatures.length === 0 ? null : { timestamp: time.value, signatures: signatures.slice(0, signaturesMax) }
}

/**
 * Checks a Stripe delivery over its raw bytes. Unlike the SDK it refuses times from the future and answers every kind
 * of garbage with a reason instead of an exception. Several secrets and several `v1` are all tried. `now` in ms.
 */
export function verifyStripe(
  body: Uint8Array,
  header: string | readonly string[] | undefined,
  secrets: readonly string[],
  now: Instant,
): StripeVerified {
  if (secrets.length === 0 || secrets.some((s) => s.trim().length < secretMinLength)) return refused('secret_weak')
  if (typeof header !== 'string') return refused('signature_missing')
  const parsed = parse(header)
  if (parsed === null) return refused('signature_malformed')
  if (!withinWindow(Number(parsed.timestamp), now)) return refused('signature_expired')
  let good = false
  for (const secret of secrets) {
    const expected = macOf(body, secret, parsed.timestamp)
    for (const signature of parsed.signatures) {
      if (hex64.test(signature) && bytesEqual(Buffer.from(signature, 'hex'), expected)) good = true
    }
  }
  return good ? { ok: true, timestamp: Number(parsed.timestamp) } : refused('signature_invalid')
}
