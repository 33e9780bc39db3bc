import type { TimelineData, TimelineKind } from '#events/timeline.ts'
import { lengthText, moneyText, type Names, utcText } from './names.ts'

/** Facts as they come back from the database: amounts are digits. */
type Stored<T> = {
  readonly [K in keyof T]: Exclude<T[K], bigint> | (Extract<T[K], bigint> extends never ? never : string)
}

export type StoredData = { readonly [K in TimelineKind]: Stored<TimelineData[K]> }

/** What surrounds an entry: the school its attempt talks to, when one is known. */
export type Around = Names & { readonly school: string | null }

type Sentences = { readonly [K in TimelineKind]: (data: StoredData[K], names: Around) => string }

const because = (text: string | null | undefined): string =>
  text === null || text === undefined || text === '' ? '' : `: ${text}`
const until = (at: number | null | undefined): string =>
  at === null || at === undefined ? 'without an end' : `until ${utcText(at)}`
const nextTry = (at: number | null | undefined): string =>
  at === null || at === undefined ? 'No further try by itself.' : `Next try at ${utcText(at)}.`
const providerNames: Readonly<Record<string, string>> = { stripe: 'Stripe', learnworlds: 'LearnWorlds' }
const provider = (name: string): string => providerNames[name] ?? name

const issues: Readonly<Record<string, string>> = {
  price_unknown: 'Paid, but the price is not mapped to a course',
  metadata_mismatch: 'The checkout names a course that was not paid for',
  refund_unattributed: 'A partial refund does not say which line it pays back',
  no_email: 'Paid, but without an e-mail address, so nobody can be given the seat',
  livemode_mismatch: 'The payment is of the other mode, test or live',
  amount_mismatch: 'Less was paid than the course costs',
}

/** An open question of an order, in words. */
export const issueText = (issue: string): string => issues[issue] ?? issue

const mails: Readonly<Record<string, string>> = {
  receipt: 'the receipt',
  gift: 'the gift',
  gift_receipt: 'the receipt of a gift',
  claim_notice: 'notice of a claim from another address',
  claim_undone: 'the claim was undone',
  seat_ready: 'the course is open',
}
const mailName = (kind: string): string => mails[kind] ?? kind.replaceAll('_', ' ')

type CallData = StoredData['call.made']

function callSentence(data: CallData, names: Around): string {
  const who = names.school ?? 'The platform'
  const asked = `${data.method} ${data.path}`
  const took = lengthText(data.durationMs)
  if (data.failure !== null && data.failure !== undefined) {
    const answer = data.status === null ? 'gave no answer' : `answered ${data.status}`
    return `${who} ${answer} to ${asked} after ${took}: ${data.failure.message}`
  }
  return `${who} answered ${data.status ?? 'nothing'} to ${asked} in ${took}.`
}

/**
 * One sentence per kind of entry. The type asks for each kind, so a new one does not compile until it can be told.
 */
