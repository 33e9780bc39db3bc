import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import bcrypt from 'bcryptjs'
import { createAuthHome } from './auth.ts'
import { disabledPaths } from './paths.ts'
import { secretForTests, somewhere, type TestProvider, testProvider } from './testing.ts'

let world: TestProvider
before(async () => {
  world = await testProvider()
})
after(() => world.close())

const password = 'the attacker’s own password'

/** What an attacker could have left on an account whose mailbox nobody proved, had there been a way to make one. */
async function planted(email: string): Promise<string> {
  const { subject } = await world.provider.importUser({
    email,
    emailVerified: false,
    name: null,
    passwordHash: await bcrypt.hash(password, 4),
    source: 'attacker',
  })
  return subject
}

const byPassword = (email: string) => world.provider.signInWithPassword(email, password, somewhere)

async function byCode(email: string) {
  await world.provider.requestCode(email, somewhere)
  const answer = await world.provider.verifyCode(email, world.code(email), somewhere)
  assert.ok('signedIn' in answer)
  return answer
}

const byLink = (email: string) => world.provider.signInByMailbox(email, somewhere)

const rows = (text: string) => world.it.rows<Record<string, unknown>>(text)

for (const [way, prove] of [
  ['a code', byCode],
  ['a link', byLink],
] as const) {
  const name = way.replace('a ', '')

  test(`I1, I6: a password planted before the mailbox was proven by ${way} never signs in`, async () => {
    const email = `planted-${name}@example.org`
    const subject = await planted(email)
    assert.deepEqual(await byPassword(email), { refused: 'wrong' })
    const victim = await prove(email)
    assert.equal(victim.signedIn.subject, subject)
    assert.equal(victim.signedIn.emailVerified, true)
    assert.deepEqual(await byPassword(email), { refused: 'wrong' })
    assert.deepEqual(await rows(`select id from auth.account where "userId" = '${subject}'`), [])
  })

  test(`I2: a session from before the proof by ${way} is dead after it`, async () => {
    const email = `session-${name}@example.org`
    const subject = await planted(email)
    const far = `now() + interval '1 day'`
    await rows(`insert into auth.session (id, token, "userId", "expiresAt", "createdAt", "updatedAt", method)
      values ('ses_${name}', 'bst_planted_${name}', '${subject}', ${far}, now(), now(), 'password')`)
    const victim = await prove(email)
    const left = await rows(`select id from auth.session where "userId" = '${subject}'`)
    assert.deepEqual(left, [{ id: victim.signedIn.sessionId }])
  })

  test(`I3: identities, passkeys and second factors linked before the proof by ${way} are gone`, async () => {
    const email = `linked-${name}@example.org`
    const subject = await planted(email)
    await rows(`insert into auth.account (id, "accountId", "providerId", "userId", "createdAt", "updatedAt")
      values ('acc_${name}', 'attacker', 'elsewhere', '${subject}', now(), now())`)
    await rows(`insert into auth.passkey (id, "publicKey", "userId", "credentialID", counter, "deviceType", "backedUp")
      values ('psk_${name}', 'x', '${subject}', 'x', 0, 'x', false)`)
    await rows(`insert into auth."twoFactor" (id, secret, "backupCodes", "userId", verified)
      values ('two_${name}', 'x', 'x', '${subject}', true)`)
    await rows(`update auth."user" set "twoFactorEnabled" = true where id = '${subject}'`)
    await prove(email)
    for (const table of ['account', 'passkey', '"twoFactor"'])
      assert.deepEqual(await rows(`select id from auth.${table} where "userId" = '${subject}'`), [], table)
    const flags = await rows(`select "twoFactorEnabled" as factor from auth."user" where id = '${subject}'`)
    assert.deepEqual(flags, [{ factor: false }])
  })

  test(`I4: a change of address started before the proof by ${way} is refused after it`, async () => {
    const email = `changing-${name}@example.org`
    const subject = await planted(email)
    const pending = JSON.stringify({ email: 'attacker@example.org', hash: 'x', session: 'ses_a', attempts: 0 })
    await rows(`insert into auth.verification (id, identifier, value, "expiresAt")
      values ('ver_${name}', 'email-change:${subject}', '${pending}', now() + interval '10 minutes')`)
    const victim = await prove(email)
    await assert.rejects(world.provider.confirmEmailChange(victim.signedIn, '123456'), { code: 'code_wrong' })
    const left = await rows(`select id from auth.verification where identifier = 'email-change:${subject}'`)
    assert.deepEqual(left, [])
  })
}

