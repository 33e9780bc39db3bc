import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '@bursar/kit/clock.ts'
import Fastify, { type FastifyInstance } from 'fastify'
import { type TestApp, testApp } from '#action/testing.ts'
import { setSessionCookie } from '#identity/issuers/sessions.ts'
import { createProvider, type Provider } from './provider.ts'
import { secretForTests, somewhere } from './testing.ts'

const publicUrl = 'https://hub.example'
const codes: string[] = []
let it: TestApp
let provider: Provider
let fastify: FastifyInstance
before(async () => {
  it = await testApp({ clock: systemClock, publicUrl })
  provider = createProvider({
    app: it.app,
    databaseUrl: it.database.url,
    secret: secretForTests,
    serviceScopes: [],
    deliverCode: async ({ code }) => void codes.push(code),
  })
  fastify = Fastify()
  fastify.removeAllContentTypeParsers()
  await fastify.register(provider.handler)
})
after(async () => {
  await fastify.close()
  await provider.close()
  await it.close()
})

test('cookies of sessions are bound to the very host: a neighbour below the same domain can set none of them', async () => {
  await provider.requestCode('ann@host.example', somewhere)
  const answer = await provider.verifyCode('ann@host.example', codes.at(-1) ?? '', somewhere)
  assert.ok('signedIn' in answer)
  const [cookie = ''] = answer.cookies
  for (const one of [cookie, setSessionCookie(it.app, 'bss_x')]) {
    assert.match(one, /^__Host-bursar[._]session/)
    assert.match(one, /; Secure/)
    assert.match(one, /; Path=\//)
    assert.match(one, /; HttpOnly/)
    assert.doesNotMatch(one, /domain/i)
  }
  const asked = (value: string) => provider.source({ method: 'GET', headers: { cookie: value } })
  const pair = cookie.split(';')[0] ?? ''
  const found = await asked(pair)
  assert.ok(found !== null && found !== 'invalid')
  // What a neighbour could set is not even looked at.
  const tossed = pair.replace('__Host-', '')
  assert.equal(await asked(tossed), null)
  assert.equal(await asked(tossed.replace(/^/, '__Secure-')), null)
})

test('the library sets no cookie without the prefix, and takes its own back', async () => {
  const headers = { origin: publicUrl, 'sec-fetch-site': 'same-origin' }
  const asked = await fastify.inject({ method: 'GET', url: '/auth/passkey/generate-authenticate-options', headers })
  assert.equal(asked.statusCode, 200, asked.body)
  const set = [asked.headers['set-cookie'] ?? []].flat()
  assert.ok(set.length > 0)
  for (const one of set) assert.match(one, /^__Host-[^;]*;.*Path=\/.*/, one)
})
