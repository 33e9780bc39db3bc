import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { day, systemClock } from '@bursar/kit/clock.ts'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'
import {
  enterCard,
  frameOf,
  hostPage,
  listen,
  orderRef,
  organization,
  patienceMs,
  type Stage,
  scriptPurchase,
  seen,
  widgetStage,
} from './widget-testing.ts'

let stage: Stage
let browser: Browser
before(async () => {
  ;[stage, browser] = await Promise.all([widgetStage(), launchChromium()])
})
after(async () => {
  await browser.close()
  await stage.close()
})

type Session = { readonly id: string; readonly clientSecret: string }
type Options = Parameters<typeof scriptPurchase>[2] & {
  readonly html?: string
  readonly lang?: string
  readonly script?: (session: Session) => void
}

const markup = `<bursar-checkout organization="${organization}" prices="price_1" email="lena@example.com"></bursar-checkout>`
const refusal = (code: string, message: string) => ({ error: { code, message, fix: '' } })

async function buying(work: (page: Page, session: Session) => Promise<void>, options: Options = {}): Promise<void> {
  const session = await stage.session(options.mode === 'embedded_page' ? 'embedded_page' : 'elements')
  scriptPurchase(stage, session, options)
  options.script?.(session)
  const visitor = await visit(browser)
  stage.html = hostPage(stage, options.html ?? markup, options.lang)
  visitor.page.setDefaultTimeout(patienceMs)
  await visitor.page.goto(stage.host)
  await listen(visitor.page)
  await work(visitor.page, session)
  await visitor.leave()
}

const frame = frameOf
const heading = (page: Page, name: string | RegExp) => frame(page).getByRole('heading', { name })
const button = (page: Page, name: string | RegExp) => frame(page).getByRole('button', { name })
const pay = async (page: Page, card = '4242 4242 4242 4242') => {
  await enterCard(page, card)
  await button(page, /^Pay \$/).click()
}
const enterCode = async (page: Page) => {
  await heading(page, /One last step/).waitFor()
  await frame(page).getByLabel('Code of six digits').fill('123456')
}
const asked = (path: string) => stage.calls.filter((call) => call.path === path).length

test('a declined card keeps the buyer in the form, and the next card works', () =>
  buying(async (page) => {
    await pay(page, '4000 0000 0000 0002')
    await frame(page).getByRole('alert').getByText('The payment did not go through.').waitFor()
    assert.deepEqual((await seen(page)).at(-2), ['paymentError', { status: 'declined', orderRef }])
    await pay(page)
    await heading(page, /One last step/).waitFor()
    assert.equal(asked('/api/checkout'), 1)
  }))

test('the bank’s question fits into the frame and is answered there', () =>
  buying(async (page) => {
    await pay(page, '4000 0025 0000 3155')
    const bank = frame(page).frameLocator('iframe[src*="challenge"]')
    await bank.getByRole('button', { name: 'Complete' }).click()
    await heading(page, /One last step/).waitFor()
  }))

test('pressing pay twice pays once', () =>
  buying(async (page, session) => {
    await enterCard(page, '4242 4242 4242 4242')
    await button(page, /^Pay \$/).dblclick()
    await heading(page, /One last step/).waitFor()
    const paid = stage.stripe.truth().checkouts.find((it) => it.session === session.id)
    assert.equal(stage.stripe.truth().payments.filter((it) => it.paymentIntent === paid?.paymentIntent).length, 1)
    assert.equal((await seen(page)).filter(([name]) => name === 'paymentSuccess').length, 1)
  }))

test('an address that is none is said at the field, before anything is paid', () =>
  buying(async (page) => {
    await frame(page).getByLabel('E-mail address').fill('lena')
    await pay(page)
    await frame(page).getByRole('alert').getByText('Please enter an address').waitFor()
    await frame(page).locator('input[name=email]:focus').waitFor()
  }))

test('a delayed payment is told as on its way, and goes on by itself when it arrives', () =>
  buying(async (page, session) => {
    const fields = frame(page).frameLocator('.stripe iframe')
    await fields.getByLabel('SEPA Direct Debit').check()
    await fields.getByLabel('IBAN').fill('DE89370400440532013000')
    await fields.getByLabel('Name of the account holder').fill('Lena Fischer')
    await button(page, /^Pay \$/).click()
    await heading(page, 'Your payment is on its way').waitFor()
    assert.equal((await seen(page)).filter(([name]) => name === 'paymentProcessing').length, 1)
    stage.stripe.payAsyncSucceed(session.id)
    await heading(page, /One last step/).waitFor()
  }))

