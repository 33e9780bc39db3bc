import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'
import type { Instant } from '../clock.ts'
import { CodedError } from '../errors.ts'
import { type Random, secureRandom } from '../random.ts'
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

export type { IncomingHeaders, SignatureFault, Verified } from './verdict.ts'

type Named = { readonly id?: string }
export type HmacKey = { readonly kind: 'v1'; readonly secret: Uint8Array }
export type StandardKey = (HmacKey | { readonly kind: 'v1a'; readonly publicKey: KeyObject }) & Named & KeyValidity
export type StandardSigningKey = HmacKey | { readonly kind: 'v1a'; readonly privateKey: KeyObject }

export type StandardHeaders = {
  readonly 'webhook-id': string
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

const secretMaxBytes = 64
const newSecretBytes = 32
const ed25519KeyBytes = 32
const ed25519SignatureBytes = 64
const signatureHeaderMax = 4096
const signaturesMax = 16
const idPattern = /^[A-Za-z0-9_-]{1,128}$/
const timestampPattern = /^[0-9]{1,12}$/
const base64Pattern = /^[A-Za-z0-9+/]+={0,2}$/
// The fixed start of a PKCS #8 Ed25519 key (RFC 8410); the 32 bytes of the seed follow.
const pkcs8Start = Buffer.from('302e020100300506032b657004220420', 'hex')

const weak = (message: string): never => {
  throw new CodedError('secret_weak', message)
}

function decode(text: string, prefix: string): Buffer {
  const rest = text.trim().slice(prefix.length)
  return base64Pattern.test(rest) ? Buffer.from(rest, 'base64') : weak('The key is not valid base64.')
}

/** The bytes of a `whsec_…` secret. Throws `secret_weak` unless they are 24 to 64. */
export function parseSecret(text: string): Buffer {
  if (!text.trim().startsWith('whsec_')) return weak('The secret must start with whsec_.')
  const secret = decode(text, 'whsec_')
  if (secret.length < secretMinBytes || secret.length > secretMaxBytes)
    return weak(`The secret must have ${secretMinBytes} to ${secretMaxBytes} bytes.`)
  return secret
}

export const generateSecret = (random: Random = secureRandom): string =>
  `whsec_${Buffer.from(random.bytes(newSecretBytes)).toString('base64')}`

/** A key to verify with: `whsec_…` (HMAC) or `whpk_…` (Ed25519). Throws `secret_weak` when it cannot be used. */
export function parseVerifyingKey(text: string, named: Named & KeyValidity = {}): StandardKey {
  if (!text.trim().startsWith('whpk_')) return { kind: 'v1', secret: parseSecret(text), ...named }
  const raw = decode(text, 'whpk_')
  if (raw.length !== ed25519KeyBytes) return weak('An Ed25519 public key has 32 bytes.')
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }
  return { kind: 'v1a', publicKey: createPublicKey({ key: jwk, format: 'jwk' }), ...named }
}

/** A key to sign with: `whsec_…` or `whsk_…` (an Ed25519 seed, with or without its public half). */
export function parseSigningKey(text: string): StandardSigningKey {
  if (!text.trim().startsWith('whsk_')) return { kind: 'v1', secret: parseSecret(text) }
  const raw = decode(text, 'whsk_')
  if (raw.length !== ed25519KeyBytes && raw.length !== 2 * ed25519KeyBytes)
    return weak('An Ed25519 private key has 32 or 64 bytes.')
  const der = Buffer.concat([pkcs8Start, raw.subarray(0, ed25519KeyBytes)])
  return { kind: 'v1a', privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) }
}

/**
 * The three headers of the Standard Webhooks scheme over exactly these bytes, one signature per key. A retry keeps the
 * id and takes a new timestamp (seconds). Throws `secret_weak` for a short secret and a RangeError for an id with
 * characters outside A-Z a-z 0-9 _ -.
 */
export function signStandard(
  message: { readonly id: string; readonly timestampS: number; readonly body: Bytes },
  keys: readonly StandardSigningKey[],
): StandardHeaders {
  const timestamp = String(message.timestampS)
  if (!idPattern.test(message.id) || !timestampPattern.test(timestamp)) throw new RangeError('unusable id or timestamp')
  if (keys.length === 0) weak('There is no key to sign with.')
  const start = `${message.id}.${timestamp}.`
  const signatures = keys.map((key) => {
    if (key.kind === 'v1a') {
      const signed = Buffer.concat([Buffer.from(start), Buffer.from(message.body)])
      return `v1a,${signBytes(null, signed, key.privateKey).toString('base64')}`
    }
    if (key.secret.length < secretMinBytes) weak('The secret is too short.')
    return `v1,${hmacSha256(key.secret, start, message.body).toString('base64')}`
  })
  return { 'webhook-id': message.id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}

function fits(key: StandardKey, scheme: string, given: Buffer, start: string, body: Uint8Array): boolean {
  if (key.kind !== scheme) return false
  if (key.kind === 'v1') return bytesEqual(given, hmacSha256(key.secret, start, body))
  return (
    given.length === ed25519SignatureBytes &&
    verifyBytes(null, Buffer.concat([Buffer.from(start), body]), key.publicKey, given)
  )
}

/**
 * Checks a delivery over its raw bytes. `now` in ms. Never throws for what a sender can send; a key outside its
 * validity does not count, but is named in `keyId`.
 */
export function verifyStandard(
  body: Uint8Array,
  headers: IncomingHeaders,
  keys: readonly StandardKey[],
  now: Instant,
): Verified {
  if (keys.length === 0 || keys.some((k) => k.kind === 'v1' && k.secret.length < secretMinBytes))
    return refused('secret_weak')
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp']
  const signature = headers['webhook-signature']
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string')
    return refused('signature_missing')
  // Node joins a header sent twice with ", "; inside one header a space never follows a comma.
  if (signature.includes(', ')) return refused('signature_missing')
  if (!idPattern.test(id) || !timestampPattern.test(timestamp) || signature.length > signatureHeaderMax)
    return refused('signature_malformed')
  if (!withinWindow(Number(timestamp), now)) return refused('signature_expired')

  const start = `${id}.${timestamp}.`
  let good = false
  let retired: string | undefined
  for (const part of signature.split(' ').slice(0, signaturesMax)) {
    const comma = part.indexOf(',')
    const text = part.slice(comma + 1)
    if (comma < 0 || !base64Pattern.test(text)) continue
    const given = Buffer.from(text, 'base64')
    for (const key of keys) {
      if (!fits(key, part.slice(0, comma), given, start, body)) continue
      if (isValidAt(key, now)) good = true
      else retired = key.id
    }
  }
  return good ? { ok: true, id, timestamp: Number(timestamp) } : refused('signature_invalid', retired)
}
