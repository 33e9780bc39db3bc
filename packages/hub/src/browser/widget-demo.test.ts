import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '@bursar/kit/clock.ts'
import type { Browser, Page } from 'playwright-core'
import { freePort, type Program, stage } from '#main/start-testing.ts'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'
import { enterCard, frameOf, listen, seen } from './widget-testing.ts'

const on = stage()
let browser: Browser
let hub: Program
before(async () => {
  const folder = await on.folder()
  ;[browser, hub] = await Promise.all([
    launchChromium(),
    on.start(folder, { PORT: String(await freePort()), BURSAR_DEMO: 'true' }),
  ])
})
after(async () => {
  await browser.close()
  await hub.end('SIGTERM')
  await on.clean()
})

const patienceMs = 10_000
// Goal of a purchase by a machine that does not wait for itself, from the pay button into the course.
const purchaseMsMax = 3_000

async function asVisitor(work: (page: Page) => Promise<void>): Promise<void> {
  const visitor = await visit(browser)
  visitor.page.setDefaultTimeout(patienceMs)
  await work(visitor.page)
  await visitor.leave()
}

async function shopPage(page: Page): Promise<string> {
  const answer = await page.request.get(`${hub.url}/sandbox`, { headers: { accept: 'application/json' } })
  const { shop, prices } = (await answer.json()) as { shop: string; prices: { price: string }[] }
  return `${shop}/courses/${prices[0]?.price}`
}

/** The newest code sent to an address, from the demo's mailbox. */
async function codeFor(page: Page, email: string): Promise<string> {
  for (let i = 0; i < 40; i++) {
    const answer = await page.request.get(`${hub.url}/sandbox/mailbox.json?to=${encodeURIComponent(email)}`)
    const { messages } = (await answer.json()) as { messages: { subject: string; text: string }[] }
    const mail = messages.find((it) => /code/i.test(it.subject))
    const code = /\b\d{6}\b/.exec(`${mail?.subject ?? ''} ${mail?.text ?? ''}`)?.[0]
    if (code !== undefined) return code
    await systemClock.sleep(50)
  }
  return assert.fail('no code came')
}

test('from a stranger’s site: pay with 4242, type the code of the mail, stand in the course', () =>
  asVisitor(async (page) => {
    const email = 'lena.fischer@example.com'
    await page.goto(await shopPage(page))
    await listen(page)
    await enterCard(page, '4242 4242 4242 4242')
    await frameOf(page).getByLabel('E-mail address').fill(email)
    const began = systemClock.now()
    await frameOf(page).getByRole('button', { name: /^Pay / }).click()
    await frameOf(page).getByLabel('Code of six digits').waitFor()
    await frameOf(page)
      .getByLabel('Code of six digits')
      .fill(await codeFor(page, email))
    await frameOf(page).getByRole('button', { name: 'Open my course' }).waitFor()
    const events = (await seen(page)).map(([name]) => name).filter((name) => name !== 'statusChange')
    assert.deepEqual(events, ['paymentSuccess', 'signupSuccess'])
    await frameOf(page).getByRole('button', { name: 'Open my course' }).click()
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
    const tookMs = systemClock.now() - began
    assert.ok(tookMs < purchaseMsMax, `took ${tookMs} ms`)
  }))
