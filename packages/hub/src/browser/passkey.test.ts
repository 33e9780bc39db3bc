import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Page } from 'playwright-core'
import { asVisitor, codeTo, openTown, someone, type Town } from './journey-testing.ts'

let town: Town
before(async () => {
  town = await openTown('localhost')
})
after(() => town.close())

/** A phone in software that unlocks at once, or one whose owner does not unlock it. */
async function holdKey(page: Page, isUserVerified = true): Promise<void> {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
      ...{ isUserVerified, automaticPresenceSimulation: true },
    },
  })
}

async function signInByCode(page: Page, email: string): Promise<void> {
  const known = (await town.mail(email)).flatMap((mail) => mail.code ?? [])
  await page.goto(`${town.hub.url}/sign-in`)
  await page.getByLabel('E-mail address').first().fill(email)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByLabel('Code from the mail').fill(await codeTo(town, email, known))
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('heading', { name: 'Your account' }).waitFor()
}

/** What the hub says to whoever asks to add one more key: 200 with a second factor, 403 without. */
const addingOneMore = (page: Page): Promise<number> =>
  page.evaluate("fetch('/auth/passkey/generate-register-options').then((answer) => answer.status)")

test('a passkey is added on the account page, signs in alone, and counts as a second factor, which a code does not', async () => {
  const email = someone('kim')
  await asVisitor(town, async (page) => {
    await holdKey(page)
    await signInByCode(page, email)
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByText('The passkey is added.').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.getByText('Other ways to sign in').click()
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    await page.getByText(`Signed in as ${email}`).waitFor()
    assert.equal(await addingOneMore(page), 200)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await signInByCode(page, email)
    assert.equal(await addingOneMore(page), 403)
  })
})

test('a key that nobody knows, and one whose owner does not unlock it, sign nobody in', async () => {
  for (const isUnlocked of [true, false])
    await asVisitor(town, async (page) => {
      await holdKey(page, isUnlocked)
      await page.goto(`${town.hub.url}/sign-in`)
      await page.getByText('Other ways to sign in').click()
      await page.getByRole('button', { name: 'Use a passkey' }).click()
      await page.getByRole('alert').filter({ hasText: 'This passkey did not work here.' }).waitFor()
      await page.goto(`${town.hub.url}/account`)
      await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    })
})
