import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { visit } from './guarded-testing.ts'
import {
  frameOf,
  hostPage,
  listen,
  orderRef,
  organization,
  patienceMs,
  type Stage,
  scriptPurchase,
  seen,
  widgetStage,
} from './widget-testing.ts'

let stage: Stage
let browser: Browser
before(async () => {
  ;[stage, browser] = await Promise.all([widgetStage(), launchChromium()])
})
after(async () => {
  await browser.close()
  await stage.close()
})

const markup = `<bursar-checkout organization="${organization}" prices="price_1"></bursar-checkout>`

/** A page of a site that is not ours, and whatever its owner's script does to the element. */
async function onPage(work: (page: Page) => Promise<void>, html = markup): Promise<void> {
  scriptPurchase(stage, await stage.session('elements'))
  const visitor = await visit(browser)
  stage.html = hostPage(stage, html)
  visitor.page.setDefaultTimeout(patienceMs)
  await visitor.page.goto(stage.host)
  await listen(visitor.page)
  await frameOf(visitor.page).getByRole('button', { name: /^Pay/ }).waitFor()
  await work(visitor.page)
  await visitor.leave()
}

/** Sends what an attacker might, then looks whether an element believed it. */
async function unheard(page: Page, script: string): Promise<void> {
  await page.evaluate('globalThis.seen.length = 0')
  await page.evaluate(script)
  // Messages are delivered in order, so one more round trip means that all of them arrived.
  await page.evaluate(
    'new Promise((done) => { addEventListener("message", (e) => e.data === "end" && done()); postMessage("end", "*") })',
  )
  assert.deepEqual(await seen(page), [])
}

const forged = `{ bursar: 1, nonce, kind: 'status', status: 'paid', orderRef: '${orderRef}', event: 'paymentSuccess' }`
const knowNonce = `const frame = document.querySelector('bursar-checkout').shadowRoot.querySelector('iframe'); const nonce = frame.src.split('#')[1];`

test('a forged "paid" from the host page itself moves nothing, although it knows the nonce', () =>
  onPage((page) => unheard(page, `${knowNonce} postMessage(${forged}, '*')`)))

test('a forged "paid" from another frame on the page moves nothing', () =>
  onPage(async (page) => {
    const nonce = await page.evaluate(`${knowNonce} nonce`)
    const rogue = page.frames().find((frame) => frame.name() === 'rogue')
    assert.ok(rogue)
    await rogue.evaluate(`globalThis.nonce = ${JSON.stringify(nonce)}`)
    await page.evaluate(
      'globalThis.seen.length = 0; globalThis.came = new Promise((done) => addEventListener("message", done)); 0',
    )
    await rogue.evaluate(`{ const nonce = globalThis.nonce; parent.postMessage(${forged}, '*') }`)
    await page.evaluate('globalThis.came.then(() => 0)')
    assert.deepEqual(await seen(page), [])
  }, `${markup}<iframe name="rogue" title="rogue"></iframe>`))

test('when the host page points our frame at a page of its own, that page is not believed', () =>
  onPage(async (page) => {
    const nonce = await page.evaluate(`${knowNonce} frame.src = 'about:blank'; nonce`)
    const handle = await page.locator('bursar-checkout iframe').elementHandle()
    const ours = await handle?.contentFrame()
    assert.ok(ours)
    await ours.waitForURL('about:blank')
    await page.evaluate(
      'globalThis.seen.length = 0; globalThis.came = new Promise((done) => addEventListener("message", done)); 0',
    )
    await ours.evaluate(`{ const nonce = ${JSON.stringify(nonce)}; parent.postMessage(${forged}, '*') }`)
    await page.evaluate('globalThis.came.then(() => 0)')
    assert.deepEqual(await seen(page), [])
  }))

test('a message with the right origin and source but a wrong nonce or shape is ignored', () =>
  onPage(async (page) => {
    const frame = page.frames().find((it) => it.url().includes('/frame/'))
    assert.ok(frame)
    await page.evaluate('globalThis.seen.length = 0')
    const nonce = frame.url().split('#')[1] ?? ''
    const wrong: readonly object[] = [
      { bursar: 1, nonce: 'f'.repeat(32), kind: 'status', status: 'paid', orderRef },
      { bursar: 2, nonce, kind: 'status', status: 'paid', orderRef },
      { bursar: 1, nonce, kind: 'status', status: 'rich', orderRef },
      { bursar: 1, nonce, kind: 'height', px: 1e9 },
      { bursar: 1, nonce, kind: 'navigate', to: 'https://evil.example' },
    ]
    for (const message of wrong)
      await frame.evaluate(`parent.postMessage(${JSON.stringify(message)}, ${JSON.stringify(stage.host)})`)
    // The same way, right in every part, is heard: the channel is open and only the content was wrong.
    const right = {
      bursar: 1,
      nonce,
      kind: 'status',
      status: 'ready',
      orderRef: `${orderRef}<script>`,
      token: 'secret',
    }
    await frame.evaluate(`parent.postMessage(${JSON.stringify(right)}, ${JSON.stringify(stage.host)})`)
    await page.waitForFunction('globalThis.seen.length > 0')
    assert.deepEqual(await seen(page), [['statusChange', { status: 'ready', orderRef: null }]])
  }))

