import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Page } from 'playwright-core'

const axeFile = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

type Found = {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[]
}

/** What axe finds on the page as it stands: WCAG 2.2 A and AA. Evaluated from outside, so the page's policy holds. */
export async function axeProblems(page: Pick<Page, 'evaluate'>): Promise<readonly string[]> {
  await page.evaluate(await readFile(axeFile, 'utf8'))
  const found = (await page.evaluate(
    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })",
  )) as Found
  return found.violations.map((v) => `${v.id}: ${v.nodes[0]?.html ?? ''}`)
}

/** A picture for a person to look at. */
export const shot = (page: Page, name: string): Promise<Buffer> =>
  page.screenshot({ path: path.join(tmpdir(), `bursar-browser-${name}.png`), fullPage: true })
