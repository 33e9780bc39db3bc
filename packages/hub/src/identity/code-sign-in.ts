import type { Instant } from '@bursar/kit/clock.ts'
import type { SignedIn } from './signed-in.ts'

/** Where a code was asked for or typed in: the organization decides whose people are meant. */
export type CodeContext = {
  readonly organization: string
  /** The client's network address and browser, kept with the session so that its owner can recognise it. */
  readonly address: string | null
  readonly userAgent: string | null
}

/**
 * Why a code was not taken. `wrong` covers wrong, used and too old alike: whoever guesses learns nothing more.
 * `too_many` asks for a new code, `rate_limited` for patience; `unavailable` is the provider's fault, not the
 * person's; `second_factor` means the provider wants one, which only its own page can ask for.
 */
export type CodeRefusal = 'wrong' | 'too_many' | 'rate_limited' | 'unavailable' | 'second_factor'

export type CodeVerified = {
  readonly signedIn: SignedIn
  /** The session's secret in clear, this once. */
  readonly token: string
  readonly expiresAt: Instant
  /** Nobody in this organization was known by this issuer and subject before. */
  readonly isNew: boolean
}

/** Signing in with a code sent to a mailbox; the built-in provider and an external one look alike to the caller. */
export type CodeSignIn = {
  /**
   * Has a code sent. Answers alike for known and unknown addresses. Throws `rate_limited` or `upstream_failed`, both
   * without regard to the address.
   */
  request(email: string, context: CodeContext): Promise<void>
  verify(email: string, code: string, context: CodeContext): Promise<CodeVerified | { readonly refused: CodeRefusal }>
}