test('a reload in the middle goes on with the same order, before paying and after', () =>
  buying(async (page) => {
    await button(page, /^Pay \$/).waitFor()
    await page.reload()
    await listen(page)
    await pay(page)
    await heading(page, /One last step/).waitFor()
    await page.reload()
    await enterCode(page)
    await heading(page, 'Your course is ready').waitFor()
    await page.reload()
    await button(page, 'Open my course').waitFor()
    assert.equal(asked('/api/checkout'), 1)
    assert.equal(asked('/api/sign-in/verify'), 1)
  }))

test('moved in the page, the element goes on; removed and put back, too', () =>
  buying(async (page) => {
    await button(page, /^Pay \$/).waitFor()
    await page.evaluate('document.body.prepend(document.querySelector("bursar-checkout"))')
    await pay(page)
    await heading(page, /One last step/).waitFor()
    await page.evaluate('globalThis.it = document.querySelector("bursar-checkout"); it.remove()')
    await page.evaluate('document.body.append(globalThis.it)')
    await heading(page, /One last step/).waitFor()
    assert.equal(asked('/api/checkout'), 1)
  }))

test('loaded twice, the script defines its elements once', () =>
  buying(
    async (page) => {
      await button(page, /^Pay \$/).waitFor()
      assert.equal(await page.locator('bursar-checkout').count(), 1)
    },
    { html: `<script src="HUB/bursar-checkout.js?again" defer></script>${markup}` },
  ))

test('a price that is not on sale is a sentence, not a form', () =>
  buying(
    async (page) => {
      await frame(page).getByRole('alert').getByText('This is not on sale right now. Nothing was charged.').waitFor()
    },
    { script: () => stage.answers.set('/api/checkout', () => [422, refusal('price_unknown', 'No such price.')]) },
  ))

test('without a price there is nothing to buy, and the hub is not asked', () =>
  buying(
    async (page) => {
      await frame(page).getByRole('alert').getByText('There is nothing to buy here').waitFor()
      assert.equal(asked('/api/checkout'), 0)
    },
    { html: `<bursar-checkout organization="${organization}"></bursar-checkout>` },
  ))

test('too many requests: the wait is named, and trying again works', () =>
  buying(
    async (page) => {
      await frame(page).getByRole('alert').getByText('Please wait 17 seconds.').waitFor()
      scriptPurchase(stage, await stage.session('elements'))
      await button(page, 'Try again').click()
      await button(page, /^Pay \$/).waitFor()
    },
    { script: () => stage.answers.set('/api/checkout', () => [429, refusal('rate_limited', 'Too many requests.')]) },
  ))

test('an expired session says so and starts anew', () =>
  buying(async (page, session) => {
    await button(page, /^Pay \$/).waitFor()
    stage.stripe.expire(session.id)
    const next = await stage.session('elements')
    await pay(page)
    await frame(page).getByRole('alert').waitFor()
    scriptPurchase(stage, next)
    stage.answers.set('/api/checkout/status', () => [200, { orderRef, payment: 'expired', claimed: false, seats: [] }])
    await page.reload()
    await button(page, /^Pay \$/).waitFor()
    assert.equal(asked('/api/checkout'), 1)
  }))

test('somebody else’s claim is told, and no course is shown', () =>
  buying(
    async (page) => {
      await pay(page)
      await enterCode(page)
      await heading(page, 'This purchase belongs to somebody already').waitFor()
      assert.equal(await button(page, /Open/).count(), 0)
    },
    {
      script: () =>
        stage.answers.set('/api/onboard-learner', () => [409, refusal('claimed_already', 'Somebody else has it.')]),
    },
  ))

test('another address than the paid one is shown beside it, and confirmed by a press', () =>
  buying(
    async (page) => {
      await pay(page)
      await enterCode(page)
      await frame(page).getByText('You paid as l***@example.com and signed in as lena@example.com.').waitFor()
      await button(page, 'Yes, open it for lena@example.com').click()
      await heading(page, 'Your course is ready').waitFor()
      assert.equal(stage.calls.findLast((call) => call.path === '/api/onboard-learner')?.body.confirmEmail, true)
    },
    {
      script: () => {
        const agreed = stage.answers.get('/api/onboard-learner')
        stage.answers.set('/api/onboard-learner', (body, request) =>
          body.confirmEmail === true && agreed !== undefined
            ? agreed(body, request)
            : [
                409,
                {
                  error: {
                    ...{ code: 'email_differs', message: '', fix: '' },
                    ...{ paidEmail: 'l***@example.com', signedInEmail: 'lena@example.com' },
                  },
                },
              ],
        )
      },
    },
  ))

test('a school that does not answer is told as waiting, and opens by itself', () =>
  buying(
    async (page) => {
      await pay(page)
      await enterCode(page)
      await heading(page, 'Your seat takes a little longer').waitFor()
      await heading(page, 'Your course is ready').waitFor()
      assert.deepEqual((await seen(page)).map(([, detail]) => detail.status).slice(-3), [
        'preparing',
        'waiting',
        'open',
      ])
    },
    { seats: ['preparing', 'waiting', 'waiting', 'open'] },
  ))

