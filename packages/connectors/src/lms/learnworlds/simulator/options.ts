import type { Clock } from '@bursar/kit/clock.ts'
import type { Http } from '@bursar/kit/http.ts'
import type { Random } from '@bursar/kit/random.ts'

/** How this school behaves where the documentation leaves it open, or where schools differ. */
export type SchoolVariants = {
  /** S25: discount is a number, no async-actions. S26: discount is an object, first and last names are shown. */
  readonly spec: 'S25' | 'S26'
  readonly nameMode: 'username' | 'first_last'
  /** Calls per window and client id; 0 switches the limit off. */
  readonly requests: number
  readonly windowMs: number
  readonly limiter: 'fixed' | 'sliding'
  readonly retryAfter: 'seconds' | 'date' | 'none'
  /** How a missing or wrong token or client id is told. */
  readonly denied: 'access_denied_400' | 'unauthorized_401' | 'html_200'
  readonly tokenExpiresInS: number
  /** How long a new user answers 404, at most; each user draws its own delay. */
  readonly visibilityDelayMs: number
  readonly duplicateStatus: 400 | 409 | 422
  readonly alreadyOwnedStatus: 400 | 422
  /** Timestamps with six decimals, or whole seconds. */
  readonly times: 'float' | 'whole'
  /** How long complete and reset take. */
  readonly jobDelayMs: number
  /** Whether unenrolling a bundle takes its courses away or leaves them as products of their own. */
  readonly bundleUnenroll: 'removes_courses' | 'keeps_courses'
  readonly putTags: 'replace' | 'merge'
  /** Longer usernames are refused; null: any length. */
  readonly usernameMax: number | null
  readonly firstRetryMs: number
}

export const defaultVariants: SchoolVariants = {
  spec: 'S26',
  nameMode: 'username',
  requests: 30,
  windowMs: 10_000,
  limiter: 'sliding',
  retryAfter: 'seconds',
  denied: 'access_denied_400',
  tokenExpiresInS: 7_200,
  visibilityDelayMs: 0,
  duplicateStatus: 422,
  alreadyOwnedStatus: 422,
  times: 'float',
  jobDelayMs: 2_000,
  bundleUnenroll: 'removes_courses',
  putTags: 'replace',
  usernameMax: null,
  firstRetryMs: 60_000,
}

export type WebhookOptions = {
  /** Where deliveries go; without it they are only kept. */
  readonly target?: string
  /** The fixed token of the header. */
  readonly token?: string
  /** Send as things happen, instead of on POST /_sim/webhooks/flush. */
  readonly autoSend?: boolean
}

export type LearnWorldsSimulatorOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly port?: number
  /** Needed to send webhooks. */
  readonly http?: Http
  readonly clientId?: string
  readonly clientSecret?: string
  /** The ready-made token of the settings page. */
  readonly accessToken?: string
  readonly school?: {
    readonly name?: string
    /** The origin in login links; by default the one the caller used. */
    readonly origin?: string
    /** `demo` is the seeded school; `empty` has only its admin. */
    readonly seed?: 'demo' | 'empty'
  }
  readonly webhooks?: WebhookOptions
  readonly variants?: Partial<SchoolVariants>
}

export const defaults = {
  clientId: '5f2a9c0d1e3b4a5968778695',
  clientSecret: 'simulator-client-secret-0001',
  accessToken: 'simulator-access-token-0001',
  webhookToken: 'simulator-webhook-token-0001',
  schoolName: 'Harbour School',
} as const
