import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import bcrypt from 'bcryptjs'
import { somewhere, type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
before(async () => {
  world = await testProvider()
})
after(() => world.close())

const password = 'correct horse battery'

const importing = async (email: string, passwordHash: string | null, emailVerified = true) =>
  world.provider.importUser({ email, emailVerified, name: 'Anna', passwordHash, source: 'moodle' })

const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
  const answer = await fetch(`${world.url}/auth${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: answer.status, text: await answer.text(), cookies: answer.headers.getSetCookie() }
}

const storedHash = async (subject: string) => {
  const rows = await world.it.rows<{ password: string }>(
    `select password from auth.account where "userId" = '${subject}'`,
  )
  return rows[0]?.password ?? ''
}

test('I12: an imported password signs in over HTTP and is written anew in today’s form at the first success', async () => {
  const email = 'anna@example.org'
  const { subject } = await importing(email, (await bcrypt.hash(password, 4)).replace('$2b$', '$2y$'))
  assert.equal((await post('/sign-in/password', { email, password: 'wrong horse' })).status, 401)
  assert.match(await storedHash(subject), /^\$2y\$/)
  const right = await post('/sign-in/password', { email, password })
  assert.equal(right.status, 200, right.text)
  assert.match(await storedHash(subject), /^\$argon2id\$/)
  assert.equal((await post('/sign-in/password', { email, password })).status, 200)
  const cookie = right.cookies[0]?.split(';')[0] ?? ''
  const found = await world.provider.source({ method: 'GET', headers: { cookie } })
  assert.ok(found !== null && found !== 'invalid')
  assert.deepEqual([found.subject, found.mailboxProvenAt, found.secondFactorAt], [subject, null, null])
})

test('I12: a hash nobody can read refuses, and sends a code to sign in with', async () => {
  const email = 'ben@example.org'
  await importing(email, '{SSHA}c2VjcmV0')
  assert.equal((await post('/sign-in/password', { email, password })).status, 401)
  for (let n = 0; n < 50 && world.mails.at(-1)?.email !== email; n++) await new Promise(setImmediate)
  while (world.mails.at(-1)?.email !== email) await new Promise(setImmediate)
  assert.deepEqual([world.mails.at(-1)?.kind, world.mails.at(-1)?.email], ['password_reset', email])
  const answer = await world.provider.verifyCode(email, world.code(email), somewhere)
  assert.ok('signedIn' in answer)
  await world.provider.setPassword(answer.signedIn, password)
  assert.equal((await post('/sign-in/password', { email, password })).status, 200)
})

test('an import leaves an account that exists as it is', async () => {
  const email = 'carla@example.org'
  const first = await importing(email, null)
  const second = await importing(email, await bcrypt.hash(password, 4))
  assert.deepEqual(second, { subject: first.subject, outcome: 'exists' })
  assert.equal((await post('/sign-in/password', { email, password })).status, 401)
})

test('a wrong password, no password and no account answer alike, and take alike', async () => {
  await importing('dora@example.org', null)
  await importing('emil@example.org', null)
  await world.provider.requestCode('emil@example.org', somewhere)
  const emil = await world.provider.verifyCode('emil@example.org', world.code('emil@example.org'), somewhere)
  assert.ok('signedIn' in emil)
  await world.provider.setPassword(emil.signedIn, password)
  const times = new Map<string, number[]>()
  const answers = new Set<string>()
  for (let n = 0; n < 5; n++)
    for (const email of ['dora@example.org', 'emil@example.org', 'nobody@example.org']) {
      const start = performance.now()
      const { status, text } = await post('/sign-in/password', { email, password: 'not the password' })
      times.set(email, [...(times.get(email) ?? []), performance.now() - start])
      answers.add(`${status} ${text}`)
    }
  assert.equal(answers.size, 1, [...answers].join('\n'))
  const medians = [...times.values()].map((list) => list.sort((a, b) => a - b)[2] ?? 0)
  assert.ok(Math.max(...medians) < 4 * Math.min(...medians), medians.join(', '))
})

test('asking for a code does the same for known and unknown addresses', async () => {
  await importing('fred@example.org', null)
  for (const email of ['fred@example.org', 'unknown@example.org']) {
    const before = world.mails.length
    assert.equal(await world.provider.requestCode(email, somewhere), undefined)
    assert.deepEqual([world.mails.length - before, world.mails.at(-1)?.kind], [1, 'sign_in'])
  }
})

test('a new password ends every other session; a short one, or a form instead of JSON, is refused', async () => {
  const email = 'gina@example.org'
  await world.provider.requestCode(email, somewhere)
  const one = await world.provider.verifyCode(email, world.code(email), somewhere)
  await world.provider.requestCode(email, somewhere)
  const two = await world.provider.verifyCode(email, world.code(email), somewhere)
  assert.ok('token' in one && 'token' in two)
  const authorization = `Bearer ${two.token}`
  assert.equal((await post('/password', { password: 'short' }, { authorization })).status, 400)
  assert.equal((await post('/password', { password }, {})).status, 401)
  assert.equal((await post('/password', { password }, { authorization, 'content-type': 'text/plain' })).status, 400)
  assert.equal((await post('/password', { password }, { authorization })).status, 200)
  const source = (token: string) =>
    world.provider.source({ method: 'GET', headers: { authorization: `Bearer ${token}` } })
  assert.equal(await source(one.token), 'invalid')
  assert.notEqual(await source(two.token), 'invalid')
})

test('the eleventh password at one address is not looked at', async () => {
  const tries = Array.from({ length: 11 }, () => post('/sign-in/password', { email: 'hugo@example.org', password }))
  const statuses = (await Promise.all(tries)).map((answer) => answer.status).sort()
  assert.deepEqual(statuses, [...Array<number>(10).fill(401), 429])
})
