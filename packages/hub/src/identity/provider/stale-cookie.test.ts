import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { somewhere, type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
before(async () => {
  world = await testProvider()
})
after(() => world.close())

test('the cookie of an ended session counts as nobody, in pages and forms alike; an ended token stays invalid', async () => {
  const { provider, url } = world
  await provider.requestCode('ann@stale.example', somewhere)
  const answer = await provider.verifyCode('ann@stale.example', world.code('ann@stale.example'), somewhere)
  assert.ok('signedIn' in answer)
  const cookie = answer.cookies[0]?.split(';')[0] ?? ''
  const own = { 'sec-fetch-site': 'same-origin' } as const
  const asked = { method: 'POST', headers: { cookie, ...own } }
  const found = await provider.source(asked)
  assert.ok(found !== null && found !== 'invalid')
  await provider.revokeAll(answer.signedIn.subject)
  assert.equal(await provider.source(asked), null)
  assert.equal(await provider.source({ method: 'GET', headers: { cookie } }), null)
  const forged = `${cookie.split('=')[0]}=bst_forged.c2lnbmF0dXJl`
  assert.equal(await provider.source({ method: 'GET', headers: { cookie: forged } }), null)
  assert.equal(
    await provider.source({ method: 'GET', headers: { authorization: `Bearer ${answer.token}` } }),
    'invalid',
  )
  // Whoever names a credential means that one.
  assert.equal(
    await provider.source({ method: 'GET', headers: { cookie, authorization: `Bearer ${answer.token}` } }),
    'invalid',
  )
  const password = await fetch(`${url}/auth/password`, {
    method: 'POST',
    headers: { cookie, ...own, 'content-type': 'application/json' },
    body: '{"password":"long enough for anybody"}',
  })
  assert.equal(password.status, 401)
})
