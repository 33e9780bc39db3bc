import assert from 'node:assert/strict'
import { test } from 'node:test'
import { money } from '@bursar/kit/money.ts'
import type { Mail, MailContent, MailKind } from './kinds.ts'
import { render } from './render.ts'

const at = Date.UTC(2026, 10, 20, 14, 5)
const hostile = '<img src=x onerror=alert(1)>"\'&{time}\r\nBcc: all@x.example\u202egnp.exe\0'
const link = { url: 'https://hub.example/claim/tok?a=1&b=2', expiresAt: at }
const items = [{ title: hostile, quantity: 2, amount: money(123456n, 'USD') }]
const paid = { orderRef: hostile, paidAt: at, items, total: money(9007199254740993n, 'EUR') }

const contents: { readonly [K in MailKind]: Extract<MailContent, { kind: K }>['data'] } = {
  sign_in_code: { code: '482913', expiresAt: at },
  receipt: { ...paid, claim: link },
  gift: { from: hostile, message: `${hostile}\n\n\n\nsecond line`, items, claim: link },
  gift_receipt: { ...paid, recipient: hostile, claim: null },
  claim_notice: { orderRef: hostile, items, claimedBy: 'eve@mail.example', undo: link },
  claim_undone: { orderRef: hostile, items },
  seat_ready: { course: hostile, url: link.url },
  seat_waiting: { course: hostile, reason: hostile },
  email_changed: { newEmail: 'new@mail.example', changedAt: at },
  second_factor_changed: { change: 'removed', changedAt: at },
  person_erased: { erasedAt: at, kept: [hostile] },
  export_ready: link,
}
const mailOf = (kind: MailKind, more: object = {}): Mail =>
  ({ kind, to: 'ada@learner.example', data: contents[kind], ...more }) as Mail

for (const kind of Object.keys(contents) as MailKind[])
  test(`${kind}: hostile words stay words, in one line of subject, and nothing is fetched`, () => {
    const { subject, text, html } = render(mailOf(kind), hostile)
    assert.ok(!/[\p{Cc}\u202e]/u.test(subject), subject)
    assert.ok([...subject].length <= 150)
    assert.doesNotMatch(html, /<(?:img|script|link|iframe|svg)|onerror=alert\(1\)>|url\(|\u202e|\0/)
    assert.doesNotMatch(html.replaceAll('{time}', ''), /\{[a-zA-Z]+\}/, 'no place is left unfilled')
    assert.doesNotMatch(text, /\r|\0|\u202e/)
    assert.ok(!text.split('\n').some((line) => line.startsWith('Bcc:')))
    assert.match(html, /<html lang="en">/)
    assert.match(html, /prefers-color-scheme:dark/)
  })

test('a code stands alone on its line and not in the subject', () => {
  const { subject, text, code } = render(mailOf('sign_in_code'), 'Harbour School')
  assert.equal(subject, 'Your sign-in code for Harbour School')
  assert.equal(code, '482913')
  assert.match(text, /^ {4}482913$/m)
  assert.match(text, /until November 20, 2026 at 2:05 PM UTC/)
  assert.match(text, /If it was not you/)
})

test('amounts are exact and in the reader\u2019s way; a language without texts is answered in English', () => {
  const { text, links } = render(mailOf('receipt', { locale: 'de-DE' }), 'Harbour School')
  assert.match(text, /Total: 90\.071\.992\.547\.409,93/)
  assert.match(text, /1\.234,56/)
  assert.match(text, /Thank you for your purchase/)
  assert.deepEqual(links, [link.url])
  assert.match(render(mailOf('receipt', { locale: 'not a locale' }), 'S').text, /Total/)
})

test('addresses of others are masked', () => {
  for (const kind of ['claim_notice', 'email_changed'] as const) {
    const { text, html } = render(mailOf(kind), 'S')
    assert.match(text, /[en]\*\*\*@mail\.example/)
    assert.ok(!`${text}${html}`.includes('eve@') && !`${text}${html}`.includes('new@'))
  }
})

test('long words are cut by character, not in the middle of one', () => {
  const { subject } = render(mailOf('seat_ready', { data: { course: '👩‍🎓'.repeat(300), url: link.url } }), 'S')
  assert.ok(subject.endsWith('…'))
  assert.doesNotMatch(subject, /[\ud800-\udbff](?![\udc00-\udfff])/)
})

test('a link that is no page is a bug, not a message', () => {
  for (const url of ['javascript:alert(1)', '/claim/x', 'data:text/html,x'])
    assert.throws(() => render(mailOf('export_ready', { data: { url, expiresAt: at } }), 'S'), /no page/)
})
