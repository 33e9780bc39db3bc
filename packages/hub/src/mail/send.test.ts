import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { hour, minute } from '@bursar/kit/clock.ts'
import { money } from '@bursar/kit/money.ts'
import { createSecretBox } from '@bursar/kit/secretbox.ts'
import { systemCtx } from '#action/context.ts'
import { type TestApp, testApp } from '#action/testing.ts'
import { createPool } from '#db/database.ts'
import { createDrain, type Drain } from '#db/jobs/drain.ts'
import { sql } from '#db/sql.ts'
import { attemptsMax, noServerWaitMs, sendMailNow } from './deliver.ts'
import { mailTasks, purgeMail, sweepMail } from './jobs.ts'
import type { Mail } from './kinds.ts'
import { withRest } from './rest.ts'
import { sendMail } from './send.ts'
import { createSmtpMailer } from './smtp.ts'
import { header, type SmtpHouse, startSmtp } from './smtp-testing.ts'
import { forgetAddress } from './store.ts'
import { lastMail, mailsTo } from './testing.ts'

let on: TestApp
let house: SmtpHouse
let drain: Drain
let mailer: ReturnType<typeof createSmtpMailer>
let organization: string
let counter = 0

before(async () => {
  house = await startSmtp()
  const made = await testApp({ demo: false, secrets: createSecretBox([{ id: 'k1', key: Buffer.alloc(32, 3) }]) })
  const from = { address: 'school@hub.example', name: null }
  const limits = { silenceMs: 400, wholeMs: 800, connectMs: 400 }
  mailer = createSmtpMailer({ server: house.server, from, replyTo: null, log: made.log, limits })
  on = { ...made, app: { ...made.app, mailer } }
  drain = drainOf(on.app)
})
after(async () => {
  await drain.close()
  await mailer.close()
  await on.close()
  await house.close()
})
beforeEach(async () => {
  house.fault(null)
  await on.rows('delete from mail_message')
  organization = await on.organization(`School${++counter}`)
})

const drainOf = (app: TestApp['app']) =>
  createDrain({
    url: on.database.url,
    tasks: mailTasks(app),
    clock: on.clock,
    random: app.random,
    node: 'n',
    log: on.log,
  })

const codeTo = (to: string, code = '482913'): Mail => ({
  kind: 'sign_in_code',
  to,
  data: { code, expiresAt: on.clock.now() + 10 * minute },
})
const receiptTo = (to: string, dedupeKey?: string): Mail => ({
  kind: 'receipt',
  to,
  ...(dedupeKey === undefined ? {} : { dedupeKey }),
  data: {
    orderRef: 'ord_1',
    paidAt: on.clock.now(),
    items: [{ title: 'Sourdough', quantity: 1 }],
    total: money(4900n, 'USD'),
    claim: { url: 'https://hub.example/claim/secret-token', expiresAt: on.clock.now() + 14 * 24 * hour },
  },
})
const write = (mail: Mail) =>
  on.app.db.tx({ organization }, (tx) => sendMail(tx, systemCtx(on.app, organization, 'test'), mail))

type Row = {
  id: string
  state: string
  attempts: number
  sealed: Buffer | null
  failure: string | null
  nextTryAt: number | null
}
const rowOf = async (id: string): Promise<Row> => {
  const [row] = await on.app.db.direct<Row>(sql('test_mail_row')`
    select id, state, attempts, sealed, failure_code as failure, next_try_at as "nextTryAt" from mail_message where id = ${id}`)
  assert.ok(row)
  return row
}
const receivedBy = (to: string) => house.received.filter((m) => m.to.includes(to))

test('a message goes out when its transaction commits, under an id of its own, and its content is gone', async () => {
  const { id, outcome } = await write(receiptTo('ada@learner.example'))
  assert.equal(outcome, 'queued')
  assert.equal(receivedBy('ada@learner.example').length, 0)
  assert.ok(!(await rowOf(id)).sealed?.includes('secret-token'), 'sealed, not lying open')
  await drain.drain({ until: on.clock.now() })
  const [mail] = receivedBy('ada@learner.example')
  assert.equal(header(mail, 'Message-ID'), `<${id}@hub.example>`)
  assert.equal(header(mail, 'From'), `School${counter} <school@hub.example>`)
  assert.equal(header(mail, 'Auto-Submitted'), 'auto-generated')
  assert.match(mail?.source ?? '', /secret-token/)
  const row = await rowOf(id)
  assert.deepEqual([row.state, row.sealed, row.nextTryAt], ['sent', null, null])
})

test('a transaction that rolls back sends nothing and leaves no job', async () => {
  const failing = on.app.db.tx({ organization }, async (tx) => {
    await sendMail(tx, systemCtx(on.app, organization, 'test'), receiptTo('roll@learner.example'))
    throw new Error('no')
  })
  await assert.rejects(failing, /no/)
  assert.deepEqual(await drain.drain(), { steps: 0 })
  assert.equal(receivedBy('roll@learner.example').length, 0)
})

