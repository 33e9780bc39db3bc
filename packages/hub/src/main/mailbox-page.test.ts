import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { minute } from '@bursar/kit/clock.ts'
import Fastify, { type FastifyInstance } from 'fastify'
import { type TestApp, testApp } from '#action/testing.ts'
import { sendMailNow } from '#mail/deliver.ts'
import { mailboxRoutes } from './mailbox-page.ts'

let on: TestApp
let fastify: FastifyInstance
before(async () => {
  on = await testApp()
  fastify = Fastify({ logger: false })
  mailboxRoutes(on.app)(fastify)
})
after(async () => {
  await fastify.close()
  await on.close()
})

const at = async (url: string, headers: Record<string, string> = {}, remoteAddress = '127.0.0.1') =>
  fastify.inject({ method: 'GET', url, headers: { host: 'localhost:8787', ...headers }, remoteAddress })

const code = (to: string, digits: string) =>
  sendMailNow(
    { ...on.app, organization: null },
    { kind: 'sign_in_code', to, data: { code: digits, expiresAt: on.clock.now() + 10 * minute } },
  )

test('an empty mailbox says how it fills', async () => {
  assert.match((await at('/sandbox/mailbox')).body, /Nothing yet\. Buy something/)
})

test('the list shows the newest first, for one address or all, and as JSON with code and links', async () => {
  await code('ada@learner.example', '111111')
  await on.clock.advance(1)
  const { id } = await code('bea@learner.example', '222222')
  const list = (await at('/sandbox/mailbox')).body
  assert.ok(list.indexOf('bea@learner.example') < list.indexOf('ada@learner.example'))
  assert.ok(list.includes(`data-newest="${id}"`))
  const one = (await at('/sandbox/mailbox?to=ada@learner.example')).body
  assert.ok(!one.includes('bea@'))
  const { messages } = (await at('/sandbox/mailbox.json?to=BEA@learner.example')).json()
  assert.deepEqual(
    messages.map((m: { id: string; code: string; link: null }) => [m.id, m.code, m.link]),
    [[id, '222222', null]],
  )
})

test('a message shows its code and itself in a frame where nothing runs and links open beside it', async () => {
  const organization = await on.organization('Harbour')
  const { id } = await sendMailNow(
    { ...on.app, organization },
    {
      kind: 'seat_ready',
      to: 'cleo@learner.example',
      data: { course: '<script>alert(1)</script>', url: 'https://hub.example/orders/1?a=1&b=2' },
    },
  )
  const page = await at(`/sandbox/mailbox/${id}`)
  assert.match(page.body, /href="https:\/\/hub\.example\/orders\/1\?a=1&amp;b=2"/)
  assert.ok(!page.body.includes('<script>alert'))
  const policy = String(page.headers['content-security-policy'])
  assert.match(policy, /default-src 'none'/)
  assert.ok(!policy.includes('unsafe'))
  const body = await at(`/sandbox/mailbox/${id}/body`)
  assert.match(String(body.headers['content-security-policy']), /sandbox allow-popups/)
  assert.match(body.body, /<head><base target="_blank">/)
  assert.ok(!body.body.includes('<script>'))
  assert.equal(page.headers['cache-control'], 'no-store')
  assert.equal((await at('/sandbox/mailbox/eml_none')).statusCode, 404)
})

test('the mailbox answers this machine under its own name and nobody else', async () => {
  for (const path of [
    '/sandbox/mailbox',
    '/sandbox/mailbox.json',
    '/sandbox/mailbox/eml_x',
    '/sandbox/mailbox/eml_x/body',
  ]) {
    assert.equal((await at(path, {}, '192.0.2.7')).statusCode, 404, path)
    const rebound = await at(path, { host: 'evil.example' })
    assert.equal(rebound.statusCode, 404, path)
    assert.match(rebound.body, /this machine only/)
  }
  assert.equal((await at('/sandbox/mailbox', { host: '[::1]:80' }, '::1')).statusCode, 200)
})
