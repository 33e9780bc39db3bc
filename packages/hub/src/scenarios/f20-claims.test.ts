import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, hour, minute, second } from '@bursar/kit/clock.ts'
import { useClaimLink } from '#orders/links.ts'
import { undoClaim } from '#orders/undo.ts'
import { assertPromise } from './promise.ts'
import { type Begun, createShop, type Shop } from './shop.ts'

let shop: Shop
let price: string
before(async () => {
  shop = await createShop()
  price = await shop.world.sell('Sourdough', 4900, ['sourdough-basics'])
})
after(() => shop.close())

async function paid(email: string, body: Record<string, unknown> = {}): Promise<Begun> {
  const order = await shop.begin({ prices: [price], ...body })
  await shop.pay(order, email)
  await shop.world.settle(minute)
  return order
}

const claim = (token: string, order: Begun, more: Record<string, unknown> = {}) =>
  shop.post(
    '/api/onboard-learner',
    { orderRef: order.orderRef, ...(order.claimSecret === null ? {} : { claimSecret: order.claimSecret }), ...more },
    { token },
  )

const learnerOf = async (order: Begun) => {
  const [row] = await shop.world.rows<{ email: string | null; secret: Buffer | null; claims: number }>(`
    select p.email, o.claim_secret_hash as secret, (select count(*)::int from claim c where c.order_id = o.id) as claims
    from "order" o left join person p on p.id = o.person_id where o.id = '${order.orderRef}'`)
  return { email: row?.email ?? null, burnt: row?.secret === null, claims: row?.claims ?? 0 }
}

const tokenIn = (link: string | undefined): string => /\/([A-Za-z0-9_-]{43})$/.exec(link ?? '')?.[1] ?? ''
const openCases = () => shop.world.rows<{ id: string }>(`select id from access_case where state = 'open' order by id`)

test('row 1: secret and a verified address equal to the paid one bind at once, and burn the secret', async () => {
  const order = await paid('equal@row1.example')
  const token = shop.session('auth0|equal', { email: 'Equal@Row1.example', emailVerified: true })
  const done = await claim(token, order)
  assert.deepEqual([done.status, done.body.status], [200, 'open'], JSON.stringify(done.body))
  assert.deepEqual(await learnerOf(order), { email: 'equal@row1.example', burnt: true, claims: 1 })
  assert.deepEqual(shop.world.owned('equal@row1.example'), ['sourdough-basics'])
  assert.deepEqual(await shop.kinds('equal@row1.example'), ['receipt'])
})

test('row 1: one address, two persons: the seat changes hands without a single call, and a second purchase works', async () => {
  const order = await paid('same@row1.example')
  shop.world.school.clearLog()
  const token = shop.session('auth0|same', { email: 'same@row1.example', emailVerified: true })
  assert.equal((await claim(token, order)).body.status, 'open')
  await shop.world.settle(minute)
  assert.deepEqual(
    shop.world.school.log().filter((c) => c.path.includes('/v2/')),
    [],
  )
  // Bought again, for the mailbox: another person with the same address, the same account at the school.
  const again = await paid('same@row1.example', {
    prices: [await shop.world.sell('Pastry', 100, ['pastry-foundations']), price],
  })
  assert.deepEqual(shop.world.owned('same@row1.example'), ['pastry-foundations', 'sourdough-basics'])
  assert.equal((await claim(token, again)).body.status, 'open')
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('same@row1.example'), ['pastry-foundations', 'sourdough-basics'])
  const stuck = await shop.world.rows(`select 1 from enrollment n join lms_account a on a.id = n.account_id
    where a.email = 'same@row1.example' and (n.failure_class is not null or n.next_try_at is not null)`)
  assert.equal(stuck.length, 0)
})

test('F12, one address, two persons, one course bought twice: each purchase carries it until both are paid back', async () => {
  const orders = [await paid('twice@row1.example'), await paid('twice@row1.example')]
  const token = shop.session('auth0|twice', { email: 'twice@row1.example', emailVerified: true })
  const refund = async (order: Begun | undefined) => {
    const [row] = await shop.world.rows<{ payment: string }>(
      `select payment_id as payment from "order" where id = '${order?.orderRef}'`,
    )
    shop.world.stripe.refund({ payment_intent: row?.payment ?? '' })
    await shop.world.settle(minute)
  }
  const [first, second_] = orders
  assert.ok(first !== undefined && second_ !== undefined)
  assert.equal((await claim(token, first)).body.status, 'open')
  await shop.world.settle(minute)
  await refund(first)
  assert.deepEqual(shop.world.owned('twice@row1.example'), ['sourdough-basics'], 'the unclaimed one still pays for it')
  assert.equal((await claim(token, second_)).body.status, 'open')
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('twice@row1.example'), ['sourdough-basics'])
  await assertPromise(shop.world)
  await refund(second_)
  assert.deepEqual(shop.world.owned('twice@row1.example'), [])
  await assertPromise(shop.world)
})

