import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'
import { enterCard, frameOf, orderRef, patienceMs, type Stage, scriptPurchase, widgetStage } from './widget-testing.ts'

let stage: Stage
let browser: Browser
before(async () => {
  ;[stage, browser] = await Promise.all([widgetStage(), launchChromium()])
})
after(async () => {
  await browser.close()
  await stage.close()
})

const home = fileURLToPath(new URL('.', import.meta.resolve('@bursar/checkout/package.json')))

/** An example as a user's own build makes it. */
async function built(entry: string): Promise<string> {
  const result = await build({
    entryPoints: [`examples/${entry}`],
    absWorkingDir: home,
    bundle: true,
    format: 'iife',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    jsx: 'automatic',
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: true } },
    write: false,
    logLevel: 'error',
  })
  return result.outputFiles[0]?.text ?? ''
}

/** The example in a page: it shows the form, hears of the payment, and tells its own page. */
async function runs(entry: string, markup: string): Promise<void> {
  const script = await built(entry)
  scriptPurchase(stage, await stage.session('elements'))
  const visitor = await visit(browser)
  const { page } = visitor
  page.setDefaultTimeout(patienceMs)
  await page
    .context()
    .route(`${stage.host}/main.js`, (route) =>
      route.fulfill({ contentType: 'text/javascript; charset=utf-8', body: script }),
    )
  stage.html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Example</title><script src="${stage.hub}/bursar-checkout.js" defer></script><script src="/main.js" defer></script></head><body>${markup}</body></html>`
  await page.goto(stage.host)
  await enterCard(page, '4242 4242 4242 4242')
  await frameOf(page).getByLabel('E-mail address').fill('lena@example.com')
  await frameOf(page)
    .getByRole('button', { name: /^Pay \$/ })
    .click()
  await page.getByText(`Paid: ${orderRef}`).waitFor()
  const asked = stage.calls.filter((call) => call.path === '/api/checkout').map((call) => call.body.prices)
  assert.deepEqual(asked, [[{ price: 'price_1' }]])
  await visitor.leave()
}

test('the plain example', () =>
  runs(
    'plain/main.ts',
    '<h1>Course</h1><bursar-checkout organization="harbour" prices="price_1"></bursar-checkout><p id="news"></p>',
  ))

test('the React 19 example', () => runs('react/main.tsx', '<div id="root"></div>'))

// Compiled in the browser, so that no builder of Angular's is needed here; a real app is compiled ahead.
test('the Angular 22 example, zoneless', async () => {
  stage.evaluates = true
  await runs('angular/main.ts', '<app-course></app-course>')
})
