import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '@bursar/kit/clock.ts'
import type { Page } from 'playwright-core'
import { axeProblems, shot } from './axe-testing.ts'
import { asVisitor, codeTo, linkTo, openTown, someone, type Town } from './journey-testing.ts'

let town: Town
before(async () => {
  town = await openTown()
})
after(() => town.close())

type Bought = {
  readonly email: string
  readonly orderId: string
  readonly links: readonly { readonly enrollmentId: string }[]
}

const buy = async (email: string): Promise<Bought> =>
  (await town.bursar('demo', 'purchase', '--email', email)) as Bought

/** Signs in on the page that is open, with a code from the mailbox. */
async function signIn(page: Page, email: string, known: readonly string[] = []): Promise<void> {
  await page.getByLabel('E-mail address').first().fill(email)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByRole('heading', { name: 'Enter the code' }).waitFor()
  await page.getByLabel('Code from the mail').fill(await codeTo(town, email, known))
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 6238 with its defaults, as an authenticator app computes it. */
async function totp(secret: string): Promise<string> {
  const bits = [...secret].map((letter) => base32.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const bytes = Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(systemClock.now() / 30_000)))
  const algorithm = { name: 'HMAC', hash: 'SHA-1' }
  const mac = Buffer.from(
    await crypto.subtle.sign('HMAC', await crypto.subtle.importKey('raw', bytes, algorithm, false, ['sign']), counter),
  )
  const offset = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

test('from a bought seat through a code into the course: the learner’s own page opens it', async () => {
  const email = someone()
  const { links } = await buy(email)
  await asVisitor(town, async (page) => {
    const seat = `${town.hub.url}/api/partner-launch/${links[0]?.enrollmentId}`
    assert.equal((await page.goto(seat))?.status(), 401)
    await page.getByRole('heading', { name: 'Sign in to open your course' }).waitFor()
    assert.deepEqual(await axeProblems(page), [])
    await page.getByRole('link', { name: 'Sign in' }).click()
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-sign-in')
    await signIn(page, email)
    await page.getByRole('heading', { name: 'Sourdough basics' }).waitFor()
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-launch')
    await page.getByRole('button', { name: 'Open the course' }).click()
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
    assert.equal(new URL(page.url()).origin, town.school)
  })
})

test('I10: another learner sees nothing of it, however they ask', async () => {
  const [owner, other] = [someone(), someone('otto')]
  const { links } = await buy(owner)
  await asVisitor(town, async (page) => {
    await page.goto(`${town.hub.url}/sign-in`)
    await signIn(page, other)
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    const seat = `${town.hub.url}/api/partner-launch/${links[0]?.enrollmentId}`
    assert.equal((await page.goto(seat))?.status(), 404)
    assert.equal(await page.getByRole('button').count(), 0)
    const forged = await page.request.post(seat, { headers: { 'sec-fetch-site': 'same-origin' }, maxRedirects: 0 })
    assert.equal(forged.status(), 404)
  })
})

test('the account shows courses and sessions, and a session that is ended is out', async () => {
  const email = someone()
  await buy(email)
  await asVisitor(town, async (page) => {
    await page.goto(`${town.hub.url}/account`)
    await signIn(page, email)
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    await page.getByRole('heading', { name: 'Sourdough basics' }).waitFor()
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-account')
    const known = (await town.mail(email)).flatMap((m) => m.code ?? [])
    await asVisitor(town, async (second) => {
      await second.goto(`${town.hub.url}/sign-in`)
      await signIn(second, email, known)
      await second.getByRole('heading', { name: 'Your account' }).waitFor()
      await second.getByRole('button', { name: 'End all others' }).click()
      await second.getByText('All other sessions have ended.').waitFor()
      assert.equal(await second.getByRole('button', { name: 'End', exact: true }).count(), 0)
    })
    await page.goto(`${town.hub.url}/account`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})

test('a password can be set and signs in; signing out ends it', async () => {
  const email = someone()
  await asVisitor(town, async (page) => {
    await page.goto(`${town.hub.url}/sign-in`)
    await signIn(page, email)
    await page.getByLabel(/^New password/).fill('correct horse battery')
    await page.getByRole('button', { name: 'Save the password' }).click()
    await page.getByText('The password is saved.').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.getByText('Other ways to sign in').click()
    await page.getByLabel('E-mail address').last().fill(email)
    await page.getByLabel('Password').fill('wrong horse battery')
    await page.getByRole('button', { name: 'Sign in with a password' }).click()
    await page.getByRole('alert').filter({ hasText: 'The address or the password is wrong.' }).waitFor()
    await page.getByText('Other ways to sign in').click()
    await page.getByLabel('E-mail address').last().fill(email)
    await page.getByLabel('Password').fill('correct horse battery')
    await page.getByRole('button', { name: 'Sign in with a password' }).click()
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
  })
})

test('an authenticator app is set up, and asked for at the next sign-in', async () => {
  const email = someone()
  await asVisitor(town, async (page) => {
    await page.goto(`${town.hub.url}/sign-in`)
    await signIn(page, email)
    await page.getByRole('button', { name: 'Set up an authenticator app' }).click()
    await page.getByRole('heading', { name: 'Backup codes' }).waitFor()
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-second-factor')
    const codes = await page.getByRole('listitem').allTextContents()
    assert.equal(codes.length, 10)
    await page.getByLabel('Code from the app').fill('000000')
    const key = String(await page.locator('code').first().textContent()).replaceAll(' ', '')
    await page.getByRole('button', { name: 'Switch it on' }).click()
    await page.getByRole('alert').waitFor()
    await page.getByLabel('Code from the app').fill(await totp(key))
    await page.getByRole('button', { name: 'Switch it on' }).click()
    await page.getByText('The authenticator app is switched on.').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    const known = (await town.mail(email)).flatMap((m) => m.code ?? [])
    await signIn(page, email, known)
    await page.getByRole('heading', { name: 'Second factor' }).waitFor()
    assert.deepEqual(await axeProblems(page), [])
    await page.getByLabel('Code from the app').fill(String(codes[0]))
    await page.getByRole('button', { name: 'Confirm' }).click()
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
  })
})

test('unknown and known addresses get the same words', async () => {
  const known = someone()
  await buy(known)
  const said: string[] = []
  for (const email of [known, someone('stranger')])
    await asVisitor(town, async (page) => {
      await page.goto(`${town.hub.url}/sign-in`)
      await page.getByLabel('E-mail address').first().fill(email)
      await page.getByRole('button', { name: 'Send me a code' }).click()
      await page.getByRole('heading', { name: 'Enter the code' }).waitFor()
      said.push(String(await page.locator('main').textContent()).replaceAll(email, 'X'))
    })
  assert.equal(said[0], said[1])
})

test('the receipt’s link says what it is, spends nothing when looked at, and leads to the open order once', async () => {
  const email = someone()
  await buy(email)
  const link = await linkTo(town, email, /\/claim\/[\w-]{43}$/)
  await asVisitor(town, async (page) => {
    for (let i = 0; i < 3; i++) assert.equal((await page.request.get(link)).status(), 200)
    await page.goto(link)
    await page.getByText(`${email[0]}***@example.com`).waitFor()
    assert.ok(!(await page.content()).includes(email))
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-claim')
    await page.getByRole('button', { name: 'Take it and go on' }).click()
    await page.getByRole('heading', { name: 'Your order' }).waitFor()
    await page.getByText('Payment received').waitFor()
    assert.deepEqual(await axeProblems(page), [])
    await shot(page, 'pages-order')
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByRole('heading', { name: /^Logged in as/ }).waitFor()
  })
  await asVisitor(town, async (page) => {
    assert.equal((await page.goto(link))?.status(), 410)
    await page.getByRole('heading', { name: 'This link has ended' }).waitFor()
    await page.getByRole('link', { name: 'Get a code' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})

test('an order is shown to nobody who is not its buyer', async () => {
  const { orderId } = await buy(someone())
  await asVisitor(town, async (page) => {
    assert.equal((await page.goto(`${town.hub.url}/orders/${orderId}`))?.status(), 401)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await signIn(page, someone('nosy'))
    await page.getByRole('heading', { name: 'There is no order to see here' }).waitFor()
  })
})

test('320 pixels, dark: no page scrolls sideways', async () => {
  await asVisitor(
    town,
    async (page) => {
      for (const path of ['/sign-in', '/claim/x', '/orders/x', '/api/partner-launch/x', '/sso/x']) {
        await page.goto(`${town.hub.url}${path}`)
        const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
        assert.equal(wide, 0, path)
        assert.deepEqual(await axeProblems(page), [], path)
      }
      await shot(page, 'pages-dark')
    },
    { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  )
})
