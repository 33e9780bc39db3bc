import { day, type Instant } from '@bursar/kit/clock.ts'
import { normalizeEmail } from '#identity/people.ts'
import type { World } from '#main/world.ts'
import { type ClaimRow, type ClaimRows, type OwnedOrder, readClaimRows } from './promise-claims-rows.ts'
import type { Violation } from './promise-rows.ts'

/**
 * Whose a purchase is, checked after quiet: one learner per order, made so by a claim or an operator, with no way left
 * to take it again; nobody holds what another bought; each purchase was told to its people once.
 */
export async function claimViolations(world: World): Promise<readonly Violation[]> {
  const rows = await readClaimRows(world)
  const now = world.clock.now()
  return [
    ...rows.orders.flatMap((order) => [
      ...holder(order, rows),
      ...learner(order, rows, now),
      ...burnt(order),
      ...messages(order, now),
    ]),
    ...cases(rows),
    ...foreignReasons(rows),
    ...joined(rows),
  ]
}

const say = (code: string, about: string, detail: string): Violation[] => [{ code, about, detail }]

const byTime = (a: { readonly at: Instant; readonly id: string }, b: { readonly at: Instant; readonly id: string }) =>
  a.at - b.at || (a.id < b.id ? -1 : 1)

type Step = { readonly at: Instant; readonly id: string; readonly claim: ClaimRow; readonly undone: boolean }

/** The claims in the order they happened, each with its undoing. */
const stepsOf = (claims: readonly ClaimRow[]): Step[] =>
  claims
    .flatMap((claim) => [
      { at: claim.claimedAt, id: `${claim.id}a`, claim, undone: false },
      ...(claim.undoneAt === null ? [] : [{ at: claim.undoneAt, id: `${claim.id}b`, claim, undone: true }]),
    ])
    .sort(byTime)

/**
 * Plays the claims again: only an operator takes an order from somebody, and what comes out is what the order says. An
 * operator who names an address leaves it unclaimed, waiting for a proof.
 */
function holder(order: OwnedOrder, rows: ClaimRows): Violation[] {
  const found: Violation[] = []
  let holds: string | null = null
  let waits = false
  for (const { claim, undone } of stepsOf(rows.claims.get(order.id) ?? [])) {
    const byOperator = claim.evidence === 'operator'
    if (undone) {
      if (holds !== claim.to) found.push(...say('undone_of_another', order.id, claim.id))
      holds = null
    } else {
      if (!byOperator && holds !== null && !waits) found.push(...say('claimed_twice', order.id, `${holds} ${claim.to}`))
      holds = claim.to
    }
    waits = byOperator && !undone
  }
  // A merge gives what waited for one mailbox to whoever turned out to own it, without a claim.
  const byMerge = holds === null && order.claimedBy !== null && rows.joined.has(order.claimedBy)
  if (order.claimedBy === null ? holds !== null && !waits : order.claimedBy !== holds && !byMerge)
    found.push(...say('claim_differs', order.id, `claims: ${holds}, order: ${order.claimedBy}`))
  return found
}

/** The mailbox the seat is for. */
const mailboxOf = (order: OwnedOrder): string | null => {
  const email = order.learnerEmail ?? (order.gift === null ? order.email : order.gift.email)
  return email === null ? null : normalizeEmail(email)
}

/** Who learns: whoever claimed it, else the person of the mailbox, and before a claim only where that is wanted. */
function learner(order: OwnedOrder, rows: ClaimRows, now: Instant): Violation[] {
  const { id, person, claimedBy, claimedAt } = order
  if ((claimedAt === null) !== (claimedBy === null)) return say('claim_half', id, `${claimedAt} ${claimedBy}`)
  if (claimedBy !== null) {
    if (person !== claimedBy) return say('learner_differs', id, `claimed by ${claimedBy}, learner ${person}`)
    const last = rows.claims.get(id)?.at(-1)
    const proven = rows.proven.has(claimedBy) || last?.evidence === 'operator'
    return proven ? [] : say('claimed_unproven', id, `${claimedBy} has never proven anything`)
  }
  if (order.paidAt === null) return person === null ? [] : say('prepared_unpaid', id, person)
  const mailbox = mailboxOf(order)
  const expected = mailbox === null ? null : (rows.mailboxes.get(mailbox) ?? null)
  if (person !== null && person !== expected)
    return say('prepared_for_another', id, `${person}, mailbox of ${expected}`)
  const transferred = rows.claims.get(id)?.some((c) => c.evidence === 'operator') === true
  if (rows.prepare === 'at_claim')
    return person === null || transferred ? [] : say('prepared_early', id, `${person} has claimed nothing`)
  const waits = order.gift?.sendAt != null && order.gift.sendAt > now
  const gives = order.state === 'paid' || order.state === 'partially_refunded'
  return gives && person === null && mailbox !== null && !waits ? say('nobody_prepared', id, mailbox) : []
}

