import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import Stripe from 'stripe'
import { type Stage, stageStripe, testKey } from '../testing.ts'
import { schemaSdkVersion } from './schemas.ts'

let stage: Stage
let stripe: Stripe
before(async () => {
  stage = await stageStripe()
  // The SDK with its own http: the simulator must satisfy the original, not only our way out.
  stripe = new Stripe(testKey, {
    host: '127.0.0.1',
    port: stage.sim.port,
    protocol: 'http',
    telemetry: false,
    maxNetworkRetries: 0,
  })
})
after(() => stage.close())

type Told = { status: number; code: string | undefined; param: string | undefined; message: string }

/** A form as an older integration would send it, past the SDK's types. */
async function post(path: string, fields: Readonly<Record<string, string>>, key = testKey): Promise<Told | 'accepted'> {
  const outcome = await stage.http({
    method: 'POST',
    url: `${stage.sim.url}${path}`,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  })
  assert.ok(outcome.ok)
  const body = JSON.parse(outcome.response.body.toString()) as { error?: Omit<Told, 'status'> }
  return body.error === undefined ? 'accepted' : { ...body.error, status: outcome.response.status }
}

const session = (price: string) => ({
  mode: 'payment',
  'line_items[0][price]': price,
  'line_items[0][quantity]': '1',
  success_url: 'https://hub.example/ok',
})

test('The schemas were made from the SDK that is installed', () => {
  assert.equal(schemaSdkVersion, Stripe.PACKAGE_VERSION)
})

test('A parameter that Stripe removed is refused as it refuses it', async () => {
  const price = stage.sim.addPrice({ name: 'Course', amount: 1000 }).id
  assert.equal(await post('/v1/checkout/sessions', session(price)), 'accepted')
  const refused = await post('/v1/checkout/sessions', { ...session(price), 'payment_method_types[0]': 'card' })
  assert.ok(refused !== 'accepted')
  assert.deepEqual(
    [refused.status, refused.code, refused.param, refused.message],
    [400, 'parameter_unknown', 'payment_method_types', 'Received unknown parameter: payment_method_types'],
  )
})

test('A typo deep inside, a word that is none, and a missing field are named', async () => {
  const price = stage.sim.addPrice({ name: 'Course', amount: 1000 }).id
  const refusal = async (path: string, fields: Readonly<Record<string, string>>) => {
    const told = await post(path, fields)
    return told === 'accepted' ? told : [told.code, told.param]
  }
  assert.deepEqual(
    await refusal('/v1/checkout/sessions', { ...session(price), 'payment_intent_data[metdata][a]': 'b' }),
    ['parameter_unknown', 'payment_intent_data[metdata]'],
  )
  assert.deepEqual(await refusal('/v1/checkout/sessions', { ...session(price), 'line_items[0][quantity]': 'two' }), [
    'parameter_invalid',
    'line_items[0][quantity]',
  ])
  assert.deepEqual(await refusal('/v1/refunds', { payment_intent: 'pi_1', reason: 'because' }), [undefined, 'reason'])
  assert.deepEqual(await refusal('/v1/checkout/sessions', { ...session(price), ui_mode: 'hosted' }), [
    undefined,
    'ui_mode',
  ])
  assert.deepEqual(await refusal('/v1/prices', { unit_amount: '5' }), ['parameter_missing', 'currency'])
})

test('The SDK itself makes products, prices, customers, sessions and links', async () => {
  const product = await stripe.products.create({ name: 'Course', metadata: { a: 'b' } })
  const price = await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 1234 })
  assert.equal(price.unit_amount_decimal?.toString(), '1234')
  const customer = await stripe.customers.create({ email: 'ada@example.com' })
  const made = await stripe.checkout.sessions.create({
    mode: 'payment',
    ui_mode: 'embedded_page',
    return_url: 'https://hub.example/back',
    customer: customer.id,
    line_items: [{ price: price.id, quantity: 3 }],
  })
  assert.deepEqual([made.amount_total, made.currency, made.url], [3702, 'eur', null])
  assert.ok(made.client_secret?.startsWith(made.id))
  const link = await stripe.paymentLinks.create({
    line_items: [{ price: price.id, quantity: 1 }],
    metadata: { c: 'd' },
  })
  const opened = stage.sim.openLink(link.id)
  stage.sim.pay({ session: opened.id })
  const paid = await stripe.checkout.sessions.retrieve(opened.id, { expand: ['line_items.data.price.product'] })
  const bought = paid.line_items?.data[0]?.price?.product
  assert.ok(typeof bought === 'object')
  assert.deepEqual(
    [paid.payment_link, paid.payment_status, bought.id, paid.metadata?.c],
    [link.id, 'paid', product.id, 'd'],
  )
})

