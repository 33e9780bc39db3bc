import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CodedError } from './errors.ts'
import {
  add,
  allocate,
  exponentOf,
  formatMoney,
  moneyFromDecimal,
  moneyFromJson,
  moneyToDecimal,
  moneyToJson,
  reverseOnRemaining,
  subtract,
} from './money.ts'

const total = (parts: readonly bigint[]) => parts.reduce((sum, part) => sum + part, 0n)
const invalid = (error: unknown) => error instanceof CodedError && error.code === 'input_invalid'
const weights = fc
  .array(fc.bigInt({ min: 0n, max: 10_000n }), { minLength: 1, maxLength: 8 })
  .filter((list) => total(list) > 0n)
const amounts = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n })

test('L8: exponents follow ISO 4217, not the habits of a payment provider', () => {
  const expected = { USD: 2, EUR: 2, MGA: 2, HUF: 2, JPY: 0, ISK: 0, UGX: 0, KRW: 0, BHD: 3, TND: 3, CLF: 4, PTS: 0 }
  for (const [code, exponent] of Object.entries(expected)) assert.equal(exponentOf(code), exponent, code)
})

test('a code that is no currency is refused', () => {
  for (const code of ['usd', 'US', 'USDX', 'ZZZ', 'XAU', '', '__proto__', 'constructor'])
    assert.throws(() => exponentOf(code), invalid, code)
})

test('money travels as text with its exponent and comes back the same', () => {
  assert.deepEqual(moneyToJson({ amount: 1999n, currency: 'USD' }), { amount: '1999', currency: 'USD', exponent: 2 })
  fc.assert(
    fc.property(amounts, fc.constantFrom('USD', 'JPY', 'BHD', 'CLF'), (amount, currency) => {
      const value = { amount, currency }
      assert.deepEqual(moneyFromJson(JSON.parse(JSON.stringify(moneyToJson(value)))), value)
      assert.deepEqual(moneyFromDecimal(moneyToDecimal(value), currency), value)
    }),
  )
})

test('money in another shape is refused', () => {
  const good = { amount: '1999', currency: 'USD', exponent: 2 }
  for (const change of [
    { amount: 1999 },
    { amount: '19.99' },
    { amount: '-0' },
    { amount: '01' },
    { amount: '9'.repeat(40) },
    { currency: 'usd' },
    { currency: 7 },
    { exponent: 0 },
    { exponent: '2' },
  ])
    assert.throws(() => moneyFromJson({ ...good, ...change }), invalid, JSON.stringify(change))
  for (const value of [null, 'USD 1', undefined]) assert.throws(() => moneyFromJson(value), invalid)
})

test('a decimal is read without losing digits, or refused', () => {
  assert.deepEqual(moneyFromDecimal('19.9', 'USD'), { amount: 1990n, currency: 'USD' })
  assert.deepEqual(moneyFromDecimal('-0.05', 'USD'), { amount: -5n, currency: 'USD' })
  assert.deepEqual(moneyFromDecimal('500.00', 'JPY'), { amount: 500n, currency: 'JPY' })
  for (const text of ['19.999', '1,99', '1e3', '', '.5', ' 1'])
    assert.throws(() => moneyFromDecimal(text, 'USD'), invalid)
  assert.throws(() => moneyFromDecimal('500.50', 'JPY'), invalid)
})

test('L8: money is written for people with the decimals of its currency', () => {
  assert.equal(formatMoney({ amount: 1999n, currency: 'USD' }), '$19.99')
  assert.equal(formatMoney({ amount: 5n, currency: 'USD' }), '$0.05')
  assert.equal(formatMoney({ amount: -1999n, currency: 'EUR' }, 'de'), '-19,99\u00a0€')
  assert.equal(formatMoney({ amount: 1999n, currency: 'JPY' }), '¥1,999')
  assert.equal(formatMoney({ amount: 1999n, currency: 'ISK' }), 'ISK\u00a01,999')
  assert.equal(formatMoney({ amount: 1999n, currency: 'UGX' }), 'UGX\u00a01,999')
  assert.equal(formatMoney({ amount: 1999n, currency: 'BHD' }), 'BHD\u00a01.999')
})

test('amounts beyond the digits of a double are written exactly', () => {
  assert.equal(formatMoney({ amount: 900_719_925_474_099_301n, currency: 'USD' }), '$9,007,199,254,740,993.01')
})

