import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { CodeSignIn } from '#identity/code-sign-in.ts'
import { ensurePerson } from '#identity/people.ts'
import { bearer, clientId, clientSecret, type IssuerTest, issuerTest } from './testing.ts'

const connection = 'Username-Password-Authentication'
let t: IssuerTest
before(async () => {
  t = await issuerTest({ flavour: 'auth0' })
})
after(() => t.close())
beforeEach(async () => {
  t.provider.faults.clear()
  t.provider.addClient({ id: clientId, secret: clientSecret, redirectUris: [] })
  for (const table of ['issuer_challenge', 'session', 'issuer']) await t.test.rows(`delete from ${table}`)
  await t.test.clock.advance(20 * minute)
})

async function codes(settings: Parameters<IssuerTest['allow']>[0] = {}): Promise<CodeSignIn> {
  await t.allow({ trustsEmail: true, codeChallenge: true, connection, ...settings })
  const found = await t.issuers.codes(t.organization)
  assert.ok(found !== null)
  return found
}
const context = () => ({ organization: t.organization, address: '198.51.100.7', userAgent: 'Test browser' })
const lastCode = (email: string): string => t.provider.sent().findLast((it) => it.email === email)?.code ?? ''
const other = (code: string): string => (code === '000000' ? '000001' : '000000')

test('without the setting the hub sends codes itself', async () => {
  await t.allow({ trustsEmail: true })
  assert.equal(await t.issuers.codes(t.organization), null)
})

test('a right code signs in, and is a fresh proof of the mailbox', async () => {
  const signIn = await codes()
  await signIn.request(' New@Learner.example', context())
  const done = await signIn.verify('new@learner.example', lastCode('new@learner.example'), context())
  assert.ok(!('refused' in done), JSON.stringify(done))
  const { signedIn, isNew } = done
  assert.deepEqual(
    [signedIn.issuer, signedIn.email, signedIn.emailVerified, signedIn.mailboxProvenAt, signedIn.organization, isNew],
    [t.provider.issuer, 'new@learner.example', true, t.app.clock.now(), t.organization, true],
  )
  const again = await bearer(t.issuers, done.token)
  assert.ok(again !== null && again !== 'invalid')
  assert.equal(again.mailboxProvenAt, signedIn.mailboxProvenAt)
})

test('a second sign-in of a known person is not new', async () => {
  const signIn = await codes()
  const round = async () => {
    await signIn.request('known@learner.example', context())
    const done = await signIn.verify('known@learner.example', lastCode('known@learner.example'), context())
    assert.ok(!('refused' in done))
    return done
  }
  const first = await round()
  await t.app.db.tx({ organization: t.organization }, (tx) =>
    ensurePerson(tx, { ids: t.app.ids, organization: t.organization }, first.signedIn),
  )
  assert.equal((await round()).isNew, false)
})

test('a code works once, and a wrong one not at all', async () => {
  const signIn = await codes()
  await signIn.request('ann@learner.example', context())
  const code = lastCode('ann@learner.example')
  assert.deepEqual(await signIn.verify('ann@learner.example', other(code), context()), { refused: 'wrong' })
  assert.deepEqual(await signIn.verify('bob@learner.example', code, context()), { refused: 'wrong' })
  assert.deepEqual(await signIn.verify('ann@learner.example', 'abc', context()), { refused: 'wrong' })
  assert.ok(!('refused' in (await signIn.verify('ann@learner.example', code, context()))))
  assert.deepEqual(await signIn.verify('ann@learner.example', code, context()), { refused: 'wrong' })
})

test('either of two codes that were asked for works', async () => {
  const signIn = await codes()
  await signIn.request('two@learner.example', context())
  const first = lastCode('two@learner.example')
  await signIn.request('two@learner.example', context())
  assert.ok(!('refused' in (await signIn.verify('two@learner.example', first, context()))))
})

test('guessing ends: the provider counts, and the hub counts too', async () => {
  const signIn = await codes()
  await signIn.request('guess@learner.example', context())
  const code = lastCode('guess@learner.example')
  t.provider.clearLog()
  const said = []
  for (let i = 0; i < 7; i++) {
    const done = await signIn.verify('guess@learner.example', other(code), context())
    said.push('refused' in done ? done.refused : 'in')
  }
  assert.deepEqual(said, ['wrong', 'wrong', 'wrong', 'too_many', 'too_many', 'too_many', 'too_many'])
  assert.deepEqual(await signIn.verify('guess@learner.example', code, context()), { refused: 'too_many' })
  assert.equal(
    t.provider.log().filter((it) => it.path === '/oauth/token').length,
    5,
    'five attempts, then nobody is asked',
  )
})

