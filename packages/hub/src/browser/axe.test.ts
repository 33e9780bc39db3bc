import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { axeProblems } from './axe-testing.ts'
import { openTown, someone, type Town } from './journey-testing.ts'
import { type State, states, walk } from './walk-testing.ts'

let town: Town
before(async () => {
  town = await openTown()
})
after(() => town.close())

/** Every frame is a document of its own, so that each is looked at alone: the shop's, the hub's, the provider's. */
async function problemsOf(page: Page): Promise<readonly string[]> {
  // Nothing runs in the frame of a mail, so axe cannot either.
  const frames = page.frames().filter((frame) => !frame.url().endsWith('/body'))
  const all = await Promise.all(
    frames.map(async (frame) => (await axeProblems(frame)).map((problem) => `${frame.url()}: ${problem}`)),
  )
  const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  return [...all.flat(), ...(wide === 0 ? [] : [`${wide} pixels too wide`])]
}

const looks: Readonly<Record<string, BrowserContextOptions>> = {
  'light, at a desk': { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  'dark, on a phone': { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
}

const patienceMs = 120_000

for (const [name, options] of Object.entries(looks))
  test(`axe finds nothing on any page, in any frame, at any step: ${name}`, { timeout: patienceMs }, async () => {
    const found: Partial<Record<State, readonly string[]>> = {}
    const people = { buyer: someone('lena'), other: someone('omar'), friend: someone('mei'), reader: someone('noor') }
    await walk(
      town,
      people,
      async (state, page) => {
        found[state] = await problemsOf(page)
        assert.equal(await page.getByRole('main').count(), 1, `${state} has one main part`)
        assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1, `${state} has one title`)
      },
      options,
    )
    assert.deepEqual(found, Object.fromEntries(states.map((state) => [state, []])))
  })
