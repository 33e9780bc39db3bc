import type { HttpFailure } from '@bursar/kit/http.ts'
import Stripe from 'stripe'
import { z } from 'zod'
import type { Failure, FailureClass } from '#failure.ts'
import { AmountError } from './money.ts'
import { UnreadableAnswer } from './unreadable.ts'

/** A call that got no answer, or that our own budget held back. Travels through the SDK as the error's `detail`. */
export class NoAnswer extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.message)
    this.name = 'NoAnswer'
    this.failure = failure
  }
}

export const heldBack = (retryAfterMs: number): Failure => ({
  class: 'rate_limited',
  code: 'stripe.budget',
  message: 'Our own budget for this account is used up for the moment.',
  retryAfterMs,
  unsent: true,
})

export const noKey: Failure = {
  class: 'unauthorized',
  code: 'stripe.no_key',
  message: 'This connection has no secret key; it can only verify events.',
  unsent: true,
}

export const transportFailure = (failure: HttpFailure): Failure => ({
  class: failure.kind === 'blocked' || failure.kind === 'invalid' ? 'needs_person' : 'unavailable',
  code: `stripe.${failure.kind}`,
  message: `No answer from Stripe: ${failure.message}`,
  ...(failure.maybeSent ? { uncertain: true } : {}),
})

/** The answer is not Stripe's: a page, half a body, another host. */
export const unreadableBody = (status: number): Failure => ({
  class: 'unavailable',
  code: 'stripe.answer_unreadable',
  message: `Stripe's address answered ${status} with something that is not JSON.`,
  status,
  uncertain: true,
})

export type StripeErrorBody = {
  readonly type?: string | undefined
  readonly code?: string | undefined
  readonly decline_code?: string | undefined
  readonly param?: string | undefined
  readonly message?: string | undefined
}

/** Said by code where the status alone would mislead. */
const classOfCode: Readonly<Record<string, FailureClass>> = {
  lock_timeout: 'rate_limited',
  rate_limit: 'rate_limited',
  idempotency_key_in_use: 'rate_limited',
  charge_already_refunded: 'conflict',
  charge_disputed: 'conflict',
  payment_intent_unexpected_state: 'conflict',
  resource_already_exists: 'conflict',
  balance_insufficient: 'needs_person',
  insufficient_funds: 'needs_person',
  api_key_expired: 'unauthorized',
  secret_key_required: 'unauthorized',
  testmode_charges_only: 'needs_person',
  livemode_mismatch: 'unauthorized',
  platform_api_key_expired: 'unauthorized',
  account_invalid: 'unauthorized',
}

function classOf(status: number, error: StripeErrorBody): FailureClass {
  const byCode = error.code === undefined ? undefined : classOfCode[error.code]
  if (byCode !== undefined) return byCode
  if (error.type === 'idempotency_error') return 'conflict'
  if (error.type === 'card_error') return 'needs_learner'
  if (status === 401 || status === 403) return 'unauthorized'
  if (status === 409) return 'conflict'
  if (status === 429) return 'rate_limited'
  if (status >= 500) return 'unavailable'
  return 'invalid'
}

const defaultRetryMs = 1_000

function retryAfter(header: string | undefined): number | undefined {
  const seconds = Number(header)
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined
}

// An invalid key stands, masked by Stripe, in the message of a 401; other key-like words are masked here as well.
const hideKeys = (text: string): string => text.replace(/\b(sk|rk|pk|whsec)_[A-Za-z0-9_*]+/g, '$1_…')

/** One answer that is not 2xx, as the decision it calls for. */
export function answerFailure(
  status: number,
  error: StripeErrorBody,
  header: (name: string) => string | undefined,
): Failure {
  const kind = classOf(status, error)
  const wait = retryAfter(header('retry-after')) ?? (kind === 'rate_limited' ? defaultRetryMs : undefined)
  const said = error.decline_code ?? error.code ?? error.type ?? `status_${status}`
  return {
    class: kind,
    code: `stripe.${said}`,
    message: hideKeys(error.message ?? `Stripe answered ${status}.`),
    status,
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
    ...(error.param === undefined ? {} : { field: error.param }),
    // Stripe keeps a 500 under its idempotency key and may have done the work.
    ...(status >= 500 ? { uncertain: true } : {}),
  }
}

const errorText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Stripe's error object from a parsed body, tolerant to anything. */
export function errorIn(body: unknown): StripeErrorBody | null {
  if (typeof body !== 'object' || body === null || !('error' in body)) return null
  const error: unknown = body.error
  if (typeof error !== 'object' || error === null) return {}
  const fields = error as Readonly<Record<string, unknown>>
  return {
    type: errorText(fields.type),
    code: errorText(fields.code),
    decline_code: errorText(fields.decline_code),
    param: errorText(fields.param),
    message: errorText(fields.message),
  }
}

/** Any error of this connector as a failure. A bug of ours is not one and is thrown on. */
export function classify(error: unknown): Failure {
  if (error instanceof NoAnswer) return error.failure
  if (error instanceof Stripe.errors.StripeError) {
    if (error.detail instanceof NoAnswer) return error.detail.failure
    const headers = error.headers ?? {}
    const status = error.statusCode
    if (status !== undefined)
      return answerFailure(
        status,
        {
          // `type` of the SDK's error is its class name; `rawType` is Stripe's own word.
          type: error.rawType,
          code: error.code,
          decline_code: error.decline_code,
          param: error.param,
          message: error.message,
        },
        (name) => headers[name],
      )
    return {
      class: 'unavailable',
      code: 'stripe.connection',
      message: hideKeys(error.message),
      uncertain: true,
    }
  }
  if (error instanceof UnreadableAnswer || error instanceof AmountError)
    return { class: 'needs_person', code: 'stripe.value_unknown', message: error.message }
  if (error instanceof z.ZodError) {
    const issue = error.issues[0]
    return {
      class: 'needs_person',
      code: 'stripe.shape_unknown',
      message: `Stripe's answer has another shape at ${issue?.path.join('.') ?? '?'}: ${issue?.message ?? ''}`,
    }
  }
  throw error
}

/** Stripe's word for "no such object": the one 404 that is an answer and not a fault. */
export const isMissing = (error: unknown): boolean =>
  error instanceof Stripe.errors.StripeError && error.statusCode === 404 && error.code === 'resource_missing'
