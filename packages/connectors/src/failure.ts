/**
 * Why a platform did not do what was asked, as the decision it calls for. A connector returns one of these and
 * never throws for what the other side does.
 *
 * rate_limited      its limit is reached; nothing happened; wait `retryAfterMs`
 * unavailable       down, slow or broken (5xx, timeout, connection lost)
 * unauthorized      our credentials or rights are refused; every call to this connection will be
 * not_yet_visible   it does not see yet what it just accepted; wait a moment
 * needs_learner     the learner must do something first
 * needs_person      somebody on our side must do or decide something
 * invalid           it refuses this input; the same call will never succeed
 * conflict          it holds another state than we assumed; look again
 */
export const failureClasses = [
  'rate_limited',
  'unavailable',
  'unauthorized',
  'not_yet_visible',
  'needs_learner',
  'needs_person',
  'invalid',
  'conflict',
] as const

export type FailureClass = (typeof failureClasses)[number]

export type Failure = {
  readonly class: FailureClass
  /** Stable and ours, such as `learnworlds.course_not_found`; equal causes have equal codes. */
  readonly code: string
  /** One sentence for an operator; never a secret, never a login link. */
  readonly message: string
  readonly status?: number
  readonly retryAfterMs?: number
  /** The input field the platform refused, when it says so: `email`, `username`, … */
  readonly field?: string
  /** It may have been done all the same (a timeout after sending): look before repeating. */
  readonly uncertain?: boolean
  /** Our own budget said wait: no call was made. */
  readonly unsent?: boolean
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure }

export const done = <T>(value: T): Outcome<T> => ({ ok: true, value })
export const failed = (failure: Failure): { readonly ok: false; readonly failure: Failure } => ({ ok: false, failure })
