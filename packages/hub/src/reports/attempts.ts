import type { TimelineKind } from '#events/timeline.ts'

const results: ReadonlySet<TimelineKind> = new Set([
  'enrollment.opened',
  'enrollment.closed',
  'enrollment.waiting',
  'enrollment.stuck',
])

export type AttemptEntry = { readonly id: string; readonly kind: TimelineKind; readonly enrollmentId: string | null }

/**
 * The attempts that began and never told how they ended: their process died or lost its lease. Entries come in order.
 * The newest attempt of a seat in `working` may still be under way.
 */
export function interruptedAttempts(
  entries: readonly AttemptEntry[],
  working: ReadonlySet<string>,
): { readonly interrupted: ReadonlySet<string>; readonly running: ReadonlySet<string> } {
  const interrupted = new Set<string>()
  const begun = new Map<string, string>()
  for (const entry of entries) {
    if (entry.enrollmentId === null) continue
    if (entry.kind === 'apply.started') {
      const before = begun.get(entry.enrollmentId)
      if (before !== undefined) interrupted.add(before)
      begun.set(entry.enrollmentId, entry.id)
    } else if (results.has(entry.kind)) begun.delete(entry.enrollmentId)
  }
  const running = new Set<string>()
  for (const [enrollmentId, id] of begun) (working.has(enrollmentId) ? running : interrupted).add(id)
  return { interrupted, running }
}
