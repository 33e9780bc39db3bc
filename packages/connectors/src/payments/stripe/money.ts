/**
 * Stripe counts most currencies in ISO minor units, but not all (docs.stripe.com/currencies). The number is how many
 * decimal places Stripe uses more than ISO 4217: ISK and UGX have none in ISO and two at Stripe, always 00;
 * MGA has two in ISO and none at Stripe.
 */
const extraPlaces: Readonly<Record<string, 1 | 2 | -2>> = { ISK: 2, UGX: 2, MGA: -2 }

/** Three decimals at both, but Stripe refuses a last digit other than 0. */
const threeDecimals = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND'])

/** Charged with two decimals, paid out in whole units only. */
const wholePayouts = new Set(['HUF', 'TWD'])

const power = (places: number): bigint => 10n ** BigInt(places)

/** An amount Stripe sent that no ISO minor unit can hold. */
export class AmountError extends Error {}

/**
 * ISO minor units to Stripe's integer. `null` when Stripe has no such amount: a fraction of its smallest step, or
 * too large for a number.
 */
export function toStripe(amount: bigint, currency: string, use: 'charge' | 'payout' = 'charge'): number | null {
  const code = currency.toUpperCase()
  const extra = extraPlaces[code] ?? 0
  if (threeDecimals.has(code) && amount % 10n !== 0n) return null
  if (use === 'payout' && wholePayouts.has(code) && amount % 100n !== 0n) return null
  if (extra < 0 && amount % power(-extra) !== 0n) return null
  const value = extra < 0 ? amount / power(-extra) : amount * power(extra)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : null
}

/** Stripe's integer to ISO minor units. Throws `AmountError` for what cannot be held exactly; nothing is rounded. */
export function fromStripe(amount: number, currency: string): bigint {
  if (!Number.isSafeInteger(amount)) throw new AmountError(`not an amount in ${currency}: ${amount}`)
  const extra = extraPlaces[currency.toUpperCase()] ?? 0
  const value = BigInt(amount)
  if (extra <= 0) return value * power(-extra)
  if (value % power(extra) !== 0n) throw new AmountError(`not a whole amount in ${currency}: ${amount}`)
  return value / power(extra)
}

/** `USD` for Stripe's `usd`. */
export const currencyCode = (currency: string): string => currency.toUpperCase()
