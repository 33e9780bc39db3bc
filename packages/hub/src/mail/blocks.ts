import type { Instant } from '@bursar/kit/clock.ts'
import { formatMoney, type Money } from '@bursar/kit/money.ts'
import { maskEmail } from './address.ts'
import type { Mail, MailData, MailItem, MailLink } from './kinds.ts'
import type { Block, MailPage } from './layout.ts'
import { fill, languageOf, type TextKey, textsOf } from './texts.ts'
import { oneLine, severalLines } from './words.ts'

const titleMax = 200
const nameMax = 80
const messageMax = 1_000
const reasonMax = 300
const codeMax = 40
// A longer order is named in full on its own page.
const itemsMax = 50
const localeDefault = 'en'

/** What a template may use: texts with their places filled, moments and amounts for this reader. */
type Voice = {
  say(key: TextKey, values?: Readonly<Record<string, string>>): string
  time(at: Instant): string
  amount(money: Money): string
}

type Told = Pick<MailPage, 'subject' | 'title' | 'blocks'>

/** The list of things one message says, in their order. */
export function blocksOf(mail: Mail, school: string): MailPage {
  const locale = usableLocale(mail.locale)
  const texts = textsOf(locale)
  const voice: Voice = {
    say: (key, values = {}) => fill(texts[key], { school, ...values }),
    time: timeIn(locale),
    amount: (money) => formatMoney(money, locale),
  }
  return { language: languageOf(locale), ...tell(mail, voice), footer: voice.say('greeting.automatic') }
}

function tell(mail: Mail, voice: Voice): Told {
  switch (mail.kind) {
    case 'sign_in_code':
      return signInCode(mail.data, voice)
    case 'receipt':
      return receipt(mail.data, voice)
    case 'gift':
      return gift(mail.data, voice)
    case 'gift_receipt':
      return giftReceipt(mail.data, voice)
    case 'claim_notice':
      return claimNotice(mail.data, voice)
    case 'claim_undone':
      return claimUndone(mail.data, voice)
    case 'seat_ready':
      return seatReady(mail.data, voice)
    case 'seat_waiting':
      return seatWaiting(mail.data, voice)
    case 'email_changed':
      return emailChanged(mail.data, voice)
    case 'second_factor_changed':
      return secondFactorChanged(mail.data, voice)
    case 'person_erased':
      return personErased(mail.data, voice)
    case 'export_ready':
      return exportReady(mail.data, voice)
  }
}

/** A locale Intl knows; a browser may send anything. */
function usableLocale(asked: string | undefined): string {
  if (asked === undefined) return localeDefault
  try {
    return Intl.getCanonicalLocales(asked)[0] ?? localeDefault
  } catch {
    // No locale at all is answered in English, as an unknown one is.
    return localeDefault
  }
}

// In UTC and said so: nobody told the hub where the reader is.
const timeIn = (locale: string): Voice['time'] => {
  const format = new Intl.DateTimeFormat(locale, {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: 'UTC',
  })
  return (at) => `${format.format(at)} UTC`
}

const paragraph = (text: string): Block => ({ kind: 'paragraph', text })
const small = (text: string): Block => ({ kind: 'small', text })

/** Only addresses a browser opens as a page; anything else is a bug of the caller. */
function button(voice: Voice, label: TextKey, url: string): Block {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new Error('a link in a message is no page')
  return { kind: 'button', label: voice.say(label), url: new URL(url).href, fallback: voice.say('link.fallback') }
}

const itemsBlock = (voice: Voice, items: readonly MailItem[]): Block => {
  const named = items.slice(0, itemsMax).map(({ title, quantity, amount }) => {
    const name = oneLine(title, titleMax)
    const counted = quantity === 1 ? name : voice.say('items.quantity', { title: name, quantity: String(quantity) })
    return amount === undefined ? counted : `${counted}, ${voice.amount(amount)}`
  })
  return { kind: 'list', items: items.length > itemsMax ? [...named, '…'] : named }
}