test('F20a, row 1: secret and another verified address: both are shown, then confirmed, told and moved', async () => {
  const order = await paid('billing@f20.example')
  const token = shop.session('learner', { email: 'learner@f20.example', fresh: true })
  const asked = await claim(token, order)
  assert.deepEqual([asked.status, asked.code], [409, 'email_differs'])
  const { paidEmail, signedInEmail } = asked.body.error as Record<string, string>
  assert.deepEqual([paidEmail, signedInEmail], ['b***@f20.example', 'learner@f20.example'])
  assert.equal((await learnerOf(order)).claims, 0, 'nothing moved by asking')
  const done = await claim(token, order, { confirmEmail: true })
  assert.equal(done.body.status, 'open', JSON.stringify(done.body))
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('learner@f20.example'), ['sourdough-basics'])
  assert.deepEqual(shop.world.owned('billing@f20.example'), [])
  assert.deepEqual(await shop.kinds('billing@f20.example'), ['receipt', 'claim_notice'])
  await assertPromise(shop.world)
})

test('undo: the paid mailbox takes the purchase back within a day, once; then only that mailbox can claim it', async () => {
  const order = await paid('owner@undo.example')
  const thief = shop.session('thief', { email: 'thief@undo.example', fresh: true })
  await claim(thief, order, { confirmEmail: true })
  const [link] = await shop.links('owner@undo.example')
  const token = tokenIn(link)
  const undone = await undoClaim(shop.world.app, token)
  assert.equal(undone.ok, true)
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('thief@undo.example'), [])
  assert.deepEqual(shop.world.owned('owner@undo.example'), ['sourdough-basics'])
  assert.equal((await undoClaim(shop.world.app, token)).ok, false, 'once')
  assert.equal((await claim(thief, order, { confirmEmail: true })).status, 404)
  const owner = shop.session('owner', { email: 'owner@undo.example', fresh: true })
  assert.equal((await claim(owner, { ...order, claimSecret: null })).body.status, 'open')
  assert.deepEqual(await shop.kinds('owner@undo.example'), ['receipt', 'claim_notice', 'claim_undone'])
})

test('undo: a day later the link does nothing', async () => {
  const order = await paid('slow@undo.example')
  const other = shop.session('other', { email: 'other@undo.example', fresh: true })
  await claim(other, order, { confirmEmail: true })
  const [link] = await shop.links('slow@undo.example')
  await shop.world.clock.advance(day + second)
  assert.equal((await undoClaim(shop.world.app, tokenIn(link))).ok, false)
  assert.equal((await learnerOf(order)).email, 'other@undo.example')
})

test('row 2, F20b: without the secret a fresh code to the paid mailbox binds; an old proof of it does not', async () => {
  const order = { ...(await paid('late@row2.example')), claimSecret: null }
  const stale = shop.session('late-stale', {
    email: 'late@row2.example',
    emailVerified: true,
    mailboxProvenAt: shop.world.clock.now() - hour,
  })
  assert.deepEqual([(await claim(stale, order)).code, (await learnerOf(order)).claims], ['email_unproven', 0])
  const fresh = shop.session('late-fresh', { email: 'late@row2.example', fresh: true })
  assert.equal((await claim(fresh, order)).body.status, 'open')
})

test('row 2: a fresh proof of the mailbox takes everything that waits for it', async () => {
  const orders = [await paid('many@row2.example'), await paid('many@row2.example')]
  const known = shop.session('many', { email: 'other-many@row2.example', fresh: true })
  await shop.action('purchases.list', {}, known)
  const token = shop.session('many', { email: 'many@row2.example', fresh: true })
  const taken = await shop.action('purchases.claim_mailbox', {}, token)
  assert.deepEqual((taken.body.orderRefs as string[]).toSorted(), orders.map((o) => o.orderRef).toSorted())
  assert.deepEqual((await shop.action('purchases.claim_mailbox', {}, token)).body.orderRefs, [])
  const unproven = shop.session('many', { email: 'many@row2.example', emailVerified: true })
  assert.equal((await shop.action('purchases.claim_mailbox', {}, unproven)).code, 'email_unproven')
  await shop.world.settle(minute)
  const stuck = await shop.world.rows(`select 1 from enrollment where wanted = 'granted' and actual <> 'granted'`)
  assert.equal(stuck.length, 0)
})

