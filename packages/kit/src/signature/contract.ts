import type { Instant } from '../clock.ts'
import { CodedError } from '../errors.ts'
import { type Bytes, bytesEqual, hmacSha256 } from './hmac.ts'
import {
  type IncomingHeaders,
  isValidAt,
  type KeyValidity,
  refused,
  secretMinBytes,
  type Verified,
  withinWindow,
} from './verdict.ts'

// The commerce-LMS contract's header names with a sound scheme behind them: method, path, id, key and time are signed
// together with the body. The contract's own `sha256=<body only>` can be replayed at will and is refused.

/** One per direction and endpoint, so that a message cannot be reflected. */
export type ContractKey = { readonly kid: string; readonly secret: Uint8Array } & KeyValidity

export type ContractMessage = {
  /** Stable across retries; travels as X-Idempotency-Key. */
  readonly id: string
  readonly timestampS: number
  readonly method: string
  /** As in the request line: path and query. */
  readonly path: string
  readonly body: Bytes
}

export type ContractHeaders = {
  readonly 'x-idempotency-key': string
  readonly 'x-webhook-timestamp': string
  readonly 'x-webhook-signature': string
}

const idPattern = /^[A-Za-z0-9_-]{1,128}$/
const methodPattern = /^[A-Z]{1,10}$/
const headerPattern = /^t=([0-9]{1,12}),kid=([A-Za-z0-9_-]{1,64}),v1=([0-9a-fA-F]{64})$/
const openBrace = 0x7b
const openBracket = 0x5b

/**
 * Path and body stand side by side, and a path may contain dots. With JSON bodies only, and no bracket in the path,
 * there is one way to read the signed text.
 */
function isUnambiguous(path: string, body: Uint8Array): boolean {
  const first = body[0]
  return /^\/[^{[]*$/.test(path) && (first === undefined || first === openBrace || first === openBracket)
}

const macOf = (key: ContractKey, m: Omit<ContractMessage, 'body'>, body: Uint8Array): Buffer =>
  hmacSha256(key.secret, `v1.${key.kid}.${m.id}.${m.timestampS}.${m.method}.${m.path}.`, body)

/** Throws `secret_weak` for a short secret and a RangeError for a message this scheme cannot carry. */
export function signContract(message: ContractMessage, key: ContractKey): ContractHeaders {
  if (key.secret.length < secretMinBytes) throw new CodedError('secret_weak')
  const body = Buffer.from(message.body)
  const sound = idPattern.test(message.id) && methodPattern.test(message.method) && isUnambiguous(message.path, body)
  const signature = `t=${message.timestampS},kid=${key.kid},v1=${macOf(key, message, body).toString('hex')}`
  if (!sound || !headerPattern.test(signature)) throw new RangeError('unusable id, key id, method, path, time or body')
  return {
    'x-idempotency-key': message.id,
    'x-webhook-timestamp': String(message.timestampS),
    'x-webhook-signature': signature,
  }
}

/** Checks a contract request over its raw bytes. `now` in ms. Never throws for what a sender can send. */
export function verifyContract(
  request: {
    readonly method: string
    readonly path: string
    readonly headers: IncomingHeaders
    readonly body: Uint8Array
  },
  keys: readonly ContractKey[],
  now: Instant,
): Verified {
  if (keys.length === 0 || keys.some((k) => k.secret.length < secretMinBytes)) return refused('secret_weak')
  const id = request.headers['x-idempotency-key']
  const signature = request.headers['x-webhook-signature']
  if (typeof id !== 'string' || typeof signature !== 'string') return refused('signature_missing')
  const [, time = '', kid = '', hex = ''] = headerPattern.exec(signature) ?? []
  if (hex === '' || !idPattern.test(id)) return refused('signature_malformed')
  if (!methodPattern.test(request.method) || !isUnambiguous(request.path, request.body))
    return refused('signature_malformed')
  // The contract's own time header is not signed; it may repeat the signed time, never contradict it.
  if ((request.headers['x-webhook-timestamp'] ?? time) !== time) return refused('signature_malformed')
  if (!withinWindow(Number(time), now)) return refused('signature_expired')
  const key = keys.find((k) => k.kid === kid)
  if (key === undefined) return refused('signature_invalid')
  const message = { id, timestampS: Number(time), method: request.method, path: request.path }
  if (String(message.timestampS) !== time) return refused('signature_malformed')
  if (!bytesEqual(Buffer.from(hex, 'hex'), macOf(key, message, request.body))) return refused('signature_invalid')
  return isValidAt(key, now) ? { ok: true, id, timestamp: message.timestampS } : refused('signature_invalid', kid)
}
