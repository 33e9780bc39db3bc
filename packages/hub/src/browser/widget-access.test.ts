import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, BrowserContextOptions, Frame, Page } from 'playwright-core'
import { axeProblems, shot } from './axe-testing.ts'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'
import {
  enterCard,
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

const markup = `<bursar-checkout organization="${organization}" prices="price_1" email="lena@example.com"></bursar-checkout>`

async function onPage(options: BrowserContextOptions, work: (page: Page) => Promise<void>): Promise<void> {
  scriptPurchase(stage, await stage.session('elements'), { seats: ['waiting', 'waiting', 'waiting', 'open'] })
  const visitor = await visit(browser, options)
  visitor.page.setDefaultTimeout(patienceMs)
  stage.html = hostPage(stage, markup)
  await visitor.page.goto(stage.host)
  // A page that follows its visitor's wish for light or dark; the element looks again when an attribute changes.
  await visitor.page.evaluate(`document.documentElement.style.colorScheme = 'light dark'
    document.querySelector('bursar-checkout').setAttribute('label', 'Checkout')`)
  await work(visitor.page)
  await visitor.leave()
}

function ours(page: Page): Frame {
  const frame = page.frames().find((it) => it.url().includes('/frame/'))
  assert.ok(frame)
  return frame
}

/** One step as everybody should find it: nothing for axe to say, and nothing wider than the window. */
async function look(page: Page, name: string): Promise<void> {
  assert.deepEqual(await axeProblems(ours(page)), [], name)
  const wide = await ours(page).evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  assert.equal(wide, 0, `${name} is too wide`)
  await shot(page, `widget-${name}`)
}

const looks: Readonly<Record<string, BrowserContextOptions>> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { viewport: { width: 320, height: 700 }, reducedMotion: 'reduce' },
}

for (const [name, options] of Object.entries(looks))
  test(`every step can be used by everybody: ${name}`, () =>
    onPage(options, async (page) => {
      const frame = frameOf(page)
      await frame.getByRole('button', { name: /^Pay \$/ }).waitFor()
      await frame.getByText('Promotion code').first().click()
      await look(page, `${name}-pay`)
      await enterCard(page, '4000 0000 0000 0002')
      await frame.getByRole('button', { name: /^Pay \$/ }).click()
      await frame.getByRole('alert').waitFor()
      await look(page, `${name}-declined`)
      await enterCard(page, '4242 4242 4242 4242')
      await frame.getByRole('button', { name: /^Pay \$/ }).click()
      await frame.getByLabel('Code of six digits').fill('111111')
      await frame.getByRole('alert').waitFor()
      await look(page, `${name}-code`)
      await frame.getByLabel('Code of six digits').fill('123456')
      await frame.getByRole('heading', { name: 'Your seat takes a little longer' }).waitFor()
      await look(page, `${name}-waiting`)
      await frame.getByRole('button', { name: 'Open my course' }).waitFor()
      await look(page, `${name}-open`)
    }))

test('the keyboard alone buys, and each new step begins at its heading', () =>
  onPage({}, async (page) => {
    const press = async (keys: readonly string[]) => {
      for (const key of keys) await page.keyboard.press(key)
    }
    await frameOf(page)
      .getByRole('button', { name: /^Pay \$/ })
      .waitFor()
    const fields = frameOf(page).frameLocator('.stripe iframe')
    await fields.getByLabel('Card number').waitFor()
    // Promotion code, address, kind of payment, number.
    await press(['Tab', 'Tab', 'Tab', 'Tab'])
    await fields.locator('#number:focus').waitFor()
    await page.keyboard.type('4242424242424242')
    await press(['Tab'])
    await page.keyboard.type('1240')
    await press(['Tab'])
    await page.keyboard.type('123')
    await press(['Tab', 'Enter'])
    await frameOf(page).locator('h2:focus', { hasText: 'One last step' }).waitFor()
    await frameOf(page).getByLabel('Code of six digits').waitFor()
    await press(['Tab'])
    await frameOf(page).locator('input.code:focus').waitFor()
    await page.keyboard.type('123456')
    await frameOf(page).getByRole('button', { name: 'Open my course' }).waitFor()
    await frameOf(page).locator('h2:focus', { hasText: 'Your course is ready' }).waitFor()
    await press(['Tab'])
    await frameOf(page).locator('button:focus', { hasText: 'Open my course' }).waitFor()
  }))

test('showing the form takes the focus from nobody', () =>
  onPage({}, async (page) => {
    await frameOf(page).frameLocator('.stripe iframe').getByLabel('Card number').waitFor()
    assert.equal(await page.evaluate('document.activeElement === document.body'), true)
  }))
