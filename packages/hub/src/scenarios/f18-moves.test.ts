import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, hour, minute } from '@bursar/kit/clock.ts'
import { createKey } from '#identity/keys.ts'
import { readClaimLink } from '#orders/links.ts'
import { assertPromise } from './promise.ts'
import { type Begun, createShop, type Shop } from './shop.ts'

let shop: Shop
let price: string
let key: string
before(async () => {
  shop = await createShop()
  price = await shop.world.sell('Sourdough', 4900, ['sourdough-basics'])
  const wish = { organization: shop.organization, name: 'Operator', scopes: ['*'], expiresAt: null }
  key = (await shop.world.app.db.tx('system', (tx) => createKey(tx, shop.world.app, wish))).secret
})
after(() => shop.close())

async function paid(email: string, body: Record<string, unknown> = {}): Promise<Begun> {
  const order = await shop.begin({ prices: [price], ...body })
  await shop.pay(order, email)
  await shop.world.settle(minute)
  return order
}

const act = (name: string, input: unknown) => shop.action(name, input, key)
const claim = (token: string, order: { orderRef: string }, more: Record<string, unknown> = {}) =>
  shop.post('/api/onboard-learner', { orderRef: order.orderRef, ...more }, { token })
const policy = (at: string) =>
  shop.world.rows(`update organization set prepare_seat = '${at}' where id = '${shop.organization}'`)
const issueOf = async (order: Begun) =>
  (await shop.world.rows<{ issue: string | null }>(`select issue from "order" where id = '${order.orderRef}'`))[0]
    ?.issue
const tokenIn = (link: string | undefined): string => /\/([A-Za-z0-9_-]{43})$/.exec(link ?? '')?.[1] ?? ''

test('F18: a transfer whose new seat fails leaves the failure in sight and goes on where it stopped', async () => {
  const order = await paid('old@f18.example')
  shop.world.school.set({ usernameMax: 10 })
  const moved = await act('orders.transfer', {
    orderId: order.orderRef,
    email: 'new@f18.example',
    name: 'Somebody With A Long Name',
    reason: 'A colleague takes the course.',
  })
  assert.equal(moved.status, 200, JSON.stringify(moved.body))
  await shop.world.settle(minute)
  assert.deepEqual([shop.world.owned('old@f18.example'), shop.world.owned('new@f18.example')], [[], []])
  const stuck = await act('enrollments.list', { email: 'new@f18.example' })
  const [seat] = stuck.body.enrollments as { id: string; state: string; failure: { code: string } }[]
  assert.equal(seat?.state, 'stuck', JSON.stringify(stuck.body))
  shop.world.school.set({ usernameMax: null })
  await act('enrollments.retry', { enrollmentId: seat?.id })
  await shop.world.settle(minute)
  assert.deepEqual(shop.world.owned('new@f18.example'), ['sourdough-basics'])
  const told = await act('timeline.get', { orderId: order.orderRef })
  assert.match(JSON.stringify(told.body), /A colleague takes the course/)
  await assertPromise(shop.world)
})

test('F18: a transfer while the school is down is done when it is back, and the new learner claims it by a code', async () => {
  const order = await paid('down-old@f18.example')
  shop.world.school.faults.set([{ kind: 'status', status: 503 }])
  await act('orders.transfer', {
    orderId: order.orderRef,
    email: 'down-new@f18.example',
    reason: 'Somebody else goes.',
  })
  await shop.world.settle(10 * minute)
  shop.world.school.faults.clear()
  await shop.world.settle(2 * hour)
  assert.deepEqual(shop.world.owned('down-old@f18.example'), [])
  assert.deepEqual(shop.world.owned('down-new@f18.example'), ['sourdough-basics'])
  const before = shop.session('before', { email: 'down-old@f18.example', fresh: true })
  assert.equal((await claim(before, order)).status, 404, 'the payer’s mailbox no longer claims it')
  const now = shop.session('now', { email: 'down-new@f18.example', fresh: true })
  assert.equal((await claim(now, order)).body.status, 'open')
  assert.ok((await shop.kinds('down-new@f18.example')).includes('seat_ready'))
})

