import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { CheckoutRequest, CheckoutTruth, InvoiceTruth } from '#payments/port.ts'
import { stripeConfigSchema } from './config.ts'
import { createStripe } from './index.ts'
import { type Stage, stageStripe, testKey, value } from './testing.ts'

let stage: Stage
before(async () => {
  stage = await stageStripe()
  stage.sim.addPromotion({ code: 'HALF', percentOff: 50 })
  stage.sim.addPromotion({ code: 'FIVE', amountOff: 500 })
  stage.sim.addPromotion({ code: 'LARGE', percentOff: 10, minimumAmount: 100_000 })
  stage.sim.setTaxRate('DE', 19)
})
after(() => stage.close())

const hosted = {
  ui: 'hosted_page',
  successUrl: 'https://hub.example/back?session={CHECKOUT_SESSION_ID}',
  cancelUrl: 'https://hub.example/no',
} as const
const inside = (ui: 'embedded_page' | 'elements') => ({ ui, returnUrl: 'https://hub.example/back' }) as const

let asked = 0
function request(
  where: typeof hosted | ReturnType<typeof inside>,
  more: Partial<CheckoutRequest> = {},
): CheckoutRequest {
  asked += 1
  const price = stage.sim.addPrice({ name: 'Course', amount: 4_900 })
  return {
    mode: 'payment',
    lines: [{ priceId: price.id, quantity: 1 }],
    metadata: { hub_order_id: `ord_${asked}` },
    idempotencyKey: `checkout ${asked}`,
    ...where,
    ...more,
  } as CheckoutRequest
}

async function readCheckout(id: string): Promise<CheckoutTruth> {
  const truth = value(await stage.stripe.read({ kind: 'checkout', externalId: id }))
  assert.ok(truth?.kind === 'checkout')
  return truth
}

test('Each form opens with what its page needs, and its metadata reaches the payment', async () => {
  const page = value(await stage.stripe.createCheckout(request(hosted)))
  assert.match(page.url ?? '', /\/c\/pay\/cs_test_/)
  assert.equal(page.clientSecret, null)
  for (const ui of ['embedded_page', 'elements'] as const) {
    const made = value(await stage.stripe.createCheckout(request(inside(ui))))
    assert.equal(made.url, null)
    assert.match(made.clientSecret ?? '', new RegExp(`^${made.externalId}_secret_\\w+$`))
    const session = stage.sim.session(made.externalId)
    assert.deepEqual([session?.ui_mode, session?.return_url], [ui, 'https://hub.example/back'])
    stage.sim.pay({ session: made.externalId })
    const truth = await readCheckout(made.externalId)
    assert.equal(truth.metadata.hub_order_id, `ord_${asked}`)
    assert.equal(truth.payment?.metadata.hub_order_id, `ord_${asked}`)
    assert.ok(!JSON.stringify(truth, (_, v) => (typeof v === 'bigint' ? String(v) : v)).includes('_secret_'))
  }
})

test('A code is found as the buyer typed it and lowers every line; the buyer cannot enter another', async () => {
  const two = [stage.sim.addPrice({ name: 'A', amount: 1_000 }), stage.sim.addPrice({ name: 'B', amount: 2_001 })]
  const made = value(
    await stage.stripe.createCheckout(
      request(hosted, {
        lines: two.map(({ id }) => ({ priceId: id, quantity: 1 })),
        promotionCode: ' five ',
        allowPromotionCodes: true,
      }),
    ),
  )
  assert.equal(stage.sim.session(made.externalId)?.allow_promotion_codes, null)
  stage.sim.pay({ session: made.externalId })
  const truth = await readCheckout(made.externalId)
  assert.deepEqual([truth.amount, truth.discount], [2_501n, 500n])
  assert.deepEqual(
    truth.lines?.map((line) => line.amount),
    [833n, 1_668n],
  )
})

