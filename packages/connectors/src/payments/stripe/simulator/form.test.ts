import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeForm } from './form.ts'
import { Refusal } from './world.ts'

const decode = (text: string) => decodeForm(new URLSearchParams(text))

test('Nested keys, numbered and unnumbered lists are decoded as Stripe does', () => {
  assert.deepEqual(decode('mode=payment&line_items[0][price]=p1&line_items[0][quantity]=2&line_items[1][price]=p2'), {
    mode: 'payment',
    line_items: [{ price: 'p1', quantity: '2' }, { price: 'p2' }],
  })
  assert.deepEqual(decode('expand[]=a&expand[]=b&created[gte]=1'), { expand: ['a', 'b'], created: { gte: '1' } })
})

test('Metadata keeps its keys, also when they look like places in a list', () => {
  assert.deepEqual(decode('metadata[0]=zero&metadata[1]=one'), { metadata: { '0': 'zero', '1': 'one' } })
})

test('Values keep signs and letters of every kind', () => {
  assert.deepEqual(decode('name=%C3%84da%20%26%20Co&metadata[a%5Bb]=c'), {
    name: 'Äda & Co',
    metadata: { 'a[b': 'c' },
  })
})

test('A key named __proto__ is a key like any other, and endless nesting is refused', () => {
  const form = decode('__proto__[polluted]=yes')
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
  assert.deepEqual(Object.keys(form), ['__proto__'])
  assert.throws(() => decode(`a${'[b]'.repeat(50)}=1`), Refusal)
})
