import assert from 'node:assert/strict'
import { second, systemClock } from '@bursar/kit/clock.ts'
import type { Browser, BrowserContextOptions, FrameLocator, Page } from 'playwright-core'
import { freePort, type Program, stage } from '#main/start-testing.ts'
import { launchChromium } from './chromium.ts'
import { type Visitor, visit } from './guarded-testing.ts'

export type Mail = {
  readonly id: string
  readonly to: string
  readonly subject: string
  readonly kind?: string
  readonly text: string
  readonly code: string | null
  readonly links: readonly string[]
}

type Sandbox = {
  readonly shop: string
  readonly simulators: readonly { readonly name: string; readonly url: string }[]
  readonly prices: readonly { readonly name: string; readonly price: string }[]
}

/** The program as `npm start` runs it, a browser beside it, and somebody else's shop with the checkout in it. */
export type Town = {
  readonly hub: Program
  readonly folder: string
  readonly browser: Browser
  readonly shop: string
  readonly stripe: string
  readonly school: string
  /** The page of a course in the shop. */
  course(name?: string): string
  price(name?: string): string
  /** One command of the command line, which must succeed; its JSON. */
  bursar(...args: string[]): Promise<unknown>
  /** Mail to an address that was sent so far, newest first. */
  mail(to: string): Promise<readonly Mail[]>
  close(): Promise<void>
}

const learnerCourse = 'Sourdough basics'

/** `name`: under which name people reach the hub, when its number is not enough; passkeys need one. */
export async function openTown(name: string | null = null): Promise<Town> {
  const on = stage()
  const folder = await on.folder()
  const port = await freePort()
  const named: Record<string, string> = name === null ? {} : { BURSAR_PUBLIC_URL: `http://${name}:${port}` }
  const [browser, started] = await Promise.all([
    launchChromium(),
    on.start(folder, { PORT: String(port), BURSAR_DEMO: 'true', ...named }),
  ])
  const hub = { ...started, url: named.BURSAR_PUBLIC_URL ?? started.url }
  const read = async <T>(path: string) => (await (await fetch(`${hub.url}${path}`)).json()) as T
  const { shop, simulators, prices } = await read<Sandbox>('/sandbox')
  const urlOf = (name: string) => simulators.find((it) => it.name === name)?.url ?? assert.fail(`no ${name}`)
  const price = (name = learnerCourse) => prices.find((it) => it.name === name)?.price ?? assert.fail(`no ${name}`)
  return {
    ...{ hub, folder, browser, shop, price },
    stripe: urlOf('stripe'),
    school: urlOf('learnworlds'),
    course: (name) => `${shop}/courses/${encodeURIComponent(price(name))}`,
    bursar: async (...args) => {
      const { code, out, err } = await on.bursar(folder, [...args, '--json'])
      assert.equal(code, 0, out + err)
      return JSON.parse(out)
    },
    mail: async (to) =>
      (await read<{ messages: readonly Mail[] }>(`/sandbox/mailbox.json?to=${encodeURIComponent(to)}`)).messages,
    close: async () => {
      await browser.close()
      await hub.end('SIGTERM')
      await on.clean()
    },
  }
}

// Nothing here takes longer, except on a machine with much else to do.
const patienceMs = 15 * second

let made = 0
/** An address nobody used before. */
export const someone = (name = 'lena'): string => {
  made += 1
  return `${name}.${made}@example.com`
}

/** Does one thing in a browser of its own; nothing forbidden may happen meanwhile. */
export async function asVisitor<T>(
  town: Town,
  work: (page: Page) => Promise<T>,
  options: BrowserContextOptions = {},
): Promise<T> {
  const visitor: Visitor = await visit(town.browser, options)
  visitor.page.setDefaultTimeout(patienceMs)
  const result = await work(visitor.page)
  await visitor.leave()
  return result
}

const stepMs = 50
const untilMsMax = 20 * second

/** Asks until there is an answer. */
export async function until<T>(what: string, ask: () => Promise<T | null | undefined | false>): Promise<T> {
  const end = systemClock.now() + untilMsMax
  while (systemClock.now() < end) {
    const answer = await ask()
    if (answer !== null && answer !== undefined && answer !== false) return answer
    await systemClock.sleep(stepMs)
  }
  return assert.fail(`did not come true: ${what}`)
}

/** The newest code sent to an address, other than those known already. */
export const codeTo = (town: Town, email: string, known: readonly string[] = []): Promise<string> =>
  until(`a code to ${email}`, async () =>
    (await town.mail(email)).map((mail) => mail.code).find((code) => code !== null && !known.includes(code)),
  )

/** The newest link of this shape in the mail to an address. */
export const linkTo = (town: Town, email: string, shape: RegExp): Promise<string> =>
  until(`a link ${shape} to ${email}`, async () =>
    (await town.mail(email)).flatMap((mail) => mail.links).find((link) => shape.test(link)),
  )

export const checkout = (page: Page): FrameLocator => page.locator('bursar-checkout').frameLocator('iframe')
/** The provider's fields, in a frame within the frame. */
export const cardFields = (page: Page): FrameLocator =>
  checkout(page).frameLocator('iframe[title="Secure payment input frame"]')
export const heading = (page: Page, name: string | RegExp) => checkout(page).getByRole('heading', { name })
export const button = (page: Page, name: string | RegExp) => checkout(page).getByRole('button', { name })
export const payButton = (page: Page) => button(page, /^Pay \$/)

export const goodCard = '4242 4242 4242 4242'

export async function enterCard(page: Page, card = goodCard): Promise<void> {
  const fields = cardFields(page)
  await fields.getByLabel('Card number').fill(card)
  await fields.getByLabel('Expiration date').fill('12 / 40')
  await fields.getByLabel('Security code').fill('123')
}

/** From the form to the moment after pressing Pay. */
export async function pay(page: Page, email: string, card = goodCard): Promise<void> {
  await payButton(page).waitFor()
  await checkout(page).getByLabel('E-mail address').fill(email)
  await enterCard(page, card)
  await payButton(page).click()
}

export async function enterCode(town: Town, page: Page, email: string, known: readonly string[] = []): Promise<void> {
  const code = await codeTo(town, email, known)
  await checkout(page).getByLabel('Code of six digits').fill(code)
}

/** The school, signed in: whose account it is, by the school's own books. */
export async function learnerAt(town: Town, page: Page): Promise<string> {
  await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
  assert.equal(new URL(page.url()).origin, town.school)
  // Cookies know no ports, and the hub is on the same host.
  const cookie = (await page.context().cookies(town.school)).find((it) => it.name === 'school_user')
  const state = (await (await page.request.get(`${town.school}/_sim/state`)).json()) as {
    readonly users: readonly { readonly id: string; readonly email: string }[]
  }
  return state.users.find((user) => user.id === cookie?.value)?.email ?? assert.fail('nobody is signed in')
}

/** What the school or the payment provider does wrong from now on; nothing when left out. */
export async function setFaults(simulator: string, ...faults: readonly object[]): Promise<void> {
  const answer = await fetch(`${simulator}/_sim/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ faults }),
  })
  assert.equal(answer.ok, true)
}
