import { allocate } from '@bursar/kit/money.ts'

/** What one line asks for before discount and tax, in Stripe's integers. */
export type Asked = {
  readonly subtotal: number
  /** Whether the price holds the tax already. A price that says neither counts as exclusive here. */
  readonly inclusive: boolean
  /** False when the coupon is for other products. */
  readonly discountable: boolean
}

export type Reduction = { readonly percentOff: number } | { readonly amountOff: number }

export type Priced = {
  readonly subtotal: number
  readonly discount: number
  readonly tax: number
  readonly total: number
}

/** The discount of each line. An amount is shared by size, so that the parts add up to it; nothing falls below 0. */
function discounts(lines: readonly Asked[], reduction: Reduction | null): number[] {
  if (reduction === null) return lines.map(() => 0)
  const bases = lines.map((line) => (line.discountable ? line.subtotal : 0))
  if ('percentOff' in reduction) return bases.map((base) => Math.round((base * reduction.percentOff) / 100))
  const sum = bases.reduce((a, b) => a + b, 0)
  if (sum === 0) return lines.map(() => 0)
  return allocate(BigInt(Math.min(reduction.amountOff, sum)), bases.map(BigInt)).map(Number)
}

/** Each line after discount, then tax on what is left: on top of it, or out of it. */
export function priceLines(
  lines: readonly Asked[],
  reduction: Reduction | null,
  taxPercent: number | null,
): readonly Priced[] {
  const off = discounts(lines, reduction)
  return lines.map((line, i) => {
    const discount = off[i] ?? 0
    const net = line.subtotal - discount
    const percent = taxPercent ?? 0
    const tax = Math.round(line.inclusive ? (net * percent) / (100 + percent) : (net * percent) / 100)
    return { subtotal: line.subtotal, discount, tax, total: line.inclusive ? net : net + tax }
  })
}
