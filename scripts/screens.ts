/** `npm run screens`: walks a purchase in a real browser and takes a picture of every state, in light, dark and on a phone. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { openTown } from '../packages/hub/src/browser/journey-testing.ts'
import { type State, states, walk } from '../packages/hub/src/browser/walk-testing.ts'
import { shrink } from './png.ts'

const folder = fileURLToPath(new URL('../docs/screens/', import.meta.url))

// Tall enough that nothing lies below: what is out of sight, a frame does not paint.
const height = 1_700
const marginPx = 24
const looks = {
  light: { colorScheme: 'light', viewport: { width: 760, height } },
  dark: { colorScheme: 'dark', viewport: { width: 760, height } },
  phone: { colorScheme: 'light', viewport: { width: 390, height } },
} as const satisfies Record<string, BrowserContextOptions>

const about: Readonly<Record<State, string>> = {
  shop: 'Somebody’s shop with `<bursar-checkout>` in it: what is bought, the address, the provider’s own card fields.',
  declined: 'A card that is declined: what happened, that nothing was charged, and the form as it was.',
  code: 'Paid: a code to the mailbox shows that it is the buyer.',
  waiting: 'The school does not answer: the page says so and goes on by itself.',
  launch: 'The same wait at the course’s own address.',
  ready: 'The course is ready: one press leads into it.',
  'e-mails-differ': 'Paid with one address, signed in with another: both are shown, and nothing moves without a press.',
  gift: 'Bought for somebody else.',
  mail: 'The receipt in the demo’s mailbox, with the link that opens the purchase on any device.',
  claim: 'What that link shows before it is used.',
  order: 'The order after it was taken.',
  'sign-in': 'Signing in on the hub: a code first, other ways below.',
  'sign-in-code': 'The code from the mail.',
  account: 'The account: courses, sessions, second factor, passkeys, password, address, one’s own data.',
  checkout: 'The checkout as a page of the hub’s own.',
  consent: 'An application asks to know who somebody is.',
  undo: 'The way back for whoever paid, when somebody else took the purchase.',
}

const people = (look: string) => ({
  buyer: `lena.${look}@example.com`,
  other: `omar.${look}@example.com`,
  friend: `mei.${look}@example.com`,
  reader: `noor.${look}@example.com`,
})

async function take(look: string, state: State, page: Page): Promise<void> {
  // Whatever came last has arrived: fonts, frames, their heights.
  await page.waitForLoadState('networkidle')
  await page.evaluate('document.fonts.ready')
  const bottom = (await page.evaluate(
    "Math.max(...[...document.querySelectorAll('body, main, main > *, main iframe')].map((it) => it.getBoundingClientRect().bottom))",
  )) as number
  const width = page.viewportSize()?.width ?? 0
  const clip = { x: 0, y: 0, width, height: Math.min(height, Math.ceil(bottom) + marginPx) }
  const picture = shrink(await page.screenshot({ clip, animations: 'disabled', caret: 'hide' }))
  await writeFile(path.join(folder, `${state}-${look}.png`), picture)
}

const page = (): string => `# What people see

Made by \`npm run screens\` from the running program; look at them after it.
${states
  .map(
    (state) => `
## ${state}

${about[state]}

${Object.keys(looks)
  .map((look) => `![${state}, ${look}](${state}-${look}.png)`)
  .join('\n')}
`,
  )
  .join('')}`

await mkdir(folder, { recursive: true })
const town = await openTown()
try {
  for (const [look, options] of Object.entries(looks))
    await walk(town, people(look), (state, at) => take(look, state, at), options)
  await writeFile(path.join(folder, 'README.md'), page())
} finally {
  await town.close()
}
