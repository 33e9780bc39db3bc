/**
 * Everything the messages say, by language and key. `{name}` is filled in; a value is never read as a placeholder
 * again. A new language is one more column: the compiler asks for every key.
 */
const english = {
  'greeting.automatic':
    'You receive this message because of something that happened with your account or your order at {school}.',
  'link.fallback': 'If the button does not work, open this address:',
  'items.quantity': '{title} × {quantity}',
  'facts.order': 'Order',
  'facts.date': 'Date',
  'facts.total': 'Total',

  'sign_in_code.subject': 'Your sign-in code for {school}',
  'sign_in_code.title': 'Your sign-in code',
  'sign_in_code.how': 'Enter this code where you asked for it:',
  'sign_in_code.until': 'It works once, until {time}.',
  'sign_in_code.not_you':
    'If it was not you who asked for it, ignore this message: without the code nobody can sign in. Never tell it to anybody; {school} does not ask for it.',

  'receipt.subject': 'Your receipt from {school}',
  'receipt.title': 'Thank you for your purchase',
  'receipt.paid': 'Your payment has arrived. This is what you bought:',
  'receipt.claim': 'This link connects the purchase with you and opens the course. It works once, until {time}.',
  'receipt.button': 'Open my course',
  'receipt.no_claim': 'Your access is already connected with your account. Sign in at {school} to open it.',
  'receipt.late':
    'After that, sign in with this e-mail address: a code sent here proves just as well that the purchase is yours.',
  'receipt.wrong':
    'Is this not your purchase? Somebody may have mistyped their address. You need not do anything; do not pass the link on, and tell {school} so that the right person gets their course.',

  'gift.subject': 'A gift for you from {from}',
  'gift.subject_unnamed': 'A gift for you from {school}',
  'gift.title': 'You have been given a course',
  'gift.from': '{from} has given you this at {school}:',
  'gift.unnamed': 'Somebody has given you this at {school}:',
  'gift.message': 'The message with it:',
  'gift.claim': 'This link is yours alone and works once, until {time}. You pay nothing.',
  'gift.button': 'Open my gift',
  'gift.unwanted': 'If you do not want it or do not know the sender, you need not do anything.',

  'gift_receipt.subject': 'Your receipt for a gift from {school}',
  'gift_receipt.title': 'Thank you for your gift',
  'gift_receipt.paid': 'Your payment has arrived. This is what you are giving:',
  'gift_receipt.sent': 'The link that opens it goes to {recipient}. You need not do anything.',
  'gift_receipt.pass_on':
    'Give this link to the person the gift is for. Whoever opens it first receives the gift; it works once, until {time}.',
  'gift_receipt.link': 'Link of the gift',
  'gift_receipt.by_school': 'The person you give it to will hear from {school}.',

  'claim_notice.subject': 'Your purchase was claimed with another address',
  'claim_notice.title': 'Your purchase was claimed with another address',
  'claim_notice.who':
    'Somebody who was signed in as {claimedBy}, and who came from your own checkout, claimed this purchase:',
  'claim_notice.you': 'If that was you, everything is as it should be and there is nothing to do.',
  'claim_notice.not_you': 'If it was not you, take the purchase back. This is possible until {time}.',
  'claim_notice.button': 'Take it back',

  'claim_undone.subject': 'Your purchase is yours again',
  'claim_undone.title': 'Your purchase is yours again',
  'claim_undone.what':
    'The claim was taken back. The access that was given with it ends, and this purchase waits for you:',
  'claim_undone.next': 'Sign in at {school} with this e-mail address to open it.',

  'seat_ready.subject': 'Your course is open: {course}',
  'seat_ready.title': 'Your course is open',
  'seat_ready.what': '{course} had to wait because the platform it is taught on did not answer. It is open now.',
  'seat_ready.button': 'Go to my course',

  'seat_waiting.subject': 'Your course is being set up: {course}',
  'seat_waiting.title': 'Your course is being set up',
  'seat_waiting.what': 'Your place in {course} is yours, but it is not open yet.',
  'seat_waiting.reason': 'The reason: {reason}',
  'seat_waiting.next': 'You need not do anything. We keep trying and write again as soon as it is open.',

  'email_changed.subject': 'Your e-mail address at {school} was changed',
  'email_changed.title': 'Your e-mail address was changed',
  'email_changed.what': 'Since {time} your account uses {newEmail} instead of this address.',
  'second_factor_changed.subject': 'Your sign-in at {school} was changed',
  'second_factor_changed.title': 'The second step of your sign-in was changed',
  'second_factor_changed.added': 'On {time} a second step was added to your sign-in.',
  'second_factor_changed.removed': 'On {time} the second step of your sign-in was removed.',
  'second_factor_changed.replaced': 'On {time} the second step of your sign-in was replaced by another.',
  'change.you': 'If that was you, there is nothing to do.',
  'change.not_you': 'If it was not you, answer at once: write to {school} from this address.',

  'person_erased.subject': 'Your data at {school} was erased',
  'person_erased.title': 'Your data was erased',
  'person_erased.what': 'On {time} your personal data at {school} was erased, as asked.',
  'person_erased.kept': 'These had to stay, because the law asks for them or somebody else owns them:',
  'person_erased.last': 'This is the last message to this address.',

  'export_ready.subject': 'Your data from {school} is ready',
  'export_ready.title': 'Your data is ready',
  'export_ready.what': 'The copy of your data you asked for can be downloaded until {time}. You are asked to sign in.',
  'export_ready.button': 'Download my data',
  'export_ready.not_you': 'If it was not you who asked for it, change your sign-in and tell {school}.',
} as const

export type TextKey = keyof typeof english

const languages: Readonly<Record<string, Readonly<Record<TextKey, string>>>> = { en: english }

/** The texts of a locale: of its language where there are any, else English. */
export const textsOf = (locale: string): Readonly<Record<TextKey, string>> =>
  languages[locale.split('-')[0]?.toLowerCase() ?? ''] ?? english

/** The language the texts of a locale are really in, for the `lang` of the page. */
export const languageOf = (locale: string): string => {
  const language = locale.split('-')[0]?.toLowerCase() ?? ''
  return Object.hasOwn(languages, language) ? language : 'en'
}

/** Fills the places of a text. A place without a value is a bug. */
export const fill = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`a message text names {${name}}, which it was not given`)
    return value
  })