test('a transfer needs a reason, a target of this organization, and an order that gives something', async () => {
  const order = await shop.begin({ prices: [price] })
  const base = { orderId: order.orderRef, reason: 'Because.' }
  assert.equal((await act('orders.transfer', base)).code, 'input_invalid')
  assert.equal((await act('orders.transfer', { ...base, email: 'x@f18.example' })).code, 'not_paid')
  const good = await paid('target@f18.example')
  const wish = { orderId: good.orderRef, reason: 'Because.', personId: `prs_${'0'.repeat(26)}` }
  assert.equal((await act('orders.transfer', wish)).code, 'not_found')
})

test('F20a: an operator decides the case of a second claimant: keep, or move with everything', async () => {
  for (const resolution of ['keep', 'move'] as const) {
    const order = await paid(`${resolution}@case.example`)
    const holder = shop.session(`holder-${resolution}`, { email: `holder-${resolution}@case.example`, fresh: true })
    await claim(holder, order, { claimSecret: order.claimSecret, confirmEmail: true })
    const owner = shop.session(`owner-${resolution}`, { email: `${resolution}@case.example`, fresh: true })
    const refused = await claim(owner, order)
    const { caseId } = refused.body.error as { caseId: string }
    const shown = await act('cases.get', { caseId })
    assert.equal((shown.body.case as { evidence: string }).evidence, 'mailbox_code')
    const done = await act('cases.resolve', { caseId, resolution, reason: 'Looked at the receipt.' })
    assert.equal((done.body.case as { state: string }).state, 'resolved')
    assert.equal((await act('cases.resolve', { caseId, resolution, reason: 'Again.' })).code, 'conflict')
    await shop.world.settle(minute)
    const winner = resolution === 'keep' ? 'holder-keep@case.example' : 'move@case.example'
    const loser = resolution === 'keep' ? 'keep@case.example' : 'holder-move@case.example'
    assert.deepEqual([shop.world.owned(winner), shop.world.owned(loser)], [['sourdough-basics'], []])
  }
  assert.deepEqual((await act('cases.list', { state: 'open' })).body.cases, [])
  await assertPromise(shop.world)
})

test('policy at_claim: nothing is prepared and nothing is asked before the claim; then the seat opens at once', async () => {
  await policy('at_claim')
  const order = await paid('waits@policy.example')
  assert.deepEqual(shop.world.owned('waits@policy.example'), [])
  assert.equal(await issueOf(order), null)
  const status = await shop.post('/api/checkout/status', { orderRef: order.orderRef, claimSecret: order.claimSecret })
  const [seat] = status.body.seats as { state: string; message: string }[]
  assert.deepEqual([seat?.state, seat?.message], ['waiting', 'It opens when the purchase is claimed.'])
  const token = shop.session('waits', { email: 'waits@policy.example', fresh: true })
  assert.equal((await claim(token, order)).body.status, 'open')
  assert.deepEqual(shop.world.owned('waits@policy.example'), ['sourdough-basics'])
  await policy('at_payment')
})

test('policy at_payment: the seat waits for its learner, and nobody is let in before a proof', async () => {
  const order = await paid('ready@policy.example')
  assert.deepEqual(shop.world.owned('ready@policy.example'), ['sourdough-basics'])
  const token = shop.session('ready', { email: 'ready@policy.example' })
  assert.deepEqual((await shop.action('seats.list', {}, token)).body.seats, [])
  assert.equal((await claim(token, order)).code, 'email_unproven')
})