/** Of a claimed order no secret and no link is good any more. */
function burnt(order: OwnedOrder): Violation[] {
  if (order.claimedBy === null) return []
  return [
    ...(order.secrets > 0 ? say('secret_left', order.id, `${order.secrets} secrets still claim it`) : []),
    ...(order.links > 0 ? say('link_left', order.id, `${order.links} links still claim it`) : []),
  ]
}

// As orders/receipts.ts: a sale made elsewhere that is heard of a day later brings nobody a receipt.
const receiptWithinMs = day

/** One receipt per paid order: of a gift the giver's, and the gift itself to its recipient. */
function messages(order: OwnedOrder, now: Instant): Violation[] {
  const count = (kind: string) => order.mails.filter((m) => m.kind === kind && m.key !== null).length
  const [own, other] = order.gift === null ? ['receipt', 'gift_receipt'] : ['gift_receipt', 'receipt']
  const found: Violation[] = []
  if (count(own ?? '') > 1 || count(other ?? '') > 0)
    found.push(...say('receipts_wrong', order.id, order.mails.map((m) => m.kind).join()))
  if (order.paidAt === null || order.email === null) return found
  const heardInTime =
    order.begunHere || (order.toldPaidAt !== null && order.toldPaidAt - order.paidAt <= receiptWithinMs)
  // Money on its way back, or lines that came later than the money, explain that nobody was written to.
  const explained = !heardInTime || order.moneyBack || order.lines === 0 || (order.linesLate && !order.begunHere)
  if (count(own ?? '') === 0 && !explained) found.push(...say('receipt_missing', order.id, order.email))
  const { gift } = order
  if (gift?.email == null) return found
  const gifts = count('gift')
  if (gifts > 1) found.push(...say('gift_sent_twice', order.id, gift.email))
  const due = gift.sendAt === null || gift.sendAt <= now
  const claimedBefore = order.claimedBy !== null || order.claims > 0
  if (gifts === 0 && due && count(own ?? '') === 1 && !order.moneyBack && !claimedBefore)
    found.push(...say('gift_unsent', order.id, gift.email))
  if (gifts > 0 && !due) found.push(...say('gift_early', order.id, gift.email))
  return found
}

/** A case is about somebody who does not have the order; each claimant has one open case at most. */
function cases(rows: ClaimRows): Violation[] {
  const orders = new Map(rows.orders.map((o) => [o.id, o]))
  return rows.cases.flatMap((k) => {
    if (k.state !== 'open') return []
    return k.claimant === k.holder
      ? say('case_of_one', k.order, k.id)
      : orders.has(k.order)
        ? []
        : say('case_lost', k.order, k.id)
  })
}

/** What an order gives, it gives its learner and those its further seats were given to. */
function foreignReasons(rows: ClaimRows): Violation[] {
  const orders = new Map(rows.orders.map((o) => [o.id, o]))
  return rows.reasons.flatMap((reason) => {
    const order = orders.get(reason.order)
    if (order === undefined || reason.person === order.person || reason.assigned) return []
    const standIn = rows.unprovenMailboxes.has(reason.person) && order.claimedBy !== null
    const code = standIn ? 'mailbox_holds_claimed' : 'foreign_reason'
    return say(code, reason.id, `${reason.person} holds a course of ${order.id}, whose learner is ${order.person}`)
  })
}

/** Whoever turned out to be another holds nothing any more. */
const joined = (rows: ClaimRows): Violation[] =>
  rows.merged.flatMap(({ person, holds }) => (holds.length === 0 ? [] : say('merged_holds', person, holds.join())))
