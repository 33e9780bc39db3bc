import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { priceLines } from './pricing.ts'

const line = fc.record({
  subtotal: fc.integer({ min: 0, max: 1_000_000 }),
  inclusive: fc.boolean(),
  discountable: fc.boolean(),
})
const reduction = fc.oneof(
  fc.constant(null),
  fc.record({ percentOff: fc.integer({ min: 1, max: 100 }) }),
  fc.record({ amountOff: fc.integer({ min: 1, max: 2_000_000 }) }),
)
const percent = fc.option(fc.integer({ min: 0, max: 30 }))
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

test('No line falls below 0, and each total is what is left of its price, with tax on top where the price is net', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), reduction, percent, (lines, off, rate) => {
      const priced = priceLines(lines, off, rate)
      for (const [i, p] of priced.entries()) {
        const asked = lines[i]
        assert.ok(asked !== undefined && p.discount >= 0 && p.discount <= asked.subtotal && p.tax >= 0)
        if (!asked.discountable) assert.equal(p.discount, 0)
        assert.equal(p.total, asked.subtotal - p.discount + (asked.inclusive ? 0 : p.tax))
      }
    }),
  )
})

test('An amount off is given whole, or as far as the lines it is for go', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.integer({ min: 1, max: 2_000_000 }), (lines, amountOff) => {
      const given = sum(priceLines(lines, { amountOff }, null).map((p) => p.discount))
      const most = sum(lines.filter((l) => l.discountable).map((l) => l.subtotal))
      assert.equal(given, Math.min(amountOff, most))
    }),
  )
})

test('19 % of a net 10.00 is 1.90 on top, of a gross 11.90 it is 1.90 inside', () => {
  const asked = (subtotal: number, inclusive: boolean) => [{ subtotal, inclusive, discountable: true }]
  assert.deepEqual(priceLines(asked(1_000, false), null, 19), [
    { subtotal: 1_000, discount: 0, tax: 190, total: 1_190 },
  ])
  assert.deepEqual(priceLines(asked(1_190, true), null, 19), [{ subtotal: 1_190, discount: 0, tax: 190, total: 1_190 }])
})
