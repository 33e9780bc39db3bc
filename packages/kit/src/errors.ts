/**
 * Every code a caller can meet, in one table. Callers switch on the code, never on the English. `fix` is the
 * sentence that says what to do; it is the default when the place that fails knows nothing better.
 * Docs (docs/reference/errors.md) and tests read this table.
 */
export const errorTable = {
  input_invalid: {
    status: 400,
    summary: 'The input does not have the expected shape.',
    fix: 'Correct the fields named in `issues` and send again.',
  },
  body_unreadable: {
    status: 400,
    summary: 'The body is not what its content type says.',
    fix: 'Send UTF-8 JSON with content-type application/json.',
  },
  signature_missing: {
    status: 400,
    summary: 'A signature header is missing or stands twice.',
    fix: 'Send each signature header exactly once.',
  },
  signature_malformed: {
    status: 400,
    summary: 'A signature header cannot be read.',
    fix: 'Follow the header format of the scheme.',
  },
  signature_invalid: {
    status: 400,
    summary: 'The signature does not fit the bytes received.',
    fix: 'Check the secret, and that nothing between sender and hub rewrites the body.',
  },
  signature_expired: {
    status: 400,
    summary: 'The signed time lies outside the window of five minutes.',
    fix: 'Check the sender\u2019s clock; sign every attempt anew.',
  },
  encoding_unsupported: {
    status: 415,
    summary: 'The body is compressed or not of a supported type.',
    fix: 'Send the body uncompressed.',
  },
  body_too_large: {
    status: 413,
    summary: 'The body is larger than this route accepts.',
    fix: 'Send at most the number of bytes named in `limit`.',
  },
  unauthenticated: {
    status: 401,
    summary: 'No valid credentials.',
    fix: 'Send an API key as `Authorization: Bearer \u2026`.',
  },
  forbidden: {
    status: 403,
    summary: 'The caller may not do this.',
    fix: 'Use a key that holds the scope named in `scope`.',
  },
  not_found: {
    status: 404,
    summary: 'There is no such thing, or not for this caller.',
    fix: 'Check the id and the organization.',
  },
  second_factor_required: {
    status: 403,
    summary: 'This needs a second factor of the last minutes.',
    fix: 'Confirm with your authenticator, a backup code or a passkey, then do it again.',
  },
  organization_needed: {
    status: 400,
    summary: 'It is not clear which organization is meant.',
    fix: 'Name it in the header Bursar-Organization (its slug or id).',
  },
  email_unproven: {
    status: 403,
    summary: 'The mailbox was not proven in this session.',
    fix: 'Ask for a code to that address and sign in with it.',
  },
  email_differs: {
    status: 409,
    summary: 'The purchase was paid with another e-mail address than yours.',
    fix: 'Show both addresses, ask for a confirmation, and send again with `confirmEmail: true`.',
  },
  not_paid: {
    status: 409,
    summary: 'The payment is not confirmed yet.',
    fix: 'Wait some seconds and send the same request again.',
  },
  order_closed: {
    status: 409,
    summary: 'This order gives no access: it was refunded, disputed, canceled or expired.',
    fix: 'Read `state`; buy again, or write to whoever sold the course.',
  },
  claimed_already: {
    status: 409,
    summary: 'Somebody else has claimed this purchase.',
    fix: 'Whoever sold the course decides; the case is open.',
  },
  courses_not_paid: {
    status: 422,
    summary: 'The request names courses that this order did not pay for.',
    fix: 'Leave `courseIds` and `bundleIds` out, or name only what was bought.',
  },
  promotion_unknown: {
    status: 422,
    summary: 'The promotion code is unknown, over or not for this cart.',
    fix: 'Check the code, or order without it.',
  },
  code_wrong: {
    status: 401,
    summary: 'The code is wrong, used or too old.',
    fix: 'Check the newest mail, or ask for a new code.',
  },
  method_not_allowed: {
    status: 405,
    summary: 'This address does not answer that method.',
    fix: 'Use the method named in the Allow header.',
  },
  conflict: { status: 409, summary: 'The state does not allow this.', fix: 'Read the current state and decide again.' },
  already_exists: {
    status: 409,
    summary: 'Something with this key exists already.',
    fix: 'Use the existing one, or choose another key.',
  },
  idempotency_mismatch: {
    status: 422,
    summary: 'This idempotency key was used with other input.',
    fix: 'Use a new key for a new request.',
  },
  idempotency_in_progress: {
    status: 409,
    summary: 'A request with this idempotency key is still running.',
    fix: 'Wait a moment and send the same request again.',
  },
  livemode_mismatch: {
    status: 400,
    summary: 'A test event reached a live endpoint, or the other way round.',
    fix: 'Use the webhook secret of the same mode.',
  },
  price_unknown: {
    status: 422,
    summary: 'The price is not on sale here.',
    fix: 'Map the price to a product first (prices.map).',
  },
  launch_unavailable: {
    status: 409,
    summary: 'The course cannot be opened yet.',
    fix: 'Read `state` for what is happening; try again when the seat is open.',
  },
  guest_access_off: {
    status: 403,
    summary: 'This organization gives out no links that open a course without signing in.',
    fix: 'Learners open their courses signed in. To allow such links, set guestAccess with organizations.update.',
  },
  link_expired: { status: 410, summary: 'The link was used or is too old.', fix: 'Ask for a new link.' },
  address_forbidden: {
    status: 422,
    summary: 'The address is not one the hub may call.',
    fix: 'Use a public https address.',
  },
  connection_unusable: {
    status: 422,
    summary: 'The connection\u2019s settings do not work.',
    fix: 'Run connections.probe and follow its findings.',
  },
  secret_weak: { status: 422, summary: 'The secret is missing or too short.', fix: 'Use at least 24 random bytes.' },
  rate_limited: { status: 429, summary: 'Too many requests.', fix: 'Wait for the seconds named in Retry-After.' },
  overloaded: {
    status: 503,
    summary: 'The queue is full.',
    fix: 'Send again after the seconds named in Retry-After; nothing was stored.',
  },
  upstream_failed: {
    status: 502,
    summary: 'Another system did not do its part.',
    fix: 'Read `failure`; the hub tries again by itself where that helps.',
  },
  not_ready: { status: 503, summary: 'The program is starting or stopping.', fix: 'Try again in a few seconds.' },
  internal: { status: 500, summary: 'A fault of ours.', fix: 'Send the trace id to whoever runs this hub.' },
} as const satisfies Record<string, { status: number; summary: string; fix: string }>

export type ErrorCode = keyof typeof errorTable

/** An expected outcome that is not the wished one. Everything else that is thrown is a bug and answers `internal`. */
export class CodedError extends Error {
  readonly code: ErrorCode
  /** Facts for the caller, safe to show: no secrets, no personal data of others. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message?: string, details: Record<string, unknown> = {}) {
    super(message ?? errorTable[code].summary)
    this.name = 'CodedError'
    this.code = code
    this.details = details
  }
}

export const fail = (code: ErrorCode, message?: string, details?: Record<string, unknown>): never => {
  throw new CodedError(code, message, details)
}

export type ErrorBody = {
  readonly error: {
    readonly code: ErrorCode
    readonly message: string
    readonly fix: string
    readonly traceId?: string
  } & Record<string, unknown>
}

/** The one shape in which every door tells an error. */
export function errorBody(error: unknown, traceId?: string): { status: number; body: ErrorBody } {
  const coded = error instanceof CodedError ? error : new CodedError('internal')
  const row = errorTable[coded.code]
  return {
    status: row.status,
    body: {
      error: {
        ...coded.details,
        code: coded.code,
        message: coded.message,
        fix: row.fix,
        ...(traceId === undefined ? {} : { traceId }),
      },
    },
  }
}