test('the host page cannot read the frame, nor its storage, nor its cookies', () =>
  onPage(async (page) => {
    const reach = (what: string) =>
      page.evaluate(`${knowNonce} try { String(frame.contentWindow.${what}) } catch (error) { error.name }`)
    for (const what of ['document.body.innerHTML', 'sessionStorage.length', 'location.href', 'document.cookie'])
      assert.equal(await reach(what), 'SecurityError', what)
    assert.equal(
      await page.evaluate(
        'document.querySelector("bursar-checkout").shadowRoot.querySelector("iframe").contentDocument',
      ),
      null,
    )
  }))

test('a site that is not registered cannot show the frame, and its page is told so', async () => {
  scriptPurchase(stage, await stage.session('elements'))
  stage.html = hostPage(stage, markup)
  const context = await browser.newContext()
  const page = await context.newPage()
  const refusals: string[] = []
  page.on('console', (message) => refusals.push(message.text()))
  await page.clock.install()
  await page.goto(stage.stranger)
  await listen(page)
  await page.waitForFunction('document.querySelector("bursar-checkout").shadowRoot.querySelector("iframe") !== null')
  await page.waitForTimeout(300)
  await page.clock.runFor(16_000)
  await page.waitForFunction('globalThis.seen.length > 0')
  assert.deepEqual(await seen(page), [['statusChange', { status: 'blocked', orderRef: null }]])
  assert.match(refusals.join(' '), /frame-ancestors/)
  assert.equal(stage.calls.length, 0)
  await context.close()
})

test('a greeting from anybody but the page around is not answered', () =>
  onPage(async (page) => {
    const context = page.context()
    // The frame opened as a page of its own has no parent, so nobody greets it.
    const alone = await context.newPage()
    await alone.goto(`${stage.hub}/frame/${organization}/checkout#${'a'.repeat(32)}`)
    const hello = { bursar: 1, nonce: 'a'.repeat(32), kind: 'hello', config: { prices: 'price_cheap' }, theme: {} }
    stage.calls.length = 0
    await alone.evaluate(`postMessage(${JSON.stringify(hello)}, '*')`)
    await alone.getByText('There is nothing to buy here').waitFor()
    assert.deepEqual(
      stage.calls.filter((call) => call.path === '/api/checkout'),
      [],
    )
  }))

test('amounts, currencies and keys in attributes reach nobody', () =>
  onPage(async () => {
    const asked = stage.calls.filter((call) => call.path === '/api/checkout')
    assert.deepEqual(
      asked.map((call) => call.body),
      [{ organization, prices: [{ price: 'price_1', quantity: 2 }], mode: 'elements' }],
    )
  }, `<bursar-checkout organization="${organization}" prices="price_1:2 bad|price price_2:0" amount="1" currency="jpy" publishable-key="pk_evil" unit-amount="1" mode="free" order-ref="../../x"></bursar-checkout>`))

test('a theme cannot smuggle anything but a look into the frame', () =>
  onPage(async (page) => {
    await page.evaluate(`const it = document.querySelector('bursar-checkout');
      it.style.setProperty('--bursar-accent', 'rgb(120, 60, 0)');
      it.style.setProperty('--bursar-background', 'url(https://evil.example/x)');
      it.style.setProperty('--bursar-font', 'Georgia;} body{display:none');
      it.style.setProperty('--bursar-radius', '1px');
      it.setAttribute('email', 'new@example.com')`)
    const root = frameOf(page).locator('html')
    await root.and(frameOf(page).locator('[style*="120, 60, 0"]')).waitFor()
    assert.equal(
      (await root.getAttribute('style'))?.replaceAll(' ', ''),
      'color-scheme:light;--b-accent:rgb(120,60,0);--b-on:#fff;--b-radius:1px;',
    )
  }))