test('a code goes out before the answer, and its job then finds nothing to do', async () => {
  const sent = await sendMailNow({ ...on.app, organization: null }, codeTo('now@learner.example'))
  assert.equal(sent.sent, true)
  assert.match(receivedBy('now@learner.example')[0]?.source ?? '', /482913/)
  await drain.drain()
  assert.equal(receivedBy('now@learner.example').length, 1)
})

test('a process killed between commit and sending: the job sends it', async () => {
  const { id } = await write(receiptTo('killed@learner.example'))
  const silence = Promise.withResolvers<{ ok: true }>()
  const dead = drainOf({ ...on.app, mailer: { ...mailer, deliver: () => silence.promise } })
  const stuck = dead.step()
  while ((await rowOf(id)).attempts === 0) await new Promise(setImmediate)
  dead.kill()
  const owner = createPool({ url: on.database.url, role: null, max: 1 })
  await owner.query("select graphile_worker.force_unlock_workers(array['n'])")
  await owner.end()
  await drain.drain({ until: on.clock.now() + hour })
  assert.deepEqual([(await rowOf(id)).state, receivedBy('killed@learner.example').length], ['sent', 1])
  silence.resolve({ ok: true })
  await stuck
  await dead.close()
})

test('a row whose job was lost is found by the sweep', async () => {
  const { id } = await write(receiptTo('swept@learner.example'))
  const owner = createPool({ url: on.database.url, role: null, max: 1 })
  await owner.query('delete from graphile_worker._private_jobs')
  await owner.end()
  assert.equal(await sweepMail(on.app), 0, 'not before its own job had the time')
  await on.clock.advance(3 * minute)
  assert.equal(await sweepMail(on.app), 1)
  await drain.drain({ until: on.clock.now() })
  assert.equal((await rowOf(id)).state, 'sent')
})

test('the same key in one organization is one message, in another another', async () => {
  const first = await write(receiptTo('twice@learner.example', 'receipt:ord_1'))
  const again = await write(receiptTo('twice@learner.example', 'receipt:ord_1'))
  assert.deepEqual([again.id, again.outcome], [first.id, 'already'])
  organization = await on.organization(`Other${counter}`)
  assert.equal((await write(receiptTo('twice@learner.example', 'receipt:ord_1'))).outcome, 'queued')
  const system = () =>
    on.app.db.tx('system', (tx) =>
      sendMail(tx, { ...on.app, organization: null }, { ...codeTo('twice@learner.example'), dedupeKey: 'k' }),
    )
  assert.deepEqual([(await system()).outcome, (await system()).outcome], ['queued', 'already'])
  await drain.drain({ until: on.clock.now() })
  assert.equal(receivedBy('twice@learner.example').length, 3)
})

test('"later" from the server is tried again, longer each time, and sent once', async () => {
  house.fault({ at: 'RCPT', answer: 451, times: 3 })
  const { id } = await write(receiptTo('grey@learner.example'))
  await drain.drain({ until: on.clock.now() })
  const first = await rowOf(id)
  assert.deepEqual([first.state, first.attempts, first.failure], ['queued', 1, 'mail.recipient_refused'])
  assert.ok(first.sealed)
  await drain.drain({ until: on.clock.now() + hour })
  const row = await rowOf(id)
  assert.deepEqual([row.state, row.attempts, row.failure], ['sent', 4, null])
  assert.equal(receivedBy('grey@learner.example').length, 1)
})

test('"never" from the server ends it at once, and its content is gone', async () => {
  for (const at of ['RCPT', 'DATA'] as const) {
    house.fault({ at, answer: 550 })
    const { id } = await write(receiptTo('nobody@learner.example'))
    await drain.drain({ until: on.clock.now() })
    const row = await rowOf(id)
    assert.deepEqual([row.state, row.sealed, row.attempts], ['failed', null, 1])
    assert.equal(row.failure, at === 'RCPT' ? 'mail.recipient_refused' : 'mail.message_refused')
  }
})

test('a poisoned address blocks nobody and is given up in the end', async () => {
  house.fault({ at: 'RCPT', answer: 450, to: 'poison@learner.example' })
  const bad = await write(receiptTo('poison@learner.example'))
  const good = await Promise.all(['a', 'b', 'c'].map((n) => write(receiptTo(`${n}@learner.example`))))
  await drain.drain({ until: on.clock.now() })
  for (const { id } of good) assert.equal((await rowOf(id)).state, 'sent')
  await drain.drain({ until: on.clock.now() + 13 * 24 * hour })
  const row = await rowOf(bad.id)
  assert.deepEqual([row.state, row.attempts, row.sealed], ['given_up', attemptsMax, null])
})

