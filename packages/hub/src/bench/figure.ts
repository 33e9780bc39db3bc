/** One published number, beside the peer or the limit it was measured with in the same run. */
export type Figure = {
  /** Which command makes it: `ingest`. */
  readonly bench: string
  readonly figure: string
  readonly value: number
  readonly unit: string
  /** What it is compared with; null when the goal is a plain number. */
  readonly limit: number | null
  /** value ÷ limit. */
  readonly ratio: number | null
  readonly goal: string
  readonly holds: boolean
}

export type BenchOptions = {
  /** Length of one measurement. */
  readonly seconds: number
  /** How often everything is measured; medians are told. */
  readonly rounds: number
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  const low = sorted[Math.ceil(half) - 1] ?? Number.NaN
  return (low + (sorted[Math.floor(half)] ?? low)) / 2
}

/** The value below which a share `q` of the values lie; NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

/** Three digits are what such measurements carry. */
export const rounded = (value: number): number => Number(value.toPrecision(3))
