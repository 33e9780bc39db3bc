import { createHash } from 'node:crypto'
import type { LearnWorldsSimulator } from '@bursar/connectors/lms/learnworlds/simulator.ts'
import type { StripeControls } from '@bursar/connectors/payments/stripe/simulator.ts'
import type { Simulator } from '@bursar/connectors/simulator/server.ts'
import { formatMoney, money } from '@bursar/kit/money.ts'
import type { FastifyInstance } from 'fastify'
import type { OnSale } from './demo-shelf.ts'

export type Sandbox = {
  readonly stripe: Simulator & Pick<StripeControls, 'truth'>
  readonly school: Simulator & Pick<LearnWorldsSimulator, 'school'>
  readonly shop: Simulator
  readonly onSale: readonly OnSale[]
  readonly secretKey: string
}

/** GET /sandbox: what can be played with. JSON for programs, a page for people. */
export function sandboxRoutes(fastify: FastifyInstance, sandbox: Sandbox): void {
  fastify.get('/sandbox', (request, reply) => {
    void reply.header('vary', 'accept')
    if (!(request.headers.accept ?? '').includes('text/html')) return reply.send(describe(sandbox))
    return reply
      .headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy })
      .send(page(sandbox))
  })
}

const simulatorOf = ({ name, url }: Simulator) => ({
  name,
  url,
  state: `${url}/_sim/state`,
  log: `${url}/_sim/log`,
  faults: `${url}/_sim/faults`,
  reset: `${url}/_sim/reset`,
})

const describe = ({ stripe, school, shop, onSale, secretKey }: Sandbox) => ({
  shop: shop.url,
  simulators: [simulatorOf(stripe), simulatorOf(school)],
  prices: onSale.map(({ name, price, amount, currency, interval }) => ({
    name,
    price,
    amount: String(amount),
    currency,
    interval,
  })),
  mailbox: '/sandbox/mailbox.json',
  secretKey,
})

const style = `:root{color-scheme:light dark}
body{margin:0;font:1rem/1.6 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:52rem;margin:3rem auto;padding:0 1.5rem}
h1{font-size:1.75rem;margin:0 0 .5rem}h2{font-size:1.25rem;margin:2.5rem 0 .5rem}h3{font-size:1rem;margin:1.5rem 0 .25rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #8886;vertical-align:top}
.money{text-align:right;font-variant-numeric:tabular-nums}
pre{margin:.25rem 0;padding:.8rem 1rem;border:1px solid #8886;border-radius:.4rem;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}
code,pre{font:.875rem/1.5 ui-monospace,monospace}
a:focus-visible,pre:focus-visible{outline:3px solid currentColor;outline-offset:2px}`

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const safe = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c)
const link = (href: string, text: string): string => `<a href="${safe(href)}">${safe(text)}</a>`

function page(sandbox: Sandbox): string {
  const body = `<h1>The sandbox</h1>
<p>This hub runs against a simulated payment provider and a simulated school. No money moves and nobody is written to.</p>
<p>Codes, receipts and notices go to the <a href="/sandbox/mailbox">mailbox</a>.</p>
<p>A whole purchase in one command: <code>npx bursar demo purchase</code></p>
<p>Buy something as a customer does: ${link(sandbox.shop.url, 'the shop')}, a website of its own with the checkout in it.</p>
<h2>Simulators</h2>${simulatorsTable([sandbox.stripe, sandbox.school])}
<h2>On sale</h2>${pricesTable(sandbox.onSale)}
<h2>Be the buyer, the bank, the learner</h2>
<p>Each command works as it stands. Click one to select all of it.</p>
${examplesOf(sandbox).map(exampleHtml).join('\n')}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Bursar sandbox</title><style>${style}</style></head>
<body><main>${body}</main></body></html>`
}

