const shell = (
  title: string,
  script: string,
  body: string,
  theme: 'auto' | 'day' = 'auto',
  kind = '',
): string => `<!doctype html>
<html lang="en" data-theme="${theme}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><link rel="stylesheet" href="/stripe-js/frame.css">
<script type="module" src="/stripe-js/${script}.js"></script></head><body class="${kind}">${body}</body></html>
`

type Field = { readonly name: string; readonly label: string; readonly hint: string; readonly more: string }

const field = ({ name, label, hint, more }: Field): string =>
  `<div class="field"><label for="${name}">${label}</label>
<input id="${name}" name="${name}" placeholder="${hint}" aria-describedby="${name}-error" aria-invalid="false" ${more}>
<p class="error" id="${name}-error"></p></div>`

/** The payment fields; `fields.js` knows them by their ids. */
const fields = `<fieldset><legend>Pay with</legend>
<label><input type="radio" name="method" value="card" checked> Card</label>
<label><input type="radio" name="method" value="sepa_debit"> SEPA Direct Debit</label></fieldset>
<div id="method-card">
${field({ name: 'number', label: 'Card number', hint: '1234 1234 1234 1234', more: 'inputmode="numeric" autocomplete="cc-number"' })}
<div class="pair">
${field({ name: 'expiry', label: 'Expiration date', hint: 'MM / YY', more: 'inputmode="numeric" autocomplete="cc-exp"' })}
${field({ name: 'cvc', label: 'Security code', hint: 'CVC', more: 'inputmode="numeric" autocomplete="cc-csc" maxlength="4"' })}
</div></div>
<div id="method-sepa_debit" hidden>
${field({ name: 'iban', label: 'IBAN', hint: 'DE89 3704 0044 0532 0130 00', more: 'autocomplete="off"' })}
${field({ name: 'holder', label: 'Name of the account holder', hint: 'First and last name', more: 'autocomplete="name"' })}
</div>
<p class="note">Simulated: no money moves. Card 4242 4242 4242 4242, any future date, any code.</p>`

/** Countries whose tax a test may want to see; the API takes any. */
const countries = {
  US: 'United States',
  AT: 'Austria',
  CA: 'Canada',
  CH: 'Switzerland',
  DE: 'Germany',
  ES: 'Spain',
  FR: 'France',
  GB: 'United Kingdom',
  IT: 'Italy',
  NL: 'Netherlands',
} as const

export const countryOptions = Object.entries(countries)
  .map(([code, name]) => `<option value="${code}">${name}</option>`)
  .join('')

const embedded = `<main id="page"><h1 class="note">Test mode</h1>
<table><caption hidden>Your order</caption><tbody id="items"></tbody></table>
<form id="fields" novalidate>
<div id="promotion" hidden><label for="code">Promotion code</label>
<div class="beside"><input id="code" name="code" autocomplete="off">
<button type="button" class="second" id="apply">Apply</button>
<button type="button" class="second" id="remove" hidden>Remove</button></div></div>
<div class="field"><label for="email">Email</label>
<input id="email" name="email" type="email" autocomplete="email" required></div>
<div class="field" id="address" hidden><label for="country">Country</label>
<select id="country" name="country" autocomplete="country">${countryOptions}</select></div>
<div id="payment">${fields}</div>
<p id="problem" role="alert" hidden></p>
<button id="pay" type="submit">Pay</button></form></main>
<p id="done" role="status" hidden>Thank you. Your payment is on its way to the shop.</p>`

const address = `<form id="fields" novalidate>
${field({ name: 'name', label: 'Full name', hint: 'First and last name', more: 'autocomplete="billing name"' })}
<div class="field"><label for="country">Country or region</label>
<select id="country" name="country" autocomplete="billing country"><option value="">Choose</option>${countryOptions}</select></div>
${field({ name: 'line1', label: 'Address', hint: 'Street and number', more: 'autocomplete="billing address-line1"' })}
<div class="pair">
${field({ name: 'postal_code', label: 'Postal code', hint: '12345', more: 'autocomplete="billing postal-code"' })}
${field({ name: 'city', label: 'City', hint: 'City', more: 'autocomplete="billing address-level2"' })}
</div></form>`

const challenge = `<dialog aria-labelledby="question"><h1 id="question">3-D Secure: is this you?</h1>
<p>Your bank wants to be sure that you make this payment. This is a simulated bank.</p>
<div class="buttons"><button id="complete" type="button">Complete</button>
<button id="fail" type="button" class="second">Fail</button></div></dialog>`

/** Each frame by the name it is asked for. */
export const frameHtml: Readonly<Record<string, string>> = {
  controller: shell('Stripe controller', 'controller', ''),
  payment: shell('Payment details', 'payment', `<form id="fields" novalidate>${fields}</form>`, 'day'),
  address: shell('Billing address', 'address', address, 'day'),
  embedded: shell('Checkout', 'embedded-page', embedded),
  challenge: shell('3-D Secure', 'challenge', challenge, 'auto', 'challenge'),
}