test('row 3, F20c: the link of the receipt names its mailbox and works once, for 14 days', async () => {
  const order = await paid('link@row3.example')
  const [link] = await shop.links('link@row3.example')
  const found = await useClaimLink(shop.world.app, tokenIn(link))
  assert.deepEqual([found?.mailbox, found?.orderId], ['link@row3.example', order.orderRef])
  assert.equal(await useClaimLink(shop.world.app, tokenIn(link)), null, 'single use')
  const token = shop.session('link', { email: 'link@row3.example', fresh: true })
  assert.equal((await claim(token, { ...order, claimSecret: null })).body.status, 'open')
  await paid('old@row3.example')
  const [old] = await shop.links('old@row3.example')
  await shop.world.clock.advance(14 * day + second)
  assert.equal(await useClaimLink(shop.world.app, tokenIn(old)), null)
})

test('row 4, I5, I7: an equal address that nobody vouches for is refused, also with the secret, and no school hears of it', async () => {
  const order = await shop.begin({ prices: [price] })
  await shop.pay(order, 'payer@i7.example')
  await shop.world.settle(minute)
  shop.world.school.clearLog()
  for (const email of ['payer@i7.example', 'amira.haddad@example.com']) {
    const token = shop.session(`unverified ${email}`, { email, emailVerified: false })
    const refused = await claim(token, order, { confirmEmail: true })
    assert.deepEqual([refused.status, refused.code], [403, 'email_unproven'])
    assert.equal((refused.body.error as Record<string, unknown>).action, 'prove_email')
    assert.deepEqual((await shop.action('seats.list', {}, token)).body.seats, [])
  }
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.school.log(), [], 'no call was made')
  const bought = await shop.begin(
    { prices: [price] },
    { token: shop.session('nobody', { email: 'ben.okafor@example.com' }) },
  )
  assert.notEqual(bought.claimSecret, null, 'nor is an order theirs from the start')
  assert.deepEqual(await learnerOf(bought), { email: null, burnt: false, claims: 0 })
})

test('row 5, I8: a secret or a link that was used is refused; a second person with evidence opens one case and moves nothing', async () => {
  const order = await paid('first@i8.example')
  const [link] = await shop.links('first@i8.example')
  const first = shop.session('first', { email: 'first@i8.example', fresh: true })
  assert.equal((await claim(first, order)).body.status, 'open')
  assert.equal((await claim(first, order)).status, 200, 'for its owner a repetition tells the truth')
  assert.equal((await learnerOf(order)).claims, 1)
  const second_ = shop.session('second', { email: 'second@i8.example', fresh: true })
  for (const evidence of [{}, { claimSecret: undefined, linkToken: tokenIn(link) }]) {
    const refused = await claim(second_, order, { confirmEmail: true, ...evidence })
    assert.deepEqual([refused.status, refused.code], [409, 'claimed_already'])
  }
  assert.equal((await openCases()).length, 1)
  assert.equal((await learnerOf(order)).email, 'first@i8.example')
  const stranger = shop.session('stranger', { email: 'stranger@i8.example', fresh: true })
  for (const claimSecret of ['A'.repeat(43), 'x'])
    assert.equal((await claim(stranger, { ...order, claimSecret })).status, 404, 'nonsense opens no case')
  assert.equal((await claim(stranger, { ...order, claimSecret: null })).status, 404)
  assert.equal((await openCases()).length, 1)
})

test('I9: two browsers with one secret claim at the same moment: one is bound, the other gets a case', async () => {
  for (let round = 0; round < 6; round++) {
    const order = await paid(`race${round}@i9.example`)
    const cases = (await openCases()).length
    const tokens = ['a', 'b'].map((n) =>
      shop.session(`${n}${round}`, { email: `${n}${round}@i9.example`, fresh: true }),
    )
    const both = round % 2 === 0 ? tokens : tokens.toReversed()
    const answers = await Promise.all(both.map((token) => claim(token, order, { confirmEmail: true })))
    assert.deepEqual(answers.map((a) => a.status).sort(), [200, 409], JSON.stringify(answers.map((a) => a.body)))
    assert.equal((await openCases()).length, cases + 1)
    assert.equal((await learnerOf(order)).claims, 1)
    const winner = both[answers.findIndex((a) => a.status === 200)] === tokens[0] ? 'a' : 'b'
    await shop.world.settle(minute)
    assert.equal((await learnerOf(order)).email, `${winner}${round}@i9.example`)
    assert.deepEqual(shop.world.owned(`${winner === 'a' ? 'b' : 'a'}${round}@i9.example`), [])
  }
})

