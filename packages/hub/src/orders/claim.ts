import { day, type Instant } from '@bursar/kit/clock.ts'
import type { CallerUser } from '#action/caller.ts'
import { type Ctx, inTx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { applyJob } from '#entitlements/store.ts'
import { record } from '#events/timeline.ts'
import { normalizeEmail } from '#identity/people.ts'
import { freshProofMs, isFresh } from '#identity/signed-in.ts'
import { maskEmail } from '#mail/address.ts'
import { type ClaimDecision, type ClaimFacts, decideClaim, type Evidence } from './claim-rules.ts'
import { insertClaim, keepContact, openCase, shownFor } from './claim-store.ts'
import { burnLinks, isSecret, newSecret, secretHash } from './links.ts'
import { moveOrder } from './move.ts'
import { learnerMailbox } from './prepare.ts'
import { itemsOf, send } from './receipts.ts'
import { findOrderById, type OrderRow, orderLines } from './store.ts'

export type ClaimWish = {
  readonly orderId: string
  readonly claimSecret: string | null
  /** The token of a link in a receipt or a gift that the claimant holds. */
  readonly linkToken: string | null
  /** They have seen that the addresses differ and confirm it. */
  readonly confirmEmail: boolean
}

export type ClaimResult =
  | {
      readonly kind: 'claimed'
      readonly order: OrderRow
      readonly already: boolean
      readonly accounts: readonly string[]
      readonly undoUntil: Instant | null
    }
  | { readonly kind: 'confirm'; readonly paidEmail: string; readonly yourEmail: string }
  | { readonly kind: 'closed'; readonly state: OrderRow['state'] }
  | { readonly kind: 'second_claimant'; readonly caseId: string }
  | { readonly kind: 'unknown' | 'unproven' | 'gift_of_another' | 'not_paid' }

const undoMs = day

/**
 * Binds a purchase to the signed-in person, if what they show proves it theirs. One transaction: the order is locked as
 * settling locks it, its secrets burn, the seat moves, and the jobs that open it are written. Safe to repeat.
 */
export const claimOrder = (ctx: Ctx, user: CallerUser, wish: ClaimWish): Promise<ClaimResult> =>
  inTx(ctx, (tx) => claimIn(tx, ctx, user, wish))

export async function claimIn(tx: Tx, ctx: Ctx, user: CallerUser, wish: ClaimWish): Promise<ClaimResult> {
  const order = await findOrderById(tx, wish.orderId)
  const facts = order === null ? null : await factsOf(tx, order, user, wish)
  // Asked about an order that does not exist, the answer is that of one that is not theirs.
  const decision = facts === null ? decideClaim(noOrder(tx, user, wish)) : decideClaim(facts)
  if (order === null || facts === null) return { kind: decision.kind === 'unproven' ? 'unproven' : 'unknown' }
  switch (decision.kind) {
    case 'bind':
      return bind(tx, ctx, user, order, decision)
    case 'already':
      return { kind: 'claimed', order, already: true, accounts: [], undoUntil: null }
    case 'second_claimant':
      return refuseSecond(tx, ctx, user, order, decision.evidence)
    case 'confirm':
      return {
        kind: 'confirm',
        paidEmail: maskEmail(facts.mailbox ?? ''),
        yourEmail: facts.claimant.email ?? '',
      }
    case 'closed':
      return { kind: 'closed', state: order.state }
    case 'unknown':
    case 'unproven':
    case 'gift_of_another':
    case 'not_paid':
      return { kind: decision.kind }
  }
}

const claimantOf = (tx: Tx, user: CallerUser): ClaimFacts['claimant'] => ({
  personId: user.personId,
  email: user.email === null ? null : normalizeEmail(user.email),
  emailVerified: user.emailVerified,
  mailboxFresh: user.email !== null && isFresh(user.mailboxProvenAt, tx.now, freshProofMs),
})

/** A text that is none of our secrets is as wrong as one that was never given out. */
const hashOf = (text: string | null): Buffer | null =>
  text === null ? null : isSecret(text) ? secretHash(text) : Buffer.alloc(1)

async function factsOf(tx: Tx, order: OrderRow, user: CallerUser, wish: ClaimWish): Promise<ClaimFacts> {
  const shown = await shownFor(tx, order.id, hashOf(wish.claimSecret), hashOf(wish.linkToken))
  return {
    state: order.state,
    gift: order.gift !== null,
    mailbox: learnerMailbox(order),
    mailboxOnly: order.mailboxOnly,
    claimedBy: order.claimedBy,
    secret: shown.secret,
    link: shown.link,
    claimant: claimantOf(tx, user),
    confirmed: wish.confirmEmail,
  }
}

const noOrder = (tx: Tx, user: CallerUser, wish: ClaimWish): ClaimFacts => ({
  state: 'pending',
  gift: false,
  mailbox: null,
  mailboxOnly: false,
  claimedBy: null,
  secret: wish.claimSecret === null ? 'none' : 'wrong',
  link: wish.linkToken === null ? 'none' : 'wrong',
  claimant: claimantOf(tx, user),
  confirmed: false,
})

type Bind = Extract<ClaimDecision, { kind: 'bind' }>

const evidenceTexts: Readonly<Record<Evidence, string>> = {
  claim_secret: 'by the secret of the browser that paid',
  mailbox_code: 'by a proof of the paid mailbox',
  receipt_link: 'by the link of the receipt',
  session: 'by being signed in when the order began',
  operator: 'by a decision of an operator',
}

/** Makes the order theirs. Also what an operator's decision and a swept mailbox do. */
export async function bind(tx: Tx, ctx: Ctx, user: Claimant, order: OrderRow, decision: Bind): Promise<ClaimResult> {
  const undo = decision.emailsDiffer ? { token: newSecret(), until: tx.now + undoMs } : null
  const claimId = await insertClaim(tx, ctx, {
    orderId: order.id,
    fromPerson: order.personId,
    toPerson: user.personId,
    issuer: user.issuer,
    subject: user.subject,
    evidence: decision.evidence,
    emailsDiffer: decision.emailsDiffer,
    undoHash: undo === null ? null : secretHash(undo.token),
    undoUntil: undo?.until ?? null,
  })
  await burnLinks(tx, order.id)
  if (user.email !== null) await keepContact(tx, user.personId, normalizeEmail(user.email))
  const how = evidenceTexts[decision.evidence]
  const claimed = { ...order, personId: user.personId, claimedAt: tx.now, claimedBy: user.personId }
  const by = user.email === null ? 'Somebody without an address' : maskEmail(user.email)
  await record(tx, ctx, [
    {
      kind: 'order.claimed',
      orderId: order.id,
      personId: user.personId,
      data: { how, by, emailsDiffer: decision.emailsDiffer },
    },
  ])
  const moved = await moveOrder(tx, ctx, order, claimed, `It was claimed ${how}.`)
  await enqueue(
    tx,
    moved.accounts.map((a) => applyJob(ctx.organization, a)),
  )
  if (undo !== null) await notify(tx, ctx, order, { claimId, by, ...undo })
  return {
    kind: 'claimed',
    order: moved.order,
    already: false,
    accounts: moved.accounts,
    undoUntil: undo?.until ?? null,
  }
}

export type Claimant = Pick<CallerUser, 'personId' | 'issuer' | 'subject' | 'email'>

/** Tells the paid mailbox that another address has claimed its purchase, and how to take it back. */
async function notify(
  tx: Tx,
  ctx: Ctx,
  order: OrderRow,
  claim: { readonly claimId: string; readonly by: string; readonly token: string; readonly until: Instant },
): Promise<void> {
  const mailbox = learnerMailbox(order)
  if (mailbox === null) return
  await send(tx, ctx, order, {
    kind: 'claim_notice',
    to: mailbox,
    data: {
      orderRef: order.id,
      items: itemsOf(order, await orderLines(tx, order.id)),
      claimedBy: claim.by,
      undo: { url: `${ctx.publicUrl}/claim/undo/${claim.token}`, expiresAt: claim.until },
    },
    dedupeKey: `claim_notice:${claim.claimId}`,
  })
}

/** Somebody else has it and this one shows real evidence too: nothing moves; a person decides. */
async function refuseSecond(
  tx: Tx,
  ctx: Ctx,
  user: CallerUser,
  order: OrderRow,
  evidence: Evidence,
): Promise<ClaimResult> {
  const { id, fresh } = await openCase(tx, ctx, {
    orderId: order.id,
    claimant: user.personId,
    holder: order.claimedBy,
    presented: { evidence, email: user.email, issuer: user.issuer },
  })
  const by = user.email === null ? 'somebody without an address' : maskEmail(user.email)
  if (fresh)
    await record(tx, ctx, [
      {
        kind: 'order.claim_refused',
        orderId: order.id,
        personId: order.personId,
        data: { why: 'it is claimed already', by },
      },
      {
        kind: 'case.opened',
        orderId: order.id,
        personId: order.personId,
        data: { caseId: id, what: `a second person claims it ${evidenceTexts[evidence]}` },
      },
    ])
  return { kind: 'second_claimant', caseId: id }
}
