import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { takeHandOver } from './hand-over.ts'
import { somewhere, type TestProvider, testProvider } from './testing.ts'

let on: TestProvider
before(async () => {
  on = await testProvider()
})
after(() => on.close())

const window = async (email: string) => {
  await on.provider.requestCode(email, somewhere)
  const made = await on.provider.verifyCode(email, on.code(email), somewhere)
  assert.ok(!('refused' in made))
  const cookie = made.cookies[0]?.split(';')[0] ?? ''
  return { made, request: { method: 'POST', headers: { cookie, 'sec-fetch-site': 'same-origin' } } }
}

test('a frame gets the session of the window it opened, once', async () => {
  const { made, request } = await window('ada@example.com')
  const code = (await on.provider.handOver(request)) ?? ''
  assert.match(code, /^bsh_/)
  const taken = await takeHandOver(on.it.app, code)
  assert.equal(taken?.token, made.token)
  const asked = await on.provider.source({ method: 'POST', headers: { authorization: `Bearer ${taken?.token}` } })
  assert.ok(asked !== null && asked !== 'invalid')
  assert.equal(asked.subject, made.signedIn.subject)
  assert.equal(await takeHandOver(on.it.app, code), null, 'used')
})

test('of two who come with one code at once, one gets the session', async () => {
  const { request } = await window('bea@example.com')
  const code = (await on.provider.handOver(request)) ?? ''
  const taken = await Promise.all(Array.from({ length: 5 }, () => takeHandOver(on.it.app, code)))
  assert.equal(taken.filter((t) => t !== null).length, 1)
})

test('what a foreign page sends, a stranger and a made-up code get nothing', async () => {
  const { request } = await window('cleo@example.com')
  const foreign = { ...request, headers: { ...request.headers, 'sec-fetch-site': 'cross-site' } }
  assert.equal(await on.provider.handOver(foreign), null)
  assert.equal(await on.provider.handOver({ method: 'POST', headers: {} }), null)
  assert.equal(await takeHandOver(on.it.app, `bsh_${'A'.repeat(43)}`), null)
})
