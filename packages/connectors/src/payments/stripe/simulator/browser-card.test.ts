import assert from 'node:assert/strict'
import { test } from 'node:test'

type Card = {
  formatNumber(text: string): string
  formatExpiry(text: string): string
  isLuhn(text: string): boolean
  problemsOf(method: string, values: Readonly<Record<string, string>>): Readonly<Record<string, string>>
}
// Browser code without types; its path is not one that the compiler follows.
const path = './browser/card.js'
const card = (await import(path)) as Card

test('A card number is checked by its last digit', () => {
  for (const number of ['4242424242424242', '4000 0000 0000 0002', '5555555555554444', '378282246310005'])
    assert.ok(card.isLuhn(number), number)
  for (const number of ['4242424242424241', '4242', '']) assert.ok(!card.isLuhn(number), number)
})

test('What is typed takes the form that is printed on the card', () => {
  assert.equal(card.formatNumber('4242424242424242'), '4242 4242 4242 4242')
  assert.equal(card.formatNumber('42a42-4'), '4242 4')
  assert.deepEqual(['1', '12', '123', '1234', '4', '434'].map(card.formatExpiry), [
    '1',
    '12',
    '12 / 3',
    '12 / 34',
    '04',
    '04 / 34',
  ])
})

test('Each field says what it lacks; the fields of the other method do not count', () => {
  const empty = { number: '', expiry: '', cvc: '', iban: '', holder: '' }
  assert.deepEqual(Object.keys(card.problemsOf('card', empty)), ['number', 'expiry', 'cvc'])
  assert.deepEqual(Object.keys(card.problemsOf('sepa_debit', empty)), ['iban', 'holder'])
  assert.match(card.problemsOf('card', { ...empty, number: '4242424242424241' }).number ?? '', /invalid/)
  assert.match(card.problemsOf('card', { ...empty, expiry: '13 / 34' }).expiry ?? '', /invalid/)
  assert.deepEqual(card.problemsOf('card', { number: '4242424242424242', expiry: '12 / 34', cvc: '123' }), {})
})
