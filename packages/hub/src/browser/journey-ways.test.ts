import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Page } from 'playwright-core'
import {
  asVisitor,
  button,
  checkout,
  codeTo,
  enterCode,
  heading,
  learnerAt,
  linkTo,
  openTown,
  pay,
  payButton,
  someone,
  type Town,
} from './journey-testing.ts'

let town: Town
before(async () => {
  town = await openTown()
})
after(() => town.close())

const claimLink = /\/claim\/[\w-]{43}$/
const undoLink = /\/claim\/undo\/[\w-]{43}$/

/** The course's page with the checkout as its owner may write it. */
async function shopWith(page: Page, attribute: string, value = ''): Promise<void> {
  await page.goto(town.course())
  await page.evaluate(
    `document.querySelector('bursar-checkout').setAttribute(${JSON.stringify(attribute)}, ${JSON.stringify(value)})`,
  )
}

/** The hub's own sign-in page, with a code. */
async function signIn(page: Page, email: string): Promise<void> {
  await page.getByLabel('E-mail address').first().fill(email)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByLabel('Code from the mail').fill(await codeTo(town, email))
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

/** From the order's page into the school. */
async function openFromOrder(page: Page): Promise<string> {
  await page.getByRole('heading', { name: 'Your order' }).waitFor()
  await page.getByRole('button', { name: 'Open' }).click()
  return learnerAt(town, page)
}

test('the tab is closed after paying; the receipt’s link opens the course on another device, once', async () => {
  const email = someone('closed')
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    await pay(page, email)
    await heading(page, /^Payment received/).waitFor()
  })
  const link = await linkTo(town, email, claimLink)
  await asVisitor(
    town,
    async (page) => {
      await page.goto(link)
      await page.getByRole('button', { name: 'Take it and go on' }).click()
      assert.equal(await openFromOrder(page), email)
      assert.equal((await page.goto(link))?.status(), 410)
    },
    { viewport: { width: 390, height: 844 } },
  )
})

test('bought on the provider’s own page, from the checkout button to the course', async () => {
  const email = someone('hosted')
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    await page.getByRole('button', { name: 'Buy now' }).click()
    await page.getByLabel('Email').fill(email)
    await page.getByRole('button', { name: 'Pay' }).click()
    await page.getByText('Payment received').waitFor()
    await page.getByRole('link', { name: 'Sign in and open my courses' }).click()
    await signIn(page, email)
    assert.equal(await openFromOrder(page), email)
  })
})

test('bought in the provider’s embedded page', async () => {
  const email = someone('embedded')
  await asVisitor(town, async (page) => {
    await shopWith(page, 'mode', 'embedded_page')
    const form = checkout(page).frameLocator('.stripe iframe')
    await form.getByLabel('Email').fill(email)
    await form.getByLabel('Card number').fill('4242 4242 4242 4242')
    await form.getByLabel('Expiration date').fill('12 / 40')
    await form.getByLabel('Security code').fill('123')
    await form.getByRole('button', { name: /^Pay/ }).click()
    await heading(page, /^Payment received/).waitFor()
    // The provider's page does not say which address was typed into it.
    await checkout(page).getByLabel('E-mail address').fill(email)
    await button(page, 'Send me a code').click()
    await enterCode(town, page, email)
    await button(page, 'Open my course').click()
    assert.equal(await learnerAt(town, page), email)
  })
})

test('a gift: the buyer pays and gets nothing to open, the recipient’s link opens the course for the recipient', async () => {
  const [buyer, recipient] = [someone('giver'), someone('receiver')]
  await asVisitor(town, async (page) => {
    await shopWith(page, 'gift')
    await checkout(page).getByLabel('Their e-mail address').fill(recipient)
    await checkout(page).getByLabel('Their name').fill('Mina')
    await checkout(page).getByLabel('A few words').fill('For your bakery')
    await button(page, 'Continue').click()
    await pay(page, buyer)
    await heading(page, 'Thank you for your gift').waitFor()
    assert.equal(await button(page, /Open/).count(), 0)
  })
  const link = await linkTo(town, recipient, claimLink)
  const [mail] = await town.mail(recipient)
  assert.match(mail?.text ?? '', /For your bakery/)
  assert.deepEqual(
    (await town.mail(buyer)).flatMap((it) => it.links).filter((it) => claimLink.test(it)),
    [],
  )
  await asVisitor(town, async (page) => {
    await page.goto(link)
    await page.getByRole('heading', { name: 'A gift for you' }).waitFor()
    await page.getByRole('button', { name: 'Take it and go on' }).click()
    assert.equal(await openFromOrder(page), recipient)
  })
})

test('signed in with another address than the one that paid: confirmed by a press, told to the paid one, taken back by its link', async () => {
  const [signed, paid] = [someone('signed'), someone('paid')]
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    const menu = page.locator('bursar-profile-menu').frameLocator('iframe')
    await menu.getByText('Sign in', { exact: true }).first().click()
    await menu.getByLabel('E-mail address').fill(signed)
    await menu.getByRole('button', { name: 'Send me a code' }).click()
    await menu.getByLabel('Code of six digits').fill(await codeTo(town, signed))
    await menu.getByText(`Signed in as ${signed}`).waitFor()
    await payButton(page).waitFor()
    await pay(page, paid)
    await heading(page, 'Is this you?').waitFor()
    await checkout(page).getByText(`p***@example.com and signed in as ${signed}`).waitFor()
    await button(page, `Yes, open it for ${signed}`).click()
    await button(page, 'Open my course').click()
    assert.equal(await learnerAt(town, page), signed)
  })
  const link = await linkTo(town, paid, undoLink)
  await asVisitor(town, async (page) => {
    await page.goto(link)
    await page.getByRole('button', { name: 'Take it back' }).click()
    await page.getByRole('heading', { name: 'It is taken back' }).waitFor()
    await page.getByRole('link', { name: 'Get a code' }).click()
    await signIn(page, paid)
    assert.equal(await openFromOrder(page), paid)
  })
})
