import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Script } from 'node:vm'
import { type Stage, stageStripe, value } from '../testing.ts'

let stage: Stage
before(async () => {
  stage = await stageStripe()
})
after(() => stage.close())

let opened = 0
async function open(more: object = {}): Promise<{ id: string; clientSecret: string }> {
  opened += 1
  const price = stage.sim.addPrice({ name: 'Course', amount: 4_900 })
  const made = value(
    await stage.stripe.createCheckout({
      ui: 'elements',
      mode: 'payment',
      lines: [{ priceId: price.id, quantity: 1 }],
      returnUrl: 'https://hub.example/back?session={CHECKOUT_SESSION_ID}',
      metadata: { hub_order_id: `ord_${opened}` },
      idempotencyKey: `api ${opened}`,
      ...more,
    }),
  )
  return { id: made.externalId, clientSecret: made.clientSecret ?? '' }
}

async function send(method: 'GET' | 'POST', path: string, body?: object) {
  const outcome = await stage.http({
    method,
    url: `${stage.sim.url}${path}`,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  assert.ok(outcome.ok)
  return outcome.response
}

type Told = {
  readonly type: string
  readonly returnUrl?: string
  readonly error?: { readonly code: string | null; readonly message: string; readonly paymentFailed?: object }
  readonly session?: {
    readonly status: { readonly type: string; readonly paymentStatus?: string }
    readonly email: string | null
    readonly canConfirm: boolean
    readonly minorUnitsAmountDivisor: number
    readonly total: Readonly<Record<string, { readonly amount: string; readonly minorUnitsAmount: number }>>
  }
}

async function ask(call: string, body: object): Promise<Told & { readonly http: number }> {
  const response = await send('POST', `/stripe-js/api/${call}`, { key: stage.sim.publishableKey, ...body })
  assert.equal(response.headers['access-control-allow-origin'], '*')
  return { http: response.status, ...(JSON.parse(response.body.toString()) as Told) }
}

const card = (number: string, expiry = '12 / 34') => ({ type: 'card', number, expiry, cvc: '123' })

test('The script stands where the loader of today and of before asks, is a classic script, and names one origin', async () => {
  const texts = await Promise.all(
    ['/endive/stripe.js', '/v3/', '/v3/stripe.js'].map(async (path) => {
      const { status, headers, body } = await send('GET', path)
      assert.deepEqual([status, headers['content-type']], [200, 'text/javascript; charset=utf-8'])
      return body.toString()
    }),
  )
  assert.equal(new Set(texts).size, 1)
  const [text = ''] = texts
  new Script(text)
  assert.ok(text.includes(JSON.stringify(stage.sim.url)))
  assert.ok(!/\beval\b|new Function|innerHTML/.test(text))
  assert.equal((await send('GET', '/other/stripe.js')).status, 404)
})

test('Frames are whole, have a policy of their own, and hold no inline script or handler', async () => {
  for (const name of ['controller', 'payment', 'address', 'embedded', 'challenge']) {
    const { status, headers, body } = await send('GET', `/stripe-js/${name}.html`)
    const text = body.toString()
    assert.equal(status, 200)
    assert.match(headers['content-security-policy'] ?? '', /^default-src 'none'/)
    assert.ok(!/\son\w+=|<style|style="|<script(?![^>]* src=)/.test(text), name)
    for (const [, path] of text.matchAll(/(?:src|href)="([^"]+)"/g))
      assert.equal((await send('GET', path ?? '')).status, 200)
    for (const [, module] of text.matchAll(/src="([^"]+)"/g)) {
      const source = (await send('GET', module ?? '')).body.toString()
      for (const [, part] of source.matchAll(/from '\.\/([^']+)'/g))
        assert.equal((await send('GET', `/stripe-js/${part}`)).status, 200, `${module} imports ${part}`)
    }
  }
})

test('Only this account’s key and a session’s own secret open it, in its own form', async () => {
  const { id, clientSecret } = await open()
  assert.equal((await ask('session', { clientSecret, ui: 'elements', key: 'pk_test_other' })).http, 401)
  assert.equal((await ask('session', { clientSecret: `${id}_secret_guess`, ui: 'elements' })).http, 404)
  assert.match((await ask('session', { clientSecret, ui: 'embedded_page' })).error?.message ?? '', /ui_mode/)
  assert.equal((await ask('session', {})).http, 400)
  const shown = await ask('session', { clientSecret, ui: 'elements' })
  assert.deepEqual(
    [shown.type, shown.session?.status, shown.session?.total.total, shown.session?.minorUnitsAmountDivisor],
    ['success', { type: 'open' }, { minorUnitsAmount: 4_900, amount: '$49.00' }, 100],
  )
})

test('A payment needs an e-mail address, details, and a card that is not past', async () => {
  const { id, clientSecret } = await open()
  const pay = async (body: object) => (await ask('confirm', { clientSecret, ...body })).error?.message
  assert.match((await pay({ method: card('4242424242424242') })) ?? '', /e-mail address is required/)
  const updated = await ask('update', { clientSecret, email: 'not an address' })
  assert.equal(updated.error?.code, 'invalidEmail')
  assert.equal((await ask('update', { clientSecret, email: 'ada@example.com' })).session?.canConfirm, true)
  assert.match((await pay({})) ?? '', /details are missing/)
  assert.match((await pay({ method: card('4242424242424242', '01 / 20') })) ?? '', /in the past/)
  assert.equal(await pay({ method: card('4242 4242 4242 4242') }), undefined)
  assert.equal(stage.sim.session(id)?.customer_details?.email, 'ada@example.com')
  assert.match((await pay({ method: card('4242424242424242') })) ?? '', /is complete/)
})

test('The address the shop named cannot be changed by the page', async () => {
  const { clientSecret } = await open({ email: 'ada@example.com' })
  const changed = await ask('update', { clientSecret, email: 'eve@example.com' })
  assert.deepEqual([changed.type, changed.error?.code], ['error', 'invalidEmail'])
})

test('Completion fires what the hosted page fires, and says where to go on', async () => {
  const { id, clientSecret } = await open({ email: 'ada@example.com' })
  const first = stage.sim.events().length
  const paid = await ask('confirm', { clientSecret, method: card('4242424242424242') })
  assert.equal(paid.returnUrl, `https://hub.example/back?session=${id}`)
  const fired = stage.sim
    .events()
    .slice(first)
    .map(({ type }) => type)
  const hosted = value(
    await stage.stripe.createCheckout({
      ui: 'hosted_page',
      mode: 'payment',
      lines: [{ priceId: stage.sim.addPrice({ name: 'Course', amount: 4_900 }).id, quantity: 1 }],
      successUrl: 'https://hub.example/ok',
      cancelUrl: 'https://hub.example/no',
      metadata: {},
      idempotencyKey: 'hosted beside it',
    }),
  )
  const second = stage.sim.events().length
  stage.sim.pay({ session: hosted.externalId })
  assert.deepEqual(
    fired,
    stage.sim
      .events()
      .slice(second)
      .map(({ type }) => type),
  )
})

test('A bank that asks: nothing is paid before the answer, a failed answer leaves it open, a later one pays', async () => {
  const { id, clientSecret } = await open({ email: 'ada@example.com' })
  const confirm = () => ask('confirm', { clientSecret, method: card('4000 0000 0000 3220') })
  assert.equal((await ask('challenge', { clientSecret, passed: true })).http, 409)
  assert.equal((await confirm()).type, 'challenge')
  const intent = stage.sim.paymentIntent(String(stage.sim.session(id)?.payment_intent))
  assert.deepEqual([intent?.status, stage.sim.session(id)?.status], ['requires_action', 'open'])
  const failed = await ask('challenge', { clientSecret, passed: false })
  assert.deepEqual([failed.error?.code, failed.error?.paymentFailed], ['paymentFailed', { declineCode: null }])
  assert.equal(intent?.status, 'requires_payment_method')
  assert.equal((await confirm()).type, 'challenge')
  const paid = await ask('challenge', { clientSecret, passed: true })
  assert.deepEqual(paid.session?.status, { type: 'complete', paymentStatus: 'paid' })
  assert.deepEqual([intent?.status, intent?.next_action], ['succeeded', null])
  assert.equal(stage.sim.truth().payments.filter((p) => p.paymentIntent === intent?.id).length, 1)
})

test('A code after a declined card changes what the next attempt charges', async () => {
  stage.sim.addPromotion({ code: 'HALF', percentOff: 50 })
  stage.sim.addPromotion({ code: 'LARGE', percentOff: 10, minimumAmount: 100_000 })
  const { id, clientSecret } = await open({ email: 'ada@example.com', allowPromotionCodes: true })
  const declined = await ask('confirm', { clientSecret, method: card('4000000000009995') })
  assert.deepEqual(declined.error?.paymentFailed, { declineCode: 'generic_decline' })
  assert.equal((await ask('promotion', { clientSecret, code: 'NOPE' })).error?.code, 'invalidCode')
  assert.equal((await ask('promotion', { clientSecret, code: 'LARGE' })).error?.code, 'promotionCodeAmountInsufficient')
  const lowered = await ask('promotion', { clientSecret, code: 'half' })
  assert.deepEqual(
    [lowered.session?.total.discount?.amount, lowered.session?.total.total?.amount],
    ['$24.50', '$24.50'],
  )
  await ask('confirm', { clientSecret, method: card('4242424242424242') })
  const truth = value(await stage.stripe.read({ kind: 'checkout', externalId: id }))
  assert.ok(truth?.kind === 'checkout')
  assert.deepEqual([truth.amount, truth.payment?.amountReceived, truth.discount], [2_450n, 2_450n, 2_450n])
})

test('Tax waits for the country, then stands in the totals', async () => {
  stage.sim.setTaxRate('DE', 19)
  const { clientSecret } = await open({ email: 'ada@example.com', automaticTax: true })
  const early = await ask('confirm', { clientSecret, method: card('4242424242424242') })
  assert.match(early.error?.message ?? '', /billing address is required/)
  const located = await ask('update', { clientSecret, billingAddress: { address: { country: 'de' } } })
  assert.deepEqual(
    [located.session?.total.taxExclusive?.amount, located.session?.total.total?.amount],
    ['$9.31', '$58.31'],
  )
})

test('A direct debit is complete and unpaid until the bank says so', async () => {
  const { id, clientSecret } = await open({ email: 'ada@example.com' })
  const method = { type: 'sepa_debit', iban: 'DE89370400440532013000', holder: 'Ada Lovelace' }
  const sent = await ask('confirm', { clientSecret, method })
  assert.deepEqual(sent.session?.status, { type: 'complete', paymentStatus: 'unpaid' })
  stage.sim.payAsyncSucceed(id)
  assert.equal(stage.sim.session(id)?.payment_status, 'paid')
})

test('An expired session opens and says so; nothing can be paid', async () => {
  const { id, clientSecret } = await open({ email: 'ada@example.com' })
  stage.sim.expire(id)
  assert.deepEqual((await ask('session', { clientSecret, ui: 'elements' })).session?.status, { type: 'expired' })
  const late = await ask('confirm', { clientSecret, method: card('4242424242424242') })
  assert.match(late.error?.message ?? '', /is expired/)
})

test('An order that a code makes free needs no details and makes no payment', async () => {
  stage.sim.addPromotion({ code: 'GIFT', percentOff: 100 })
  const { id, clientSecret } = await open({ email: 'ada@example.com', promotionCode: 'gift' })
  const done = await ask('confirm', { clientSecret })
  assert.deepEqual(done.session?.status, { type: 'complete', paymentStatus: 'no_payment_required' })
  assert.equal(stage.sim.session(id)?.payment_intent, null)
})
