import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '@bursar/kit/clock.ts'
import type { SignedIn } from '../signed-in.ts'
import { type Browser, browser } from './browser-testing.ts'
import { somewhere, type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
before(async () => {
  world = await testProvider()
})
after(() => world.close())

async function signIn(email: string) {
  await world.provider.requestCode(email, somewhere)
  const answer = await world.provider.verifyCode(email, world.code(email), somewhere)
  assert.ok('signedIn' in answer)
  const tab = browser(world.url)
  tab.keep(answer.cookies)
  return { tab, ...answer }
}

async function now(tab: Browser): Promise<SignedIn> {
  const found = await world.provider.source({ method: 'GET', headers: { cookie: tab.cookie() } })
  assert.ok(found !== null && found !== 'invalid')
  return found
}

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 6238 with its defaults, as an authenticator app computes it; `step` 1 is the code that comes next. */
async function totp(uri: unknown, step = 0): Promise<string> {
  const secret = new URL(String(uri)).searchParams.get('secret') ?? ''
  const bits = [...secret].map((letter) => base32.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const bytes = Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(systemClock.now() / 30_000) + step))
  const algorithm = { name: 'HMAC', hash: 'SHA-1' }
  const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['sign'])
  const mac = Buffer.from(await crypto.subtle.sign('HMAC', key, counter))
  const offset = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

async function withTotp(email: string) {
  const first = await signIn(email)
  const enabled = await first.tab.send('/two-factor/enable', {})
  assert.equal(enabled.status, 200, JSON.stringify(enabled.json))
  const confirmed = await first.tab.send('/two-factor/verify-totp', { code: await totp(enabled.json.totpURI) })
  assert.equal(confirmed.status, 200, JSON.stringify(confirmed.json))
  return { ...first, uri: enabled.json.totpURI, backup: enabled.json.backupCodes as string[] }
}

test('who confirms an authenticator app has the second factor; a code alone later has not, until the app speaks', async () => {
  const { tab, uri } = await withTotp('anna@example.org')
  assert.ok((await now(tab)).secondFactorAt !== null)
  const later = await signIn('anna@example.org')
  assert.equal(later.signedIn.secondFactorAt, null)
  await assert.rejects(world.provider.setPassword(later.signedIn, 'a long new password'), {
    code: 'second_factor_required',
  })
  const wrong = await later.tab.send('/two-factor/verify-totp', { code: '000000' })
  assert.equal(wrong.status, 401)
  assert.equal((await now(later.tab)).secondFactorAt, null)
  assert.equal((await later.tab.send('/two-factor/verify-totp', { code: await totp(uri, 1) })).status, 200)
  const stronger = await now(later.tab)
  assert.ok(stronger.secondFactorAt !== null)
  assert.equal(stronger.sessionId, later.signedIn.sessionId)
  await world.provider.setPassword(stronger, 'a long new password')
})

test('a code of the app works once, though it lasts longer', async () => {
  const { uri } = await withTotp('gina@example.org')
  const code = await totp(uri, 1)
  const { tab } = await signIn('gina@example.org')
  assert.equal((await tab.send('/two-factor/verify-totp', { code })).status, 200)
  const thief = await signIn('gina@example.org')
  assert.equal((await thief.tab.send('/two-factor/verify-totp', { code })).status, 429)
  assert.equal((await now(thief.tab)).secondFactorAt, null)
})

test('a backup code is a second factor, once', async () => {
  const { backup } = await withTotp('ben@example.org')
  const [code = ''] = backup
  const one = await signIn('ben@example.org')
  assert.equal((await one.tab.send('/two-factor/verify-backup-code', { code })).status, 200)
  assert.ok((await now(one.tab)).secondFactorAt !== null)
  const two = await signIn('ben@example.org')
  assert.ok((await two.tab.send('/two-factor/verify-backup-code', { code })).status >= 400)
  assert.equal((await now(two.tab)).secondFactorAt, null)
})

test('the sixth guess at a second factor in ten minutes is not looked at', async () => {
  const { uri } = await withTotp('carla@example.org')
  const { tab } = await signIn('carla@example.org')
  for (const code of ['000000', '000001', '000002', '000003'])
    assert.equal((await tab.send('/two-factor/verify-totp', { code })).status, 401)
  assert.equal((await tab.send('/two-factor/verify-totp', { code: await totp(uri, 1) })).status, 429)
})

test('a backup code of an app that was never confirmed is no second factor', async () => {
  const { tab } = await signIn('dora@example.org')
  const enabled = await tab.send('/two-factor/enable', {})
  const [code = ''] = enabled.json.backupCodes as string[]
  await tab.send('/two-factor/verify-backup-code', { code })
  assert.equal((await now(tab)).secondFactorAt, null)
})

test('a session without a proof made just now changes nothing about how its person signs in', async () => {
  const { tab, signedIn } = await signIn('emil@example.org')
  await world.it.rows(`update auth.session set "mailboxProvenAt" = now() - interval '16 minutes'
    where id = '${signedIn.sessionId}'`)
  const refused = await tab.send('/two-factor/enable', {})
  assert.deepEqual([refused.status, refused.json.code], [403, 'proof_needed'])
  const options = await tab.open(`${world.url}/auth/passkey/generate-register-options`)
  assert.equal(options.status, 403)
  await assert.rejects(world.provider.setPassword(await now(tab), 'a long new password'), { code: 'email_unproven' })
})

test('second factors are not asked without a session, and no two-step sign-in of the library is left open', async () => {
  const tab = browser(world.url)
  assert.equal((await tab.send('/two-factor/verify-totp', { code: '123456' })).status, 401)
  assert.equal((await tab.send('/two-factor/enable', {})).status, 401)
})

test('a passkey is offered for this host, must check its holder, and a stranger learns nothing from the options', async () => {
  const { tab } = await signIn('fred@example.org')
  type Options = { rp?: { id: string }; authenticatorSelection?: { userVerification: string }; challenge: string }
  const register = JSON.parse((await tab.open(`${world.url}/auth/passkey/generate-register-options`)).text) as Options
  assert.deepEqual([register.rp?.id, register.authenticatorSelection?.userVerification], ['127.0.0.1', 'required'])
  const stranger = browser(world.url)
  const ask = await stranger.open(`${world.url}/auth/passkey/generate-authenticate-options`)
  const options = JSON.parse(ask.text) as Options & { allowCredentials?: unknown[] }
  assert.ok(options.challenge.length > 20)
  assert.equal(options.allowCredentials, undefined)
  const forged = { id: 'AAAA', rawId: 'AAAA', type: 'public-key', response: {}, clientExtensionResults: {} }
  assert.equal((await stranger.send('/passkey/verify-authentication', { response: forged })).status, 401)
})