test('I6: the library itself, asked past our bridge, opens no way to plant a password or to prove without our code', async () => {
  const home = createAuthHome({
    app: world.it.app,
    databaseUrl: world.it.database.url,
    secret: secretForTests,
    deliverCode: async () => undefined,
    serviceScopes: [],
  })
  const body = JSON.stringify({ email: 'x@example.org', password, name: 'x', otp: '000000', type: 'sign-in' })
  for (const path of disabledPaths.filter((p) => !p.includes(':'))) {
    const url = `${world.url}/auth${path}`
    const headers = { 'content-type': 'application/json' }
    const answer = await home.auth().handler(new Request(url, { method: 'POST', headers, body }))
    assert.equal(answer.status, 404, path)
  }
  await home.close()
})

test('an address changes with a code to the new mailbox, in the session that asked, and other sessions end', async () => {
  const asker = await byCode('old@example.org')
  const other = await byCode('old@example.org')
  await world.provider.requestEmailChange(asker.signedIn, 'New@Example.org', somewhere)
  assert.equal(world.mails.at(-1)?.kind, 'email_change')
  const code = world.code('new@example.org')
  await assert.rejects(world.provider.confirmEmailChange(other.signedIn, code), { code: 'code_wrong' })
  await world.provider.requestEmailChange(asker.signedIn, 'new@example.org', somewhere)
  const changed = await world.provider.confirmEmailChange(asker.signedIn, world.code('new@example.org'))
  const { before, after, startedAt } = changed
  assert.deepEqual([before, after], ['old@example.org', 'new@example.org'])
  assert.ok(startedAt <= world.it.app.clock.now())
  const found = await world.provider.source({
    method: 'GET',
    headers: { authorization: `Bearer ${asker.token}` },
  })
  assert.ok(found !== null && found !== 'invalid')
  assert.deepEqual([found.email, found.subject], ['new@example.org', asker.signedIn.subject])
  assert.equal(
    await world.provider.source({ method: 'GET', headers: { authorization: `Bearer ${other.token}` } }),
    'invalid',
  )
})

test('an address somebody has already is not given away, and three wrong codes end the change', async () => {
  await byCode('taken@example.org')
  const asker = await byCode('asker@example.org')
  await world.provider.requestEmailChange(asker.signedIn, 'taken@example.org', somewhere)
  await assert.rejects(world.provider.confirmEmailChange(asker.signedIn, world.code('taken@example.org')), {
    code: 'already_exists',
  })
  await world.provider.requestEmailChange(asker.signedIn, 'free@example.org', somewhere)
  const right = world.code('free@example.org')
  for (let n = 0; n < 3; n++)
    await assert.rejects(world.provider.confirmEmailChange(asker.signedIn, right === '000000' ? '1' : '000000'))
  await assert.rejects(world.provider.confirmEmailChange(asker.signedIn, right), { code: 'code_wrong' })
})

test('an erased person is gone with everything, and the export before it holds no secret', async () => {
  const { signedIn, token } = await byCode('erase@example.org')
  await world.provider.setPassword(signedIn, 'a long new password')
  const copy = await world.provider.exportUser(signedIn.subject)
  assert.deepEqual([copy?.email, copy?.hasPassword, copy?.sessions.length], ['erase@example.org', true, 1])
  assert.doesNotMatch(JSON.stringify(copy), /argon2|bst_/)
  assert.equal(await world.provider.deleteUser(signedIn.subject), true)
  assert.equal(await world.provider.deleteUser(signedIn.subject), false)
  assert.equal(await world.provider.exportUser(signedIn.subject), null)
  const asked = { method: 'GET', headers: { authorization: `Bearer ${token}` } }
  assert.equal(await world.provider.source(asked), 'invalid')
})
