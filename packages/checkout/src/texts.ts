/** Everything people read in the frame, in English. Other languages have the same keys; `{x}` is filled in. */
export const english = {
  t_loading: 'One moment …',
  t_offline: 'You seem to be offline. Nothing is lost; try again when you are connected.',
  t_limited: 'Too often. Please wait {s} seconds.',
  t_failed: 'Something went wrong on our side. Please try again.',
  t_again: 'Try again',
  t_noPrices: 'There is nothing to buy here.',
  t_notOnSale: 'This is not on sale right now. Nothing was charged.',
  t_providerAway: 'The payment form could not be loaded, perhaps by a content blocker. Nothing was charged.',
  t_expired: 'This checkout has expired. Nothing was charged.',
  t_payTitle: 'Payment',
  t_email: 'E-mail address',
  t_emailWrong: 'Please enter an address like name@example.com.',
  t_total: 'Total',
  t_tax: 'Tax',
  t_discount: 'Discount',
  t_promotion: 'Promotion code',
  t_apply: 'Apply',
  t_applied: 'The code is applied.',
  t_pay: 'Pay {amount}',
  t_paying: 'Paying …',
  t_declined: 'The payment did not go through. {why} Nothing was charged; try again or pay in another way.',
  t_giftTitle: 'Who is it for?',
  t_giftEmail: 'Their e-mail address (empty: you get the link)',
  t_giftName: 'Their name',
  t_giftMessage: 'A few words',
  t_next: 'Continue',
  t_checkingTitle: 'Checking your payment',
  t_checking: 'We ask whether your payment arrived. Please keep this page open.',
  t_processingTitle: 'Your payment is on its way',
  t_processing: 'Your bank takes a while, sometimes days. We write to you then. You do not need to pay again.',
  t_paymentFailedTitle: 'The payment did not arrive',
  t_paymentFailed: 'Your bank did not confirm it. Nothing was charged.',
  t_refundedTitle: 'This payment was given back',
  t_refunded: 'So the course is not open.',
  t_paidTitle: 'Payment received',
  t_paid: 'Thank you. A receipt is on its way to you.',
  t_giftPaidTitle: 'Thank you for your gift',
  t_giftPaid: 'The payment has arrived. The way to the course goes out by mail.',
  t_lastStepTitle: 'Payment received. One last step: it is you',
  t_lastStep: 'A short code shows that this mailbox is yours. Then your course opens.',
  t_signIn: 'We send a code of six digits to your mailbox.',
  t_sendCode: 'Send me a code',
  t_codeSent: 'We sent a code to {email}. It is good for ten minutes.',
  t_code: 'Code of six digits',
  t_confirm: 'Confirm',
  t_resend: 'Send a new code',
  t_resendIn: 'Send a new code (in {s} s)',
  t_otherAddress: 'Use another address',
  t_codeWrong: 'That code is not right. After three wrong ones you need a new one.',
  t_codeSpent: 'This code is used up or too old. Send a new one.',
  t_otherWays: 'Other ways to sign in',
  t_passkey: 'With a passkey',
  t_password: 'With a password',
  t_issuer: 'With {name}',
  t_popupBlocked: 'Your browser did not open the window. Please allow it.',
  t_signInFailed: 'You were not signed in. Please try again.',
  t_differsTitle: 'Is this you?',
  t_differs: 'You paid as {paid} and signed in as {signed}. Shall it belong to {signed}? We tell {paid}.',
  t_differsYes: 'Yes, open it for {signed}',
  t_differsNo: 'No, use another address',
  t_settingUpTitle: 'Payment received, setting up …',
  t_settingUp: 'Your seat is being prepared, usually within seconds.',
  t_coursesTitle: 'Your course is ready',
  t_waitingTitle: 'Your seat takes a little longer',
  t_waiting: 'The school does not answer right now. We keep trying and write to you. You do not need to pay again.',
  t_closedTitle: 'Access has ended',
  t_open: 'Open my course',
  t_openNamed: 'Open {course}',
  t_cannotOpen: 'The course could not be opened just now. Please try again.',
  t_claimedTitle: 'This purchase belongs to somebody already',
  t_claimed: 'Another account has opened it. If that was not you, write to the seller.',
  t_refusedTitle: 'We could not give you the course yet',
  t_orderUnknown: 'We do not know this order. Open the link in your receipt.',
  t_statusTitle: 'Your purchase',
} as const

/** What only the frames about accounts say; the checkout need not carry it. */
export const englishAccount = {
  t_signInTitle: 'Sign in',
  t_signedIn: 'You are signed in.',
  t_signedInAs: 'Signed in as {email}',
  t_signedOut: 'Not signed in',
  t_signOut: 'Sign out',
  t_account: 'My account',
} as const

export const allEnglish = { ...english, ...englishAccount } as const
export type Texts = { readonly [K in keyof typeof allEnglish]: string }
/** Languages beside English. Each is a file of its own, so that nobody loads what they do not read. */
export const languages: Readonly<Record<string, () => Promise<Texts>>> = {
  de: async () => (await import('./texts-de.ts')).german,
}

/** What is said now. The keys begin with `t_` so that the bundler can shorten them, and only them. */
export let words = english as Texts

/** Reads in the language of the page from now on; English for languages we do not have. */
export async function speak(tag: string, more: object = {}): Promise<void> {
  words = { ...words, ...more, ...(await languages[tag.slice(0, 2).toLowerCase()]?.()) }
}

export const fill = (text: string, values: Readonly<Record<string, string | number>>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