test('An unknown, ended or empty code is told apart from one that is not for this cart, and nothing is opened', async () => {
  stage.sim.addPromotion({ code: 'OVER', percentOff: 10 })
  stage.sim.endPromotion('OVER')
  const before = stage.sim.truth().checkouts.length
  for (const promotionCode of ['NOPE', 'OVER', '  ']) {
    const outcome = await stage.stripe.createCheckout(request(hosted, { promotionCode }))
    assert.ok(!outcome.ok)
    assert.deepEqual(
      [outcome.failure.class, outcome.failure.code, outcome.failure.field],
      ['invalid', 'promotion_unknown', 'promotionCode'],
    )
  }
  const outcome = await stage.stripe.createCheckout(request(hosted, { promotionCode: 'LARGE' }))
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.failure.class, outcome.failure.code], ['invalid', 'promotion_refused'])
  assert.equal(stage.sim.truth().checkouts.length, before)
})

test('A code that may be used once is used up by the checkout that is paid, not by one that is opened', async () => {
  stage.sim.addPromotion({ code: 'ONCE', percentOff: 100, maxRedemptions: 1 })
  const first = value(await stage.stripe.createCheckout(request(hosted, { promotionCode: 'ONCE' })))
  value(await stage.stripe.createCheckout(request(hosted, { promotionCode: 'ONCE' })))
  stage.sim.pay({ session: first.externalId })
  const truth = await readCheckout(first.externalId)
  assert.deepEqual([truth.paid, truth.amount, truth.payment], ['no_payment_required', 0n, null])
  const third = await stage.stripe.createCheckout(request(hosted, { promotionCode: 'ONCE' }))
  assert.equal(!third.ok && third.failure.code, 'promotion_unknown')
})

test('Tax goes on top of a net price and out of a gross one, for each line of any quantity', async () => {
  const net = stage.sim.addPrice({ name: 'Net', amount: 1_000, taxBehavior: 'exclusive' })
  const gross = stage.sim.addPrice({ name: 'Gross', amount: 1_190, taxBehavior: 'inclusive' })
  const made = value(
    await stage.stripe.createCheckout(
      request(inside('elements'), {
        lines: [
          { priceId: net.id, quantity: 3 },
          { priceId: gross.id, quantity: 2 },
        ],
        automaticTax: true,
        promotionCode: 'HALF',
      }),
    ),
  )
  const session = stage.sim.session(made.externalId)
  assert.deepEqual(
    [session?.billing_address_collection, session?.automatic_tax.status],
    ['required', 'requires_location_inputs'],
  )
  stage.sim.pay({ session: made.externalId, country: 'DE' })
  const truth = await readCheckout(made.externalId)
  assert.deepEqual([truth.amount, truth.tax, truth.discount], [2_975n, 475n, 2_690n])
  assert.deepEqual(
    truth.lines?.map(({ quantity, amount, tax }) => [quantity, amount, tax]),
    [
      [3, 1_785n, 285n],
      [2, 1_190n, 190n],
    ],
  )
  assert.equal(truth.payment?.amountReceived, 2_975n)
})

test('A known customer pays under their own name, and their address decides the tax at once', async () => {
  const customer = stage.sim.addCustomer({ email: 'ada@example.com', name: 'Ada', country: 'DE' })
  const made = value(
    await stage.stripe.createCheckout(
      request(hosted, { customerId: customer.id, email: 'other@example.com', automaticTax: true }),
    ),
  )
  assert.equal(stage.sim.session(made.externalId)?.total_details?.amount_tax, 931)
  stage.sim.pay({ session: made.externalId })
  const truth = await readCheckout(made.externalId)
  assert.deepEqual([truth.customerId, truth.email, truth.amount], [customer.id, 'ada@example.com', 5_831n])
})