const nextWeek = new Date(systemClock.now() + 7 * day).toISOString().slice(0, 10)

test('a gift asks for whom, and its buyer is not asked to sign in', () =>
  buying(
    async (page) => {
      await frame(page)
        .getByLabel(/Their e-mail address/)
        .fill('omar@example.com')
      await frame(page).getByLabel('Their name').fill('Omar')
      await frame(page)
        .getByLabel(/^Your name/)
        .fill(' Lena ')
      await frame(page)
        .getByLabel(/^When it should arrive/)
        .fill(nextWeek)
      await button(page, 'Continue').click()
      await pay(page)
      await heading(page, 'Thank you for your gift').waitFor()
      assert.deepEqual(stage.calls.find((call) => call.path === '/api/checkout')?.body.gift, {
        ...{ email: 'omar@example.com', name: 'Omar', from: 'Lena' },
        // The morning where the giver is; the browser's zone is this machine's.
        sendAt: new Date(`${nextWeek}T08:00`).toISOString(),
      })
      assert.equal(asked('/api/sign-in/code'), 0)
    },
    { html: markup.replace('<bursar-checkout', '<bursar-checkout gift') },
  ))

test('the provider’s embedded page works in the frame as well', () =>
  buying(
    async (page) => {
      const form = frame(page).frameLocator('.stripe iframe')
      await form.getByLabel('Email').fill('lena@example.com')
      await form.getByLabel('Card number').fill('4242 4242 4242 4242')
      await form.getByLabel('Expiration date').fill('12 / 40')
      await form.getByLabel('Security code').fill('123')
      await form.getByRole('button', { name: /^Pay/ }).click()
      await heading(page, /One last step/).waitFor()
    },
    { mode: 'embedded_page', html: markup.replace('<bursar-checkout', '<bursar-checkout mode="embedded_page"') },
  ))

test('a blocked provider is told, and nothing was charged', async () => {
  const session = await stage.session('elements')
  scriptPurchase(stage, session)
  const context = await browser.newContext()
  await context.route('**/stripe.js', (route) => route.abort())
  const page = await context.newPage()
  stage.html = hostPage(stage, markup)
  await page.goto(stage.host)
  await frame(page).getByRole('alert').getByText('The payment form could not be loaded').waitFor()
  await context.close()
})

test('offline after paying: it keeps asking, and goes on when the line is back', () =>
  buying(async (page) => {
    await enterCard(page, '4242 4242 4242 4242')
    await page.context().route('**/api/checkout/status', (route) => route.abort('internetdisconnected'))
    await button(page, /^Pay \$/).click()
    await heading(page, 'Checking your payment').waitFor()
    await page.context().unroute('**/api/checkout/status')
    await heading(page, /One last step/).waitFor()
  }))

test('who is signed in already skips the code', () =>
  buying(
    async (page) => {
      // The frame above has its height then, and nothing moves under the pointer any more.
      await button(page, /^Pay \$/).waitFor()
      const login = page.locator('bursar-login').frameLocator('iframe')
      await login.getByRole('button', { name: 'Send me a code' }).click()
      await login.getByLabel('Code of six digits').fill('123456')
      await login.getByText('Signed in as lena@example.com').waitFor()
      await page.locator('bursar-auth-status').frameLocator('iframe').getByText('Signed in as lena').waitFor()
      await pay(page)
      await heading(page, 'Your course is ready').waitFor()
      assert.equal(asked('/api/sign-in/code'), 1)
    },
    {
      html: `${markup}<bursar-login organization="${organization}" email="lena@example.com"></bursar-login><bursar-auth-status organization="${organization}"></bursar-auth-status>`,
    },
  ))

test('in German, every step speaks German', () =>
  buying(
    async (page) => {
      await enterCard(page, '4242 4242 4242 4242')
      await button(page, /^\$49.00 bezahlen/).click()
      await heading(page, /Ein letzter Schritt/).waitFor()
      assert.equal(await frame(page).locator('html').getAttribute('lang'), 'de')
    },
    { lang: 'de' },
  ))

test('the checkout button sends the whole window to the hub, with nothing but what is bought', () =>
  buying(
    async (page) => {
      const sent = page.waitForRequest('**/checkout/start')
      await page.getByRole('button', { name: 'Buy the course' }).click()
      const body = new URLSearchParams((await sent).postData() ?? '')
      assert.deepEqual(Object.fromEntries(body), { organization, price: 'price_1:3' })
      await page.getByRole('heading', { name: 'Started' }).waitFor()
    },
    {
      html: `<bursar-checkout-button organization="${organization}" prices="price_1:3" amount="1">Buy the course</bursar-checkout-button>`,
    },
  ))
