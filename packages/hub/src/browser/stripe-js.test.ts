import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import axe from 'axe-core'
import type { FrameLocator, Page } from 'playwright-core'
import { openShop, type Shop } from './stripe-js-testing.ts'

let shop: Shop
before(async () => {
  shop = await openShop()
})
after(() => shop.close())
afterEach(() => {
  assert.deepEqual(shop.complaints, [])
})

const key = () => shop.stage.sim.publishableKey

/** Runs a function body in the page, with `stripe` made for a key and `secret` at hand. */
const run = (page: Page, body: string, secret: string, publishableKey = key()): Promise<unknown> =>
  page.evaluate(
    `(async () => {
      const secret = ${JSON.stringify(secret)}
      try {
        const stripe = await loadStripe(${JSON.stringify(publishableKey)})
        return await (async () => { ${body} })()
      } catch (error) { return error.name + ': ' + error.message }
    })()`,
  )

const paymentFrame = (page: Page): FrameLocator => page.frameLocator('iframe[title="Secure payment input frame"]')

async function mount(page: Page, secret: string): Promise<void> {
  await run(
    page,
    `globalThis.sdk = stripe.initCheckoutElementsSdk({ clientSecret: secret })
     globalThis.changes = []
     sdk.on('change', (session) => changes.push(session.total.total.amount))
     const element = sdk.createPaymentElement()
     await new Promise((resolve) => { element.on('ready', resolve); element.mount('#here') })
     globalThis.actions = (await sdk.loadActions()).actions`,
    secret,
  )
}

async function fillCard(frame: FrameLocator, number: string): Promise<void> {
  await frame.getByLabel('Card number').fill(number)
  await frame.getByLabel('Expiration date').fill('1234')
  await frame.getByLabel('Security code').fill('123')
}

type Told = { type: string; error?: { code: string; message: string }; session?: { status: object } }
const confirm = (page: Page, args = `{ redirect: 'if_required' }`): Promise<Told> =>
  page.evaluate(`actions.confirm(${args})`) as Promise<Told>

test('Stripe.js loads through the original loader, in its release, under a strict policy', async () => {
  const page = await shop.visit()
  assert.equal(await run(page, 'return Stripe.version', ''), 'endive')
  assert.match(String(await run(page, 'return 1', '', 'sk_test_123')), /secret key/)
  await page.context().close()
})

test('The Payment Element refuses a shadow root, a detached node, a missing secret, and a second element', async () => {
  const page = await shop.visit()
  const { secret } = await shop.open('elements')
  const refusal = (body: string) =>
    run(page, `const sdk = stripe.initCheckoutElementsSdk({ clientSecret: secret }); ${body}`, secret)
  assert.match(
    String(
      await refusal(`const host = document.querySelector('#here').attachShadow({ mode: 'open' })
        const inside = document.createElement('div'); host.append(inside); sdk.createPaymentElement().mount(inside)`),
    ),
    /^IntegrationError: Elements cannot be mounted in a ShadowRoot/,
  )
  assert.match(
    String(await refusal(`sdk.createPaymentElement().mount(document.createElement('div'))`)),
    /not part of the page/,
  )
  assert.match(String(await refusal(`sdk.createPaymentElement().mount('#nowhere')`)), /applies to no DOM elements/)
  assert.match(String(await refusal('sdk.createPaymentElement(); sdk.createPaymentElement()')), /only create one/)
  assert.match(String(await run(page, 'stripe.initCheckoutElementsSdk({})', '')), /clientSecret is required/)
  await page.context().close()
})

test('A foreign secret, a foreign key and a session of another form are refused by the account', async () => {
  const page = await shop.visit()
  const { secret } = await shop.open('elements')
  const { secret: embedded } = await shop.open('embedded_page')
  const load = `const loaded = await stripe.initCheckoutElementsSdk({ clientSecret: secret }).loadActions()
    return loaded.type + ' ' + loaded.error?.message`
  assert.match(String(await run(page, load, `${secret}x`)), /^error No such checkout session/)
  assert.match(String(await run(page, load, embedded)), /^error .*ui_mode/)
  assert.match(String(await run(page, load, secret, 'pk_test_ofSomebodyElse')), /^error Invalid API Key/)
  const failed = `return await new Promise((resolve) => {
    const element = stripe.initCheckoutElementsSdk({ clientSecret: secret }).createPaymentElement()
    element.on('loaderror', (event) => resolve(event.error.message)); element.mount('#here') })`
  assert.match(String(await run(page, failed, `${secret}x`)), /No such checkout session/)
  await page.context().close()
})

