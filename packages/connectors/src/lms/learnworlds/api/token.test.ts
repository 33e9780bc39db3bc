import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { createLearnWorldsClient } from '../client.ts'
import { failureOf, schools, value } from '../testing.ts'
import { memoryTokens } from './token.ts'

const school = schools(afterEach)

const credentials = { kind: 'credentials', clientSecret: 'simulator-client-secret-0001' } as const
const withSecret = { config: { auth: credentials } }

for (const encoding of ['form', 'json'] as const)
  test(`a token is fetched once with the ${encoding} encoding and used for all calls`, async () => {
    const s = await school({ config: { auth: { ...credentials, encoding } } })
    value(await s.client.users.page())
    value(await s.client.users.page())
    assert.equal(s.simulator.school().counts.tokens, 1)
    assert.deepEqual(
      s.calls.map((c) => c.path),
      ['/admin/api/oauth2/access_token', '/admin/api/v2/users?page=1', '/admin/api/v2/users?page=1'],
    )
  })

test('the life of a token is the one the school names, less a tenth', async () => {
  const s = await school({ ...withSecret, variants: { tokenExpiresInS: 100 } })
  value(await s.client.users.page())
  await s.clock.advance(89_000)
  value(await s.client.users.page())
  assert.equal(s.simulator.school().counts.tokens, 1)
  await s.clock.advance(2_000)
  value(await s.client.users.page())
  assert.equal(s.simulator.school().counts.tokens, 2)
  assert.equal(s.simulator.school().counts.denied, 0, 'it was renewed before it ran out')
})

for (const denied of ['access_denied_400', 'unauthorized_401'] as const)
  test(`a token the school forgot (${denied}) is renewed once and the call repeated`, async () => {
    const s = await school({ ...withSecret, variants: { denied } })
    value(await s.client.users.page())
    s.simulator.reset()
    value(await s.client.users.page())
    assert.deepEqual([s.simulator.school().counts.tokens, s.simulator.school().counts.denied], [1, 1])
  })

test('twenty callers with a dead token share one renewal', async () => {
  const s = await school({ ...withSecret, variants: { requests: 0 } })
  value(await s.client.users.page())
  s.simulator.reset()
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => s.client.users.page()))
  for (const outcome of outcomes) value(outcome)
  assert.equal(s.simulator.school().counts.tokens, 1)
})

test('a connector for each piece of work: ten of them with a dead token share one renewal', async () => {
  const tokens = memoryTokens()
  const s = await school({ ...withSecret, variants: { requests: 0 }, io: { tokens } })
  value(await s.client.users.page())
  s.simulator.reset()
  const clients = Array.from({ length: 10 }, () => createLearnWorldsClient(s.settings, { ...s.io }))
  for (const outcome of await Promise.all(clients.map((client) => client.users.page()))) value(outcome)
  assert.equal(s.simulator.school().counts.tokens, 1)
})

test('a call that is refused with a fresh token as well is not repeated for ever', async () => {
  const s = await school(withSecret)
  s.simulator.faults.add({ kind: 'status', status: 401, body: { error: 'no' }, path: '/v2/' })
  assert.equal(failureOf(await s.client.users.page()).class, 'unauthorized')
  assert.equal(s.calls.filter((c) => c.path.includes('/v2/')).length, 2)
})

test('a wrong secret is unauthorized, and its text tells no secret', async () => {
  const s = await school({ config: { auth: { kind: 'credentials', clientSecret: 'wrong-secret-value' } } })
  const failure = failureOf(await s.client.users.page())
  assert.deepEqual([failure.class, failure.code], ['unauthorized', 'learnworlds.credentials_refused'])
  assert.ok(!JSON.stringify([failure, s.calls]).includes('wrong-secret-value'))
})

test('a refused static token is not renewed: one call, unauthorized', async () => {
  const s = await school({ config: { auth: { kind: 'token', accessToken: 'not-the-token' } } })
  assert.equal(failureOf(await s.client.users.page()).class, 'unauthorized')
  assert.equal(s.calls.length, 1)
})

test('the token endpoint being down is not a wrong secret', async () => {
  const s = await school(withSecret)
  s.simulator.faults.add({ kind: 'status', status: 503, path: '/oauth2/' })
  assert.equal(failureOf(await s.client.users.page()).class, 'unavailable')
})

test('a shared store lets a second client work without a token of its own', async () => {
  const tokens = memoryTokens()
  const s = await school({ ...withSecret, io: { tokens } })
  value(await s.client.users.page())
  value((await s.connector.catalog?.list()) ?? assert.fail())
  assert.equal(s.simulator.school().counts.tokens, 1)
})

test('the budget is asked before every call, the token call included, and a refusal makes no call', async () => {
  const asked: number[] = []
  let left = 2
  const acquire = async (cost: number) => {
    asked.push(cost)
    return left-- > 0 ? ({ ok: true } as const) : ({ ok: false, retryAfterMs: 700 } as const)
  }
  const s = await school({ ...withSecret, io: { acquire } })
  value(await s.client.users.page())
  const failure = failureOf(await s.client.users.page())
  assert.deepEqual(
    [failure.class, failure.unsent, failure.retryAfterMs, failure.code],
    ['rate_limited', true, 700, 'learnworlds.budget'],
  )
  assert.deepEqual(asked, [1, 1, 1])
  assert.equal(s.simulator.school().counts.calls, 2)
})

test('a page instead of an answer is unauthorized, and the next call tries another token', async () => {
  const s = await school({ ...withSecret, variants: { denied: 'html_200' } })
  value(await s.client.users.page())
  s.simulator.reset()
  assert.equal(failureOf(await s.client.users.page()).code, 'learnworlds.not_json')
  value(await s.client.users.page())
})
