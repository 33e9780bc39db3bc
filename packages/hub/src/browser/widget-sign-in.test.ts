import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type IdentityProvider, startIdentityProvider } from '@bursar/connectors/identity/provider.ts'
import { systemClock } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import type { Page } from 'playwright-core'
import {
  asVisitor,
  button,
  checkout,
  codeTo,
  heading,
  learnerAt,
  openTown,
  pay,
  someone,
  type Town,
} from './journey-testing.ts'

let town: Town
let provider: IdentityProvider
before(async () => {
  ;[town, provider] = await Promise.all([
    openTown(),
    startIdentityProvider({ clock: systemClock, random: secureRandom }),
  ])
  provider.addClient({
    id: 'alder',
    secret: 'alder_secret_of_the_test',
    redirectUris: [`${town.hub.url}/sign-in/external/callback`],
  })
  const given = {
    issuer: provider.issuer,
    name: 'Alder account',
    clientId: 'alder',
    clientSecret: 'alder_secret_of_the_test',
  }
  await town.bursar(
    'issuers.add',
    ...Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]),
    ...['--signIn', 'true', '--trustsEmail', 'true'],
  )
})
after(() => Promise.all([town.close(), provider.close()]))

const password = 'correct horse battery'

/** Somebody who has set a password on the hub's own pages, in a browser that is gone. */
async function withPassword(): Promise<string> {
  const email = someone()
  await asVisitor(town, async (page) => {
    await page.goto(`${town.hub.url}/sign-in`)
    await page.getByLabel('E-mail address').first().fill(email)
    await page.getByRole('button', { name: 'Send me a code' }).click()
    await page.getByLabel('Code from the mail').fill(await codeTo(town, email))
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByLabel(/^New password/).fill(password)
    await page.getByRole('button', { name: 'Save the password' }).click()
    await page.getByText('The password is saved.').waitFor()
  })
  return email
}

/** Pays, and opens the window behind one of the other ways to sign in. */
async function payAndOpen(page: Page, email: string, way: string): Promise<Page> {
  await page.goto(town.course())
  await pay(page, email)
  await heading(page, /One last step/).waitFor()
  await checkout(page).getByText('Other ways to sign in').click()
  const [window] = await Promise.all([page.waitForEvent('popup'), button(page, way).click()])
  return window
}

async function openCourse(page: Page, email: string): Promise<void> {
  await button(page, 'Open my course').click()
  assert.equal(await learnerAt(town, page), email)
}

test('a password is typed in a window of the hub; the frame gets the session, and the purchase opens', async () => {
  const email = await withPassword()
  await asVisitor(town, async (page) => {
    const window = await payAndOpen(page, email, 'Password or passkey')
    assert.equal(new URL(window.url()).origin, town.hub.url)
    await window.getByText('Other ways to sign in').click()
    assert.equal(await window.getByLabel('E-mail address').last().inputValue(), email)
    await window.getByLabel('Password').fill(password)
    const closed = window.waitForEvent('close')
    await window.getByRole('button', { name: 'Sign in with a password' }).click()
    await closed
    await openCourse(page, email)
  })
})

test('the window closed without signing in leaves the code, which still works', async () => {
  const email = await withPassword()
  const known = (await town.mail(email)).flatMap(({ code }) => code ?? [])
  await asVisitor(town, async (page) => {
    const window = await payAndOpen(page, email, 'Password or passkey')
    await window.close()
    await checkout(page)
      .getByLabel('Code of six digits')
      .fill(await codeTo(town, email, known))
    await openCourse(page, email)
  })
})

test('an organization’s own provider signs in from the frame, in a window', async () => {
  const email = someone('ann')
  provider.addUser({ sub: 'ann', email, emailVerified: true, name: 'Ann' })
  provider.approve('ann')
  await asVisitor(town, async (page) => {
    await payAndOpen(page, email, 'With Alder account')
    await openCourse(page, email)
  })
})

test('what the provider refuses is told in the frame, and the code still works', async () => {
  const email = someone('bea')
  provider.addUser({ sub: 'bea', email, emailVerified: true, name: 'Bea', blocked: true })
  provider.approve('bea')
  await asVisitor(town, async (page) => {
    await payAndOpen(page, email, 'With Alder account')
    await checkout(page).getByRole('alert').getByText('You were not signed in.').waitFor()
    await checkout(page)
      .getByLabel('Code of six digits')
      .fill(await codeTo(town, email))
    await openCourse(page, email)
  })
})
