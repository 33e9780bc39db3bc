import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mailsTo } from '#mail/testing.ts'
import { createDoors, type Doors, slugA, slugB } from './idor-testing.ts'

let d: Doors
before(async () => {
  d = await createDoors()
})
after(() => d.close())

const post = (url: string, body: unknown, more: { ip?: string; headers?: Record<string, string>; raw?: string } = {}) =>
  d.fastify.inject({
    method: 'POST',
    url,
    remoteAddress: more.ip ?? '203.0.113.5',
    headers: { 'content-type': 'application/json', ...more.headers },
    payload: more.raw ?? JSON.stringify(body),
  })
const codeTo = (email: string, organization: string, ip: string, headers = {}) =>
  post('/api/sign-in/code', { organization, email }, { ip, headers })

test('one mailbox gets five codes, whichever organization, spelling and network they are asked from', async () => {
  const spellings = ['victim@mail.example', 'Victim@Mail.example', ' victim@mail.example ', 'VICTIM@MAIL.EXAMPLE']
  const said: number[] = []
  for (let n = 0; n < 12; n++) {
    const answer = await codeTo(spellings[n % 4] ?? '', n % 2 === 0 ? slugA : slugB, `203.0.113.${n}`)
    said.push(answer.statusCode)
  }
  assert.deepEqual(said, [...Array(5).fill(200), ...Array(7).fill(429)])
  assert.equal((await mailsTo(d, 'victim@mail.example')).length, 5)
})

test('who one is says the connection: forwarded addresses of a stranger’s own making count nothing', async () => {
  const said: number[] = []
  for (let n = 0; n < 12; n++) {
    const forged = {
      'x-forwarded-for': `198.51.100.${n}`,
      'x-real-ip': `198.51.100.${n}`,
      forwarded: `for=198.51.100.${n}`,
    }
    said.push(
      (await codeTo(`n${n}@mail.example`, slugA, '192.0.2.77', { ...forged, 'x-bursar-address': `10.0.0.${n}` }))
        .statusCode,
    )
  }
  assert.deepEqual(said, [...Array(10).fill(200), 429, 429])
})

test('known and unknown addresses are answered alike, byte for byte, when a code is asked for and when it is wrong', async () => {
  await d.signIn('known@mail.example')
  const about = async (email: string) => {
    const asked = await codeTo(email, slugA, '192.0.2.90')
    const typed = await post(
      '/api/sign-in/verify',
      { organization: slugA, email, code: '000000' },
      { ip: '192.0.2.91' },
    )
    const password = await post('/auth/sign-in/password', { email, password: 'guessed password' }, { ip: '192.0.2.92' })
    return [asked, typed, password].map((it) => `${it.statusCode} ${it.body.replace(/trc_\w+/, '')}`)
  }
  assert.deepEqual(await about('known@mail.example'), await about('unknown@mail.example'))
})

test('what looks like an address and is another mailbox, or two, or a header, gets no code', async () => {
  let networks = 0
  for (const email of [
    'a@b.example\r\nbcc: x@y.example',
    'a@b.example%0d%0abcc:x@y.example',
    'a@b.example,c@d.example',
    'a@b.example;c@d.example',
    '"a@b.example"@c.example',
    '<a@b.example>',
    'a@b.example.',
    'a@b..example',
    'a@[127.0.0.1]',
    'а@b.example',
    'a@b.exаmple',
    'a\u202e@b.example',
    'a b@c.example',
    'a@b.example\u0000',
  ]) {
    networks += 1
    const answer = await codeTo(email, slugA, `192.0.2.${100 + networks}`)
    assert.equal(answer.statusCode, 400, JSON.stringify(email))
  }
  const rows = await d.world.rows<{ to: string }>(
    `select to_address as "to" from mail_message where to_address like '%b.ex%'`,
  )
  assert.deepEqual(rows, [])
})

test('no door takes __proto__ or constructor.prototype', async () => {
  for (const url of [
    '/api/v1/me.get',
    '/api/checkout',
    '/api/checkout/status',
    '/api/onboard-learner',
    '/api/sign-in/code',
    '/api/sign-in/verify',
    '/api/sign-in/exchange',
    '/sign-in/code',
  ])
    for (const raw of ['{"__proto__":{"isAdmin":true}}', '{"constructor":{"prototype":{"isAdmin":true}}}']) {
      const answer = await post(url, null, { raw, ip: '192.0.2.44' })
      assert.ok(answer.statusCode >= 400 && answer.statusCode < 500, `${url} ${answer.statusCode}`)
    }
  assert.equal(({} as { isAdmin?: unknown }).isAdmin, undefined)
})

test('a session planted in a browser is replaced by signing in, and a cookie of one’s own making is nobody’s', async () => {
  const eve = await d.signIn('eve@mail.example')
  const ada = await d.signIn('ada@mail.example')
  assert.notEqual(eve.cookie, ada.cookie)
  for (const cookie of [
    `${eve.cookie.split('=')[0]}=bst_chosen`,
    `${eve.cookie.split('=')[0]}=`,
    'bursar_session=bss_chosen',
  ]) {
    const headers = { cookie, 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1' }
    assert.equal((await post('/api/v1/me.get', {}, { headers })).statusCode, 401, cookie)
    const page = await d.fastify.inject({ method: 'GET', url: '/account', headers })
    assert.equal(page.statusCode, 303, 'and it shuts nobody out of the sign-in')
  }
})

test('a key that is refused is not rescued by a cookie beside it', async () => {
  const ada = await d.signIn('beside@mail.example')
  const cookie = { cookie: ada.cookie, 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1' }
  for (const authorization of ['Bearer bsk_demo_x', 'Bearer ', 'Basic eDp4', 'Bearer a.b.c', 'Token x'])
    assert.equal(
      (await post('/api/v1/me.get', {}, { headers: { ...cookie, authorization } })).statusCode,
      401,
      authorization,
    )
})

test('an organization on a shared hub cannot have people told to it without asking them', async () => {
  const wish = { name: 'Harvest', redirectUris: ['https://evil.example/cb'], skipConsent: true }
  const ask = (key: string, json: unknown) =>
    post('/api/v1/clients.register', json, { headers: { authorization: `Bearer ${key}` } })
  assert.equal((await ask(d.keyB, wish)).statusCode, 403)
  assert.equal((await ask(d.keyB, { ...wish, skipConsent: false })).statusCode, 200)
  assert.ok((await d.act<{ clientId: string }>('clients.register', wish)).clientId, 'whoever runs the hub may')
})

test('a site is one host: no wildcard, no list and no policy of its own making', async () => {
  const add = (origin: string) =>
    post('/api/v1/origins.add', { origin }, { headers: { authorization: `Bearer ${d.keyA}` } })
  for (const origin of [
    'https://*',
    'https://*.example',
    'https://a.example;script-src',
    'https://a.example,https://b.example',
    "https://a'.example",
    'https://user@a.example',
    'https://a.example/path',
    'javascript:alert(1)',
    'null',
    'https://',
    'https://[::1]',
    'http://[::1]:8080',
  ])
    assert.equal((await add(origin)).statusCode, 400, origin)
  for (const origin of ['https://shop.example', 'https://SHOP.example:8443', 'https://münchen.example'])
    assert.equal((await add(origin)).statusCode, 200, origin)
})
