import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Page } from 'playwright-core'
import { axeProblems, shot } from './axe-testing.ts'
import { asVisitor, codeTo, linkTo, openTown, someone, type Town } from './journey-testing.ts'

let town: Town
before(async () => {
  town = await openTown()
})
after(() => town.close())

async function signIn(page: Page, email: string): Promise<void> {
  await page.getByLabel('E-mail address').first().fill(email)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByRole('heading', { name: 'Enter the code' }).waitFor()
  await page.getByLabel('Code from the mail').fill(await codeTo(town, email))
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

/** A page of a shop without any script: a form, posted to the hub. */
async function buyByForm(page: Page, email: string): Promise<void> {
  await page.setContent(
    `<form method="post" action="${town.hub.url}/checkout/start"><input name="organization" value="demo"><input name="price" value="${town.price()}"><button>Buy</button></form>`,
  )
  await page.getByRole('button', { name: 'Buy' }).click()
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Name').fill('Lena Fischer')
  await page.getByRole('button', { name: 'Pay' }).click()
  await page.getByRole('heading', { name: 'Your order' }).waitFor()
  await page.getByText('Payment received').waitFor()
}

test('a purchase by a plain form: the browser that paid claims it by a code to the paid address, and opens the course', async () => {
  const email = someone()
  await asVisitor(town, async (page) => {
    await buyByForm(page, email)
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-order-paid')
    await page.getByRole('link', { name: 'Sign in and open my courses' }).click()
    await signIn(page, email)
    await page.getByRole('heading', { name: 'Your order' }).waitFor()
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
  })
})

test('another address confirms, the paid one is told and takes it back; looking at the undo link does nothing', async () => {
  const [paid, other] = [someone(), someone('olga')]
  await asVisitor(town, async (page) => {
    await buyByForm(page, paid)
    await page.getByRole('link', { name: 'Sign in and open my courses' }).click()
    await signIn(page, other)
    await page.getByRole('button', { name: 'Put it into my account' }).click()
    await page.getByText(`you are signed in as ${other}`).waitFor()
    assert.ok(!(await page.content()).includes(paid), 'the paid address is masked')
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-confirm')
    await page.getByRole('button', { name: 'Yes, put it into my account' }).click()
    await page.getByRole('button', { name: 'Open' }).waitFor()
    const order = page.url()
    const undo = await linkTo(town, paid, /\/claim\/undo\/[\w-]{43}$/)
    await asVisitor(town, async (owner) => {
      for (let i = 0; i < 2; i++) assert.equal((await owner.request.get(undo)).status(), 200)
      await owner.goto(undo)
      await owner.getByRole('heading', { name: 'Was this not you?' }).waitFor()
      assert.ok(!(await owner.content()).includes(other))
      assert.deepEqual(await axeProblems(owner), [])
      await shot(owner, 'pages-undo')
      await owner.getByRole('button', { name: 'Take it back' }).click()
      await owner.getByRole('heading', { name: 'It is taken back' }).waitFor()
      assert.equal((await owner.goto(undo))?.status(), 410)
    })
    await page.goto(order)
    assert.equal(await page.getByRole('button', { name: 'Open' }).count(), 0)
  })
})

test('the hosted checkout is a page of the hub with the widget in it, and names what is wrong with its address', async () => {
  await asVisitor(town, async (page) => {
    await page.goto(`${town.hub.url}/checkout/demo?price=${town.price()}`)
    await page.getByRole('heading', { name: /^Checkout at/ }).waitFor()
    await page.locator('bursar-app').locator('input, iframe, form').first().waitFor()
    await shot(page, 'pages-checkout')
    assert.equal((await page.goto(`${town.hub.url}/checkout/nowhere?price=x`))?.status(), 404)
    assert.equal((await page.goto(`${town.hub.url}/checkout/demo`))?.status(), 404)
  })
})

test('a form without prices, or for a price that is not on sale, begins nothing and says so', async () => {
  await asVisitor(town, async (page) => {
    for (const form of [
      { organization: 'demo' },
      { organization: 'demo', price: 'price_none' },
      { organization: 'x', price: 'p' },
    ]) {
      const answer = await page.request.post(`${town.hub.url}/checkout/start`, { form, maxRedirects: 0 })
      assert.ok(answer.status() >= 400 && answer.status() < 500)
      assert.match(await answer.text(), /Nothing was charged/)
    }
  })
})
