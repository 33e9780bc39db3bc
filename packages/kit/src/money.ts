import { exponentOf } from './currency.ts'
import { CodedError } from './errors.ts'

export { exponentOf, isCurrency } from './currency.ts'

/** An amount in minor units (cents for USD, whole yen for JPY) and its ISO 4217 currency. */
export type Money = { readonly amount: bigint; readonly currency: string }

/** How money travels: the amount as text, because JSON numbers lose digits above 2^53. */
export type MoneyJson = { readonly amount: string; readonly currency: string; readonly exponent: number }

const amountDigitsMax = 30
const integerText = /^(0|-?[1-9]\d*)$/
const decimalText = /^(-?)(\d+)(?:\.(\d+))?$/

const refuse = (message: string): never => {
  throw new CodedError('input_invalid', message)
}

export function money(amount: bigint, currency: string): Money {
  exponentOf(currency)
  return { amount, currency }
}

export const moneyToJson = (value: Money): MoneyJson => ({
  amount: value.amount.toString(),
  currency: value.currency,
  exponent: exponentOf(value.currency),
})

/** Throws `input_invalid` unless shape, currency and exponent are exactly right. */
export function moneyFromJson(value: unknown): Money {
  if (typeof value !== 'object' || value === null) return refuse('Money must be an object.')
  const { amount, currency, exponent } = value as Record<string, unknown>
  if (typeof amount !== 'string' || !integerText.test(amount) || amount.length > amountDigitsMax)
    return refuse('The amount must be a whole number of minor units, as text.')
  if (typeof currency !== 'string') return refuse('The currency must be a three-letter code.')
  if (exponent !== exponentOf(currency))
    return refuse(`The exponent of ${currency} is ${exponentOf(currency)}; the amount may be in another unit.`)
  return { amount: BigInt(amount), currency }
}

/** `1999` USD as `19.99`: exact, with a point, without grouping. */
export function moneyToDecimal(value: Money): string {
  const exponent = exponentOf(value.currency)
  const sign = value.amount < 0n ? '-' : ''
  const digits = (value.amount < 0n ? -value.amount : value.amount).toString().padStart(exponent + 1, '0')
  const cut = digits.length - exponent
  return exponent === 0 ? sign + digits : `${sign}${digits.slice(0, cut)}.${digits.slice(cut)}`
}

/** `19.9` or `19.90` as 1990 USD. Throws `input_invalid` when digits would be lost. */
export function moneyFromDecimal(text: string, currency: string): Money {
  const exponent = exponentOf(currency)
  const match = decimalText.exec(text)
  if (match === null || text.length > amountDigitsMax) return refuse('The amount must be a decimal number.')
  const [, sign = '', whole = '', fraction = ''] = match
  if (/[1-9]/.test(fraction.slice(exponent))) return refuse(`${currency} has ${exponent} decimals.`)
  const amount = BigInt(whole + fraction.slice(0, exponent).padEnd(exponent, '0'))
  return { amount: sign === '-' ? -amount : amount, currency }
}

const formatters = new Map<string, Intl.NumberFormat>()
const formattersMax = 500

/** For people, in their locale: `$19.99`, `19,99 €`. Exact for any size: Intl is given the digits, not a float. */
export function formatMoney(value: Money, locale = 'en'): string {
  const key = `${locale} ${value.currency}`
  let formatter = formatters.get(key)
  if (formatter === undefined) {
    const digits = exponentOf(value.currency)
    formatter = new Intl.NumberFormat(locale, {
      style: 'currency',
      currency: value.currency,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    })
    if (formatters.size >= formattersMax) formatters.clear()
    formatters.set(key, formatter)
  }
  return formatter.format(moneyToDecimal(value) as Intl.StringNumericLiteral)
}

function sameCurrency(a: Money, b: Money): void {
  if (a.currency !== b.currency) throw new RangeError(`${a.currency} and ${b.currency} cannot be added up`)
}

/** Throws a RangeError for two currencies: an exchange needs a rate and its own entry. */
export function add(a: Money, b: Money): Money {
  sameCurrency(a, b)
  return { amount: a.amount + b.amount, currency: a.currency }
}

export function subtract(a: Money, b: Money): Money {
  sameCurrency(a, b)
  return { amount: a.amount - b.amount, currency: a.currency }
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n)

/**
 * Splits a total by weights so that the parts add up to it exactly: rounded down, then one unit each to the largest
 * remainders, the lower index first among equals. A negative total mirrors the positive one. Throws a RangeError for
 * a negative weight or when all weights are zero.
 */
export function allocate(total: bigint, weights: readonly bigint[]): bigint[] {
  if (weights.some((w) => w < 0n)) throw new RangeError('a weight is negative')
  const whole = sum(weights)
  if (whole === 0n) throw new RangeError('there is no weight to split by')
  if (total < 0n) return allocate(-total, weights).map((part) => -part)
  const parts = weights.map((w) => (total * w) / whole)
  const remainders = weights.map((w, index) => ({ index, remainder: (total * w) % whole }))
  remainders.sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1))
  const left = Number(total - sum(parts))
  for (const { index } of remainders.slice(0, left)) parts[index] = (parts[index] ?? 0n) + 1n
  return parts
}

/**
 * How a refund of `amount` is taken back from those who were credited, given what was taken back before: by largest
 * remainder on what remains. Every part is between zero and its remainder, and a full refund ends at zero for all.
 * Splitting the cumulative refund instead gives negative steps (the Alabama paradox, about 0.5 % of partial refunds).
 * Throws a RangeError when less than `amount` remains.
 */
export function reverseOnRemaining(amount: bigint, credited: readonly bigint[], reversed: readonly bigint[]): bigint[] {
  if (credited.length !== reversed.length) throw new RangeError('credited and reversed differ in length')
  const remaining = credited.map((value, i) => value - (reversed[i] ?? 0n))
  if (remaining.some((value) => value < 0n)) throw new RangeError('more was reversed than credited')
  if (amount < 0n || amount > sum(remaining)) throw new RangeError('the amount is not within what remains')
  return amount === 0n ? remaining.map(() => 0n) : allocate(amount, remaining)
}
