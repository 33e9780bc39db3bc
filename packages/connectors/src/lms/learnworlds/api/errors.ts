import { type HttpFailure, parseRetryAfter } from '@bursar/kit/http.ts'
import type { Failure, FailureClass } from '../../../failure.ts'

type Answer = {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

type Complaint = { readonly text: string; readonly field: string | null; readonly context: string | null }

const messageLimit = 300

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // not JSON: the caller sees `undefined` and says so
  }
}

const firstString = (value: unknown): string | null => {
  if (typeof value === 'string') return value
  if (Array.isArray(value) || isRecord(value)) {
    for (const inner of Object.values(value)) {
      const found = firstString(inner)
      if (found !== null) return found
    }
  }
  return null
}

/**
 * Reads any of the four ways in which LearnWorlds tells an error: a list of `{code, context, message}`, a bare
 * `error` text, `errors` keyed by field, or a page.
 */
export function readComplaint(body: string): Complaint | null {
  const json = parseJson(body)
  if (!isRecord(json)) return null
  const errors = json.errors
  if (Array.isArray(errors) && isRecord(errors[0])) {
    const [first] = errors
    const text = typeof first.message === 'string' ? first.message : 'no message'
    return { text, field: null, context: typeof first.context === 'string' ? first.context : null }
  }
  if (isRecord(errors)) {
    const field = Object.keys(errors)[0] ?? null
    const detail = field === null ? null : firstString(errors[field])
    const general = typeof json.message === 'string' ? json.message : 'Validation failed.'
    return { text: detail === null ? general : `${field}: ${detail}`, field, context: null }
  }
  if (typeof json.error === 'string') return { text: json.error, field: null, context: null }
  if (typeof json.message === 'string') return { text: json.message, field: null, context: null }
  return null
}

/** Milliseconds to wait as the answer asks, in seconds or as a date; nothing when it does not say. */
const retryAfter = (answer: Answer, now: number): { readonly retryAfterMs?: number } => {
  const asked = parseRetryAfter(answer.headers['retry-after'], now)
  return asked === null ? {} : { retryAfterMs: asked }
}

// E-mail addresses appear in validation messages; a failure is stored and shown, so they are cut out.
const withoutAddresses = (text: string) => text.replace(/[^\s"'<>()]+@[^\s"'<>()]+/g, '{email}').slice(0, messageLimit)

export const isAccessDenied = (answer: Answer): boolean =>
  answer.status === 401 || (answer.status === 400 && readComplaint(answer.body)?.context === 'access_denied')

const duplicateUser = /(already|exists|taken|in use|registered)/i
const alreadyOwned = /already owned/i

const failure = (cls: FailureClass, code: string, message: string, more: Partial<Failure> = {}): Failure => ({
  class: cls,
  code: `learnworlds.${code}`,
  message: withoutAddresses(message),
  ...more,
})

/** A refusal that asks for correction: what is wrong decides the code, so that equal causes have equal codes. */
function refusal(status: number, complaint: Complaint | null): Failure {
  const text = complaint?.text ?? `The school refused the request with status ${status}.`
  const more = { status, ...(complaint?.field == null ? {} : { field: complaint.field }) }
  if (alreadyOwned.test(text)) return failure('conflict', 'already_owned', text, more)
  if (duplicateUser.test(text) && /(user|e-?mail)/i.test(text))
    return failure('conflict', 'user_exists', text, { ...more, field: 'email' })
  if (status === 409) return failure('conflict', 'conflict', text, more)
  return failure('invalid', 'rejected', text, more)
}

const looksLikePage = (answer: Answer) =>
  (answer.headers['content-type'] ?? '').includes('text/html') || answer.body.trimStart().startsWith('<')

/**
 * What an answer means, null when it is a success. `wrote` says that the call may have changed something, so that
 * a broken answer leaves the outcome open.
 */
export function classifyAnswer(answer: Answer, now: number, wrote = false): Failure | null {
  const { status } = answer
  const uncertain = wrote ? { uncertain: true } : {}
  const complaint = readComplaint(answer.body)
  if (status === 429) {
    const more = { status, ...retryAfter(answer, now) }
    return failure('rate_limited', 'rate_limited', 'The school has had too many requests in its window.', more)
  }
  if (isAccessDenied(answer))
    return failure('unauthorized', 'access_denied', 'The school refuses our token. Check client id and secret.', {
      status,
    })
  if (status === 403)
    return failure('unauthorized', 'forbidden', complaint?.text ?? 'The plan or the key lacks this right.', { status })
  if (status === 404)
    return failure('invalid', 'not_found', complaint?.text ?? 'The school knows no such thing.', { status })
  if (status >= 500)
    return failure('unavailable', 'server_error', `The school answered with status ${status}.`, {
      status,
      ...uncertain,
      ...retryAfter(answer, now),
    })
  if (status >= 300 && status < 400)
    return failure('unauthorized', 'redirected', 'The address leads elsewhere. Check the base URL of the school.', {
      status,
    })
  if (status >= 400) return refusal(status, complaint)
  if (status === 204) return null
  if (answer.body.trim() === '' || looksLikePage(answer))
    return failure(
      'unauthorized',
      'not_json',
      'The school answered with a page or nothing. Check host and client id.',
      {
        status,
      },
    )
  const json = parseJson(answer.body)
  if (json === undefined)
    return failure('unavailable', 'unreadable', 'The answer broke off or is not JSON.', { status, ...uncertain })
  if (isRecord(json) && json.success === false) return refusal(status, complaint)
  return null
}

/** No answer at all. After sending a write, the outcome is open. */
export function classifyLost(lost: HttpFailure, wrote: boolean): Failure {
  const uncertain = wrote && lost.maybeSent ? { uncertain: true } : {}
  switch (lost.kind) {
    case 'blocked':
    case 'invalid':
      return failure('needs_person', 'address_refused', 'The base URL is not an address that may be called.')
    case 'timeout':
      return failure('unavailable', 'timeout', 'The school did not answer in time.', uncertain)
    case 'too_large':
      return failure('unavailable', 'too_large', 'The answer was longer than we accept.', uncertain)
    case 'refused':
    case 'reset':
    case 'dns':
    case 'tls':
      return failure('unavailable', `connection_${lost.kind}`, 'The connection to the school failed.', uncertain)
  }
}

export const learnWorldsFailure = failure
