import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'
import {
  claimSecret,
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
  sessionToken,
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

const markup = `<bursar-checkout organization="${organization}" prices="price_1" email="lena@example.com"></bursar-checkout>`

async function asBuyer(work: (page: Page) => Promise<void>, html = markup, lang = 'en'): Promise<void> {
  const visitor = await visit(browser)
  stage.html = hostPage(stage, html, lang)
  visitor.page.setDefaultTimeout(patienceMs)
  await visitor.page.goto(stage.host)
  await listen(visitor.page)
  await work(visitor.page)
  await visitor.leave()
}

const payButton = (page: Page) => frameOf(page).getByRole('button', { name: /^Pay \$49/ })

test('a buyer pays, types the code and gets the button into the course; the page hears only status and reference', async () => {
  const session = await stage.session('elements')
  scriptPurchase(stage, session, { seats: ['preparing', 'preparing', 'open'] })
  await asBuyer(async (page) => {
    await enterCard(page, '4242 4242 4242 4242')
    await payButton(page).click()
    await frameOf(page).getByRole('heading', { name: 'Payment received. One last step: it is you' }).waitFor()
    await frameOf(page).getByLabel('Code of six digits').fill('111111')
    await frameOf(page).getByRole('alert').getByText('That code is not right.').waitFor()
    await frameOf(page).getByLabel('Code of six digits').fill('123 456')
    await frameOf(page).getByRole('heading', { name: 'Your course is ready' }).waitFor()
    await frameOf(page).getByRole('button', { name: 'Open my course' }).waitFor()
    const events = await seen(page)
    assert.deepEqual(
      events.map(([name]) => name).filter((name) => name !== 'statusChange'),
      ['paymentSuccess', 'loginError', 'signupSuccess'],
    )
    assert.deepEqual(events.find(([name]) => name === 'paymentSuccess')?.[1], { status: 'paid', orderRef })
    for (const [, detail] of events) assert.deepEqual(Object.keys(detail).sort(), ['orderRef', 'status'])
    const everything = JSON.stringify(events) + (await page.content())
    assert.doesNotMatch(everything, new RegExp(`${claimSecret}|${sessionToken}|${session.clientSecret}`))
  })
  const asked = stage.calls.find((call) => call.path === '/api/checkout')?.body
  assert.deepEqual(asked, { organization, prices: [{ price: 'price_1' }], mode: 'elements' })
})
