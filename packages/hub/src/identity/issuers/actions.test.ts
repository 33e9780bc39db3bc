import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createGuard } from '@bursar/kit/http.ts'
import type { Caller } from '#action/caller.ts'
import { defineActions } from '#action/define.ts'
import { type ActionResult, runAction } from '#action/run.ts'
import { issuerActions } from './actions.ts'
import { audience, bearer, clientId, clientSecret, type IssuerTest, issuerTest } from './testing.ts'

const registry = defineActions(issuerActions)
let t: IssuerTest
before(async () => {
  t = await issuerTest({ flavour: 'auth0' })
})
after(() => t.close())
beforeEach(async () => {
  t.provider.faults.clear()
  t.provider.addClient({ id: clientId, secret: clientSecret, redirectUris: [] })
  for (const table of ['session', 'issuer', 'issuer_keys']) await t.test.rows(`delete from ${table}`)
})

const caller = (scopes: readonly string[] = ['*'], organization = t.organization): Caller => ({
  organization,
  actor: { kind: 'key', id: 'key_1', name: 'test' },
  scopes,
})
const ask = (name: string, input: unknown, by: Caller | null = caller(), app = t.app): Promise<ActionResult> =>
  runAction(app, registry, { name, input, caller: by, dryRun: undefined, idempotencyKey: undefined })
async function answer<T>(name: string, input: unknown): Promise<T> {
  const result = await ask(name, input)
  if (!result.ok) throw new Error(JSON.stringify(result.body))
  return result.output as T
}
const codeOf = async (...given: Parameters<typeof ask>): Promise<string> => {
  const result = await ask(...given)
  return result.ok ? 'ok' : result.code
}
type Shown = {
  id: string
  issuer: string
  trustsEmail: boolean
  hasSecret: boolean
  callbackUrl: string
  logoutUrl: string
  state: string
}
type Checked = { usable: boolean; findings: { code: string; level: string; message: string; fix: string | null }[] }

const whole = () => ({
  issuer: t.provider.issuer,
  name: 'Alder account',
  clientId,
  clientSecret,
  signIn: true,
  accessTokens: true,
  audiences: [audience],
})

test('an issuer is added with everything off but what is asked for, and its secret is never seen again', async () => {
  const made = await answer<Shown>('issuers.add', whole())
  assert.deepEqual(
    [made.issuer, made.trustsEmail, made.hasSecret, made.state],
    [t.provider.issuer, false, true, 'active'],
  )
  assert.equal(made.logoutUrl, `${t.app.publicUrl}/api/sign-in/logout/${made.id}`)
  const { issuers } = await answer<{ issuers: Shown[] }>('issuers.list', {})
  assert.equal(issuers.length, 1)
  const seen = JSON.stringify([
    made,
    issuers,
    await t.test.rows('select * from audit'),
    await t.test.rows('select * from idempotency_key'),
  ])
  assert.ok(!seen.includes(clientSecret))
  assert.equal(await codeOf('issuers.add', whole()), 'already_exists')
})

test('an issuer is trusted for addresses only once somebody says so', async () => {
  const { id } = await answer<Shown>('issuers.add', whole())
  const claims = { sub: 'ann', email: 'ann@learner.example', email_verified: true }
  const verified = async () => {
    const found = await bearer(t.issuers, t.provider.accessToken(claims))
    assert.ok(found !== null && found !== 'invalid')
    return found.emailVerified
  }
  assert.equal(await verified(), false)
  await answer('issuers.update', { issuerId: id, trustsEmail: true })
  assert.equal(await verified(), true)
})

test('settings that do not go together are refused by field', async () => {
  const refused = async (change: object) => {
    const result = await ask('issuers.add', { ...whole(), ...change })
    assert.ok(!result.ok)
    return (result.body.error as unknown as { issues: { path: string }[] }).issues[0]?.path
  }
  assert.equal(await refused({ clientSecret: undefined }), 'signIn')
  assert.equal(await refused({ audiences: [] }), 'accessTokens')
  assert.equal(await refused({ audiences: [clientId] }), 'audiences')
  assert.equal(await refused({ codeChallenge: true }), 'connection')
  assert.equal(await refused({ codeChallenge: true, connection: 'db' }), 'trustsEmail')
  assert.equal(await refused({ algorithms: ['HS256'] }), 'algorithms[0]')
  assert.equal(await refused({ issuer: t.app.publicUrl }), 'issuer')
  assert.equal(await refused({ issuer: `${t.app.publicUrl}/auth` }), 'issuer')
})

