import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, browser } from './browser-testing.ts'
import { softwareKey } from './passkey-testing.ts'
import { somewhere, type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
before(async () => {
  world = await testProvider()
})
after(() => world.close())

async function signedInTab(email: string) {
  await world.provider.requestCode(email, somewhere)
  const answer = await world.provider.verifyCode(email, world.code(email), somewhere)
  assert.ok('signedIn' in answer)
  const tab = browser(world.url)
  tab.keep(answer.cookies)
  return { tab, signedIn: answer.signedIn }
}

const challengeOf = async (tab: Browser, ceremony: 'register' | 'authenticate'): Promise<string> => {
  const answer = await tab.open(`${world.url}/auth/passkey/generate-${ceremony}-options`)
  assert.equal(answer.status, 200, answer.text)
  return (JSON.parse(answer.text) as { challenge: string }).challenge
}

async function register(tab: Browser, key: ReturnType<typeof softwareKey>) {
  const response = key.register(await challengeOf(tab, 'register'))
  const answer = await tab.send('/passkey/verify-registration', { response, name: 'My key' })
  assert.equal(answer.status, 200, JSON.stringify(answer.json))
}

async function enter(key: ReturnType<typeof softwareKey>) {
  const tab = browser(world.url)
  const response = key.signIn(await challengeOf(tab, 'authenticate'))
  const answer = await tab.send('/passkey/verify-authentication', { response })
  return { tab, answer }
}

test('a passkey that checked its holder signs in as the same person, with a second factor and no proof of the mailbox', async () => {
  const { tab, signedIn } = await signedInTab('anna@example.org')
  const key = softwareKey(world.url)
  await register(tab, key)
  const entered = await enter(key)
  assert.equal(entered.answer.status, 200, JSON.stringify(entered.answer.json))
  const found = await world.provider.source({ method: 'GET', headers: { cookie: entered.tab.cookie() } })
  assert.ok(found !== null && found !== 'invalid')
  assert.equal(found.subject, signedIn.subject)
  assert.ok(found.secondFactorAt !== null)
  assert.equal(found.mailboxProvenAt, null)
  const [newest] = await world.provider.sessions.list(found.subject)
  assert.equal(newest?.method, 'passkey')
})

test('a key that was only touched does not sign in, and a challenge works once', async () => {
  const { tab } = await signedInTab('ben@example.org')
  const key = softwareKey(world.url, { checksHolder: false })
  await register(tab, key)
  assert.equal((await enter(key)).answer.status, 401)

  const other = await signedInTab('carla@example.org')
  const good = softwareKey(world.url)
  await register(other.tab, good)
  const visitor = browser(world.url)
  const response = good.signIn(await challengeOf(visitor, 'authenticate'))
  const cookie = visitor.cookie()
  assert.equal((await visitor.send('/passkey/verify-authentication', { response })).status, 200)
  const replay = browser(world.url)
  replay.keep([cookie])
  assert.equal((await replay.send('/passkey/verify-authentication', { response })).status, 400)
})

test('with a passkey on the account a code alone adds no further one', async () => {
  const { tab } = await signedInTab('dora@example.org')
  await register(tab, softwareKey(world.url))
  const later = await signedInTab('dora@example.org')
  const refused = await later.tab.open(`${world.url}/auth/passkey/generate-register-options`)
  assert.equal(refused.status, 403)
})

test('a passkey answered for another site is refused', async () => {
  const { tab } = await signedInTab('emil@example.org')
  const phished = softwareKey('https://evil.example')
  const response = phished.register(await challengeOf(tab, 'register'))
  assert.ok((await tab.send('/passkey/verify-registration', { response, name: 'x' })).status >= 400)
})
