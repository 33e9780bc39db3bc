/** A moment as milliseconds since the Unix epoch, UTC. PostgreSQL keeps microseconds; we cut to milliseconds. */
export type Instant = number

/**
 * Where time comes from. Nothing in Bursar asks the operating system directly, so that a test, the storm and a
 * replay can own time. `sleep` resolves early, without an error, when the signal aborts.
 */
export interface Clock {
  now(): Instant
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}

/**
 * Calls `fire` after `ms` of real time, whatever any `Clock` says, and returns the way to call it off. Only for the
 * network, where waiting is real even in a replay; everything else sleeps on its `Clock`.
 */
export function startRealDeadline(ms: number, fire: () => void): () => void {
  const timer = setTimeout(fire, ms)
  return () => clearTimeout(timer)
}

export interface VirtualClock extends Clock {
  /** Moves time forward and wakes, in order, every sleeper whose moment has come. */
  advance(ms: number): Promise<void>
  /** Moves time forward to a moment; a moment in the past changes nothing. */
  advanceTo(at: Instant): Promise<void>
  /** When the next sleeper wakes, or null when nobody sleeps. */
  nextWake(): Instant | null
}

type Sleeper = { at: Instant; wake: () => void }

/** A clock that stands still until it is told to move. */
export function virtualClock(start: Instant = Date.UTC(2026, 0, 5, 9)): VirtualClock {
  let current = start
  let sleepers: Sleeper[] = []

  const advanceTo = async (at: Instant) => {
    for (;;) {
      const due = sleepers.filter((s) => s.at <= at).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      sleepers = sleepers.filter((s) => s !== due)
      current = Math.max(current, due.at)
      due.wake()
      await new Promise(setImmediate)
    }
    current = Math.max(current, at)
  }

  return {
    now: () => current,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (ms <= 0 || signal?.aborted) return resolve()
        const sleeper: Sleeper = { at: current + ms, wake: resolve }
        sleepers.push(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers = sleepers.filter((s) => s !== sleeper)
          resolve()
        })
      }),
    advance: (ms) => advanceTo(current + ms),
    advanceTo,
    nextWake: () => sleepers.reduce<Instant | null>((min, s) => (min === null || s.at < min ? s.at : min), null),
  }
}

export const second = 1_000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour
