import { createHash } from 'node:crypto'
import type { BrowserContextOptions, Page } from 'playwright-core'
import {
  asVisitor,
  button,
  checkout,
  codeTo,
  enterCard,
  enterCode,
  heading,
  linkTo,
  pay,
  payButton,
  setFaults,
  type Town,
  until,
} from './journey-testing.ts'

/** Everything a buyer and learner can come to see, in the order of a purchase. */
export const states = [
  'shop',
  'declined',
  'code',
  'waiting',
  'launch',
  'ready',
  'e-mails-differ',
  'gift',
  'mail',
  'claim',
  'order',
  'sign-in',
  'sign-in-code',
  'account',
  'checkout',
  'consent',
  'undo',
] as const
export type State = (typeof states)[number]
/** Called where a page shows a state and has come to rest. */
export type Look = (state: State, page: Page) => Promise<void>

type People = { readonly buyer: string; readonly other: string; readonly friend: string; readonly reader: string }
type Walk = {
  readonly town: Town
  readonly look: Look
  readonly people: People
  readonly options: BrowserContextOptions
}

const declined = '4000 0000 0000 0002'

/** One purchase with its detours, and the hub's own pages after it. `people` are addresses that nobody used before. */
export async function walk(town: Town, people: People, look: Look, options: BrowserContextOptions = {}): Promise<void> {
  const it: Walk = { town, look, people, options }
  await asVisitor(town, (page) => buy(it, page), options)
  await asVisitor(town, (page) => follow(it, page), options)
  const undo = await linkTo(town, people.friend, /\/claim\/undo\/[\w-]{43}$/)
  await asVisitor(
    town,
    async (page) => {
      await page.goto(undo)
      await page.getByRole('button', { name: 'Take it back' }).waitFor()
      await look('undo', page)
    },
    options,
  )
}

/** In the shop: the form, a refused card, the code, a school that is away, the course. */
async function buy(it: Walk, page: Page): Promise<void> {
  const { town, look, people } = it
  await page.goto(town.course())
  await payButton(page).waitFor()
  await checkout(page).getByLabel('E-mail address').fill(people.buyer)
  await look('shop', page)
  await pay(page, people.buyer, declined)
  await checkout(page).getByRole('alert').waitFor()
  await look('declined', page)
  await setFaults(town.school, { kind: 'status', status: 503 })
  await enterCard(page)
  await payButton(page).click()
  const code = await codeTo(town, people.buyer)
  await checkout(page).getByLabel('Code of six digits').waitFor()
  await look('code', page)
  await checkout(page).getByLabel('Code of six digits').fill(code)
  await heading(page, 'Your seat takes a little longer').waitFor()
  await look('waiting', page)
  await asVisitor(town, (other) => wait(it, other, [code]), it.options)
  await setFaults(town.school)
  await button(page, 'Open my course').waitFor()
  await look('ready', page)
  await another(it, await page.context().newPage())
  await page.goto(town.course('The baker'))
  await page.evaluate("document.querySelector('bursar-checkout').setAttribute('gift', '')")
  await checkout(page).getByLabel('Their name').fill('Mina')
  await look('gift', page)
}

/** The door of a course whose school is away. */
async function wait({ town, look, people }: Walk, page: Page, known: readonly string[]): Promise<void> {
  const seat = await until('the seat', async () => {
    const found = await town.bursar('enrollments.list', '--input', JSON.stringify({ email: people.buyer }))
    return (found as { readonly enrollments: readonly { readonly id: string }[] }).enrollments[0]?.id
  })
  await page.goto(`${town.hub.url}/api/partner-launch/${seat}`)
  await page.getByRole('link', { name: 'Sign in' }).click()
  await signIn(town, page, people.buyer, known)
  await page.getByRole('status').waitFor()
  await look('launch', page)
}

/** In a new tab: paid with one address, proven with another. */
async function another({ town, look, people }: Walk, page: Page): Promise<void> {
  await page.goto(town.course('Food safety at work'))
  await pay(page, people.friend)
  await button(page, 'Use another address').click()
  await checkout(page).getByLabel('E-mail address').fill(people.other)
  await button(page, 'Send me a code').click()
  await enterCode(town, page, people.other)
  await heading(page, 'Is this you?').waitFor()
  await look('e-mails-differ', page)
  await button(page, /^Yes, open it for/).click()
  await button(page, 'Open my course').waitFor()
  await page.close()
}

/** From the receipt to the account, on another device. */
async function follow({ town, look, people }: Walk, page: Page): Promise<void> {
  await town.bursar('demo', 'purchase', '--email', people.reader)
  const link = await linkTo(town, people.reader, /\/claim\/[\w-]{43}$/)
  const receipt = (await town.mail(people.reader)).find((mail) => mail.links.includes(link))
  await page.goto(`${town.hub.url}/sandbox/mailbox/${receipt?.id}`)
  await page.frameLocator('iframe').getByRole('link').first().waitFor()
  await look('mail', page)
  await page.goto(link)
  await page.getByRole('button', { name: 'Take it and go on' }).waitFor()
  await look('claim', page)
  await page.getByRole('button', { name: 'Take it and go on' }).click()
  await page.getByRole('heading', { name: 'Your order' }).waitFor()
  await look('order', page)
  await page.goto(`${town.hub.url}/account`)
  await page.getByRole('heading', { name: 'Your account' }).waitFor()
  await look('account', page)
  await page.goto(await consentOf(town))
  await page.getByRole('button', { name: 'Allow', exact: true }).waitFor()
  await look('consent', page)
  await page.goto(`${town.hub.url}/checkout/demo?price=${town.price()}`)
  await page.getByRole('button', { name: /^Pay \$/ }).waitFor()
  await look('checkout', page)
  await page.context().clearCookies()
  await page.goto(`${town.hub.url}/sign-in`)
  await page.getByLabel('E-mail address').first().fill(people.other)
  await look('sign-in', page)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByLabel('Code from the mail').waitFor()
  await look('sign-in-code', page)
}

async function signIn(town: Town, page: Page, email: string, known: readonly string[]): Promise<void> {
  await page.getByLabel('E-mail address').first().fill(email)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByLabel('Code from the mail').fill(await codeTo(town, email, known))
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

/** Where an application sends somebody to be signed in. */
async function consentOf(town: Town): Promise<string> {
  const callback = 'http://127.0.0.1:9/callback'
  const made = await town.bursar(
    'clients.register',
    '--input',
    JSON.stringify({ name: 'Reading Room', redirectUris: [callback], kind: 'public' }),
  )
  const query = new URLSearchParams({
    client_id: (made as { readonly clientId: string }).clientId,
    redirect_uri: callback,
    response_type: 'code',
    scope: 'openid email offline_access',
    state: 'state',
    code_challenge: createHash('sha256').update('v'.repeat(43)).digest('base64url'),
    code_challenge_method: 'S256',
  })
  return `${town.hub.url}/auth/oauth2/authorize?${query}`
}