test('a server that refuses the sender is nothing against the message: it waits and spends no try', async () => {
  house.fault({ at: 'MAIL', answer: 550 })
  const { id } = await write(receiptTo('sender@learner.example'))
  await drain.drain({ until: on.clock.now() + hour })
  const row = await rowOf(id)
  assert.deepEqual([row.state, row.attempts, row.failure], ['queued', 0, 'mail.sender_refused'])
  house.fault(null)
  await drain.drain({ until: on.clock.now() + hour })
  assert.equal((await rowOf(id)).state, 'sent')
})

test('a server that says nothing is given up in time, and asked again later', async () => {
  house.fault({ at: 'RCPT', answer: 'hang' })
  const { id } = await write(receiptTo('slow@learner.example'))
  await drain.drain({ until: on.clock.now() })
  const row = await rowOf(id)
  assert.deepEqual([row.state, row.attempts, row.failure], ['queued', 0, 'mail.server_silent'])
  house.fault(null)
  await drain.drain({ until: on.clock.now() + hour })
  assert.equal((await rowOf(id)).state, 'sent')
})

test('a connection lost after the last byte: sent again under the same Message-ID, because silence is not a yes', async () => {
  house.fault({ at: 'DATA', answer: 'drop', times: 1 })
  const { id } = await write(receiptTo('lost@learner.example'))
  await drain.drain({ until: on.clock.now() })
  assert.equal((await rowOf(id)).failure, 'mail.answer_lost')
  await drain.drain({ until: on.clock.now() + hour })
  assert.equal((await rowOf(id)).state, 'sent')
  const ids = receivedBy('lost@learner.example').map((m) => header(m, 'Message-ID'))
  assert.deepEqual(ids, [`<${id}@hub.example>`, `<${id}@hub.example>`])
})

test('a server that is away is asked once, not once per waiting message', async () => {
  let asked = 0
  const away = withRest(
    {
      deliver: async () => {
        asked += 1
        return { ok: false, failure: { class: 'transport', code: 'mail.server_unreachable', message: 'away' } }
      },
      close: async () => undefined,
    },
    on.app,
  )
  const waiting = drainOf({ ...on.app, mailer: away })
  const many = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => write(receiptTo(`many${n}@learner.example`))))
  for (const _ of many) await waiting.step()
  assert.equal(asked, 1)
  for (const { id } of many) assert.deepEqual([(await rowOf(id)).state, (await rowOf(id)).attempts], ['queued', 0])
  await waiting.close()
  await drain.drain({ until: on.clock.now() + hour })
  for (const { id } of many) assert.equal((await rowOf(id)).state, 'sent')
})

test('without a mail server messages wait, and go out when there is one', async () => {
  const { mailer: _, ...none } = on.app
  const serverless = drainOf(none)
  const { id } = await write(receiptTo('patient@learner.example'))
  await serverless.drain({ until: on.clock.now() + 24 * hour })
  const row = await rowOf(id)
  assert.deepEqual([row.state, row.attempts, row.failure], ['queued', 0, 'mail.no_server'])
  await serverless.close()
  await drain.drain({ until: on.clock.now() + 2 * noServerWaitMs })
  assert.equal((await rowOf(id)).state, 'sent')
})

test('a code that could not be sent in its time is not sent later', async () => {
  house.fault({ at: 'RCPT', answer: 451 })
  const { id, sent } = await sendMailNow({ ...on.app, organization }, codeTo('late@learner.example'))
  assert.equal(sent, false)
  await on.clock.advance(11 * minute)
  house.fault(null)
  await drain.drain({ until: on.clock.now() })
  const row = await rowOf(id)
  assert.deepEqual([row.state, row.failure, row.sealed], ['given_up', 'mail.overdue', null])
  assert.equal(receivedBy('late@learner.example').length, 0)
})

test('what is no address refuses the message and not the transaction; nothing reaches a header', async () => {
  const hostile = [
    'ada@learner.example\r\nBcc: all@learner.example',
    'ada@learner.example, eve@learner.example',
    'Eve <eve@learner.example>',
    '"a b"@learner.example',
    'ada@learner.example>\r\nRCPT TO:<eve@learner.example',
    'ada',
    `${'a'.repeat(300)}@learner.example`,
    'ada@@learner.example',
    'nul\0@learner.example',
    '',
  ]
  const taken = house.received.length
  for (const to of hostile) {
    const { id, outcome } = await write(receiptTo(to))
    assert.equal(outcome, 'refused', to)
    const row = await rowOf(id)
    assert.deepEqual([row.state, row.failure, row.sealed], ['failed', 'mail.address_invalid', null])
  }
  await drain.drain({ until: on.clock.now() })
  assert.equal(house.received.length, taken)
})