const sentences: Sentences = {
  'event.received': (d) => `${provider(d.provider)} told us ${d.type} (${d.externalId}).`,
  // A checkout that we opened has no amount before the buyer has chosen what he pays.
  'order.created': (d) =>
    BigInt(d.amount) === 0n ? 'An order began.' : `An order over ${moneyText(d.amount, d.currency)} began.`,
  'order.paid': (d) => `${moneyText(d.amount, d.currency)} was paid.`,
  'order.awaiting_funds': (d) => `The form was finished, the money is on its way. ${d.reason}`,
  'order.canceled': (d) => `The order came to nothing. ${d.reason}`,
  'order.expired': (d) => `The checkout expired unpaid${because(d.reason)}.`.replace(/\.\.$/, '.'),
  'order.issue': (d) => `Open question. ${issueText(d.issue)}${because(d.detail)}.`.replace(/\.\.$/, '.'),
  'order.resolved': (d) => `The question "${issueText(d.issue)}" is settled. ${d.how}`,
  'order.claimed': (d) =>
    `${d.by ?? 'The buyer'} claimed the purchase: ${d.how}.${d.emailsDiffer === true ? ' The address differs from the paid one, which was told.' : ''}`,
  'order.claim_refused': (d) => `A claim by ${d.by} was refused: ${d.why}.`,
  'order.moved': (d) =>
    `The purchase went to another person with ${d.seats} ${d.seats === 1 ? 'course' : 'courses'}. ${d.why}`,
  'order.seat_assigned': (d) => `${d.by} gave a seat to ${d.to}.`,
  'claim.undone': (d) => `The claim was undone from the paid mailbox ${d.to}; only that mailbox can claim now.`,
  'case.opened': (d) => `A question for a person was opened (${d.caseId}): ${d.what}.`,
  'case.resolved': (d) =>
    `${d.by} decided the case ${d.caseId}: ${d.resolution === 'keep' ? 'the purchase stays where it is' : 'the purchase moves to the claimant'}. ${d.reason}`,
  'mail.sent': (d) =>
    d.refused === true
      ? `A message (${mailName(d.mail)}) could not be written: ${d.to} is no address for mail.`
      : `A message went out to ${d.to}: ${mailName(d.mail)}.`,
  'refund.recorded': (d) =>
    `A refund of ${moneyText(d.amount, d.currency)} is ${d.state}${because(d.reason)}.`.replace(/\.\.$/, '.'),
  'dispute.opened': (d) => `The payer disputes ${moneyText(d.amount, d.currency)} (${d.state}): ${d.reason}.`,
  'dispute.closed': (d) => `The dispute was ${d.state}.`,
  'subscription.changed': (d) =>
    `The subscription is ${d.state.replaceAll('_', ' ')}${d.paidUntil === null || d.paidUntil === undefined ? '' : `, paid ${until(d.paidUntil)}`}.`,
  'invoice.paid': (d) =>
    `An invoice of ${moneyText(d.amount, d.currency)} was paid${d.periodEnd === null || d.periodEnd === undefined ? '' : `, ${until(d.periodEnd)}`}.`,
  'invoice.failed': (d) => `An invoice could not be collected, try ${d.attempts}.`,
  'entitlement.granted': (d, n) => `The right to "${n.course(d.courseId)}" began, ${until(d.endsAt)}. ${d.reason}`,
  'entitlement.suspended': (d, n) => `The right to "${n.course(d.courseId)}" is on hold. ${d.reason}`,
  'entitlement.resumed': (d, n) => `The right to "${n.course(d.courseId)}" is back, ${until(d.endsAt)}. ${d.reason}`,
  'entitlement.revoked': (d, n) => `The right to "${n.course(d.courseId)}" ended. ${d.reason}`,
  'entitlement.extended': (d, n) => `The right to "${n.course(d.courseId)}" now holds ${until(d.endsAt)}. ${d.reason}`,
  'enrollment.wanted': (d, n) =>
    d.wanted === 'granted'
      ? `"${n.course(d.courseId)}" should be open.`
      : `"${n.course(d.courseId)}" should be closed: no reason for access is left.`,
  'apply.started': (d, n) =>
    `${d.wanted === 'granted' ? 'Opening' : 'Closing'} the seat at ${n.connection(d.connectionId)}, try ${d.attempt}${d.uncertain ? ', looking first whether an earlier try got through' : ''}.`,
  'call.made': callSentence,
  'enrollment.opened': (d, n) =>
    `The seat is open${d.connectionId === undefined ? '' : ` at ${n.connection(d.connectionId)}`}.`,
  'enrollment.closed': (d, n) =>
    `The seat is closed${d.connectionId === undefined ? '' : ` at ${n.connection(d.connectionId)}`}.`,
  'enrollment.waiting': (d) => `Waiting. ${d.message} ${nextTry(d.nextTryAt)}`,
  'enrollment.stuck': (d) => `${d.needs === 'learner' ? 'The learner' : 'A person'} must act. ${d.message}`,
  'breaker.opened': (d, n) => `${n.connection(d.connectionId)} is left alone for a while. ${d.failure}`,
  'breaker.closed': (d, n) => `${n.connection(d.connectionId)} answers again.`,
  'launch.minted': (d) => `A link to the course was made, good until ${utcText(d.expiresAt)}.`,
  'launch.used': () => 'The learner went through to the school.',
  note: (d) => `${d.by} noted: ${d.text}`,
  'person.merged': (d) =>
    `${d.from} turned out to be ${d.into}, ${d.evidence === 'proof' ? 'proven by themselves' : 'as somebody decided'}; everything went over.`,
  'person.role': (d) => `The role ${d.role} was ${d.change === 'granted' ? 'given' : 'taken back'} by ${d.by}.`,
  'person.email_changed': (d) => `The e-mail address was changed by ${d.by}.`,
  'person.linked': (d) => `A way to sign in at ${d.issuer} was added by ${d.by}.`,
  'person.unlinked': (d) => `The way to sign in at ${d.issuer} was removed by ${d.by}.`,
  'privacy.requested': (d) =>
    `${d.by} asked ${d.request === 'export' ? 'for a copy of the data' : 'to have the data erased'}.`,
  'privacy.step': (d) => `${d.step}: ${d.state.replaceAll('_', ' ')}${because(d.note)}.`.replace(/\.\.$/, '.'),
  'privacy.done': (d) => `The request to ${d.request === 'export' ? 'copy' : 'erase'} the data is done.`,
}

/** One entry in one sentence. The row's data was written by `record`, so it has the shape of its kind. */
export const sentenceOf = (kind: TimelineKind, data: Readonly<Record<string, unknown>>, names: Around): string =>
  (sentences[kind] as (data: unknown, names: Around) => string)(data, names)
