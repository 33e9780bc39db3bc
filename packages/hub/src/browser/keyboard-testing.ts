import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { until } from './journey-testing.ts'

type Focus = { readonly what: string; readonly visible: boolean }

// As text: it runs in a page. The element that has the focus in this document, unless it is a frame's own matter.
const focusHere = `(() => {
  let node = document.activeElement
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement
  if (!document.hasFocus() || node === null || node.tagName === 'IFRAME') return null
  if (node === document.body) return { what: 'body', visible: false }
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(node)
  const label = node.labels?.[0]?.textContent ?? node.getAttribute('aria-label') ?? node.textContent
  const visible = (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none'
  return { what: node.tagName.toLowerCase() + ' ' + label.trim(), visible }
})()`

/** What has the focus, in whichever frame; null when the browser's own bar has it. A lost or unseen focus fails. */
async function focused(page: Page): Promise<string | null> {
  const all = await Promise.all(page.frames().map((frame) => frame.evaluate<Focus | null>(focusHere)))
  const [focus, ...more] = all.filter((it) => it !== null)
  assert.deepEqual(more, [], 'one thing has the focus')
  if (focus === undefined) return null
  assert.notEqual(focus.what, 'body', 'the focus is lost')
  // A heading takes the focus so that it is read out; nothing can be done to it, so nothing needs to be seen.
  assert.ok(focus.visible || focus.what.startsWith('h'), `the focus at ${focus.what} cannot be seen`)
  return focus.what
}

const tabsMax = 40

/** Tab, and Tab again, until this has the focus. */
export async function tabTo(page: Page, wanted: RegExp): Promise<void> {
  const passed: (string | null)[] = []
  for (let i = 0; i < tabsMax; i++) {
    await page.keyboard.press('Tab')
    const what = await focused(page)
    if (what !== null && wanted.test(what)) return
    passed.push(what)
  }
  assert.fail(`${wanted} is not reached by Tab, but ${passed.join(' | ')}`)
}

/** The next step brought the focus here by itself; what has it. */
export const arrived = (page: Page, wanted: RegExp): Promise<string> =>
  until(`the focus at ${wanted}`, async () => {
    const what = await focused(page)
    return what !== null && wanted.test(what) && what
  })