test('a hostile name stays in its header', async () => {
  const gift: Mail = {
    kind: 'gift',
    to: 'gifted@learner.example',
    data: {
      from: 'Eve\r\nBcc: all@learner.example\r\n\r\n<script>',
      message: null,
      items: [],
      claim: { url: 'https://hub.example/claim/x', expiresAt: on.clock.now() + 24 * hour },
    },
  }
  await on.rows(`update organization set name = E'Eve"\\r\\nBcc: all@learner.example' where id = '${organization}'`)
  await write(gift)
  await drain.drain({ until: on.clock.now() })
  const [mail] = receivedBy('gifted@learner.example')
  assert.equal(header(mail, 'Bcc'), undefined)
  assert.deepEqual(mail?.to, ['gifted@learner.example'])
  assert.equal(mail?.head.filter((line) => /^subject:/i.test(line)).length, 1)
})

test('a tenant sees that its messages went, never what they said, and nothing of others', async () => {
  const { id } = await write(receiptTo('mine@learner.example'))
  const tenant = <T>(org: string, text: string) =>
    on.app.db.tx({ organization: org }, (tx) => tx.many<T>({ name: '', text, values: [] }))
  assert.deepEqual(await tenant(organization, 'select id, state from mail_message'), [{ id, state: 'queued' }])
  await assert.rejects(tenant(organization, 'select sealed from mail_message'), /permission denied/)
  await assert.rejects(tenant(organization, 'select * from mail_message'), /permission denied/)
  await assert.rejects(tenant(organization, "update mail_message set state = 'sent'"), /permission denied/)
  await assert.rejects(tenant(organization, 'delete from mail_message'), /permission denied/)
  assert.deepEqual(await tenant(await on.organization(`Else${counter}`), 'select id from mail_message'), [])
})

test('a code that belongs to no organization is shown to no tenant, and no tenant can write one', async () => {
  await on.app.db.tx('system', (tx) => sendMail(tx, { ...on.app, organization: null }, codeTo('hub@learner.example')))
  const pool = createPool({ url: on.database.url, max: 1 })
  assert.equal((await pool.query('select id from mail_message')).rowCount, 0, 'a session without a tenant')
  await pool.end()
  const seen = await on.app.db.tx({ organization }, (tx) =>
    tx.many({ name: '', text: 'select id from mail_message', values: [] }),
  )
  assert.deepEqual(seen, [])
  const planted = on.app.db.tx({ organization }, (tx) =>
    sendMail(tx, { ...on.app, organization: null }, codeTo('x@learner.example')),
  )
  await assert.rejects(planted, /row-level security/)
})

test('nothing of a message is in the log', async () => {
  house.fault({ at: 'DATA', answer: 550 })
  await write(receiptTo('logged@learner.example'))
  await sendMailNow({ ...on.app, organization: null }, codeTo('logged@learner.example', '771177'))
  await drain.drain({ until: on.clock.now() })
  const log = JSON.stringify(on.log.lines)
  assert.match(log, /mail.message_refused/)
  for (const secret of ['771177', 'secret-token', 'logged@learner.example']) assert.ok(!log.includes(secret), secret)
})

test('an erased person\u2019s address leaves what was written to it; old messages leave altogether', async () => {
  const { id } = await write(receiptTo('gone@learner.example'))
  await drain.drain({ until: on.clock.now() })
  assert.equal(await on.app.db.tx({ organization }, (tx) => forgetAddress(tx, organization, 'Gone@learner.example')), 1)
  assert.deepEqual(await on.rows(`select to_address from mail_message where id = '${id}'`), [{ to_address: '' }])
  await on.clock.advance(121 * 24 * hour)
  await purgeMail(on.app)
  assert.deepEqual(await on.rows('select id from mail_message'), [])
})

test('in the demo nothing is sent: the mailbox keeps the message, newest last in a list, and over a restart', async () => {
  const { mailer: _, ...rest } = on.app
  const demo = { ...rest, demo: true }
  await assert.rejects(lastMail({ app: demo }, 'demo@learner.example'), /holds nothing/)
  const { sent } = await sendMailNow({ ...demo, organization: null }, codeTo('Demo@learner.example', '111222'))
  assert.equal(sent, true)
  await on.clock.advance(1)
  const kept = drainOf(demo)
  await write(receiptTo('demo@learner.example'))
  await kept.drain({ until: on.clock.now() })
  await kept.close()
  const last = await lastMail({ app: demo }, 'demo@learner.example')
  assert.deepEqual([last.kind, last.code, last.link], ['receipt', null, 'https://hub.example/claim/secret-token'])
  const all = await mailsTo({ app: demo }, 'demo@learner.example')
  assert.deepEqual(
    all.map((m) => [m.kind, m.code]),
    [
      ['sign_in_code', '111222'],
      ['receipt', null],
    ],
  )
  assert.equal(receivedBy('demo@learner.example').length, 0)
})
