/** Everything people read in the frame, in English. Other languages have the same keys; `{x}` is filled in. */
export const english = {
  loading: 'One moment …',
  offline: 'You seem to be offline. Nothing is lost; try again when you are connected.',
  limited: 'That was too often. Please wait {s} seconds.',
  failed: 'Something went wrong on our side. Please try again.',
  again: 'Try again',
  noPrices: 'There is nothing to buy here: no price that we know is named.',
  notOnSale: 'This is not on sale right now. Nothing was charged.',
  providerAway: 'The payment form could not be loaded, perhaps by a content blocker. Nothing was charged.',
  expired: 'This checkout has expired. Nothing was charged.',
  payTitle: 'Payment',
  email: 'E-mail address',
  emailWrong: 'Please enter an address like name@example.com.',
  total: 'Total',
  tax: 'Tax',
  discount: 'Discount',
  promotion: 'Promotion code',
  apply: 'Apply',
  applied: 'The code is applied.',
  pay: 'Pay {amount}',
  paying: 'Paying …',
  declined: 'The payment did not go through. {why} Nothing was charged; try again or pay in another way.',
  giftTitle: 'Who is it for?',
  giftEmail: 'Their e-mail address (empty: you get the link)',
  giftName: 'Their name',
  giftMessage: 'A few words',
  next: 'Continue',
  checkingTitle: 'Checking your payment',
  checking: 'We ask whether your payment arrived. Please keep this page open.',
  processingTitle: 'Your payment is on its way',
  processing:
    'Your bank takes a while, sometimes days. We write to you when it has arrived. You do not need to pay again.',
  paymentFailedTitle: 'The payment did not arrive',
  paymentFailed: 'Your bank did not confirm it. Nothing was charged.',
  refundedTitle: 'This payment was given back',
  refunded: 'So the course is not open.',
  paidTitle: 'Payment received',
  paid: 'Thank you. A receipt is on its way to you.',
  giftPaidTitle: 'Thank you for your gift',
  giftPaid: 'The payment has arrived, and the way to the course goes out by mail.',
  lastStepTitle: 'Payment received. One last step: it is you',
  lastStep: 'A short code shows that this mailbox is yours. Then your course opens.',
  signInTitle: 'Sign in',
  signIn: 'We send a code of six digits to your mailbox.',
  sendCode: 'Send me a code',
  codeSent: 'We sent a code to {email}. It is good for ten minutes.',
  code: 'Code of six digits',
  confirm: 'Confirm',
  resend: 'Send a new code',
  resendIn: 'Send a new code (in {s} s)',
  otherAddress: 'Use another address',
  codeWrong: 'That code is not right. Check the newest mail; after three wrong ones you need a new code.',
  codeSpent: 'This code is used up or too old. Send a new one.',
  otherWays: 'Other ways to sign in',
  passkey: 'With a passkey',
  password: 'With a password',
  issuer: 'With {name}',
  popupBlocked: 'Your browser did not open the window. Please allow it and try again.',
  signInFailed: 'You were not signed in. Please try again.',
  signedIn: 'You are signed in.',
  signedInAs: 'Signed in as {email}',
  signedOut: 'Not signed in',
  signOut: 'Sign out',
  account: 'My account',
  differsTitle: 'Is this you?',
  differs:
    'You paid as {paid} and signed in as {signed}. Shall the course belong to {signed}? We tell {paid} about it.',
  differsYes: 'Yes, open it for {signed}',
  differsNo: 'No, use another address',
  settingUpTitle: 'Payment received, setting up …',
  settingUp: 'Your seat is being prepared, usually within seconds.',
  coursesTitle: 'Your course is ready',
  waitingTitle: 'Your seat takes a little longer',
  waiting: 'The school does not answer right now. We keep trying and write to you. You do not need to pay again.',
  closedTitle: 'Access has ended',
  open: 'Open my course',
  openNamed: 'Open {course}',
  cannotOpen: 'The course could not be opened just now. Please try again in a minute.',
  claimedTitle: 'This purchase belongs to somebody already',
  claimed: 'Another account has opened it. If that was not you, write to the seller.',
  refusedTitle: 'We could not give you the course yet',
  orderUnknown: 'We do not know this order here. Open the link in your receipt, or sign in.',
  statusTitle: 'Your purchase',
} as const

export type Texts = { readonly [K in keyof typeof english]: string }
export type Say = (key: keyof Texts, values?: Readonly<Record<string, string | number>>) => string

let current: Texts = english

/** Languages beside English. Each is a file of its own, so that nobody loads what they do not read. */
export const languages: Readonly<Record<string, () => Promise<Texts>>> = {
  de: async () => (await import('./texts-de.ts')).german,
}

/** Reads in the language of the page from now on; English for languages we do not have. */
export async function speak(tag: string): Promise<void> {
  current = (await languages[tag.slice(0, 2).toLowerCase()]?.()) ?? english
}

export const say: Say = (key, values = {}) =>
  current[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
