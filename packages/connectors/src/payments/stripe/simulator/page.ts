import { moneyToDecimal } from '@bursar/kit/money.ts'
import type Stripe from 'stripe'
import type { SimReply, SimRoute } from '#simulator/server.ts'
import { currencyCode, fromStripe } from '../money.ts'
import { pay } from './checkout.ts'
import { countryOptions } from './frame-html.ts'
import { openLink } from './links.ts'
import { enterCode } from './totals.ts'
import { find, Refusal, type World } from './world.ts'

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const safe = (text: string): string => text.replace(/[&<>"']/g, (sign) => escapes[sign] ?? sign)

const shell = (title: string, body: string, status = 200): SimReply => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${safe(title)}</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f6f8fa;color:#1a1f36}
main{max-width:26rem;margin:8vh auto;padding:2rem;background:#fff;border:1px solid #e3e8ee;border-radius:8px}
h1{font-size:1.2rem;margin:0 0 1rem} table{width:100%;border-collapse:collapse;margin-bottom:1rem}
td{padding:.3rem 0} td:last-child{text-align:right;font-variant-numeric:tabular-nums}
label{display:block;margin:.8rem 0 .2rem;font-size:.9rem} input,select{width:100%;box-sizing:border-box;padding:.5rem;font:inherit}
button{margin-top:1.2rem;width:100%;padding:.7rem;font:inherit;background:#635bff;color:#fff;border:0;border-radius:6px}
.test{display:inline-block;background:#ffde92;padding:0 .4rem;border-radius:4px;font-size:.8rem}
.error{background:#fde8e8;border:1px solid #f5b5b5;padding:.6rem;border-radius:6px} a{color:#635bff}
</style></head><body><main>${body}</main></body></html>`,
})

const asksCountry = (session: Stripe.Checkout.Session): boolean =>
  session.automatic_tax.enabled || session.billing_address_collection === 'required'

const countryField = (session: Stripe.Checkout.Session): string =>
  asksCountry(session)
    ? `<label for="country">Country</label><select id="country" name="country">${countryOptions}</select>\n`
    : ''

const codeField = (session: Stripe.Checkout.Session): string =>
  session.allow_promotion_codes === true
    ? '<label for="code">Promotion code</label><input id="code" name="code" autocomplete="off">\n'
    : ''

function form(world: World, id: string, error: string | null = null): SimReply {
  const session = find(world.sessions, id, 'checkout.session')
  if (session.status !== 'open')
    return shell(
      'Checkout',
      `<h1>This checkout is ${safe(session.status ?? 'closed')}.</h1><p>Nothing more can be paid here.</p>`,
      410,
    )
  const currency = currencyCode(session.currency ?? 'usd')
  const show = (amount: number) => `${moneyToDecimal({ amount: fromStripe(amount, currency), currency })} ${currency}`
  const rows = (world.lines.get(id) ?? [])
    .map(
      (line) =>
        `<tr><td>${line.quantity ?? 1} × ${safe(line.description ?? '')}</td><td>${show(line.amount_total)}</td></tr>`,
    )
    .join('')
  const { amount_discount: discount = 0, amount_tax: tax = 0 } = session.total_details ?? {}
  const sums = [
    ...(discount > 0 ? [`<tr><td>Discount, included</td><td>${show(discount)}</td></tr>`] : []),
    ...(tax > 0 ? [`<tr><td>Tax, included</td><td>${show(tax)}</td></tr>`] : []),
  ].join('')
  const back = session.cancel_url === null ? '' : `<p><a href="${safe(session.cancel_url)}">Back</a></p>`
  return shell(
    'Checkout',
    `<p class="test">TEST MODE</p><h1>Pay ${show(session.amount_total ?? 0)}</h1>
${error === null ? '' : `<p class="error" role="alert">${safe(error)}</p>`}
<table>${rows}${sums}</table>
<form method="post">
<label for="email">Email</label><input id="email" name="email" type="email" required value="${safe(session.customer_email ?? '')}">
<label for="name">Name</label><input id="name" name="name" required value="Test Learner">
${countryField(session)}${codeField(session)}<label for="card">Pay with</label><select id="card" name="card">
<option value="4242424242424242">Card 4242 4242 4242 4242 (works)</option>
<option value="4000000000000002">Card 4000 0000 0000 0002 (declined)</option>
<option value="bank_debit">Bank debit (takes days)</option></select>
<button type="submit">Pay</button></form>${back}`,
  )
}

const redirect = (url: string): SimReply => ({ status: 303, headers: { location: url }, body: '' })

/** A code that was typed in; the sentence for the buyer when it does not count. */
function applyCode(world: World, id: string, code: string | undefined): string | null {
  const session = find(world.sessions, id, 'checkout.session')
  if (code === undefined || session.status !== 'open') return null
  try {
    enterCode(world, session, code)
    return null
  } catch (error) {
    if (error instanceof Refusal) return error.message
    throw error
  }
}

function submit(world: World, id: string, body: Buffer): SimReply {
  const fields = new URLSearchParams(body.toString('utf8'))
  const field = (name: string) => fields.get(name)?.trim() || undefined
  const [card, email, name] = [field('card'), field('email'), field('name')]
  const country = field('country')
  const refused = applyCode(world, id, field('code'))
  if (refused !== null) return form(world, id, refused)
  const paid = pay(world, {
    session: id,
    ...(country === undefined ? {} : { country }),
    ...(card === undefined ? {} : { card }),
    ...(email === undefined ? {} : { email }),
    ...(name === undefined ? {} : { name }),
  })
  if (paid.outcome === 'declined')
    return form(world, id, 'Your card was declined. Nothing was charged; try another card.')
  const target = paid.session.success_url ?? paid.session.return_url ?? `${world.baseUrl}/done`
  return redirect(target.replaceAll('{CHECKOUT_SESSION_ID}', id))
}

/** A refusal becomes a page a person can read. */
const guarded = (work: () => SimReply): SimReply => {
  try {
    return work()
  } catch (error) {
    if (error instanceof Refusal) return shell('Checkout', `<h1>${safe(error.message)}</h1>`, error.status)
    throw error
  }
}

/** The hosted pages: a browser can pay here. */
export const pageRoutes = (world: World): SimRoute[] => [
  { method: 'GET', pattern: '/c/pay/:id', handle: ({ params }) => guarded(() => form(world, params.id ?? '')) },
  {
    method: 'POST',
    pattern: '/c/pay/:id',
    handle: ({ params, body }) => guarded(() => submit(world, params.id ?? '', body)),
  },
  {
    method: 'GET',
    pattern: '/b/:id',
    handle: ({ params }) => guarded(() => redirect(openLink(world, params.id ?? '').url ?? world.baseUrl)),
  },
  { method: 'GET', pattern: '/done', handle: () => shell('Thank you', '<h1>Thank you. Your payment is done.</h1>') },
]