test('A repeated request answers the same session and secret; another code under its key is a conflict', async () => {
  const once = request(inside('elements'), { promotionCode: 'HALF' })
  const first = value(await stage.stripe.createCheckout(once))
  assert.deepEqual(value(await stage.stripe.createCheckout(once)), first)
  const other = await stage.stripe.createCheckout({ ...once, promotionCode: 'FIVE' })
  assert.equal(!other.ok && other.failure.class, 'conflict')
})

test('A subscription is invoiced as its checkout said; a code for once ends with the first invoice, tax stays', async () => {
  const price = stage.sim.addPrice({ name: 'Club', amount: 1_000, interval: 'month', taxBehavior: 'exclusive' })
  const made = value(
    await stage.stripe.createCheckout(
      request(inside('embedded_page'), {
        mode: 'subscription',
        lines: [{ priceId: price.id, quantity: 2 }],
        automaticTax: true,
        promotionCode: 'HALF',
      }),
    ),
  )
  stage.sim.pay({ session: made.externalId, country: 'DE' })
  const checkout = await readCheckout(made.externalId)
  assert.equal(checkout.amount, 1_190n)
  const invoice = async (id: string): Promise<InvoiceTruth> => {
    const truth = value(await stage.stripe.read({ kind: 'invoice', externalId: id }))
    assert.ok(truth?.kind === 'invoice')
    return truth
  }
  const first = await invoice(checkout.invoiceId ?? '')
  assert.deepEqual([first.amountPaid, first.lines.map((line) => line.amount)], [1_190n, [1_190n]])
  const renewed = stage.sim.renew(checkout.subscriptionId ?? '')
  const second = await invoice(String(renewed.latest_invoice))
  assert.deepEqual([second.amountPaid, second.lines.map((line) => line.amount)], [2_380n, [2_380n]])
})

test('What a form does not take is refused as Stripe refuses it', async () => {
  const { id } = stage.sim.addPrice({ name: 'Course', amount: 1_000 })
  const post = async (fields: Record<string, string>) => {
    const outcome = await stage.http({
      method: 'POST',
      url: `${stage.sim.url}/v1/checkout/sessions`,
      headers: { authorization: `Bearer ${testKey}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ mode: 'payment', 'line_items[0][price]': id, ...fields }).toString(),
    })
    assert.ok(outcome.ok)
    return (JSON.parse(outcome.response.body.toString()) as { error?: { param: string } }).error?.param
  }
  const back = 'https://hub.example'
  assert.equal(await post({ ui_mode: 'elements', success_url: back, return_url: back }), 'success_url')
  assert.equal(await post({ ui_mode: 'embedded_page', cancel_url: back, return_url: back }), 'cancel_url')
  assert.equal(await post({ ui_mode: 'elements' }), 'return_url')
  assert.equal(await post({ success_url: back, return_url: back }), 'return_url')
  assert.equal(
    await post({ success_url: back, allow_promotion_codes: 'true', 'discounts[0][promotion_code]': 'x' }),
    'discounts',
  )
  assert.equal(await post({ success_url: back, 'customer_update[address]': 'auto' }), 'customer_update')
})

test('A publishable key of the other mode is refused; the connector shows the one it was given', () => {
  const both = (secretKey: string | null, publishableKey: string | null) =>
    stripeConfigSchema.safeParse({ secretKey, publishableKey })
  assert.ok(both('sk_test_12345', 'pk_test_12345').success)
  assert.ok(both('rk_live_12345', 'pk_live_12345').success)
  assert.ok(both(null, 'pk_live_12345').success)
  const crossed = both('rk_test_12345', 'pk_live_12345')
  assert.deepEqual(crossed.error?.issues[0]?.path, ['publishableKey'])
  assert.ok(!both('sk_live_12345', 'pk_test_12345').success)
  assert.ok(!both('sk_test_12345', 'sk_test_12345').success)
  assert.equal(stage.stripe.publishableKey, stage.sim.publishableKey)
  assert.equal(createStripe({ secretKey: testKey, apiBase: stage.sim.url }, stage.io).publishableKey, null)
})
