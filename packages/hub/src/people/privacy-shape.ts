import type { StepState } from './rules.ts'

export type RequestKind = 'export' | 'erase'

export type PrivacyRequest = {
  readonly id: string
  readonly kind: RequestKind
  readonly personId: string
  readonly requestedBy: string
  readonly reason: string | null
  readonly state: 'running' | 'waiting_person' | 'done'
  readonly dueAt: number
  readonly createdAt: number
  readonly doneAt: number | null
  readonly documentUntil: number | null
  readonly downloadedAt: number | null
}

export type PlannedStep = {
  readonly kind: string
  readonly title: string
  readonly connectionId?: string | null
  /** Its own id at that system. */
  readonly subject?: string | null
  readonly state?: StepState
  readonly note?: string | null
}

export type Step = PlannedStep & {
  readonly position: number
  readonly connectionId: string | null
  readonly subject: string | null
  readonly state: StepState
  readonly note: string | null
  readonly evidence: Readonly<Record<string, unknown>> | null
  readonly attempts: number
  readonly nextTryAt: number | null
  readonly completedBy: string | null
  readonly updatedAt: number
}

/** What a step has come to. */
export type StepResult = {
  readonly state: StepState
  readonly note?: string | null
  readonly evidence?: Readonly<Record<string, unknown>>
  readonly nextTryAt?: number | null
  readonly attempts?: number
  readonly completedBy?: string
}
