import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

// Crockford base 32: no I, L, O, U, so that an id survives being read aloud.
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const timeLength = 10
const randomLength = 16

export type Id<Prefix extends string = string> = `${Prefix}_${string}`

export interface Ids {
  /** A new id: prefix, 48 bits of milliseconds, 80 bits of chance. Ids made later sort later. */
  next<Prefix extends string>(prefix: Prefix): Id<Prefix>
}

function encode(value: bigint, length: number): string {
  let rest = value
  let text = ''
  for (let i = 0; i < length; i++) {
    text = alphabet[Number(rest & 31n)] + text
    rest >>= 5n
  }
  return text
}

/** Ids from a clock and a source of chance. Within one millisecond the random part counts up, so order holds. */
export function createIds(deps: { clock: Clock; random: Random }): Ids {
  let lastTime = -1
  let lastRandom = 0n
  const fresh = () => deps.random.bytes(10).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return {
    next(prefix) {
      const now = deps.clock.now()
      if (now > lastTime) {
        lastTime = now
        lastRandom = fresh() >> 1n
      } else {
        lastRandom += 1n
      }
      return `${prefix}_${encode(BigInt(lastTime), timeLength)}${encode(lastRandom, randomLength)}`
    },
  }
}

const idPattern = /^[a-z][a-z0-9]{1,7}_[0-9a-hjkmnp-tv-z]{26}$/

export const isId = <Prefix extends string>(value: string, prefix?: Prefix): value is Id<Prefix> =>
  idPattern.test(value) && (prefix === undefined || value.startsWith(`${prefix}_`))