type Paid = { readonly orderRef: string; readonly paidAt: Instant; readonly total: Money }

const orderFacts = (voice: Voice, { orderRef, paidAt, total }: Paid): Block => ({
  kind: 'facts',
  rows: [
    [voice.say('facts.total'), voice.amount(total)],
    [voice.say('facts.date'), voice.time(paidAt)],
    [voice.say('facts.order'), oneLine(orderRef, nameMax)],
  ],
})

const signInCode = (data: MailData['sign_in_code'], voice: Voice): Told => ({
  subject: voice.say('sign_in_code.subject'),
  title: voice.say('sign_in_code.title'),
  blocks: [
    paragraph(voice.say('sign_in_code.how')),
    { kind: 'code', text: oneLine(data.code, codeMax) },
    paragraph(voice.say('sign_in_code.until', { time: voice.time(data.expiresAt) })),
    small(voice.say('sign_in_code.not_you')),
  ],
})

const receipt = (data: MailData['receipt'], voice: Voice): Told => ({
  subject: voice.say('receipt.subject'),
  title: voice.say('receipt.title'),
  blocks: [
    paragraph(voice.say('receipt.paid')),
    itemsBlock(voice, data.items),
    orderFacts(voice, data),
    ...(data.claim === null ? [paragraph(voice.say('receipt.no_claim'))] : claimBlocks(data.claim, voice)),
    small(voice.say('receipt.wrong')),
  ],
})

const claimBlocks = (claim: MailLink, voice: Voice): readonly Block[] => [
  paragraph(voice.say('receipt.claim', { time: voice.time(claim.expiresAt) })),
  button(voice, 'receipt.button', claim.url),
  small(voice.say('receipt.late')),
]

function gift(data: MailData['gift'], voice: Voice): Told {
  const from = data.from === null ? '' : oneLine(data.from, nameMax)
  const message = data.message === null ? '' : severalLines(data.message, messageMax)
  return {
    subject: from === '' ? voice.say('gift.subject_unnamed') : voice.say('gift.subject', { from }),
    title: voice.say('gift.title'),
    blocks: [
      paragraph(from === '' ? voice.say('gift.unnamed') : voice.say('gift.from', { from })),
      itemsBlock(voice, data.items),
      ...(message === ''
        ? []
        : ([paragraph(voice.say('gift.message')), { kind: 'quote', text: message }] satisfies Block[])),
      paragraph(voice.say('gift.claim', { time: voice.time(data.claim.expiresAt) })),
      button(voice, 'gift.button', data.claim.url),
      small(voice.say('gift.unwanted')),
    ],
  }
}

const giftReceipt = (data: MailData['gift_receipt'], voice: Voice): Told => ({
  subject: voice.say('gift_receipt.subject'),
  title: voice.say('gift_receipt.title'),
  blocks: [
    paragraph(voice.say('gift_receipt.paid')),
    itemsBlock(voice, data.items),
    orderFacts(voice, data),
    ...giftRoad(data, voice),
  ],
})

function giftRoad({ claim, recipient }: MailData['gift_receipt'], voice: Voice): readonly Block[] {
  if (claim !== null)
    return [
      paragraph(voice.say('gift_receipt.pass_on', { time: voice.time(claim.expiresAt) })),
      button(voice, 'gift_receipt.link', claim.url),
    ]
  if (recipient === null) return [paragraph(voice.say('gift_receipt.by_school'))]
  return [paragraph(voice.say('gift_receipt.sent', { recipient: oneLine(recipient, titleMax) }))]
}