test('a gift with an address: the recipient’s seat, the recipient’s link; the giver’s secret shows it and claims nothing', async () => {
  const gift = { email: 'child@gift.example', name: 'Kim', from: 'Ada', message: 'Enjoy <b>it</b>' }
  const order = await paid('giver@gift.example', { gift })
  assert.deepEqual(await shop.kinds('giver@gift.example'), ['gift_receipt'])
  assert.deepEqual(await shop.kinds('child@gift.example'), ['gift'])
  assert.deepEqual(shop.world.owned('child@gift.example'), ['sourdough-basics'])
  assert.deepEqual(shop.world.owned('giver@gift.example'), [])
  const giver = shop.session('giver', { email: 'giver@gift.example', fresh: true })
  const refused = await claim(giver, order, { claimSecret: order.claimSecret, confirmEmail: true })
  assert.deepEqual([refused.status, refused.code], [403, 'forbidden'])
  const seen = await shop.post('/api/checkout/status', { orderRef: order.orderRef, claimSecret: order.claimSecret })
  assert.deepEqual([seen.body.payment, seen.body.claimed, seen.body.seats], ['paid', false, []])
  const [link] = await shop.links('child@gift.example')
  assert.equal((await readClaimLink(shop.world.app, tokenIn(link)))?.mailbox, 'child@gift.example')
  const child = shop.session('child', { email: 'child@gift.example', fresh: true })
  assert.equal((await claim(child, order)).body.status, 'open')
})

test('a gift without an address: the link in the giver’s receipt, once, for whoever holds it and proves an address', async () => {
  const order = await paid('giver2@gift.example', { gift: { name: 'Somebody' } })
  assert.equal(await issueOf(order), null)
  const [link] = await shop.links('giver2@gift.example')
  const linkToken = tokenIn(link)
  const unproven = shop.session('friend0', { email: 'friend0@gift.example' })
  assert.equal((await claim(unproven, order, { linkToken })).code, 'email_unproven')
  const friend = shop.session('friend', { email: 'friend@gift.example', fresh: true })
  assert.equal((await claim(friend, order, { linkToken })).body.status, 'open')
  const late = shop.session('late', { email: 'late@gift.example', fresh: true })
  assert.equal((await claim(late, order, { linkToken })).code, 'claimed_already')
  await shop.world.settle(minute)
  assert.deepEqual(
    [shop.world.owned('friend@gift.example'), shop.world.owned('late@gift.example')],
    [['sourdough-basics'], []],
  )
})

test('a gift for a later day: neither mail nor seat before it, both on it, once', async () => {
  const sendAt = new Date(shop.world.clock.now() + 3 * day).toISOString()
  await paid('giver3@gift.example', { gift: { email: 'later@gift.example', sendAt } })
  assert.deepEqual([await shop.kinds('later@gift.example'), shop.world.owned('later@gift.example')], [[], []])
  await shop.world.settle(3 * day + hour)
  assert.deepEqual(await shop.kinds('later@gift.example'), ['gift'])
  assert.deepEqual(shop.world.owned('later@gift.example'), ['sourdough-basics'])
})

test('further seats of a quantity are given to others, never more than were paid, and end with the money', async () => {
  const order = await paid('team@seats.example', { prices: [{ price, quantity: 3 }] })
  const got = await act('orders.get', { orderId: order.orderRef })
  const [line] = got.body.lines as { id: string; quantity: number }[]
  const give = (email: string) => act('orders.assign_seat', { orderId: order.orderRef, lineId: line?.id, email })
  assert.equal((await give('one@seats.example')).body.seatsLeft, 1)
  assert.equal((await give('one@seats.example')).body.seatsLeft, 1, 'twice is once')
  assert.equal((await give('team@seats.example')).code, 'conflict')
  const both = await Promise.all([give('two@seats.example'), give('three@seats.example')])
  assert.deepEqual(both.map((a) => a.status).sort(), [200, 409])
  await shop.world.settle(minute)
  const people = ['team', 'one', 'two', 'three'].map((n) => `${n}@seats.example`)
  assert.equal(people.filter((p) => shop.world.owned(p).length === 1).length, 3)
  const [row] = await shop.world.rows<{ payment: string }>(
    `select payment_id as payment from "order" where id = '${order.orderRef}'`,
  )
  shop.world.stripe.refund({ payment_intent: row?.payment ?? '' })
  await shop.world.settle(minute)
  assert.equal(people.filter((p) => shop.world.owned(p).length > 0).length, 0)
})

