import type { OrderState } from './rules.ts'

/** What was shown for a claim. `burnt`: it was the right one until somebody claimed with it. */
export type Shown = 'valid' | 'burnt' | 'wrong' | 'none'

export type ClaimFacts = {
  readonly state: OrderState
  readonly gift: boolean
  /** The mailbox the seat is for, normalized; null for a gift without an address. */
  readonly mailbox: string | null
  readonly mailboxOnly: boolean
  readonly claimedBy: string | null
  readonly secret: Shown
  readonly link: Shown
  readonly claimant: {
    readonly personId: string
    /** Normalized; null when the issuer names none. */
    readonly email: string | null
    /** Said by the built-in provider or by an issuer whose word on addresses counts. */
    readonly emailVerified: boolean
    /** Proven by a code or link in this very session, just now. */
    readonly mailboxFresh: boolean
  }
  /** The claimant has seen both addresses and wants it. */
  readonly confirmed: boolean
}

export type Evidence = 'claim_secret' | 'mailbox_code' | 'receipt_link' | 'session' | 'operator'

export type ClaimDecision =
  | { readonly kind: 'bind'; readonly evidence: Evidence; readonly emailsDiffer: boolean }
  /** It is theirs already; nothing is moved. */
  | { readonly kind: 'already' }
  /** No such order, or no business of theirs: one answer for both. */
  | { readonly kind: 'unknown' }
  /** Prove the mailbox first. */
  | { readonly kind: 'unproven' }
  | { readonly kind: 'gift_of_another' }
  | { readonly kind: 'not_paid' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'confirm' }
  | { readonly kind: 'second_claimant'; readonly evidence: Evidence }

/**
 * Who may take a purchase over: the table of payments-identity-ledger §3.3, row by row. The id of an order or a payment
 * is no evidence, and an address alone is none either.
 */
export function decideClaim(facts: ClaimFacts): ClaimDecision {
  const { claimant, mailbox } = facts
  const owns = claimant.mailboxFresh && claimant.email !== null && claimant.email === mailbox
  if (facts.claimedBy === claimant.personId) return { kind: 'already' }
  if (facts.claimedBy !== null) return whenTaken(facts, owns)
  const bySecret = facts.secret === 'valid' && !facts.gift && !facts.mailboxOnly
  const byLink = facts.link === 'valid' && !facts.mailboxOnly
  if (!owns && !bySecret && !byLink) return withoutEvidence(facts)
  const notNow = stateRefuses(facts.state)
  if (notNow !== null) return notNow
  if (owns) return { kind: 'bind', evidence: 'mailbox_code', emailsDiffer: false }
  if (!isVouchedFor(claimant)) return { kind: 'unproven' }
  const emailsDiffer = mailbox !== null && mailbox !== claimant.email
  if (emailsDiffer && !facts.confirmed) return { kind: 'confirm' }
  return { kind: 'bind', evidence: byLink ? 'receipt_link' : 'claim_secret', emailsDiffer }
}

/**
 * Somebody else has it. Whoever shows real evidence gets a person to look; anybody else learns nothing. An address that
 * nobody vouches for must be proven first, or it would stand in the case as if it were the claimant's.
 */
function whenTaken(facts: ClaimFacts, owns: boolean): ClaimDecision {
  if (owns) return { kind: 'second_claimant', evidence: 'mailbox_code' }
  const byLink = held(facts.link)
  if (!byLink && !held(facts.secret)) return withoutEvidence(facts)
  if (!byLink && facts.gift) return { kind: 'gift_of_another' }
  if (!isVouchedFor(facts.claimant)) return { kind: 'unproven' }
  return { kind: 'second_claimant', evidence: byLink ? 'receipt_link' : 'claim_secret' }
}

const held = (shown: Shown): boolean => shown === 'valid' || shown === 'burnt'

const isVouchedFor = ({ email, emailVerified, mailboxFresh }: ClaimFacts['claimant']): boolean =>
  email !== null && (emailVerified || mailboxFresh)

function withoutEvidence(facts: ClaimFacts): ClaimDecision {
  if (facts.secret === 'valid' && facts.gift) return { kind: 'gift_of_another' }
  // Taken back from the paid mailbox: only a proof of that one counts now. Who held a secret once knows of the order.
  if (facts.mailboxOnly && (held(facts.secret) || held(facts.link)) && !facts.claimant.mailboxFresh)
    return { kind: 'unproven' }
  if (facts.secret !== 'none' || facts.link !== 'none') return { kind: 'unknown' }
  return facts.claimant.mailboxFresh ? { kind: 'unknown' } : { kind: 'unproven' }
}

/** Why no claim is possible in this state of the money; null when it is. */
export function stateRefuses(state: OrderState): { readonly kind: 'not_paid' } | { readonly kind: 'closed' } | null {
  switch (state) {
    case 'pending':
    case 'awaiting_funds':
      return { kind: 'not_paid' }
    case 'refunded':
    case 'disputed':
    case 'charged_back':
    case 'canceled':
    case 'expired':
      return { kind: 'closed' }
    case 'paid':
    case 'partially_refunded':
      return null
  }
}

/** What whoever asks should do about an order that cannot be claimed. */
export const closedAdvice: Readonly<Record<string, string>> = {
  refunded: 'The payment was refunded, so the purchase gives no access. Buy it again if you want it.',
  disputed: 'The payment is disputed at the bank. Write to whoever sold the course, or wait for the decision.',
  charged_back: 'The bank took the payment back. Buy it again if you want it.',
  canceled: 'The payment did not go through. Nothing was charged; start the purchase again.',
  expired: 'The checkout was not finished in time. Nothing was charged; start the purchase again.',
}
