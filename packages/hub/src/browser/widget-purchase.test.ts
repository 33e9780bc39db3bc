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

/** A file of the frame without its hash, or Stripe.js. */
const fileOf = (url: string): readonly string[] => {
  const { pathname } = new URL(url)
  if (pathname.endsWith('/stripe.js')) return ['stripe.js']
  return pathname.startsWith('/assets/checkout/')
    ? [pathname.replace(/^.*\//, '').replace(/-[A-Z0-9]{8}(?=\.\w+$)/, '')]
    : []
}

test('what follows the payment loads after Stripe.js and before it is needed: pressing Pay loads no file', async () => {
  scriptPurchase(stage, await stage.session('elements'))
  const visitor = await visit(browser)
  const { page } = visitor
  page.setDefaultTimeout(patienceMs)
  stage.html = hostPage(stage, markup)
  const files: string[] = []
  page.on('request', (request) => files.push(...fileOf(request.url())))
  const later = page.waitForRequest(/\/after-\w+\.js$/)
  await page.goto(stage.host)
  await enterCard(page, '4242 4242 4242 4242')
  await later
  const loaded = files.splice(0)
  const before = loaded.slice(0, loaded.indexOf('stripe.js'))
  assert.deepEqual(before.sort(), ['checkout.js', 'chunk.js', 'frame.css', 'provider.js'])
  await payButton(page).click()
  await frameOf(page).getByLabel('Code of six digits').fill('123456')
  await frameOf(page).getByRole('button', { name: 'Open my course' }).waitFor()
  assert.deepEqual(
    files.filter((file) => file !== 'stripe.js'),
    [],
  )
  await visitor.leave()
})
