import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CodedError } from '@bursar/kit/errors.ts'
import type { CodeSignIn } from '#identity/code-sign-in.ts'
import { type IssuerTest, issuerTest } from './testing.ts'

let t: IssuerTest
let signIn: CodeSignIn
before(async () => {
  t = await issuerTest({ flavour: 'auth0' })
  await t.allow({ trustsEmail: true, codeChallenge: true, connection: 'Username-Password-Authentication' })
  const found = await t.issuers.codes(t.organization)
  assert.ok(found !== null)
  signIn = found
})
after(() => t.close())

const from = (address: string) => ({ organization: t.organization, address, userAgent: null })
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'ok'
  } catch (error) {
    if (error instanceof CodedError) return error.code
    throw error
  }
}
const sentTo = (email: string): number => t.provider.sent().filter((it) => it.email === email).length

test('twenty requests at one moment send one mailbox no more than five codes', async () => {
  const all = Array.from({ length: 20 }, (_, n) =>
    codeOf(signIn.request('at-once@limits.example', from(`192.0.2.${n}`))),
  )
  const said = await Promise.all(all)
  assert.equal(said.filter((code) => code === 'ok').length, 5)
  assert.equal(said.filter((code) => code === 'rate_limited').length, 15)
  assert.equal(sentTo('at-once@limits.example'), 5)
})

test('one network does not write to everybody', async () => {
  const said: string[] = []
  for (let n = 0; n < 31; n++) said.push(await codeOf(signIn.request(`many${n}@limits.example`, from('198.51.100.50'))))
  assert.deepEqual([said.filter((code) => code === 'ok').length, said.at(-1)], [30, 'rate_limited'])
})

test('what is no address is not sent on to the provider', async () => {
  t.provider.clearLog()
  for (const text of [
    'nobody',
    'a b@c.example',
    'a@b.example\r\nbcc: x@y.example',
    'a@b.example,c@d.example',
    '@',
    'a@b.example.',
  ])
    assert.equal(await codeOf(signIn.request(text, from('203.0.113.1'))), 'input_invalid', text)
  assert.deepEqual(t.provider.log(), [])
  const done = await signIn.verify('no address', '123456', from('203.0.113.1'))
  assert.deepEqual(done, { refused: 'wrong' })
})
