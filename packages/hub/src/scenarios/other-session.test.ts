import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { second, systemClock } from '@bursar/kit/clock.ts'
import { decodeJwt } from 'jose'
import { lastMail } from '#mail/testing.ts'
import { createDoors, type Doors } from './idor-testing.ts'

let d: Doors
before(async () => {
  d = await createDoors()
})
after(() => d.close())

const callback = 'https://school.alder.example/callback'

test('whoever signs in for an application in a browser that holds somebody else’s session enters as themselves', async () => {
  const eve = await d.signIn('eve@alder.example')
  const { clientId, clientSecret } = await d.identity.provider.clients.register({
    ...{ organization: d.organizationA, name: 'School', redirectUris: [callback], kind: 'confidential' },
    ...{ skipConsent: true, emailInIdToken: true },
  })
  const verifier = 'v'.repeat(64)
  const query = new URLSearchParams({
    ...{ client_id: clientId, redirect_uri: callback, response_type: 'code', scope: 'openid email', state: 's1' },
    ...{ code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' },
    prompt: 'login',
  })
  const browser = { cookie: eve.cookie, origin: 'http://127.0.0.1', 'sec-fetch-site': 'same-origin' }
  const asked = await d.ask({ method: 'GET', url: `/auth/oauth2/authorize?${query}`, headers: browser })
  const page = String(asked.headers.location).split('?')[1]
  await d.ask({ url: `/sign-in/code?${page}`, form: { email: 'ada@alder.example' }, headers: browser })
  // The library marks its queries by the system's clock.
  await d.world.clock.advanceTo(systemClock.now() + second)
  const { code } = await lastMail(d, 'ada@alder.example')
  const form = { email: 'ada@alder.example', code: code ?? '' }
  const entered = await d.ask({ url: `/sign-in/verify?${page}`, form, headers: browser })
  assert.equal(entered.status, 303, entered.text.replace(/<style>[^<]*/, ''))
  const back = new URL(String(entered.headers.location))
  assert.equal(back.origin + back.pathname, callback)
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
  const told = await d.ask({
    url: '/auth/oauth2/token',
    form: {
      ...{ grant_type: 'authorization_code', code: back.searchParams.get('code') ?? '' },
      ...{ redirect_uri: callback, code_verifier: verifier },
    },
    headers: { authorization: `Basic ${basic}` },
  })
  assert.equal(decodeJwt(String(told.json.id_token)).email, 'ada@alder.example')
})
