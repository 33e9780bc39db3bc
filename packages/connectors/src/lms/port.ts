import type { Instant } from '@bursar/kit/clock.ts'
import type { Failure, Outcome } from '../failure.ts'

/** Anything a platform opens for a learner. */
export type CourseKind = 'course' | 'bundle' | 'program' | 'class' | 'offer' | 'voucher' | 'subscription'

export type CourseRef = { readonly kind: CourseKind; readonly externalId: string }

export type Learner = { readonly email: string; readonly name: string | null; readonly username?: string }

export type Account = {
  readonly externalId: string
  readonly email: string
  /** Staff, admins and instructors: never opened or matched by the hub. */
  readonly privileged: boolean
  readonly suspended: boolean
}

export type CatalogItem = CourseRef & {
  readonly title: string
  readonly onSale: boolean
  /** The courses a bundle or program opens. */
  readonly contains: readonly CourseRef[]
  readonly raw: unknown
}

export type Page<T> = { readonly items: readonly T[]; readonly next: string | null; readonly total?: number }

export type GrantRequest = {
  /** The platform's id of the learner's account. */
  readonly account: string
  readonly course: CourseRef
  /** Our own key of this grant; a platform that can carry it shows it again in its logs and webhooks. */
  readonly key: string
  /** True when an earlier try may have got through: look before asking again. */
  readonly uncertain: boolean
  /** Epoch ms of our own create of this account, when recent: 404 may then mean "not yet visible". */
  readonly accountCreatedAt?: Instant
}

export type GrantResult = { readonly state: 'active' | 'pending_learner' | 'pending_manual'; readonly already: boolean }

export type RevokeRequest = {
  readonly account: string
  readonly course: CourseRef
  readonly key: string
  readonly uncertain: boolean
}
export type RevokeMode = 'suspend' | 'remove' | 'expire'
export type RevokeResult = {
  readonly mode: RevokeMode
  readonly already: boolean
  /** Other things that ended with it, or that still open the course in another way. */
  readonly collateral: readonly CourseRef[]
}

export type ActualGrant = {
  readonly course: CourseRef
  readonly since: Instant | null
  readonly expiresAt: Instant | null
  /** Open through another product (a bundle, a plan), not by a grant of its own. */
  readonly indirect?: true
  readonly raw: unknown
}

export type LaunchRequest = {
  /** The platform's id of the learner's account. */
  readonly account: string
  /** What to open; null opens the school itself. */
  readonly course: CourseRef | null
  /** Where in the school to land instead: a path that begins with one slash. The school's host is never left. */
  readonly path?: string
  /**
   * The learner's browser is signed in at the hub with this account's own address, so that a school which signs its
   * people in at the hub needs no login link.
   */
  readonly signsIn?: boolean
}

/** A bearer login link: never stored, never logged, sent to the learner's own browser only. */
export type LaunchAction =
  | { readonly kind: 'redirect'; readonly url: string }
  | { readonly kind: 'link'; readonly url: string; readonly loginRequired: true }

export type ProgressFact = {
  readonly course: CourseRef
  readonly status: 'not_started' | 'in_progress' | 'completed' | 'unknown'
  /** What the number is worth; `unknown` never becomes 0. */
  readonly grain: 'percent' | 'milestone' | 'score' | 'completion' | 'unknown'
  readonly percent: number | null
  readonly score: number | null
  readonly timeSpentS: number | null
  readonly unitsDone: number | null
  readonly unitsTotal: number | null
  readonly completedAt: Instant | null
  readonly raw: unknown
}

export type CertificateFact = {
  readonly externalId: string
  readonly account: string
  readonly course: CourseRef
  readonly title: string
  readonly issuedAt: Instant
  readonly state: 'active' | 'revoked'
  readonly url: string | null
  readonly raw: unknown
}

