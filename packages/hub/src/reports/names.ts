import { formatMoney, isCurrency } from '@bursar/kit/money.ts'

/** How things are called in a sentence: names a person knows, never ids. */
export type Names = {
  course(id: string): string
  connection(id: string): string
}

export const namesOf = (names: {
  readonly courses: ReadonlyMap<string, string>
  readonly connections: ReadonlyMap<string, string>
}): Names => ({
  course: (id) => names.courses.get(id) ?? 'a course that is gone',
  connection: (id) => names.connections.get(id) ?? 'a connection that is gone',
})

/** Minor units as money; a currency nobody knows is shown as it came. */
export const moneyText = (amount: string | bigint, currency: string | null): string => {
  if (currency === null) return `${amount}`
  return isCurrency(currency) ? formatMoney({ amount: BigInt(amount), currency }) : `${amount} ${currency}`
}

/** `2026-01-05 09:00:00 UTC` */
export const utcText = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`

const units = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const

/** A length of time as people say it: `340 ms`, `4.2 s`, `12 min`, `3 h 5 min`. */
export function lengthText(ms: number): string {
  const span = Math.abs(ms)
  if (span < 1_000) return `${Math.round(span)} ms`
  if (span < 60_000) return `${Number((span / 1_000).toFixed(1))} s`
  const [first, ...rest] = units.filter(([size]) => span >= size)
  if (first === undefined) return `${span} ms`
  const [size, unit] = first
  const whole = Math.floor(span / size)
  const smaller = rest[0] ?? units.find(([s]) => s < size)
  if (smaller === undefined) return `${whole} ${unit}`
  const more = Math.floor((span - whole * size) / smaller[0])
  return more === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${more} ${smaller[1]}`
}

const distanceText = (at: number, now: number): string =>
  at === now ? 'now' : at > now ? `in ${lengthText(at - now)}` : `${lengthText(now - at)} ago`

/** A moment as seen from now, relative and absolute: `in 5 min (2026-… UTC)`. */
export const momentText = (at: number, now: number): string => `${distanceText(at, now)} (${utcText(at)})`

/** For after "since": the moment first, because "since 2 h ago" is no English. */
export const sinceText = (at: number, now: number): string => `${utcText(at)} (${distanceText(at, now)})`
