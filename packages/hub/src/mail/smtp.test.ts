import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { collectingLog } from '#action/testing.ts'
import { isMailAddress, maskEmail } from './address.ts'
import { createSmtpMailer, failureOf } from './smtp.ts'
import { mailProblems, parseSender, parseSmtpUrl, type SmtpServer } from './smtp-address.ts'
import { type SmtpHouse, startSmtp } from './smtp-testing.ts'

const houses: SmtpHouse[] = []
after(async () => {
  for (const house of houses) await house.close()
})
const message = {
  id: 'eml_1',
  to: 'ada@learner.example',
  senderName: 'Harbour School',
  subject: 'Hello',
  text: 'secret text',
  html: '<p>secret text</p>',
}

async function tryOn(options: Parameters<typeof startSmtp>[0], change: (server: SmtpServer) => SmtpServer) {
  const house = await startSmtp(options)
  houses.push(house)
  const log = collectingLog()
  const from = { address: 'school@hub.example', name: 'The School' }
  const mailer = createSmtpMailer({
    server: change(house.server),
    from,
    replyTo: { address: 'help@hub.example', name: null },
    log,
    limits: { connectMs: 500, silenceMs: 500, wholeMs: 1_000 },
  })
  const delivered = await mailer.deliver(message)
  await mailer.close()
  return { delivered, house, log: JSON.stringify(log.lines) }
}

test('user and password are used; a wrong one is told without being shown', async () => {
  const account = { user: 'hub', password: 'p@ss:word' }
  const right = await tryOn(account, (s) => s)
  assert.deepEqual(right.delivered, { ok: true })
  assert.ok(right.house.received[0]?.head.some((line) => line === 'From: The School <school@hub.example>'))
  assert.ok(right.house.received[0]?.head.some((line) => line === 'Reply-To: help@hub.example'))
  const wrong = await tryOn(account, (s) => ({ ...s, password: 'wrong-password' }))
  assert.ok(!wrong.delivered.ok)
  assert.deepEqual([wrong.delivered.failure.class, wrong.delivered.failure.code], ['transport', 'mail.login_refused'])
  assert.ok(!`${wrong.log}${JSON.stringify(wrong.delivered)}`.includes('wrong-password'))
})

test('where TLS is required, a server without it, or with a certificate nobody knows, gets nothing', async () => {
  for (const starttls of [false, true]) {
    const { delivered, house } = await tryOn({ starttls }, (s) => ({ ...s, line: 'starttls' }))
    assert.ok(!delivered.ok)
    assert.equal(delivered.failure.class, 'transport')
    assert.equal(house.received.length, 0)
  }
})

test('a server that is not there is the transport\u2019s failure', async () => {
  const { delivered } = await tryOn({}, (s) => ({ ...s, port: 1 }))
  assert.deepEqual(delivered.ok ? null : delivered.failure.class, 'transport')
})

test('an answer to the session is not held against the message, one to the recipient is', () => {
  const of = (command: string, responseCode: number) => failureOf({ code: 'EENVELOPE', command, responseCode }, false)
  assert.equal(of('RCPT TO', 550).class, 'permanent')
  assert.equal(of('RCPT TO', 452).class, 'temporary')
  assert.equal(of('MAIL FROM', 553).class, 'transport')
  assert.equal(of('RCPT TO', 421).class, 'transport')
})

test('the address of the server says how far the line is trusted', () => {
  assert.deepEqual(parseSmtpUrl('smtp://hub:p%40ss@mail.example.com'), {
    host: 'mail.example.com',
    port: 587,
    line: 'starttls',
    user: 'hub',
    password: 'p@ss',
  })
  assert.deepEqual([parseSmtpUrl('smtps://m.example').line, parseSmtpUrl('smtps://m.example').port], ['tls', 465])
  assert.equal(parseSmtpUrl('smtp://127.0.0.1:2525').line, 'plain')
  assert.equal(parseSmtpUrl('smtp://127.0.0.1.evil.example').line, 'starttls')
  assert.deepEqual([parseSmtpUrl('smtp+plain://relay:25').line, parseSmtpUrl('smtp+plain://relay').port], ['plain', 25])
  for (const wrong of [
    'mail.example.com',
    'https://mail.example.com',
    'smtp://user@m.example',
    'smtp://m.example/x',
    'smtp://%zz:x@m.example',
  ])
    assert.throws(() => parseSmtpUrl(wrong), Error, wrong)
})

test('what is wrong with the settings is said without the password', () => {
  const settings = { demo: false, smtpUrl: 'smtp://hub:hunter2@m.example/x', mailFrom: 'nobody', mailReplyTo: null }
  const said = mailProblems(settings)
  assert.equal(said.length, 2)
  assert.ok(!said.join().includes('hunter2'))
  assert.deepEqual(mailProblems({ ...settings, smtpUrl: 'smtp://m.example', mailFrom: null }), [
    'BURSAR_MAIL_FROM is missing: messages need a sender.',
  ])
  assert.deepEqual(mailProblems({ ...settings, smtpUrl: null, mailFrom: null }), [])
  assert.deepEqual(parseSender('"Harbour School" <a@b.example>'), { name: 'Harbour School', address: 'a@b.example' })
})

test('an address is one mailbox; masked, its owner knows it again', () => {
  for (const good of ['a@b.example', 'a.b+c@sub.b.example', 'jörg@bücher.example', "o'neil@b.example"])
    assert.ok(isMailAddress(good), good)
  for (const bad of ['a b@c.d', 'a@b..c', 'a@-b.c', 'a@b-.c', '@b.c', 'a@', 'a@b.c\n', 'a@[127.0.0.1]'])
    assert.ok(!isMailAddress(bad), bad)
  assert.deepEqual([maskEmail('ada@b.example'), maskEmail('@'), maskEmail('x')], ['a***@b.example', '***', '***'])
})
