import { type EventName, eventNames } from './protocol.ts'

export type Described = { readonly name: string; readonly type: string; readonly text: string }
export type ElementDescription = {
  readonly tag: string
  readonly className: string
  readonly text: string
  readonly attributes: readonly string[]
  readonly events: readonly (EventName | 'statusChange')[]
  readonly parts: readonly Described[]
}

/** Every attribute once. None takes an amount, a currency or a key: the hub knows what a price costs. */
export const attributes: Readonly<Record<string, Omit<Described, 'name'>>> = {
  hub: { type: 'string', text: 'Origin of the hub. Default: where the script came from.' },
  organization: { type: 'string', text: 'The organization’s short name (slug). Required.' },
  prices: { type: 'string', text: 'Price ids, separated by blanks or commas, each with an optional `:quantity`.' },
  email: { type: 'string', text: 'Fills in the address. A hint, never a proof.' },
  mode: {
    type: "'elements' | 'embedded_page' | 'hosted_page'",
    text: 'Our form (default), the provider’s form in the frame, or the provider’s own page.',
  },
  'order-ref': { type: 'string', text: 'An order that exists already, to show or to finish.' },
  gift: { type: 'boolean', text: 'For somebody else: asks for whom, from whom and when, and signs nobody in.' },
  'promotion-code': { type: 'string', text: 'Applied when the form opens.' },
  'return-url': { type: 'string', text: 'A page of a registered site to come back to from the provider’s own page.' },
  lang: { type: 'string', text: 'Language of the texts: en, de. Default: the page’s own.' },
  label: { type: 'string', text: 'The frame’s title for screen readers, or the button’s text.' },
}

export const events: Readonly<Record<EventName | 'statusChange', string>> = {
  paymentSuccess: 'The hub has the payment confirmed.',
  paymentError: 'The payment was declined, failed or expired.',
  paymentProcessing: 'A delayed payment is on its way.',
  loginSuccess: 'Somebody known signed in.',
  loginError: 'A code or another way to sign in was refused.',
  signupSuccess: 'Somebody new signed in.',
  statusChange: 'Any change, these and finer ones.',
}

export const cssProperties: readonly Described[] = [
  { name: '--bursar-accent', type: 'color', text: 'Buttons. Their text turns black or white by itself.' },
  { name: '--bursar-on-accent', type: 'color', text: 'Text of the checkout button, which is not in a frame.' },
  { name: '--bursar-background', type: 'color', text: 'Behind everything. Light or dark follows from it.' },
  { name: '--bursar-font', type: 'font-family', text: 'Fonts of the visitor’s system; none are loaded.' },
  { name: '--bursar-radius', type: 'length', text: 'Corners, in px, rem or em.' },
  { name: '--bursar-colour-scheme', type: "'light' | 'dark'", text: 'Default: as the page’s own `color-scheme`.' },
]

const everywhere = ['hub', 'organization', 'lang', 'label'] as const
const buying = ['prices', 'email', 'promotion-code', 'return-url'] as const
const paying = ['paymentSuccess', 'paymentError', 'paymentProcessing', 'statusChange'] as const
const entering = ['loginSuccess', 'loginError', 'signupSuccess', 'statusChange'] as const
const frame = [{ name: 'frame', type: 'iframe', text: 'The frame of the hub’s origin.' }]

export const elements: readonly ElementDescription[] = [
  {
    ...{ tag: 'bursar-checkout', className: 'BursarCheckout', parts: frame, events: [...eventNames, 'statusChange'] },
    text: 'All of it: pay, prove who you are, enter the course.',
    attributes: [...everywhere, ...buying, 'mode', 'order-ref', 'gift'],
  },
  {
    ...{ tag: 'bursar-payment-form', className: 'BursarPaymentForm', parts: frame, events: paying },
    text: 'Only the payment.',
    attributes: [...everywhere, ...buying, 'mode', 'gift'],
  },
  {
    ...{ tag: 'bursar-checkout-button', className: 'BursarCheckoutButton', events: [] },
    text: 'A button that leads to the provider’s own page.',
    attributes: [...everywhere, ...buying],
    parts: [{ name: 'button', type: 'button', text: 'The button itself. Its text is the element’s content.' }],
  },
  {
    ...{ tag: 'bursar-payment-status', className: 'BursarPaymentStatus', parts: frame },
    text: 'How an order stands, live, and the way into the course.',
    attributes: [...everywhere, 'order-ref', 'email'],
    events: [...eventNames, 'statusChange'],
  },
  {
    ...{ tag: 'bursar-login', className: 'BursarLogin', parts: frame, events: entering },
    text: 'Signing in with a code; with a password, a passkey or a provider of the organization’s in a window.',
    attributes: [...everywhere, 'email'],
  },
  {
    ...{ tag: 'bursar-auth-status', className: 'BursarAuthStatus', parts: frame, events: ['statusChange'] },
    text: 'Who is signed in.',
    attributes: [...everywhere],
  },
  {
    ...{ tag: 'bursar-profile-menu', className: 'BursarProfileMenu', parts: frame, events: entering },
    text: 'Who is signed in, the account page, signing out.',
    attributes: [...everywhere, 'email'],
  },
]