test('Lists page in both directions and filter by time', async () => {
  const made: string[] = []
  for (let i = 0; i < 7; i++) {
    await stage.clock.advance(10_000)
    made.push((await stripe.customers.create({ email: `list${i}@example.com` })).id)
  }
  const newest = made.toReversed()
  const first = await stripe.customers.list({ limit: 3 })
  assert.deepEqual(
    first.data.map((c) => c.id),
    newest.slice(0, 3),
  )
  assert.equal(first.has_more, true)
  const second = await stripe.customers.list({ limit: 3, starting_after: newest[2] ?? '' })
  assert.deepEqual(
    second.data.map((c) => c.id),
    newest.slice(3, 6),
  )
  const back = await stripe.customers.list({ limit: 2, ending_before: newest[3] ?? '' })
  assert.deepEqual(
    back.data.map((c) => c.id),
    newest.slice(1, 3),
  )
  const last = await stripe.customers.retrieve(newest[0] ?? '')
  assert.ok(!last.deleted)
  const recent = await stripe.customers.list({ created: { gte: last.created - 10 } })
  assert.deepEqual(
    recent.data.map((c) => c.id),
    newest.slice(0, 2),
  )
  await assert.rejects(stripe.customers.list({ limit: 101 }), { code: 'parameter_invalid_integer', param: 'limit' })
})

test('Expansion refuses what cannot be expanded, and more than four levels', async () => {
  const price = stage.sim.addPrice({ name: 'Course', amount: 1000 }).id
  const { id } = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://hub.example/ok',
    line_items: [{ price }],
  })
  stage.sim.pay({ session: id })
  await assert.rejects(stripe.checkout.sessions.retrieve(id, { expand: ['mode'] }), { param: 'expand' })
  await assert.rejects(
    stripe.checkout.sessions.retrieve(id, {
      expand: ['payment_intent.latest_charge.balance_transaction.source.refunds'],
    }),
    { param: 'expand' },
  )
  const deep = await stripe.checkout.sessions.retrieve(id, {
    expand: ['payment_intent.latest_charge.balance_transaction'],
  })
  const intent = deep.payment_intent
  assert.ok(intent !== null && typeof intent === 'object')
  const charge = intent.latest_charge
  assert.ok(charge !== null && typeof charge === 'object')
  const transaction = charge.balance_transaction
  assert.ok(transaction !== null && typeof transaction === 'object')
  assert.deepEqual([transaction.amount, transaction.fee, transaction.net], [1000, 59, 941])
})

test('What the modes do not allow is refused', async () => {
  const once = stage.sim.addPrice({ name: 'Once', amount: 1000 }).id
  const monthly = stage.sim.addPrice({ name: 'Monthly', amount: 1000, interval: 'month' }).id
  const base = { success_url: 'https://hub.example/ok' }
  const create = stripe.checkout.sessions.create.bind(stripe.checkout.sessions)
  await assert.rejects(create({ ...base, mode: 'payment', line_items: [{ price: monthly }] }), /recurring price/)
  await assert.rejects(create({ ...base, mode: 'subscription', line_items: [{ price: once }] }), /recurring price/)
  await assert.rejects(create({ mode: 'payment', line_items: [{ price: once }] }), { param: 'success_url' })
  await assert.rejects(
    create({
      ...base,
      mode: 'subscription',
      line_items: [{ price: monthly }],
      payment_intent_data: { metadata: {}, description: 'x' },
    }),
    { param: 'payment_intent_data' },
  )
  const soon = Math.floor(stage.clock.now() / 1_000) + 60
  await assert.rejects(create({ ...base, mode: 'payment', line_items: [{ price: once }], expires_at: soon }), {
    param: 'expires_at',
  })
})

test('A thin event leads the SDK to its object', async () => {
  const price = stage.sim.addPrice({ name: 'Course', amount: 1000 }).id
  const { id } = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://hub.example/ok',
    line_items: [{ price }],
  })
  stage.sim.pay({ session: id })
  const event = stage.sim.events().at(-1)
  assert.ok(event !== undefined)
  const { body, headers } = stage.sim.signedDelivery(event, { form: 'thin' })
  const notification = stripe.parseEventNotification(
    body,
    headers['stripe-signature'] ?? '',
    'whsec_test_secret_for_the_tests_01',
    Number.MAX_SAFE_INTEGER,
  )
  assert.equal(notification.type, 'v1.checkout.session.completed')
  assert.ok('fetchRelatedObject' in notification)
  const related = (await notification.fetchRelatedObject()) as { id: string }
  assert.equal(related.id, id)
  assert.equal((await stripe.v2.core.events.retrieve(event.thinId)).id, event.thinId)
})

test('Without a key, with a wrong one, and at an unknown address the answers are Stripe\u2019s', async () => {
  const told = await post('/v1/products', { name: 'x' }, 'sk_test_other')
  assert.ok(told !== 'accepted')
  assert.equal(told.status, 401)
  await assert.rejects(
    stripe.rawRequest('POST', '/v1/wormholes', {}),
    /Unrecognized request URL \(POST: \/v1\/wormholes\)/,
  )
})
