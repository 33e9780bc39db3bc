import { day, hour, type Instant } from '@bursar/kit/clock.ts'
import type { Money } from '@bursar/kit/money.ts'

/** One line of an order as its buyer knows it. */
export type MailItem = { readonly title: string; readonly quantity: number; readonly amount?: Money }

/** A link and the moment it stops working. */
export type MailLink = { readonly url: string; readonly expiresAt: Instant }

/** What each kind of message tells. Names and messages are other people's words: the templates escape and cut them. */
export type MailData = {
  /** Proves the mailbox; belongs to no organization when somebody signs in at the hub itself. */
  readonly sign_in_code: { readonly code: string; readonly expiresAt: Instant }
  readonly receipt: {
    readonly orderRef: string
    readonly paidAt: Instant
    readonly items: readonly MailItem[]
    readonly total: Money
    /** Null when the seat needs no claim any more. */
    readonly claim: MailLink | null
  }
  readonly gift: {
    readonly from: string | null
    readonly message: string | null
    readonly items: readonly MailItem[]
    readonly claim: MailLink
  }
  /** To the buyer of a gift. `claim` is given when no recipient address is known: the buyer passes it on. */
  readonly gift_receipt: {
    readonly orderRef: string
    readonly paidAt: Instant
    readonly items: readonly MailItem[]
    readonly total: Money
    readonly recipient: string | null
    readonly claim: MailLink | null
  }
  /** To the paid address, when somebody with another address claimed its purchase. `claimedBy` is shown masked. */
  readonly claim_notice: {
    readonly orderRef: string
    readonly items: readonly MailItem[]
    readonly claimedBy: string
    readonly undo: MailLink
  }
  readonly claim_undone: { readonly orderRef: string; readonly items: readonly MailItem[] }
  /** The course is open after all, when it had to wait. */
  readonly seat_ready: { readonly course: string; readonly url: string }
  readonly seat_waiting: { readonly course: string; readonly reason: string | null }
  /** To the old address. The new one is shown masked. */
  readonly email_changed: { readonly newEmail: string; readonly changedAt: Instant }
  readonly second_factor_changed: { readonly change: 'added' | 'removed' | 'replaced'; readonly changedAt: Instant }
  readonly person_erased: { readonly erasedAt: Instant; readonly kept: readonly string[] }
  readonly export_ready: MailLink
}

export type MailKind = keyof MailData

/** One kind with the data of that kind. */
export type MailContent = { [K in MailKind]: { readonly kind: K; readonly data: MailData[K] } }[MailKind]

export type Mail = MailContent & {
  readonly to: string
  /** BCP 47; a language without texts is answered in English, its dates and amounts in its own way. */
  readonly locale?: string
  /** The same key in the same organization is one message, however often it is asked for. */
  readonly dedupeKey?: string
}

// What carries no code and no link is still news for this long.
const newsMs = 14 * day
// A link that is over within the hour is not worth a message that arrives after it.
const marginMs = hour

/** When a message would only confuse: its code or its link is over. */
export function expiryOf(mail: MailContent, now: Instant): Instant {
  switch (mail.kind) {
    case 'sign_in_code':
      return mail.data.expiresAt
    case 'gift':
      return beforeEnd(mail.data.claim, now)
    case 'claim_notice':
      return beforeEnd(mail.data.undo, now)
    case 'export_ready':
      return beforeEnd(mail.data, now)
    // A receipt is one without its link too.
    case 'receipt':
    case 'gift_receipt':
    case 'claim_undone':
    case 'seat_ready':
    case 'seat_waiting':
    case 'email_changed':
    case 'second_factor_changed':
    case 'person_erased':
      return now + newsMs
  }
}

const beforeEnd = (link: MailLink, now: Instant): Instant => Math.max(now + marginMs, link.expiresAt - marginMs)
