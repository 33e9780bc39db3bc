import type { Instant } from '../clock.ts'
import type { ErrorCode } from '../errors.ts'

/** Why a signature does not count. Each is a code of the error table. */
export type SignatureFault = Extract<
  ErrorCode,
  'signature_missing' | 'signature_malformed' | 'signature_invalid' | 'signature_expired' | 'secret_weak'
>

/** `keyId` names a key of ours that fits but is no longer valid: worth an alert, safe to show. */
export type Refused = { readonly ok: false; readonly reason: SignatureFault; readonly keyId?: string }

/** `timestamp` in seconds since the epoch, as signed. */
export type Verified = { readonly ok: true; readonly id: string; readonly timestamp: number } | Refused

export type IncomingHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** How far a signed time may lie from ours, in both directions. Not a setting: zero or a year would open replays. */
export const toleranceS = 300

/** The lower bound of the Standard Webhooks specification. */
export const secretMinBytes = 24

export const refused = (reason: SignatureFault, keyId?: string): Refused =>
  keyId === undefined ? { ok: false, reason } : { ok: false, reason, keyId }

export const withinWindow = (timestampS: number, now: Instant): boolean =>
  Math.abs(Math.floor(now / 1000) - timestampS) <= toleranceS

/** From when until when a key counts, for rotations with overlap. */
export type KeyValidity = { readonly notBefore?: Instant; readonly notAfter?: Instant }

export const isValidAt = (key: KeyValidity, now: Instant): boolean =>
  (key.notBefore === undefined || key.notBefore <= now) && (key.notAfter === undefined || now < key.notAfter)
