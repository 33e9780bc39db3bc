import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { virtualClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp, type HttpClient } from '@bursar/kit/http.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import { type IdentityProvider, startIdentityProvider } from './provider.ts'

const clock = virtualClock()
const random = seededRandom(5)
const client = { id: 'shop', secret: 'shop-secret', redirectUris: ['https://hub.example/callback'] }
let http: HttpClient
let provider: IdentityProvider
before(async () => {
  http = createHttp({ clock, random, guard: createGuard({ allowLoopback: true }) })
  provider = await startIdentityProvider({ clock, random, clients: [client] })
  provider.addUser({ sub: 'ann', email: 'ann@learner.example', emailVerified: true, name: 'Ann' })
})
after(async () => {
  await http.close()
  await provider.close()
})

const send = async (method: 'GET' | 'POST', path: string, fields?: Record<string, string>) => {
  const outcome = await http({
    ...{ method, url: provider.url + path },
    ...(fields === undefined ? {} : { body: new URLSearchParams(fields).toString() }),
  })
  assert.ok(outcome.ok)
  const { status, headers, body } = outcome.response
  return { status, headers, text: body.toString(), json: () => JSON.parse(body.toString()) as Record<string, string> }
}
const verifier = 'v'.repeat(50)
const query = (change: Record<string, string> = {}) =>
  new URLSearchParams({
    ...{
      client_id: client.id,
      redirect_uri: client.redirectUris[0] ?? '',
      response_type: 'code',
      state: 's',
      nonce: 'n',
    },
    ...{ scope: 'openid offline_access', code_challenge_method: 'S256' },
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    ...change,
  }).toString()
const redeem = (fields: Record<string, string>) =>
  send('POST', '/oauth/token', { client_id: client.id, client_secret: client.secret, ...fields })

async function codeFor(): Promise<string> {
  provider.approve('ann')
  const { headers } = await send('GET', `/authorize?${query()}`)
  return new URL(headers.location ?? '').searchParams.get('code') ?? ''
}
const withCode = (code: string, change: Record<string, string> = {}) =>
  redeem({
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: client.redirectUris[0] ?? '',
    ...change,
  })

test('a callback that nobody registered is not redirected to', async () => {
  const answer = await send('GET', `/authorize?${query({ redirect_uri: 'https://evil.example/' })}`)
  assert.deepEqual([answer.status, answer.headers.location], [400, undefined])
})

test('the login form takes the address it was given and sends the browser back', async () => {
  provider.approve(null)
  const page = await send('GET', `/authorize?${query({ login_hint: 'ann@learner.example' })}`)
  assert.match(page.text, /value="ann@learner\.example"/)
  const back = await send('POST', `/authorize?${query()}`, { username: 'ann@learner.example' })
  assert.equal(back.status, 302)
  assert.match(back.headers.location ?? '', /^https:\/\/hub\.example\/callback\?code=/)
})

test('a code needs its verifier, its callback and its client, and works once', async () => {
  const error = async (change: Record<string, string>) => (await withCode(await codeFor(), change)).json().error
  assert.equal(await error({ code_verifier: 'w'.repeat(50) }), 'invalid_grant')
  assert.equal(await error({ redirect_uri: 'https://hub.example/other' }), 'invalid_grant')
  assert.equal(await error({ client_secret: 'wrong' }), 'invalid_client')
  const code = await codeFor()
  assert.equal((await withCode(code)).status, 200)
  assert.equal((await withCode(code)).json().error, 'invalid_grant')
})

test('I11: an old refresh token that comes again ends its family', async () => {
  const first = (await withCode(await codeFor())).json()
  const refresh = (token: string | undefined) => redeem({ grant_type: 'refresh_token', refresh_token: token ?? '' })
  const second = (await refresh(first.refresh_token)).json()
  assert.ok(second.access_token)
  assert.equal((await refresh(first.refresh_token)).status, 400)
  assert.equal((await refresh(second.refresh_token)).status, 400)
})

test('UserInfo answers its own access tokens only', async () => {
  const { access_token: token = '' } = (await withCode(await codeFor())).json()
  const ask = async (authorization: string) => {
    const outcome = await http({ method: 'GET', url: `${provider.url}/userinfo`, headers: { authorization } })
    return outcome.ok ? outcome.response.status : 0
  }
  assert.deepEqual([await ask(`Bearer ${token}`), await ask('Bearer x')], [200, 401])
})

test('the plain provider has no codes by back channel', async () => {
  assert.equal((await send('POST', '/otp/challenge', {})).status, 404)
})
