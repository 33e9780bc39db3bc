import type { Clock } from './clock.ts'
import { badHeader, createAgent, exchange } from './http/exchange.ts'
import type { AddressGuard } from './http/guard.ts'
import { isRetryable, retryDelayMs } from './http/retry.ts'
import type { Http, HttpOutcome } from './http/types.ts'
import type { Random } from './random.ts'

export { type AddressCheck, type AddressGuard, createGuard, type GuardOptions, type Resolve } from './http/guard.ts'
export { parseRetryAfter, retryAfterMaxMs } from './http/retry.ts'
export type { Http, HttpFailure, HttpOutcome, HttpRequest, HttpResponse } from './http/types.ts'

export type HttpClient = Http & { close(): Promise<void> }

const refuse = (kind: 'blocked' | 'invalid', message: string): HttpOutcome => ({
  ok: false,
  failure: { kind, message, maybeSent: false, durationMs: 0 },
})

/** A lost attempt that may have arrived stays a doubt, even when a later attempt surely did not. */
const remember = (outcome: HttpOutcome, maybeSent: boolean): HttpOutcome =>
  outcome.ok || outcome.failure.maybeSent || !maybeSent
    ? outcome
    : { ok: false, failure: { ...outcome.failure, maybeSent: true } }

/**
 * The one way out. Checks every address with `guard`, reuses connections, never follows redirects, never reads proxy
 * settings. `close` waits for running requests and refuses new ones.
 */
export function createHttp(deps: {
  readonly clock: Clock
  readonly random: Random
  readonly guard: AddressGuard
  readonly userAgent?: string
}): HttpClient {
  const agent = createAgent(deps.guard)
  const io = { agent, clock: deps.clock, userAgent: deps.userAgent ?? 'bursar' }

  const http: Http = async (request) => {
    const bad = badHeader(request.headers)
    if (bad !== null) return refuse('invalid', `header ${JSON.stringify(bad)} cannot be sent`)
    const address = deps.guard.check(request.url)
    if (!address.ok) return refuse('blocked', address.reason)
    const attempts = request.attempts ?? 1
    let maybeSent = false
    for (let attempt = 1; ; attempt++) {
      const outcome = remember(await exchange(io, address.url, request), maybeSent)
      if (attempt >= attempts || !isRetryable(outcome)) return outcome
      maybeSent ||= outcome.ok || outcome.failure.maybeSent
      await deps.clock.sleep(retryDelayMs(outcome, attempt, deps.clock.now(), deps.random))
    }
  }

  return Object.assign(http, { close: () => agent.close() })
}
