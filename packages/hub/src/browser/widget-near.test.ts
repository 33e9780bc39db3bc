import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'
import {
  frameOf,
  hostPage,
  organization,
  patienceMs,
  type Stage,
  scriptPurchase,
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

const height = 600
const markup = `<bursar-checkout organization="${organization}" prices="price_1"></bursar-checkout>`
const orders = () => stage.calls.filter(({ path }) => path === '/api/checkout').length

/** A page whose checkout begins so far below its upper end. */
async function below(px: number, work: (page: Page) => Promise<void>, html = markup): Promise<void> {
  scriptPurchase(stage, await stage.session('elements'))
  const visitor = await visit(browser, { viewport: { width: 800, height } })
  visitor.page.setDefaultTimeout(patienceMs)
  // Attributes of old, because the page's policy allows no inline style.
  const above = `<table height="${px}"><tr><td></td></tr></table>`
  stage.html = hostPage(stage, html).replace(/<h1>.*<\/h1>/, above)
  await visitor.page.goto(stage.host)
  await work(visitor.page)
  await visitor.leave()
}

/** The frame has loaded, and the browser has drawn since, so that whoever watches was told. */
async function settled(page: Page): Promise<void> {
  await frameOf(page).getByText('One moment').waitFor()
  await page.evaluate(
    'new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn))))',
  )
}

const payButton = (page: Page) => frameOf(page).getByRole('button', { name: /^Pay \$/ })

test('far below what is seen nothing is ordered, until somebody scrolls there; once', () =>
  below(height + 1_000, async (page) => {
    await settled(page)
    assert.equal(orders(), 0)
    await page.mouse.wheel(0, 2_000)
    await payButton(page).waitFor()
    await page.mouse.wheel(0, -2_000)
    await settledForm(page)
    assert.equal(orders(), 1)
  }))

const settledForm = async (page: Page): Promise<void> => {
  await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))')
  await payButton(page).waitFor()
}

test('just below what is seen the form is made already', () =>
  below(height + 100, async (page) => {
    await payButton(page).waitFor()
    assert.equal(await page.evaluate('scrollY'), 0)
  }))

test('hidden by its page, it orders nothing until it is shown', () =>
  below(
    0,
    async (page) => {
      await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))')
      assert.equal(orders(), 0)
      await page.evaluate(`document.querySelector('bursar-checkout').hidden = false`)
      await payButton(page).waitFor()
    },
    markup.replace('<bursar-checkout', '<bursar-checkout hidden'),
  ))

test('an element that orders nothing speaks at once, wherever it stands', () =>
  below(
    height + 1_000,
    (page) => page.locator('bursar-auth-status').frameLocator('iframe').getByText('Not signed in').waitFor(),
    `<bursar-auth-status organization="${organization}"></bursar-auth-status>`,
  ))