test('A card pays in the Payment Element; a declined one may be tried again', async () => {
  const page = await shop.visit()
  const { id, secret } = await shop.open('elements', { email: 'ada@example.com' })
  await mount(page, secret)
  assert.match((await confirm(page)).error?.message ?? '', /card number is incomplete/)
  await fillCard(paymentFrame(page), '4000000000000002')
  assert.deepEqual((await confirm(page)).error, {
    code: 'paymentFailed',
    message: 'Your card was declined.',
    paymentFailed: { declineCode: 'generic_decline' },
  })
  await fillCard(paymentFrame(page), '4242424242424242')
  const paid = await confirm(page)
  assert.deepEqual([paid.type, paid.session?.status], ['success', { type: 'complete', paymentStatus: 'paid' }])
  assert.equal(shop.stage.sim.session(id)?.payment_status, 'paid')
  assert.ok(shop.stage.sim.events().some(({ type }) => type === 'checkout.session.completed'))
  await page.context().close()
})

test('3-D Secure is asked in a dialog: failed it leaves the session open, completed it pays', async () => {
  const page = await shop.visit()
  const { id, secret } = await shop.open('elements', { email: 'ada@example.com' })
  await mount(page, secret)
  await fillCard(paymentFrame(page), '4000000000003220')
  const bank = page.frameLocator('iframe[title^="3-D Secure"]')
  const [failed] = await Promise.all([confirm(page), bank.getByRole('button', { name: 'Fail' }).click()])
  assert.match(failed.error?.message ?? '', /unable to authenticate/)
  assert.equal(shop.stage.sim.session(id)?.status, 'open')
  const [paid] = await Promise.all([confirm(page), bank.getByRole('button', { name: 'Complete' }).press('Enter')])
  assert.equal(paid.type, 'success')
  assert.equal(await page.locator('iframe[title^="3-D Secure"]').count(), 0)
  await page.context().close()
})

test('A code is applied and removed with its sums; a direct debit is complete and not yet paid; then it returns', async () => {
  shop.stage.sim.addPromotion({ code: 'HALF', percentOff: 50 })
  const page = await shop.visit()
  const { id, secret } = await shop.open('elements', { allowPromotionCodes: true })
  await mount(page, secret)
  const wrong = (await page.evaluate(`actions.applyPromotionCode('NOPE')`)) as Told
  assert.equal(wrong.error?.code, 'invalidCode')
  await page.evaluate(`actions.applyPromotionCode('half')`)
  await page.evaluate('actions.removePromotionCode()')
  await page.evaluate(`actions.applyPromotionCode('half')`)
  assert.deepEqual(await page.evaluate('changes'), ['$98.00', '$49.00', '$98.00', '$49.00'])
  await paymentFrame(page).getByLabel('SEPA Direct Debit').check()
  await paymentFrame(page).getByLabel('IBAN').fill('DE89370400440532013000')
  await paymentFrame(page).getByLabel('Name of the account holder').fill('Ada Lovelace')
  assert.match((await confirm(page)).error?.message ?? '', /e-mail address is required/)
  await page.evaluate(`void actions.confirm({ email: 'ada@example.com' })`)
  await page.waitForURL(`${shop.url}/back?session=${id}`)
  assert.deepEqual(
    [shop.stage.sim.session(id)?.status, shop.stage.sim.session(id)?.payment_status],
    ['complete', 'unpaid'],
  )
  await page.context().close()
})

test('A whole billing address moves the tax of the session', async () => {
  shop.stage.sim.setTaxRate('DE', 19)
  const page = await shop.visit()
  const { secret } = await shop.open('elements', { automaticTax: true, email: 'ada@example.com' })
  await run(
    page,
    `globalThis.sdk = stripe.initCheckoutElementsSdk({ clientSecret: secret })
     const element = sdk.createBillingAddressElement()
     await new Promise((resolve) => { element.on('ready', resolve); element.mount('#here') })
     globalThis.located = new Promise((resolve) => sdk.on('change', (session) =>
       session.tax.status === 'ready' && resolve(session.total.total.amount)))`,
    secret,
  )
  const frame = page.frameLocator('iframe[title="Secure address input frame"]')
  for (const [label, text] of Object.entries({
    'Full name': 'Ada',
    Address: 'Am Markt 1',
    'Postal code': '10115',
    City: 'Berlin',
  }))
    await frame.getByLabel(label).fill(text)
  await frame.getByLabel('Country').selectOption('DE')
  assert.equal(await page.evaluate('located'), '$116.62')
  await assertReadable(page, '/address.html')
  await page.context().close()
})