test('an issuer on a private address, without https or on another port is refused', async () => {
  const app = { ...t.app, demo: false, guard: createGuard({}) }
  for (const issuer of [
    'https://10.0.0.1/',
    'https://169.254.169.254/',
    'https://[::1]/',
    'https://localhost/',
    'http://login.example/',
    'https://login.example:8443/',
    'https://2130706433/',
  ])
    assert.equal(await codeOf('issuers.add', { ...whole(), issuer }, caller(), app), 'address_forbidden', issuer)
  assert.equal(await codeOf('issuers.add', { ...whole(), issuer: 'https://login.example/' }, caller(), app), 'ok')
})

test('who sends codes is one issuer at most', async () => {
  const codes = { trustsEmail: true, codeChallenge: true, connection: 'db' }
  await answer('issuers.add', { ...whole(), ...codes })
  assert.equal(await codeOf('issuers.add', { ...whole(), ...codes, issuer: `${t.provider.url}/second/` }), 'conflict')
})

test('removing ends the sessions that came from it; another organization cannot remove, change or check it', async () => {
  const { id } = await answer<Shown>('issuers.add', whole())
  const stranger = caller(['*'], await t.test.organization('Stranger'))
  assert.equal(await codeOf('issuers.remove', { issuerId: id }, stranger), 'not_found')
  assert.equal(await codeOf('issuers.update', { issuerId: id, name: 'x' }, stranger), 'not_found')
  assert.equal(await codeOf('issuers.check', { issuerId: id }, stranger), 'not_found')
  await t.test.rows(`insert into session (id, organization_id, issuer, subject, authenticated_at, created_at, last_seen_at, expires_at)
    values ('ses_1', '${t.organization}', '${t.provider.issuer}', 'ann', now(), now(), now(), now())`)
  assert.deepEqual(await answer('issuers.remove', { issuerId: id }), { issuer: t.provider.issuer, sessionsEnded: 1 })
  assert.equal(await codeOf('issuers.remove', { issuerId: id }), 'not_found')
})

test('scopes: reading shows the list, writing changes it, and nothing without a key', async () => {
  const reader = caller(['identity:read'])
  assert.equal(await codeOf('issuers.list', {}, reader), 'ok')
  assert.equal(await codeOf('issuers.add', whole(), reader), 'forbidden')
  assert.equal(await codeOf('issuers.list', {}, null), 'unauthenticated')
})

const check = async (issuerId: string): Promise<Checked> => answer<Checked>('issuers.check', { issuerId })
const problems = (it: Checked): string[] => it.findings.filter((f) => f.level === 'problem').map((f) => f.code)

test('a check of right settings finds nothing to mend and names the addresses to register', async () => {
  const codes = { trustsEmail: true, codeChallenge: true, connection: 'Username-Password-Authentication' }
  const { id, logoutUrl } = await answer<Shown>('issuers.add', { ...whole(), ...codes })
  const found = await check(id)
  assert.deepEqual([found.usable, problems(found)], [true, []], JSON.stringify(found))
  assert.ok(found.findings.some((f) => f.message.includes(logoutUrl)))
  assert.equal(t.provider.sent().length, 0, 'no mail is sent')
})

test('a check says what is wrong: the slash, the secret, a single-page application, the key endpoint', async () => {
  const { id: slash } = await answer<Shown>('issuers.add', { ...whole(), issuer: t.provider.url })
  const wrongName = await check(slash)
  assert.deepEqual(problems(wrongName), ['discovery'])
  assert.match(wrongName.findings[0]?.fix ?? '', /slash/)
  await t.test.rows('delete from issuer')

  const { id: secret } = await answer<Shown>('issuers.add', { ...whole(), clientSecret: 'not-the-right-secret-at-all' })
  assert.deepEqual(problems(await check(secret)), ['client'])
  await t.test.rows('delete from issuer')

  const codes = { trustsEmail: true, codeChallenge: true, connection: 'db' }
  const { id } = await answer<Shown>('issuers.add', { ...whole(), ...codes })
  t.provider.addClient({ id: clientId, secret: null, redirectUris: [] })
  const spa = await check(id)
  assert.deepEqual(problems(spa), ['codes'])
  assert.match(spa.findings.find((f) => f.code === 'codes')?.fix ?? '', /Regular Web Application.*Passwordless OTP/)
  t.provider.faults.set([{ kind: 'status', status: 500, path: 'jwks' }])
  assert.deepEqual(problems(await check(id)), ['keys'])
})

test('a check of a key set whose address is private says that the address is the matter', async () => {
  const { id } = await answer<Shown>('issuers.add', whole())
  const description = { issuer: t.provider.issuer, jwks_uri: 'http://10.1.2.3/keys' }
  t.provider.faults.set([{ kind: 'status', status: 200, body: description, path: 'openid-configuration' }])
  assert.deepEqual(problems(await check(id)), ['address'])
})