test('a code of eleven minutes ago is too old', async () => {
  const signIn = await codes()
  await signIn.request('late@learner.example', context())
  await t.test.clock.advance(11 * minute)
  assert.deepEqual(await signIn.verify('late@learner.example', lastCode('late@learner.example'), context()), {
    refused: 'wrong',
  })
})

test('a known, an unknown and a blocked address are answered alike', async () => {
  t.provider.addUser({ sub: 'auth0|b', email: 'blocked@learner.example', blocked: true })
  const signIn = await codes()
  for (const email of ['blocked@learner.example', 'unknown@learner.example'])
    assert.equal(await signIn.request(email, context()), undefined)
  assert.equal(lastCode('blocked@learner.example'), '')
  assert.deepEqual(await signIn.verify('blocked@learner.example', '123456', context()), { refused: 'wrong' })
})

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'ok'
  } catch (error) {
    return error instanceof CodedError ? error.code : String(error)
  }
}

test('one mailbox gets five codes in ten minutes, also from somebody who floods it', async () => {
  const signIn = await codes()
  for (let i = 0; i < 5; i++) await signIn.request('flood@learner.example', context())
  assert.equal(await codeOf(signIn.request('flood@learner.example', context())), 'rate_limited')
  assert.equal(await codeOf(signIn.request('calm@learner.example', context())), 'ok')
  await t.test.clock.advance(11 * minute)
  assert.equal(await codeOf(signIn.request('flood@learner.example', context())), 'ok')
})

test('a provider that is down or says 429: told as that, for the request and for the code', async () => {
  const signIn = await codes()
  await signIn.request('ann@learner.example', context())
  const code = lastCode('ann@learner.example')
  for (const kind of ['reset', 'html', 'truncate'] as const) {
    t.provider.faults.set([{ kind }])
    assert.equal(await codeOf(signIn.request('x@learner.example', context())), 'upstream_failed', kind)
  }
  t.provider.faults.set([{ kind: 'reset' }])
  assert.deepEqual(await signIn.verify('ann@learner.example', code, context()), { refused: 'unavailable' })
  t.provider.faults.set([
    { kind: 'status', status: 429, headers: { 'retry-after': '7' }, body: { error: 'too_many_requests' } },
  ])
  assert.equal(await codeOf(signIn.request('x@learner.example', context())), 'rate_limited')
  assert.deepEqual(await signIn.verify('ann@learner.example', code, context()), { refused: 'rate_limited' })
  t.provider.faults.clear()
  assert.ok(!('refused' in (await signIn.verify('ann@learner.example', code, context()))))
})

test('a single-page application gets no codes, and the log says why without the secret', async () => {
  const signIn = await codes()
  t.provider.addClient({ id: clientId, secret: null, redirectUris: [] })
  assert.equal(await codeOf(signIn.request('ann@learner.example', context())), 'upstream_failed')
  const log = JSON.stringify(t.test.log.lines)
  assert.match(log, /unauthorized_client/)
  assert.ok(!log.includes(clientSecret))
})

test('a wrong connection is our fault, not a wrong code', async () => {
  const signIn = await codes({ connection: 'no-such-connection' })
  assert.equal(await codeOf(signIn.request('ann@learner.example', context())), 'upstream_failed')
})

test('a provider that wants a second factor sends the person to its own page', async () => {
  t.provider.addUser({ sub: 'auth0|m', email: 'mfa@learner.example', secondFactor: true })
  const signIn = await codes()
  await signIn.request('mfa@learner.example', context())
  const done = await signIn.verify('mfa@learner.example', lastCode('mfa@learner.example'), context())
  assert.deepEqual(done, { refused: 'second_factor' })
})

test('when trust in the issuer is taken back, the proofs it gave end as well', async () => {
  const signIn = await codes()
  await signIn.request('trust@learner.example', context())
  const done = await signIn.verify('trust@learner.example', lastCode('trust@learner.example'), context())
  assert.ok(!('refused' in done))
  await t.test.rows('update issuer set code_challenge = false, trusts_email = false')
  const found = await bearer(t.issuers, done.token)
  assert.ok(found !== null && found !== 'invalid')
  assert.deepEqual([found.emailVerified, found.mailboxProvenAt], [false, null])
})

test('neither the address nor the provider’s handle lies open in the database', async () => {
  const signIn = await codes()
  await signIn.request('quiet@learner.example', context())
  const stored = JSON.stringify(
    await t.test.rows("select *, encode(auth_session, 'escape') as text from issuer_challenge"),
  )
  assert.ok(!stored.includes('quiet@'))
  assert.ok(!stored.includes(t.provider.sent().at(-1)?.session ?? 'none'))
})
