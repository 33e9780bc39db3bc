import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { somewhere, type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
before(async () => {
  world = await testProvider()
})
after(() => world.close())

async function signIn(email: string) {
  await world.provider.requestCode(email, somewhere)
  const answer = await world.provider.verifyCode(email, world.code(email), somewhere)
  assert.ok('signedIn' in answer, JSON.stringify(answer))
  return answer
}

const asked = (token: string) => ({ method: 'POST', headers: { authorization: `Bearer ${token}` } })

test('a code sent to a mailbox signs in and makes the account, the second time the same one', async () => {
  const first = await signIn('Anna@Example.org')
  assert.equal(first.isNew, true)
  assert.equal(first.signedIn.email, 'anna@example.org')
  assert.equal(first.signedIn.emailVerified, true)
  assert.ok(first.signedIn.mailboxProvenAt !== null)
  assert.equal(first.signedIn.secondFactorAt, null)
  assert.match(first.token, /^bst_/)
  const second = await signIn('anna@example.org')
  assert.deepEqual([second.isNew, second.signedIn.subject], [false, first.signedIn.subject])
})

test('the token and the cookie of a session both say who asks; a forged one is invalid', async () => {
  const { token, cookies, signedIn } = await signIn('ben@example.org')
  const byToken = await world.provider.source(asked(token))
  assert.deepEqual(byToken, signedIn)
  const cookie = cookies[0]?.split(';')[0] ?? ''
  const byCookie = await world.provider.source({ method: 'GET', headers: { cookie } })
  assert.deepEqual(byCookie, { ...signedIn, via: 'cookie' })
  assert.equal(await world.provider.source({ method: 'POST', headers: { cookie } }), null)
  assert.equal(await world.provider.source(asked(`${token.slice(0, -6)}AAAAA=`)), 'invalid')
  assert.equal(await world.provider.source(asked(token.split('.')[0] ?? '')), 'invalid')
  assert.equal(await world.provider.source(asked('bsk_live_abc')), null)
  assert.equal(await world.provider.source({ method: 'GET', headers: {} }), null)
})

test('a wrong code is refused, and after three wrong ones the right one is dead', async () => {
  const email = 'carla@example.org'
  await world.provider.requestCode(email, somewhere)
  const right = world.code(email)
  const wrong = right === '000000' ? '111111' : '000000'
  for (let n = 0; n < 3; n++)
    assert.deepEqual(await world.provider.verifyCode(email, wrong, somewhere), { refused: 'wrong' })
  assert.deepEqual(await world.provider.verifyCode(email, right, somewhere), { refused: 'too_many' })
  assert.deepEqual(await world.provider.verifyCode(email, right, somewhere), { refused: 'wrong' })
})

test('a code works once', async () => {
  await signIn('dora@example.org')
  const again = await world.provider.verifyCode('dora@example.org', world.code('dora@example.org'), somewhere)
  assert.deepEqual(again, { refused: 'wrong' })
})

test('signing out ends the session, and so does revoking it or all of them', async () => {
  const [a, b, c] = [
    await signIn('emil@example.org'),
    await signIn('emil@example.org'),
    await signIn('emil@example.org'),
  ]
  const { subject } = a.signedIn
  assert.equal((await world.provider.sessions.list(subject)).length, 3)
  const { cookies } = await world.provider.signOut(asked(a.token))
  assert.match(cookies.join(), /Max-Age=0/)
  assert.equal(await world.provider.source(asked(a.token)), 'invalid')
  assert.equal(await world.provider.sessions.revoke('usr_somebody', b.signedIn.sessionId), false)
  assert.equal(await world.provider.sessions.revoke(subject, b.signedIn.sessionId), true)
  assert.equal(await world.provider.source(asked(b.token)), 'invalid')
  assert.equal(await world.provider.revokeAll(subject), 1)
  assert.equal(await world.provider.source(asked(c.token)), 'invalid')
})

test('the sixth code to one address in a quarter of an hour is refused', async () => {
  for (let n = 0; n < 5; n++) await world.provider.requestCode('fred@example.org', somewhere)
  await assert.rejects(world.provider.requestCode('fred@example.org', somewhere), { code: 'rate_limited' })
})
