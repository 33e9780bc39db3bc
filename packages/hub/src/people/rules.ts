import { type Instant, minute } from '@bursar/kit/clock.ts'

/** How long signing in counts as "now" where two identities become one, or where somebody's data is at stake. */
export const freshMs = 15 * minute

/** What a session has proven, as far as these decisions need it. */
export type Proof = {
  readonly issuer: string
  readonly authenticatedAt: Instant
  readonly mailboxProvenAt: Instant | null
  readonly secondFactorAt: Instant | null
}

const within = (at: Instant | null, now: Instant): boolean => at !== null && now - at <= freshMs

/** Proven again a moment ago: by signing in, by a code to the mailbox, or by a second factor. */
export const isFreshProof = (proof: Proof, now: Instant): boolean =>
  within(proof.authenticatedAt, now) || within(proof.mailboxProvenAt, now) || within(proof.secondFactorAt, now)

export type LinkRefusal = 'stale' | 'mailbox_unproven' | 'factor_needed' | 'same'

/**
 * Whether two sessions held by the same hands prove that both identities are one person. Both must be of now; one of
 * them must have answered a code sent to a mailbox, because two claims of strange issuers prove nothing together (I5);
 * what the hub's own provider says counts only when it was proven again. Whoever brings or receives roles shows a
 * second factor: otherwise a found session would collect them.
 */
export function linkRefusal(
  facts: {
    readonly mine: Proof & { readonly subject: string; readonly hasRoles: boolean }
    readonly theirs: Proof & { readonly subject: string; readonly hasRoles: boolean }
    readonly builtIn: string
  },
  now: Instant,
): LinkRefusal | null {
  const { mine, theirs, builtIn } = facts
  if (mine.issuer === theirs.issuer && mine.subject === theirs.subject) return 'same'
  const sides = [mine, theirs]
  if (!sides.every((side) => isFreshProof(side, now))) return 'stale'
  const strong = (side: Proof) => within(side.mailboxProvenAt, now) || within(side.secondFactorAt, now)
  if (!sides.some((side) => within(side.mailboxProvenAt, now))) return 'mailbox_unproven'
  if (sides.some((side) => side.issuer === builtIn && !strong(side))) return 'mailbox_unproven'
  if (sides.some((side) => side.hasRoles && !within(side.secondFactorAt, now))) return 'factor_needed'
  return null
}

/** The state of a request from the states of its steps. A step that waits for a person does not stop the others. */
export type StepState = 'todo' | 'done' | 'waiting_person' | 'failed' | 'retained'
export const requestState = (steps: readonly StepState[]): 'running' | 'waiting_person' | 'done' =>
  steps.includes('todo') || steps.includes('failed')
    ? 'running'
    : steps.includes('waiting_person')
      ? 'waiting_person'
      : 'done'
