import type { Clock, Instant } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'

/**
 * One way to misbehave. `…_after_commit` does the work and then loses the answer: the caller cannot know.
 *
 * status    answers `status` with `body` and `headers` without doing the work
 * reset     breaks the connection (before, or after the work)
 * hang      never answers (before, or after the work)
 * truncate  does the work and answers half the body
 * html      answers 200 with a page, as a wrong host or a lost login does
 * slow      answers rightly after `delayMs` of real time
 */
export type Fault = {
  readonly kind: 'status' | 'reset' | 'reset_after_commit' | 'hang' | 'hang_after_commit' | 'truncate' | 'html' | 'slow'
  readonly method?: string
  /** A part of the path, or `/…/` as a regular expression. Absent: every path. */
  readonly path?: string
  readonly status?: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly delayMs?: number
  /** How many requests it hits; absent: all. */
  readonly times?: number
  /** The share of requests it hits, 0 to 1; absent: all. */
  readonly probability?: number
  /** From and until when, epoch ms of the simulator's clock. */
  readonly from?: Instant
  readonly until?: Instant
}

export interface Faults {
  add(fault: Fault): void
  set(faults: readonly Fault[]): void
  clear(): void
  list(): readonly Fault[]
  /** The fault that hits this request, if any; counts it. */
  pick(method: string, path: string): Fault | null
}

const fits = (fault: Fault, method: string, path: string): boolean => {
  if (fault.method !== undefined && fault.method.toUpperCase() !== method) return false
  if (fault.path === undefined) return true
  if (fault.path.startsWith('/') && fault.path.endsWith('/') && fault.path.length > 2)
    return new RegExp(fault.path.slice(1, -1)).test(path)
  return path.includes(fault.path)
}

export function createFaults(deps: { clock: Clock; random: Random }): Faults {
  let active: { fault: Fault; left: number }[] = []
  return {
    add: (fault) => {
      active.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY })
    },
    set: (faults) => {
      active = faults.map((fault) => ({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }))
    },
    clear: () => {
      active = []
    },
    list: () => active.map((a) => a.fault),
    pick: (method, path) => {
      const now = deps.clock.now()
      for (const entry of active) {
        const { fault } = entry
        if (entry.left <= 0 || !fits(fault, method, path)) continue
        if (fault.from !== undefined && now < fault.from) continue
        if (fault.until !== undefined && now >= fault.until) continue
        if (fault.probability !== undefined && deps.random.next() >= fault.probability) continue
        entry.left -= 1
        return fault
      }
      return null
    },
  }
}
