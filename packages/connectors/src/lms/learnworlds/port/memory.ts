import type { Clock, Instant } from '@bursar/kit/clock.ts'

const entriesMax = 10_000

export type Memory<T> = {
  get(key: string): T | undefined
  set(key: string, value: T): void
  delete(key: string): void
}

/** Remembers for a while and for a bounded number of keys; the oldest goes first. Holds no secrets. */
export function createMemory<T>(clock: Clock, keepMs: number): Memory<T> {
  const kept = new Map<string, { value: T; until: Instant }>()
  return {
    get: (key) => {
      const entry = kept.get(key)
      return entry !== undefined && clock.now() < entry.until ? entry.value : undefined
    },
    set: (key, value) => {
      kept.delete(key)
      kept.set(key, { value, until: clock.now() + keepMs })
      if (kept.size <= entriesMax) return
      const oldest = kept.keys().next().value
      if (oldest !== undefined) kept.delete(oldest)
    },
    delete: (key) => {
      kept.delete(key)
    },
  }
}
