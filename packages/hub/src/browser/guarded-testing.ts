import assert from 'node:assert/strict'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

/** A visitor's browser window that notices what must never happen. */
export type Visitor = {
  readonly page: Page
  /** Fails when a request left this machine, a page threw or wrote an error, or a page broke its own content policy. */
  leave(): Promise<void>
}

const isLoopback = (url: string): boolean => {
  const { protocol, hostname } = new URL(url)
  return protocol === 'data:' || protocol === 'about:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
}

// Runs in the page, before anything of the page's own.
const reportViolations = `document.addEventListener('securitypolicyviolation', (event) =>
  globalThis.reportViolation(event.violatedDirective + ' ' + event.blockedURI + ' in ' + event.documentURI))`

export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
  const problems: string[] = []
  const context = await browser.newContext(options)
  await context.exposeFunction('reportViolation', (text: string) => problems.push(`content policy: ${text}`))
  await context.addInitScript(reportViolations)
  await context.route(
    (url) => !isLoopback(url.href),
    (route) => {
      problems.push(`left this machine: ${route.request().url()}`)
      return route.abort()
    },
  )
  context.on('weberror', (error) => problems.push(`page error: ${error.error().message}`))
  context.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) problems.push(`content policy: ${message.text()}`)
    // A refusal that a page expects and tells in words stands in the console all the same.
    else if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      problems.push(`console: ${message.text()}`)
  })
  const page = await context.newPage()
  return {
    page,
    leave: async () => {
      await context.close()
      assert.deepEqual(problems, [])
    },
  }
}
