import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Page } from 'playwright-core'
import {
  asVisitor,
  button,
  checkout,
  enterCard,
  enterCode,
  heading,
  openTown,
  payButton,
  someone,
  type Town,
  until,
} from './journey-testing.ts'

let town: Town
before(async () => {
  town = await openTown()
})
after(() => town.close())

type Truth = { readonly checkouts: readonly unknown[]; readonly payments: readonly unknown[] }

/** How many checkouts and payments the provider knows, by its own books. */
async function atProvider(): Promise<{ readonly checkouts: number; readonly payments: number }> {
  const truth = (await (await fetch(`${town.stripe}/_sim/truth`)).json()) as Truth
  return { checkouts: truth.checkouts.length, payments: truth.payments.length }
}

/** Two tabs of one browser with the form open, filled in, and nothing pressed yet. */
async function twoTabs(
  email: string,
  work: (first: Page, second: Page) => Promise<void>,
  inSecond = '',
): Promise<void> {
  const before = await atProvider()
  await asVisitor(town, async (first) => {
    const second = await first.context().newPage()
    if (inSecond !== '') await second.addInitScript(inSecond)
    for (const page of [first, second]) {
      await page.goto(town.course())
      await payButton(page).waitFor()
      await checkout(page).getByLabel('E-mail address').fill(email)
      await enterCard(page)
    }
    assert.equal((await atProvider()).checkouts, before.checkouts + 1)
    await work(first, second)
    assert.equal((await atProvider()).payments, before.payments + 1)
  })
}

const lastStep = (page: Page) => heading(page, /^Payment received/).waitFor()

test('F3: paid in one tab, the other tab of the cart shows it by itself, and mails no second code', () => {
  const email = someone()
  return twoTabs(email, async (first, second) => {
    await payButton(first).click()
    await lastStep(first)
    await lastStep(second)
    assert.equal(await payButton(second).count(), 0)
    await enterCode(town, first, email)
    await button(first, 'Open my course').waitFor()
    assert.equal((await town.mail(email)).filter(({ code }) => code !== null).length, 1)
  })
})

test('F3: a tab that has not heard of it presses pay, and nothing is charged twice', () => {
  const deaf = `addEventListener('storage', (event) => event.stopImmediatePropagation(), true)`
  return twoTabs(
    someone(),
    async (first, second) => {
      await payButton(first).click()
      await lastStep(first)
      await payButton(second).click()
      await lastStep(second)
    },
    deaf,
  )
})

test('F3: pay pressed in both tabs at once charges once, and both see it paid', () =>
  twoTabs(someone(), async (first, second) => {
    await Promise.all([payButton(first).click(), payButton(second).click()])
    await Promise.all([lastStep(first), lastStep(second)])
  }))

test('a tab opened while the first is paying gets no form either; who comes again later may buy again', () =>
  asVisitor(town, async (page) => {
    await page.goto(town.course())
    await payButton(page).waitFor()
    await checkout(page).getByLabel('E-mail address').fill(someone())
    await enterCard(page)
    // The first tab pays and is closed before it can hear so.
    await page.context().route('**/api/checkout/status', (route) => route.abort())
    await payButton(page).click()
    await heading(page, 'Checking your payment').waitFor()
    const second = await page.context().newPage()
    await page.close()
    await second.goto(town.course())
    await heading(second, 'Payment received').waitFor()
    assert.equal(await payButton(second).count(), 0)
    const third = await page.context().newPage()
    await third.goto(town.course())
    await payButton(third).waitFor()
  }))

test('a reload before the first answer is the same order', () =>
  asVisitor(town, async (page) => {
    const before = await atProvider()
    const keys = new Set<string>()
    page.on('request', (request) => {
      const key = request.headers()['idempotency-key']
      if (key !== undefined) keys.add(key)
    })
    await page.context().route('**/api/checkout', (route) => route.fetch().then(() => route.abort()))
    await page.goto(town.course())
    await heading(page, 'Payment').waitFor()
    await page.context().unroute('**/api/checkout')
    await page.reload()
    await payButton(page).waitFor()
    assert.equal((await atProvider()).checkouts, before.checkouts + 1)
    assert.equal(keys.size, 1)
    assert.match([...keys][0] ?? '', /^[0-9a-f]{32}$/)
  }))

test('where the browser forbids storage, one page is still one order', () =>
  asVisitor(town, async (page) => {
    await page.addInitScript(`for (const name of ['localStorage', 'sessionStorage'])
      Object.defineProperty(globalThis, name, { get() { throw new DOMException('no', 'SecurityError') } })`)
    let asked = 0
    page.on('response', (response) => {
      if (response.url().endsWith('/api/checkout')) asked += 1
    })
    await page.goto(town.course())
    await payButton(page).waitFor()
    const before = await atProvider()
    // A new wish for the same things: the code is applied in the form, so the hub is asked for the same cart.
    await page.evaluate(`document.querySelector('bursar-checkout').setAttribute('promotion-code', 'NONE')`)
    await until('the second answer', async () => asked === 2)
    await payButton(page).waitFor()
    assert.equal((await atProvider()).checkouts, before.checkouts)
  }))