export type ProbeFinding = {
  readonly code: string
  readonly level: 'ok' | 'warning' | 'problem'
  readonly message: string
  readonly fix: string | null
}
export type ProbeReport = { readonly usable: boolean; readonly findings: readonly ProbeFinding[] }

/** How many calls a platform allows: `requests` in any `windowMs`, over all processes of everybody. 0 = no limit. */
export type LimitPolicy = { readonly requests: number; readonly windowMs: number }

export type RawDelivery = {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** How far a delivery may be believed by itself. Everything but `signed` is a hint, confirmed by a read. */
export type Trust = 'signed' | 'shared_secret' | 'refused'

export type LmsHint =
  | { readonly kind: 'account_changed'; readonly account: string }
  | {
      readonly kind: 'enrollment_changed'
      readonly account: string
      readonly course: CourseRef | null
      readonly ours: string | null
    }
  | { readonly kind: 'progress_changed'; readonly account: string; readonly course: CourseRef | null }
  | { readonly kind: 'certificate_changed'; readonly account: string; readonly course: CourseRef | null }
  | { readonly kind: 'other'; readonly type: string }

export type ParsedDelivery = { readonly type: string; readonly dedupeKey: string; readonly hints: readonly LmsHint[] }

/** The step's way of working on this platform, as docs, console and agents show it. */
export type Mode = { readonly mode: 'api' | 'at_launch' | 'manual' | 'none'; readonly note: string }

export type Capabilities = {
  readonly accounts: Mode
  readonly grant: Mode
  readonly revoke: Mode & { readonly modes: readonly RevokeMode[] }
  readonly launch: Mode
  readonly progress: Mode & {
    readonly grain: ProgressFact['grain']
    readonly access: 'since' | 'bulk_course' | 'bulk_site' | 'per_learner' | 'push' | 'none'
  }
  readonly certificates: Mode
  readonly webhooks: Mode & { readonly trust: 'signed' | 'shared_secret' | 'unsigned' | 'none' }
}

/**
 * One learning platform, configured for one school. A capability it lacks is an absent method; none ever answers
 * success for something it did not do. Every method is safe to call twice.
 */
export interface LmsConnector {
  readonly platform: string
  readonly limits: LimitPolicy
  describe(): Capabilities
  /** Asks the platform whether the settings work, and says what to mend. Costs a few calls. */
  probe(): Promise<ProbeReport>
  /** What a raw answer of this platform means; null when it is a success. Body-aware. */
  classify(answer: {
    readonly status: number
    readonly body: string
    readonly headers: Readonly<Record<string, string>>
  }): Failure | null

  readonly catalog?: { list(cursor?: string): Promise<Outcome<Page<CatalogItem>>> }
  readonly accounts?: {
    find(email: string): Promise<Outcome<Account | null>>
    /** Finds or creates. `created` says that this call made it. */
    ensure(learner: Learner): Promise<Outcome<Account & { readonly created: boolean }>>
    update?(account: string, change: { readonly email?: string; readonly name?: string }): Promise<Outcome<Account>>
  }
  readonly entitlements?: {
    grant(request: GrantRequest): Promise<Outcome<GrantResult>>
    revoke(request: RevokeRequest): Promise<Outcome<RevokeResult>>
    list(account: string): Promise<Outcome<readonly ActualGrant[]>>
  }
  readonly launch?: (request: LaunchRequest) => Promise<Outcome<LaunchAction>>
  readonly progress?: { read(account: string): Promise<Outcome<readonly ProgressFact[]>> }
  readonly certificates?: {
    list(
      scope: { readonly account?: string; readonly course?: CourseRef },
      cursor?: string,
    ): Promise<Outcome<Page<CertificateFact>>>
  }
  readonly webhooks?: {
    /** Constant time. Several secrets at once while one is being replaced. */
    authenticate(delivery: RawDelivery, secrets: readonly string[]): Trust
    parse(delivery: RawDelivery): Outcome<ParsedDelivery>
  }
}
