import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Stage, stageStripe, value } from '../testing.ts'

let stage: Stage
before(async () => {
  stage = await stageStripe()
})
after(() => stage.close())

async function open(name = 'Course', more: object = {}): Promise<{ id: string; url: string }> {
  const price = stage.sim.addPrice({ name, amount: 4900 })
  const created = value(
    await stage.stripe.createCheckout({
      ui: 'hosted_page',
      mode: 'payment',
      lines: [{ priceId: price.id, quantity: 1 }],
      successUrl: 'https://hub.example/back?session={CHECKOUT_SESSION_ID}',
      cancelUrl: 'https://hub.example/no',
      email: 'ada@example.com',
      metadata: {},
      idempotencyKey: `page ${name}`,
      ...more,
    }),
  )
  return { id: created.externalId, url: created.url ?? '' }
}

async function browse(url: string, form?: Readonly<Record<string, string>>) {
  const outcome = await stage.http({
    method: form === undefined ? 'GET' : 'POST',
    url,
    ...(form === undefined
      ? {}
      : {
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams(form).toString(),
        }),
  })
  assert.ok(outcome.ok)
  const { status, headers, body } = outcome.response
  return { status, location: headers.location, text: body.toString() }
}

test('A browser pays on the hosted page and is sent back with its session', async () => {
  const { id, url } = await open()
  const shown = await browse(url)
  assert.equal(shown.status, 200)
  for (const part of ['<form method="post">', 'name="card"', 'ada@example.com', '49.00 USD'])
    assert.ok(shown.text.includes(part), part)
  const paid = await browse(url, { email: 'ada@example.com', name: 'Ada', card: '4242424242424242' })
  assert.deepEqual([paid.status, paid.location], [303, `https://hub.example/back?session=${id}`])
  assert.equal(stage.sim.session(id)?.payment_status, 'paid')
  assert.equal((await browse(url)).status, 410)
  assert.equal((await browse(url, { email: 'a@b.c', card: '4242424242424242' })).status, 409)
})

test('A declined card leaves the form open with a reason; nothing was paid', async () => {
  const { id, url } = await open('Declined')
  const declined = await browse(url, { email: 'ada@example.com', card: '4000 0000 0000 0002' })
  assert.equal(declined.status, 200)
  assert.ok(declined.text.includes('role="alert"'))
  assert.equal(stage.sim.session(id)?.status, 'open')
  assert.equal((await browse(url, { email: 'ada@example.com', card: 'bank_debit' })).status, 303)
  assert.deepEqual([stage.sim.session(id)?.status, stage.sim.session(id)?.payment_status], ['complete', 'unpaid'])
})

test('Names from elsewhere are shown as text', async () => {
  const { url } = await open('<script>alert(1)</script>')
  const shown = await browse(url)
  assert.ok(!shown.text.includes('<script>'))
  assert.ok(shown.text.includes('&lt;script&gt;'))
})

test('The page asks for country and code where the session does, and charges what follows', async () => {
  stage.sim.setTaxRate('DE', 19)
  stage.sim.addPromotion({ code: 'HALF', percentOff: 50 })
  const plain = await open('Plain')
  assert.ok(!/name="country"|name="code"/.test((await browse(plain.url)).text))
  const { id, url } = await open('Taxed', { automaticTax: true, allowPromotionCodes: true })
  assert.match((await browse(url)).text, /name="country"[\s\S]*name="code"/)
  const buyer = { email: 'ada@example.com', name: 'Ada', card: '4242424242424242', country: 'DE' }
  const wrong = await browse(url, { ...buyer, code: 'NOPE' })
  assert.equal(wrong.status, 200)
  assert.ok(wrong.text.includes('This promotion code is invalid.'))
  assert.equal((await browse(url, { ...buyer, code: 'half' })).status, 303)
  const session = stage.sim.session(id)
  assert.deepEqual(
    [session?.amount_total, session?.total_details?.amount_discount, session?.total_details?.amount_tax],
    [2916, 2450, 466],
  )
})
