import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { freePort, type Program, stage } from '#main/start-testing.ts'
import { launchChromium } from './chromium.ts'
import { type Visitor, visit } from './guarded-testing.ts'

const on = stage()
let browser: Browser
let folder: string
let hub: Program
before(async () => {
  folder = await on.folder()
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

type Bought = {
  readonly email: string
  readonly orderId: string
  readonly links: readonly { readonly course: string; readonly url: string }[]
}

async function buy(...args: string[]): Promise<Bought & { readonly link: string }> {
  const { code, out, err } = await on.bursar(folder, ['demo', 'purchase', '--json', ...args])
  assert.equal(code, 0, out + err)
  const bought = JSON.parse(out) as Bought
  return { ...bought, link: bought.links[0]?.url ?? '' }
}

/** Does one thing in a window of its own; nothing forbidden may happen meanwhile. */
async function asVisitor(work: (page: Visitor['page']) => Promise<void>): Promise<void> {
  const visitor = await visit(browser)
  await work(visitor.page)
  await visitor.leave()
}

const shot = (name: string) => path.join(tmpdir(), `bursar-browser-${name}.png`)

test('from the purchase through the launch link into the course, and the link is spent', async () => {
  const { email, link } = await buy('--email', 'lena.fischer@example.com')
  await asVisitor(async (page) => {
    await page.goto(link)
    assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Sourdough basics')
    await page.screenshot({ path: shot('launch') })
    await page.getByRole('button', { name: 'Open the course' }).click()
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
    assert.match(String(await page.getByRole('heading', { level: 2 }).textContent()), /Sourdough basics/)
    await page.screenshot({ path: shot('course') })
    await page.getByRole('link', { name: /Go on to/ }).click()
    await page.getByText('0 of 6 lessons done').waitFor()
  })
  const { out } = await on.bursar(folder, ['timeline.get', '--email', email, '--json'])
  assert.match(out, /"kind":"launch.used"/)
  await asVisitor(async (page) => {
    const answer = await page.goto(link)
    assert.equal(answer?.status(), 410)
    await page.getByRole('heading', { name: 'This link has ended' }).waitFor()
    assert.equal(await page.getByRole('button').count(), 0)
    await page.screenshot({ path: shot('ended') })
  })
})

test('the learner at the school is the one who paid', async () => {
  const { email, link } = await buy('--price', 'Food safety at work')
  await asVisitor(async (page) => {
    await page.goto(link)
    await page.getByRole('button', { name: 'Open the course' }).click()
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
    const school = new URL(page.url()).origin
    const [cookie] = await page.context().cookies(school)
    const state = (await (await page.request.get(`${school}/_sim/state`)).json()) as {
      users: { id: string; email: string }[]
    }
    assert.equal(state.users.find((u) => u.id === cookie?.value)?.email, email)
  })
})

test('fetching the link ahead, as mail scanners and previews do, spends nothing', async () => {
  const { link } = await buy()
  await asVisitor(async (page) => {
    for (let i = 0; i < 3; i++) assert.equal((await page.request.get(link)).status(), 200)
    assert.equal((await page.request.head(link)).ok(), true)
    await page.goto(link)
    await page.reload()
    await page.getByRole('button', { name: 'Open the course' }).click()
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
  })
})

test('the keyboard alone is enough', async () => {
  const { link } = await buy()
  await asVisitor(async (page) => {
    await page.goto(link)
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Open the course')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
  })
})

test('a buyer pays on the provider’s page with a test card, a refused card first', async () => {
  const { price, stripe } = await sandbox()
  const asked = await on.bursar(folder, [
    'orders.create_checkout',
    '--json',
    '--input',
    JSON.stringify({
      lines: [{ priceId: price }],
      successUrl: `${stripe}/done`,
      cancelUrl: `${hub.url}/sandbox`,
    }),
  ])
  assert.equal(asked.code, 0, asked.out + asked.err)
  const { url, orderId } = JSON.parse(asked.out) as { url: string; orderId: string }
  await asVisitor(async (page) => {
    await page.goto(url)
    await page.getByLabel('Email').fill('omar.diallo@example.com')
    await page.getByLabel('Name').fill('Omar Diallo')
    await page.getByLabel('Pay with').selectOption({ label: 'Card 4000 0000 0000 0002 (declined)' })
    await page.getByRole('button', { name: 'Pay' }).click()
    await page.getByRole('alert').waitFor()
    await page.getByLabel('Pay with').selectOption({ label: 'Card 4242 4242 4242 4242 (works)' })
    await page.getByLabel('Email').fill('omar.diallo@example.com')
    await page.screenshot({ path: shot('pay') })
    await page.getByRole('button', { name: 'Pay' }).click()
    await page.getByRole('heading', { name: /Thank you/ }).waitFor()
  })
  await until(async () => {
    const { out } = await on.bursar(folder, ['timeline.get', '--order-id', orderId, '--json'])
    return (JSON.parse(out) as { seats: { kind: string }[] }).seats.some((seat) => seat.kind === 'open')
  })
})

test('the sandbox shows what there is, within the strictest content policy', async () => {
  await asVisitor(async (page) => {
    await page.goto(`${hub.url}/sandbox`)
    await page.getByRole('heading', { name: 'The sandbox' }).waitFor()
    assert.equal(await page.getByRole('rowheader', { name: 'Sourdough basics' }).count(), 1)
    assert.equal((await page.getByText('curl -X POST').count()) > 0, true)
    // The style sheet is taken: a content policy that refused it would leave the default serif font.
    assert.match(String(await page.evaluate('getComputedStyle(document.body).fontFamily')), /system-ui/)
    await page.screenshot({ path: shot('sandbox'), fullPage: true })
    await page.getByRole('link', { name: 'State' }).first().click()
    assert.match(String(await page.locator('body').textContent()), /payment_intents/)
  })
})

type Sandbox = {
  readonly simulators: readonly { readonly name: string; readonly url: string }[]
  readonly prices: readonly { readonly price: string }[]
}

async function sandbox(): Promise<{ readonly price: string; readonly stripe: string }> {
  const context = await browser.newContext()
  const answer = await context.request.get(`${hub.url}/sandbox`, { headers: { accept: 'application/json' } })
  const { simulators, prices } = (await answer.json()) as Sandbox
  await context.close()
  return { price: prices[0]?.price ?? '', stripe: simulators.find((s) => s.name === 'stripe')?.url ?? '' }
}

const triesMax = 40

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < triesMax; i++) if (await holds()) return
  assert.fail('did not come true')
}
