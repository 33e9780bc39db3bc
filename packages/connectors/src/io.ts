import type { Clock } from '@bursar/kit/clock.ts'
import type { Http } from '@bursar/kit/http.ts'
import type { Random } from '@bursar/kit/random.ts'
import type { Failure } from './failure.ts'

/** One call to a platform, as the timeline shows it. Paths carry no secrets; bodies are not kept. */
export type CallRecord = {
  readonly at: number
  readonly method: string
  /** The path with ids in place, without query secrets: `POST /v2/users/5f…/enrollment`. */
  readonly path: string
  readonly durationMs: number
  readonly status: number | null
  readonly failure: Failure | null
}

/** Where a client keeps access tokens between uses; in memory by default, shared by the hub per connection. */
export interface TokenStore {
  get(key: string): { readonly token: string; readonly expiresAt: number } | undefined
  set(key: string, value: { readonly token: string; readonly expiresAt: number } | null): void
}

/** What a connector needs from its surroundings. Everything has a default except `http`. */
export type ConnectorIo = {
  readonly http: Http
  readonly clock: Clock
  readonly random: Random
  /** Asked before every call; a refusal becomes `rate_limited` with `unsent: true`. Default: always granted. */
  readonly acquire?: (
    cost: number,
  ) => Promise<{ readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number }>
  /** Told after every call. */
  readonly record?: (call: CallRecord) => void
  readonly tokens?: TokenStore
}