test('I9: a claim and the payment’s own event at the same moment end in one seat for the claimant', async () => {
  for (let round = 0; round < 4; round++) {
    const order = await shop.begin({ prices: [price] })
    await shop.pay(order, `pay${round}@i9.example`)
    await shop.world.clock.advance(3 * second)
    const token = shop.session(`pay${round}`, { email: `learn${round}@i9.example`, fresh: true })
    const [answer] = await Promise.all([claim(token, order, { confirmEmail: true }), shop.world.settle(second)])
    if (answer.code !== null) assert.equal(answer.code, 'not_paid')
    await shop.world.settle(minute)
    assert.equal((await claim(token, order, { confirmEmail: true })).body.status, 'open')
    await shop.world.settle(minute)
    assert.deepEqual(shop.world.owned(`learn${round}@i9.example`), ['sourdough-basics'])
    assert.deepEqual(shop.world.owned(`pay${round}@i9.example`), [])
  }
})

test('the id of an order or of a payment proves nothing, also for whoever proved another mailbox', async () => {
  const order = await paid('victim@ids.example')
  const [row] = await shop.world.rows<{ payment: string }>(
    `select payment_id as payment from "order" where id = '${order.orderRef}'`,
  )
  const attacker = shop.session('attacker', { email: 'attacker@ids.example', fresh: true })
  const names = [
    { orderRef: order.orderRef },
    { stripePaymentIntentId: row?.payment },
    { orderRef: `ord_${'0'.repeat(26)}` },
  ]
  const answers = await Promise.all(
    names.map((name) =>
      shop.post(
        '/api/onboard-learner',
        { ...name, email: 'victim@ids.example', confirmEmail: true },
        { token: attacker },
      ),
    ),
  )
  assert.deepEqual(
    answers.map((a) => [a.status, a.code]),
    Array(3).fill([404, 'not_found']),
  )
  const unproven = shop.session('attacker2', { email: 'victim@ids.example' })
  const asked = await Promise.all(names.map((name) => shop.post('/api/onboard-learner', name, { token: unproven })))
  assert.deepEqual(
    asked.map((a) => [a.status, a.code]),
    Array(3).fill([403, 'email_unproven']),
  )
  assert.equal((await shop.post('/api/onboard-learner', names[0], {})).status, 401)
})

test('a refunded or disputed order cannot be claimed, and says what to do', async () => {
  const order = await paid('back@closed.example')
  const [row] = await shop.world.rows<{ payment: string }>(
    `select payment_id as payment from "order" where id = '${order.orderRef}'`,
  )
  shop.world.stripe.refund({ payment_intent: row?.payment ?? '' })
  await shop.world.settle(minute)
  const token = shop.session('back', { email: 'back@closed.example', fresh: true })
  const refused = await claim(token, order)
  assert.deepEqual([refused.status, refused.code], [409, 'order_closed'])
  assert.match(String((refused.body.error as Record<string, unknown>).message), /refunded/)
})

test('a refund after a claim follows the new learner', async () => {
  const order = await paid('paid@follow.example')
  const token = shop.session('follow', { email: 'learns@follow.example', fresh: true })
  await claim(token, order, { confirmEmail: true })
  await shop.world.settle(minute)
  const [row] = await shop.world.rows<{ payment: string }>(
    `select payment_id as payment from "order" where id = '${order.orderRef}'`,
  )
  shop.world.stripe.refund({ payment_intent: row?.payment ?? '' })
  await shop.world.settle(minute)
  assert.deepEqual([shop.world.owned('learns@follow.example'), shop.world.owned('paid@follow.example')], [[], []])
})

test('F16: what was ended by hand stays ended when the purchase moves', async () => {
  const order = await paid('hand@f16.example')
  const [reason] = await shop.world.rows<{ id: string }>(
    `select id from entitlement where order_id = '${order.orderRef}'`,
  )
  await shop.world.rows(`update entitlement set revoked_at = now(), ended_by_hand = true where id = '${reason?.id}'`)
  const token = shop.session('hand', { email: 'moved@f16.example', fresh: true })
  const done = await claim(token, order, { confirmEmail: true })
  await shop.world.settle(minute)
  assert.equal(done.status, 200)
  assert.deepEqual(shop.world.owned('moved@f16.example'), [])
})
