import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Stage, stageStripe, value } from '@bursar/connectors/payments/stripe/testing.ts'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'

/** The original loader of Stripe.js, as our widget uses it. */
const entry = `import { loadStripe } from '@stripe/stripe-js/pure'; globalThis.loadStripe = loadStripe`

async function bundleLoader(): Promise<string> {
  const made = await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(new URL('../../../checkout', import.meta.url)) },
    bundle: true,
    write: false,
    format: 'iife',
  })
  return made.outputFiles[0]?.text ?? ''
}

/** What an embedding page allows at least: Stripe's origins for script and frames, and nothing inline. */
const policyFor = (stripe: string) =>
  `default-src 'none'; script-src 'self' https://js.stripe.com ${stripe}; frame-src ${stripe}; connect-src 'self'; style-src 'self'`

const shop = `<!doctype html><html lang="en"><head><title>Shop</title><script src="/loader.js"></script></head>
<body><main><h1>Shop</h1><div id="here"></div></main></body></html>`

function serveShop(loader: string, policy: string): Promise<Server> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/loader.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.setHeader('content-security-policy', policy)
    response.end(isScript ? loader : shop)
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

export type Shop = {
  readonly stage: Stage
  readonly url: string
  readonly browser: Browser
  /** An empty shop page with the loader in it; js.stripe.com is answered by the simulator. */
  visit(): Promise<Page>
  /** A checkout to show, over the connector. */
  open(ui: 'elements' | 'embedded_page', more?: object): Promise<{ readonly id: string; readonly secret: string }>
  /** What pages said that they must not: broken policies and uncaught errors. */
  readonly complaints: string[]
  close(): Promise<void>
}

/** A simulated Stripe, a shop with a strict content policy, and a browser in front of both. */
export async function openShop(): Promise<Shop> {
  const stage = await stageStripe()
  const server = await serveShop(await bundleLoader(), policyFor(stage.sim.url))
  const browser = await launchChromium()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const complaints: string[] = []
  let opened = 0
  const visit = async () => {
    const context = await browser.newContext()
    await context.route('https://js.stripe.com/**', async (route) => {
      const { pathname } = new URL(route.request().url())
      const answer = await stage.http({ method: 'GET', url: `${stage.sim.url}${pathname}` })
      if (!answer.ok) return route.abort()
      const { status, body, headers } = answer.response
      return route.fulfill({ status, body, headers: { 'content-type': headers['content-type'] ?? '' } })
    })
    context.on('weberror', (error) => complaints.push(error.error().message))
    context.on('console', (message) => {
      if (/Content Security Policy|Stripe\.js@/i.test(message.text())) complaints.push(message.text())
    })
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    await page.goto(url)
    return page
  }
  return {
    stage,
    url,
    browser,
    complaints,
    visit,
    open: async (ui, more = {}) => {
      opened += 1
      const price = stage.sim.addPrice({ name: 'Sourdough basics', amount: 4_900 })
      const made = value(
        await stage.stripe.createCheckout({
          ui,
          mode: 'payment',
          lines: [{ priceId: price.id, quantity: 2 }],
          returnUrl: `${url}/back?session={CHECKOUT_SESSION_ID}`,
          metadata: { hub_order_id: `ord_${opened}` },
          idempotencyKey: `browser ${opened}`,
          ...more,
        }),
      )
      return { id: made.externalId, secret: made.clientSecret ?? '' }
    },
    close: async () => {
      await browser.close()
      server.close()
      server.closeAllConnections()
      await stage.close()
    },
  }
}
