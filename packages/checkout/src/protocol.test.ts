import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { pricesOf, readFromFrame, readHello, themeOf } from './protocol.ts'
import { english } from './texts/all.ts'
import { german } from './texts/texts-de.ts'

test('whatever a stranger sends is read as nothing, and never throws', () => {
  fc.assert(
    fc.property(fc.anything(), (data) => {
      assert.equal(readFromFrame(data, 'n'), null)
      assert.equal(readHello(data, 'n'), null)
    }),
  )
})

test('only status and reference survive, and only in their own form', () => {
  const message = {
    bursar: 1,
    nonce: 'n',
    kind: 'status',
    status: 'paid',
    orderRef: 'pi_3abc',
    token: 'x',
    event: 'evil',
  }
  assert.deepEqual(readFromFrame(message, 'n'), { kind: 'status', status: 'paid', orderRef: null, event: null })
})

test('prices are ids with a whole quantity; anything else is left out', () => {
  assert.deepEqual(pricesOf('price_1, price_2:3  price_3:0 price_4:-1 price_5:1.5 <b> price_6:1e3'), [
    'price_1',
    'price_2:3',
  ])
  assert.deepEqual(pricesOf(['price_1', 2, null]), ['price_1'])
})

test('a theme takes colours, fonts and lengths, and nothing that loads or closes a rule', () => {
  const theme = themeOf({
    ...{ accent: 'oklch(0.5 0.2 250 / 50%)', background: 'url(//x)', font: 'A;}b{', radius: '1px;x' },
    'colour-scheme': 'dark',
  })
  assert.deepEqual(theme, {
    accent: 'oklch(0.5 0.2 250 / 50%)',
    background: '',
    font: '',
    radius: '',
    'colour-scheme': 'dark',
  })
})

test('every language fills in the same values', () => {
  const holes = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()
  for (const key of Object.keys(english) as (keyof typeof english)[])
    assert.deepEqual([...new Set(holes(german[key]))], [...new Set(holes(english[key]))], key)
})