test('The embedded page takes country, code and card, asks the bank, and tells the page that holds it', async () => {
  shop.stage.sim.setTaxRate('DE', 19)
  shop.stage.sim.addPromotion({ code: 'TEN', percentOff: 10 })
  const page = await shop.visit()
  const { id, secret } = await shop.open('embedded_page', { automaticTax: true, allowPromotionCodes: true })
  const open = `(await stripe.createEmbeddedCheckoutPage({ clientSecret: secret, onComplete: () => document.body.append('It is complete.') })).mount('#here')`
  await run(page, open, secret)
  const second = await run(page, 'return stripe.createEmbeddedCheckoutPage({ clientSecret: secret })', secret)
  assert.match(String(second), /multiple Embedded Checkout/)
  const form = page.frameLocator('iframe[title="Secure payment page"]')
  await form.getByLabel('Country').selectOption('DE')
  await form.getByLabel('Promotion code').fill('TEN')
  await form.getByRole('button', { name: 'Apply' }).click()
  await form.getByRole('button', { name: 'Pay $104.96' }).waitFor()
  await form.getByLabel('Email').fill('ada@example.com')
  await fillCard(form, '4000002500003155')
  await form.getByRole('button', { name: /^Pay/ }).click()
  await form.frameLocator('iframe').getByRole('button', { name: 'Complete' }).click()
  await page.getByText('It is complete.').waitFor()
  assert.ok(!page.url().includes('/back'), 'a card needs no way back')
  assert.deepEqual(shop.stage.sim.session(id)?.total_details, {
    amount_discount: 980,
    amount_shipping: 0,
    amount_tax: 1676,
  })
  await page.context().close()
})

for (const colorScheme of ['light', 'dark'] as const)
  test(`Every frame reads well for eyes and screen readers (${colorScheme})`, async () => {
    const page = await shop.visit()
    await page.emulateMedia({ colorScheme })
    const { secret } = await shop.open('elements', { email: 'ada@example.com' })
    const theme = colorScheme === 'dark' ? 'night' : 'stripe'
    await run(
      page,
      `const sdk = stripe.initCheckoutElementsSdk({ clientSecret: secret, elementsOptions: { appearance: { theme: '${theme}' } } })
       const element = sdk.createPaymentElement()
       await new Promise((resolve) => { element.on('ready', resolve); element.mount('#here') })
       globalThis.actions = (await sdk.loadActions()).actions`,
      secret,
    )
    await confirm(page) // Its errors are shown now.
    await assertReadable(page, '/payment.html')
    await fillCard(paymentFrame(page), '4000000000003220')
    await page.evaluate('void actions.confirm()')
    await page.frameLocator('iframe[title^="3-D Secure"]').getByRole('button', { name: 'Fail' }).waitFor()
    await assertReadable(page, '/challenge.html')
    await page.context().close()
    const second = await shop.visit()
    await second.emulateMedia({ colorScheme })
    const other = await shop.open('embedded_page', { automaticTax: true, allowPromotionCodes: true })
    await run(
      second,
      `(await stripe.createEmbeddedCheckoutPage({ clientSecret: secret })).mount('#here')`,
      other.secret,
    )
    await second
      .frameLocator('iframe[title="Secure payment page"]')
      .getByRole('button', { name: /^Pay \$/ })
      .waitFor()
    await assertReadable(second, '/embedded.html')
    await second.context().close()
  })

async function assertReadable(page: Page, path: string): Promise<void> {
  const frame = page.frames().find((f) => f.url().endsWith(path))
  assert.ok(frame !== undefined, path)
  await frame.evaluate(axe.source)
  const found =
    (await frame.evaluate(`axe.run(document, { iframes: false, runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map((n) => n.html + ' ' + n.failureSummary).join(' | ')))`)) as string[]
  assert.deepEqual(found, [])
}
