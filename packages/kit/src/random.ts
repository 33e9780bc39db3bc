import { randomBytes } from 'node:crypto'

/** Where chance comes from: a number in [0, 1) and raw bytes. Secrets always use `secureRandom`. */
export interface Random {
  next(): number
  bytes(length: number): Uint8Array
}

export const secureRandom: Random = {
  next: () => randomBytes(4).readUInt32BE() / 2 ** 32,
  bytes: (length) => randomBytes(length),
}

/**
 * Chance that repeats: the same seed gives the same sequence. mulberry32, 32 bits of state; fit for simulations,
 * never for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return { next, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)) }
}

/** A delay with full jitter over its upper half: between ms/2 and ms. Spreads retries without making them early. */
export const jitter = (ms: number, random: Random): number => Math.round(ms / 2 + random.next() * (ms / 2))