const claimNotice = (data: MailData['claim_notice'], voice: Voice): Told => ({
  subject: voice.say('claim_notice.subject'),
  title: voice.say('claim_notice.title'),
  blocks: [
    paragraph(voice.say('claim_notice.who', { claimedBy: oneLine(maskEmail(data.claimedBy), titleMax) })),
    itemsBlock(voice, data.items),
    { kind: 'facts', rows: [[voice.say('facts.order'), oneLine(data.orderRef, nameMax)]] },
    paragraph(voice.say('claim_notice.you')),
    paragraph(voice.say('claim_notice.not_you', { time: voice.time(data.undo.expiresAt) })),
    button(voice, 'claim_notice.button', data.undo.url),
  ],
})

const claimUndone = (data: MailData['claim_undone'], voice: Voice): Told => ({
  subject: voice.say('claim_undone.subject'),
  title: voice.say('claim_undone.title'),
  blocks: [
    paragraph(voice.say('claim_undone.what')),
    itemsBlock(voice, data.items),
    { kind: 'facts', rows: [[voice.say('facts.order'), oneLine(data.orderRef, nameMax)]] },
    paragraph(voice.say('claim_undone.next')),
  ],
})

function seatReady(data: MailData['seat_ready'], voice: Voice): Told {
  const course = oneLine(data.course, titleMax)
  return {
    subject: voice.say('seat_ready.subject', { course }),
    title: voice.say('seat_ready.title'),
    blocks: [paragraph(voice.say('seat_ready.what', { course })), button(voice, 'seat_ready.button', data.url)],
  }
}

function seatWaiting(data: MailData['seat_waiting'], voice: Voice): Told {
  const course = oneLine(data.course, titleMax)
  const reason = data.reason === null ? '' : oneLine(data.reason, reasonMax)
  return {
    subject: voice.say('seat_waiting.subject', { course }),
    title: voice.say('seat_waiting.title'),
    blocks: [
      paragraph(voice.say('seat_waiting.what', { course })),
      ...(reason === '' ? [] : [paragraph(voice.say('seat_waiting.reason', { reason }))]),
      paragraph(voice.say('seat_waiting.next')),
    ],
  }
}

const emailChanged = (data: MailData['email_changed'], voice: Voice): Told => ({
  subject: voice.say('email_changed.subject'),
  title: voice.say('email_changed.title'),
  blocks: [
    paragraph(
      voice.say('email_changed.what', {
        time: voice.time(data.changedAt),
        newEmail: oneLine(maskEmail(data.newEmail), titleMax),
      }),
    ),
    paragraph(voice.say('change.you')),
    paragraph(voice.say('change.not_you')),
  ],
})

const secondFactorChanged = (data: MailData['second_factor_changed'], voice: Voice): Told => ({
  subject: voice.say('second_factor_changed.subject'),
  title: voice.say('second_factor_changed.title'),
  blocks: [
    paragraph(voice.say(`second_factor_changed.${data.change}`, { time: voice.time(data.changedAt) })),
    paragraph(voice.say('change.you')),
    paragraph(voice.say('change.not_you')),
  ],
})

const personErased = (data: MailData['person_erased'], voice: Voice): Told => ({
  subject: voice.say('person_erased.subject'),
  title: voice.say('person_erased.title'),
  blocks: [
    paragraph(voice.say('person_erased.what', { time: voice.time(data.erasedAt) })),
    ...(data.kept.length === 0
      ? []
      : ([
          paragraph(voice.say('person_erased.kept')),
          { kind: 'list', items: data.kept.slice(0, itemsMax).map((k) => oneLine(k, titleMax)) },
        ] satisfies Block[])),
    paragraph(voice.say('person_erased.last')),
  ],
})

const exportReady = (data: MailData['export_ready'], voice: Voice): Told => ({
  subject: voice.say('export_ready.subject'),
  title: voice.say('export_ready.title'),
  blocks: [
    paragraph(voice.say('export_ready.what', { time: voice.time(data.expiresAt) })),
    button(voice, 'export_ready.button', data.url),
    small(voice.say('export_ready.not_you')),
  ],
})