test('a seat that was assigned to an address goes with its mailbox to whoever proves it', async () => {
  const known = shop.session('colleague', { email: 'colleague-login@seats.example', fresh: true })
  await shop.action('seats.list', {}, known)
  const order = await paid('boss@seats.example', { prices: [{ price, quantity: 2 }] })
  const got = await act('orders.get', { orderId: order.orderRef })
  const [line] = got.body.lines as { id: string }[]
  await act('orders.assign_seat', { orderId: order.orderRef, lineId: line?.id, email: 'colleague@seats.example' })
  await shop.world.settle(minute)
  const token = shop.session('colleague', { email: 'colleague@seats.example', fresh: true })
  await shop.action('purchases.claim_mailbox', {}, token)
  await shop.world.settle(minute)
  const seats = (await shop.action('seats.list', {}, token)).body.seats as { state: string }[]
  assert.deepEqual(
    seats.map((s) => s.state),
    ['open'],
  )
  assert.deepEqual(shop.world.owned('colleague-login@seats.example'), ['sourdough-basics'])
  assert.deepEqual(shop.world.owned('colleague@seats.example'), [])
  assert.deepEqual(shop.world.owned('boss@seats.example'), ['sourdough-basics'])
  await assertPromise(shop.world)
})

test('a claim link is sent again to its own mailbox only, and ends the earlier one', async () => {
  const order = await paid('again@link.example')
  const [first] = await shop.links('again@link.example')
  assert.deepEqual((await act('orders.resend_claim_link', { orderId: order.orderRef })).body, {
    to: 'a***@link.example',
  })
  const [second] = await shop.links('again@link.example')
  assert.notEqual(first, second)
  assert.equal(await readClaimLink(shop.world.app, tokenIn(first)), null)
  assert.equal((await readClaimLink(shop.world.app, tokenIn(second)))?.mailbox, 'again@link.example')
  const token = shop.session('again', { email: 'again@link.example', fresh: true })
  await claim(token, order)
  assert.equal((await act('orders.resend_claim_link', { orderId: order.orderRef })).code, 'conflict')
})

test('another organization sees none of it', async () => {
  const order = await paid('ours@tenants.example')
  const other = await shop.world.app.ids.next('org')
  await shop.world.rows(
    `insert into organization (id, name, slug, created_at) values ('${other}', 'Other', 'other', now())`,
  )
  const wish = { organization: other, name: 'Theirs', scopes: ['*'], expiresAt: null }
  const theirs = (await shop.world.app.db.tx('system', (tx) => createKey(tx, shop.world.app, wish))).secret
  for (const name of ['orders.resend_claim_link', 'claims.list'])
    assert.equal((await shop.action(name, { orderId: order.orderRef }, theirs)).code, 'not_found', name)
  const transfer = { orderId: order.orderRef, email: 'x@tenants.example', reason: 'Mine now.' }
  assert.equal((await shop.action('orders.transfer', transfer, theirs)).code, 'not_found')
  const checkout = { organization: shop.slug, mode: 'elements', prices: [price] }
  assert.equal(
    (await shop.post('/api/checkout', checkout, { token: theirs, key: 'k-of-another-tenant' })).code,
    'not_found',
  )
  const bound = shop.session('bound', { email: 'ours@tenants.example', fresh: true, organization: other })
  assert.equal((await claim(bound, order)).code, 'not_found', 'a session of one organization counts in no other')
})