const simulatorsTable = (simulators: readonly Simulator[]): string => {
  const rows = simulators.map((simulator) => {
    const { name, url, state, log, faults } = simulatorOf(simulator)
    const links = [link(state, 'State'), link(log, 'Requests'), link(faults, 'Faults')].join(', ')
    return `<tr><th scope="row">${safe(name)}</th><td><code>${safe(url)}</code></td><td>${links}</td></tr>`
  })
  return `<table><thead><tr><th scope="col">Name</th><th scope="col">Address</th><th scope="col">Look inside</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

const pricesTable = (onSale: readonly OnSale[]): string => {
  const rows = onSale.map((item) => {
    const amount = formatMoney(money(BigInt(item.amount), item.currency.toUpperCase()))
    const every = item.interval === null ? '' : ` per ${item.interval}`
    return `<tr><th scope="row">${safe(item.name)}</th><td><code>${safe(item.price)}</code></td><td class="money">${safe(amount + every)}</td></tr>`
  })
  return `<table><thead><tr><th scope="col">Product</th><th scope="col">Price id</th><th scope="col" class="money">Price</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

type Example = { readonly title: string; readonly command: string; readonly note?: string }

const exampleHtml = ({ title, command, note }: Example, i: number): string =>
  `<h3 id="example-${i}">${safe(title)}</h3>${note === undefined ? '' : `<p>${safe(note)}</p>`}<pre tabindex="0" aria-labelledby="example-${i}">${safe(command)}</pre>`

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const post = (url: string, body: object): string =>
  `curl -X POST ${url} -H 'content-type: application/json' -d ${quote(JSON.stringify(body))}`

/** Commands with the newest ids in them, so that they do something when they are pasted. */
function examplesOf({ stripe, school, onSale, secretKey }: Sandbox): readonly Example[] {
  const [item] = onSale
  const { checkouts, payments } = stripe.truth()
  const open = checkouts.findLast((c) => c.status === 'open')?.session
  const paid = payments.findLast((p) => p.status === 'succeeded')?.paymentIntent
  const learner = [...school.school().users.values()].findLast((u) => u.level === 'user')
  const course = [
    ...(school
      .school()
      .enrollments.get(learner?.id ?? '')
      ?.values() ?? []),
  ].findLast((e) => e.productType === 'course')
  const none = (what: string) => `${what}. Reload this page afterwards to find its id in the command.`
  const form = [
    'mode=payment',
    `line_items[0][price]=${item?.price ?? ''}`,
    'line_items[0][quantity]=1',
    `success_url=${stripe.url}/done`,
  ]
  return [
    {
      title: 'Begin a checkout',
      command: `curl ${stripe.url}/v1/checkout/sessions -u ${secretKey}: ${form.map((f) => `-d ${quote(f)}`).join(' ')}`,
      note: 'The answer names its id and, as url, the page where a browser can pay it.',
    },
    {
      title: 'Pay it with a test card',
      command: post(`${stripe.url}/_sim/pay`, {
        session: open ?? 'cs_…',
        card: '4242424242424242',
        email: 'you@example.com',
      }),
      ...(open === undefined ? { note: none('Begin a checkout first') } : {}),
    },
    {
      title: 'Refund the newest payment',
      command: post(`${stripe.url}/_sim/refund`, { payment_intent: paid ?? 'pi_…' }),
      ...(paid === undefined ? { note: none('Pay something first') } : {}),
    },
    {
      title: 'Dispute it at the bank',
      command: post(`${stripe.url}/_sim/dispute`, { payment_intent: paid ?? 'pi_…', reason: 'fraudulent' }),
    },
    {
      title: 'Complete a course as its learner',
      command: post(`${school.url}/_sim/learners/${learner?.id ?? 'ID'}/complete`, {
        course: course?.productId ?? 'sourdough-basics',
        certificate: true,
      }),
    },
    {
      title: 'Take the school down for three requests',
      command: post(`${school.url}/_sim/faults`, { faults: [{ kind: 'status', status: 503, times: 3 }] }),
      note: 'The hub waits, tries again and tells why in the timeline. An empty list of faults ends it.',
    },
  ]
}
