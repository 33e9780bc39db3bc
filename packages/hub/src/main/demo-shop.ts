import { createHash } from 'node:crypto'
import { type SimReply, type SimRoute, type Simulator, startSimulator } from '@bursar/connectors/simulator/server.ts'
import type { Clock } from '@bursar/kit/clock.ts'
import { formatMoney, money } from '@bursar/kit/money.ts'
import type { Random } from '@bursar/kit/random.ts'
import type { OnSale } from './demo-shelf.ts'

export type DemoShop = Simulator & {
  /** What is on sale, and the hub whose elements the pages show. */
  open(shop: { readonly hub: string; readonly organization: string; readonly onSale: readonly OnSale[] }): void
}

const style = `:root{color-scheme:light dark}
body{margin:0;font:1rem/1.6 Georgia,serif;background:Canvas;color:CanvasText;--bursar-accent:#7a3e00;--bursar-radius:.75rem;--bursar-font:Georgia,serif}
@media (prefers-color-scheme:dark){body{--bursar-accent:#ffb469;--bursar-on-accent:#201000}}
header{display:flex;gap:1rem;align-items:start;justify-content:space-between;padding:1rem 1.5rem;border-bottom:1px solid #8886}
bursar-profile-menu{flex:0 1 20rem}
main{max-width:40rem;margin:2rem auto;padding:0 1.5rem}
ul{padding:0;list-style:none}li{margin:.75rem 0}
header a{padding:.75rem 0}
a{color:inherit}a:focus-visible{outline:3px solid currentColor;outline-offset:2px}
h1{font-size:1.75rem}h2{font-size:1rem;margin-top:3rem}
ol{font:.875rem/1.5 ui-monospace,monospace;overflow-wrap:anywhere}`
const styleHash = createHash('sha256').update(style).digest('base64')

// What a developer wants to see: which events the elements fired, and all that was in them.
const script = `const log = document.querySelector('#events')
for (const name of ['paymentSuccess', 'paymentError', 'paymentProcessing', 'loginSuccess', 'loginError', 'signupSuccess'])
  document.addEventListener(name, (event) => {
    const entry = document.createElement('li')
    entry.textContent = name + ' ' + JSON.stringify(event.detail)
    log?.append(entry)
  })
`

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const safe = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c)

/** Somebody else's website on an origin of its own, as strict as a careful owner makes it: the widget's first customer. */
export async function startDemoShop(
  parts: { readonly clock: Clock; readonly random: Random },
  port = 0,
): Promise<DemoShop> {
  let shop: Parameters<DemoShop['open']>[0] = { hub: '', organization: '', onSale: [] }
  const page = (title: string, body: string): SimReply => ({
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; script-src 'self' ${shop.hub}; frame-src ${shop.hub}; style-src 'sha256-${styleHash}'; form-action ${shop.hub}; base-uri 'none'`,
    },
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${safe(title)}</title><style>${style}</style><script src="${safe(shop.hub)}/bursar-checkout.js" defer></script><script src="/shop.js" defer></script></head>
<body><header><a href="/">Harbour School</a><bursar-profile-menu organization="${safe(shop.organization)}"></bursar-profile-menu></header><main>${body}</main></body></html>`,
  })
  const priceOf = (item: OnSale): string =>
    formatMoney(money(BigInt(item.amount), item.currency.toUpperCase())) +
    (item.interval === null ? '' : ` per ${item.interval}`)
  const list = (): SimReply =>
    page(
      'Harbour School',
      `<h1>Courses</h1><ul>${shop.onSale.map((item) => `<li><a href="/courses/${encodeURIComponent(item.price)}">${safe(item.name)}</a>, ${safe(priceOf(item))}</li>`).join('')}</ul>`,
    )
  const course = (item: OnSale): SimReply =>
    page(
      item.name,
      `<h1>${safe(item.name)}</h1><p>${safe(priceOf(item))}</p>
<bursar-checkout organization="${safe(shop.organization)}" prices="${safe(item.price)}"></bursar-checkout>
<p>Or on the payment provider\u2019s own page: <bursar-checkout-button organization="${safe(shop.organization)}" prices="${safe(item.price)}">Buy now</bursar-checkout-button></p>
<h2>Events this page has seen</h2><ol id="events"></ol>`,
    )
  const routes: readonly SimRoute[] = [
    { method: 'GET', pattern: '/', handle: list },
    {
      method: 'GET',
      pattern: '/courses/:price',
      handle: ({ params }) => {
        const item = shop.onSale.find((it) => it.price === params.price)
        return item === undefined ? { status: 404, body: 'There is no such course.' } : course(item)
      },
    },
    {
      method: 'GET',
      pattern: '/shop.js',
      handle: () => ({ status: 200, headers: { 'content-type': 'text/javascript; charset=utf-8' }, body: script }),
    },
  ]
  const simulator = await startSimulator(
    {
      name: 'Shop',
      ...parts,
      routes,
      state: () => ({ hub: shop.hub, organization: shop.organization }),
      reset: () => undefined,
    },
    port,
  )
  return {
    ...simulator,
    open: (next) => {
      shop = next
    },
  }
}
