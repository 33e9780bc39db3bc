import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AmountError, fromStripe, toStripe } from './money.ts'

const plain = ['USD', 'EUR', 'JPY', 'KRW', 'HUF', 'TWD', 'VND', 'CLP', 'XAF']
const threeDecimals = ['BHD', 'JOD', 'KWD', 'OMR', 'TND']
const cents = fc.bigInt({ min: 0n, max: 99_999_999_999n })

test('L8: what Stripe can hold comes back the same, in every kind of currency', () => {
  const currency = fc.constantFrom(...plain, ...threeDecimals, 'ISK', 'UGX', 'MGA')
  fc.assert(
    fc.property(currency, cents, (code, amount) => {
      const sent = toStripe(amount, code)
      if (sent === null) return
      assert.equal(fromStripe(sent, code), amount)
    }),
  )
})

test('L8: ordinary and zero-decimal currencies pass unchanged, in either case of letters', () => {
  fc.assert(
    fc.property(fc.constantFrom(...plain), cents, (code, amount) => {
      assert.equal(toStripe(amount, code), Number(amount))
      assert.equal(toStripe(amount, code.toLowerCase()), Number(amount))
      assert.equal(fromStripe(Number(amount), code.toLowerCase()), amount)
    }),
  )
})

test('L8: the króna and the shilling have no minor unit in ISO and two decimals at Stripe', () => {
  for (const code of ['ISK', 'UGX']) {
    assert.equal(toStripe(1_990n, code), 199_000)
    assert.equal(fromStripe(199_000, code), 1_990n)
    assert.throws(() => fromStripe(199_050, code), AmountError)
  }
})

test('L8: the ariary has two decimals in ISO and none at Stripe', () => {
  assert.equal(toStripe(500n, 'MGA'), 5)
  assert.equal(toStripe(550n, 'MGA'), null)
  assert.equal(fromStripe(5, 'MGA'), 500n)
})

test('L8: three-decimal amounts must end in 0 at Stripe', () => {
  for (const code of threeDecimals) {
    assert.equal(toStripe(5_120n, code), 5_120)
    assert.equal(toStripe(5_124n, code), null)
  }
})

test('L8: forint and Taiwan dollar are charged with cents and paid out without', () => {
  for (const code of ['HUF', 'TWD']) {
    assert.equal(toStripe(1_050n, code), 1_050)
    assert.equal(toStripe(1_050n, code, 'payout'), null)
    assert.equal(toStripe(1_000n, code, 'payout'), 1_000)
  }
})

test('An amount beyond whole numbers is refused in both directions', () => {
  assert.equal(toStripe(2n ** 60n, 'USD'), null)
  assert.throws(() => fromStripe(1.5, 'USD'), AmountError)
  assert.throws(() => fromStripe(2 ** 60, 'USD'), AmountError)
})