test('two currencies are never added up', () => {
  const usd = { amount: 1n, currency: 'USD' }
  assert.deepEqual(add(usd, { amount: 2n, currency: 'USD' }), { amount: 3n, currency: 'USD' })
  assert.deepEqual(subtract(usd, { amount: 2n, currency: 'USD' }), { amount: -1n, currency: 'USD' })
  assert.throws(() => add(usd, { amount: 1n, currency: 'EUR' }), RangeError)
  assert.throws(() => subtract(usd, { amount: 1n, currency: 'EUR' }), RangeError)
})

test('L4: a split adds up exactly, ties go to the lower index, a zero weight gets nothing', () => {
  assert.deepEqual(allocate(100n, [1n, 1n, 1n]), [34n, 33n, 33n])
  assert.deepEqual(allocate(2n, [1n, 1n, 1n, 1n]), [1n, 1n, 0n, 0n])
  assert.deepEqual(allocate(0n, [3n, 7n]), [0n, 0n])
  assert.deepEqual(allocate(7n, [0n, 1n, 0n]), [0n, 7n, 0n])
  assert.deepEqual(allocate(8100n, [7000n, 3000n]), [5670n, 2430n])
  assert.deepEqual(allocate(-100n, [1n, 1n, 1n]), [-34n, -33n, -33n])
})

test('L4: splits keep the sum, stay within one unit of the exact share and mirror negative totals', () => {
  fc.assert(
    fc.property(amounts, weights, (amount, list) => {
      const parts = allocate(amount, list)
      const whole = total(list)
      assert.equal(total(parts), amount)
      parts.forEach((part, i) => {
        const off = part * whole - amount * (list[i] ?? 0n)
        assert.ok(off < whole && -off < whole)
      })
      assert.deepEqual(
        allocate(-amount, list),
        parts.map((part) => -part),
      )
    }),
  )
})

test('a split without any weight, or with a negative one, throws', () => {
  assert.throws(() => allocate(1n, []), RangeError)
  assert.throws(() => allocate(0n, [0n, 0n]), RangeError)
  assert.throws(() => allocate(1n, [2n, -1n]), RangeError)
})

// The weights with which splitting the cumulative refund takes a cent back at 123 that it had given at 122.
const alabama = [8394n, 9725n, 101n, 2505n]

test('L4: the Alabama weights make cumulative targets fall, reversal on the remainder never does', () => {
  const targets = Array.from({ length: 400 }, (_, r) => allocate(BigInt(r), alabama))
  assert.ok(targets.some((next, r) => r > 0 && next.some((part, i) => part < (targets[r - 1]?.[i] ?? 0n))))
  const credited = allocate(400n, alabama)
  let reversed = credited.map(() => 0n)
  for (let r = 0; r < 400; r++) {
    const step = reverseOnRemaining(1n, credited, reversed)
    assert.ok(step.every((part) => part >= 0n))
    reversed = reversed.map((part, i) => part + (step[i] ?? 0n))
  }
  assert.deepEqual(reversed, credited)
})

test('L4: any series of partial refunds stays within what was credited and ends at zero for everybody', () => {
  const sale = fc.bigInt({ min: 1n, max: 1_000_000n })
  const shares = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 12 })
  fc.assert(
    fc.property(sale, weights, shares, (amount, list, steps) => {
      const credited = allocate(amount, list)
      let reversed = credited.map(() => 0n)
      let left = amount
      for (const share of [...steps, 1000]) {
        const r = (left * BigInt(share)) / 1000n
        const step = reverseOnRemaining(r, credited, reversed)
        assert.equal(total(step), r)
        step.forEach((part, i) => {
          assert.ok(part >= 0n && part <= (credited[i] ?? 0n) - (reversed[i] ?? 0n))
        })
        reversed = reversed.map((part, i) => part + (step[i] ?? 0n))
        left -= r
      }
      assert.deepEqual(reversed, credited)
    }),
  )
})

test('more than what remains cannot be reversed', () => {
  assert.throws(() => reverseOnRemaining(11n, [10n], [0n]), RangeError)
  assert.throws(() => reverseOnRemaining(1n, [10n], [10n]), RangeError)
  assert.throws(() => reverseOnRemaining(-1n, [10n], [0n]), RangeError)
  assert.throws(() => reverseOnRemaining(1n, [10n], [11n]), RangeError)
  assert.throws(() => reverseOnRemaining(1n, [10n, 1n], [0n]), RangeError)
  assert.deepEqual(reverseOnRemaining(0n, [10n, 0n], [10n, 0n]), [0n, 0n])
})
