import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '@bursar/kit/clock.ts'
import type { Page } from 'playwright-core'
import {
  asVisitor,
  button,
  checkout,
  codeTo,
  enterCard,
  enterCode,
  heading,
  learnerAt,
  openTown,
  pay,
  payButton,
  setFaults,
  someone,
  type Town,
} from './journey-testing.ts'
import { arrived, tabTo } from './keyboard-testing.ts'

let town: Town
before(async () => {
  town = await openTown()
})
after(() => town.close())

// The promise is 3 s; a busy machine may take longer, and this is no race.
const byHandMsMax = 10_000

/** From pressing Pay, with the card entered, into the school; how long the machines took. */
async function fromPayToCourse(page: Page, email: string): Promise<number> {
  const began = systemClock.now()
  await payButton(page).click()
  await checkout(page)
    .getByLabel('Code of six digits')
    .fill(await codeTo(town, email))
  await button(page, 'Open my course').click()
  assert.equal(await learnerAt(town, page), email)
  return systemClock.now() - began
}

/** Every code sent to an address so far. */
const codesTo = async (email: string) => (await town.mail(email)).flatMap(({ code }) => (code === null ? [] : [code]))

test('paid, proven by the code from the mailbox, and in the course as that learner', async (t) => {
  const email = someone()
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    await checkout(page).getByLabel('E-mail address').fill(email)
    await enterCard(page)
    const took = await fromPayToCourse(page, email)
    t.diagnostic(`from pressing Pay to the course: ${took} ms`)
    assert.ok(took < byHandMsMax, `${took} ms`)
  })
})

test('who buys again in the same tab needs no second code, and in a new tab comes back to the same account', async (t) => {
  const email = someone('omar')
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    await pay(page, email)
    await enterCode(town, page, email)
    await button(page, 'Open my course').click()
    assert.equal(await learnerAt(town, page), email)
    const known = await codesTo(email)

    await page.goto(town.course('Food safety at work'))
    const began = systemClock.now()
    await pay(page, email)
    await button(page, 'Open my course').click()
    assert.equal(await learnerAt(town, page), email)
    t.diagnostic(`again, from entering the card to the course: ${systemClock.now() - began} ms`)
    assert.deepEqual(await codesTo(email), known)

    const tab = await page.context().newPage()
    await tab.goto(town.course('The baker'))
    await pay(tab, email)
    await enterCode(town, tab, email, known)
    await button(tab, 'Open my course').click()
    assert.equal(await learnerAt(town, tab), email)
  })
})

test('while the school is down the page says so, and opens by itself when it is back', async (t) => {
  const email = someone('mei')
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    await setFaults(town.school, { kind: 'status', status: 503 })
    await pay(page, email)
    await enterCode(town, page, email)
    await heading(page, 'Your seat takes a little longer').waitFor()
    await checkout(page).getByText('You do not need to pay again.').first().waitFor()
    assert.equal(await button(page, /^Open/).count(), 0)
    const back = systemClock.now()
    await setFaults(town.school)
    await button(page, 'Open my course').waitFor({ timeout: 60_000 })
    t.diagnostic(`open by itself ${systemClock.now() - back} ms after the school came back`)
    await button(page, 'Open my course').click()
    assert.equal(await learnerAt(town, page), email)
  })
})

test('a declined card, then the bank’s question, then success: charged once', async () => {
  const email = someone('noor')
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    await pay(page, email, '4000 0000 0000 0002')
    await checkout(page).getByRole('alert').getByText('Nothing was charged').waitFor()
    await enterCard(page, '4000 0025 0000 3155')
    await payButton(page).click()
    const bank = checkout(page).frameLocator('iframe[src*="challenge"]')
    await bank.getByRole('button', { name: 'Fail' }).click()
    await checkout(page).getByRole('alert').getByText('Nothing was charged').waitFor()
    await payButton(page).click()
    await bank.getByRole('button', { name: 'Complete' }).click()
    await enterCode(town, page, email)
    await button(page, 'Open my course').click()
    assert.equal(await learnerAt(town, page), email)
  })
})

test('a reload of the shop in the middle of each step goes on where it was', async () => {
  const email = someone('ida')
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    await payButton(page).waitFor()
    await page.reload()
    await pay(page, email)
    await checkout(page).getByLabel('Code of six digits').waitFor()
    await page.reload()
    await heading(page, 'Payment received. One last step: it is you').waitFor()
    await checkout(page).getByLabel('Code of six digits').waitFor()
    await page.reload()
    // One mail is enough, however often the page is loaded.
    const [code = '', ...more] = await codesTo(email)
    assert.deepEqual(more, [])
    await checkout(page).getByLabel('Code of six digits').fill(code)
    await button(page, 'Open my course').waitFor()
    await page.reload()
    await button(page, 'Open my course').click()
    assert.equal(await learnerAt(town, page), email)
    await page.goBack()
    await button(page, 'Open my course').click()
    assert.equal(await learnerAt(town, page), email)
  })
})

test('the keyboard alone buys and enters; the focus is always somewhere one can see', async () => {
  const email = someone('ken')
  await asVisitor(town, async (page) => {
    await page.goto(town.course())
    await payButton(page).waitFor()
    await tabTo(page, /^input E-mail address/)
    await page.keyboard.type(email)
    await tabTo(page, /^input Card number/)
    await page.keyboard.type('4242424242424242')
    await tabTo(page, /^input Expiration date/)
    await page.keyboard.type('1240')
    await tabTo(page, /^input Security code/)
    await page.keyboard.type('123')
    await tabTo(page, /^button Pay/)
    await page.keyboard.press('Enter')
    await checkout(page).getByLabel('Code of six digits').waitFor()
    // At the heading, so that it is read out, or already in the field below it.
    if ((await arrived(page, /^(h2 Payment received|input Code of six digits)/)).startsWith('h2'))
      await tabTo(page, /^input Code of six digits/)
    await page.keyboard.type(await codeTo(town, email))
    await button(page, 'Open my course').waitFor()
    await arrived(page, /^h2 Your course is ready/)
    await tabTo(page, /^button Open my course/)
    await page.keyboard.press('Space')
    assert.equal(await learnerAt(town, page), email)
  })
})
