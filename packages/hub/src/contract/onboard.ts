import type { IncomingHttpHeaders } from 'node:http'
import { CodedError } from '@bursar/kit/errors.ts'
import type { CallerUser } from '#action/caller.ts'
import { type Ctx, inTx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { dueAccounts } from '#entitlements/seats.ts'
import { freshProofMs, isFresh, type SignedIn } from '#identity/signed-in.ts'
import { type ClaimResult, claimIn } from '#orders/claim.ts'
import { closedAdvice } from '#orders/claim-rules.ts'
import { settleNow } from '#orders/settle-now.ts'
import { placeOfOrder, type SeatShown, seatsShown } from '#orders/view.ts'
import { type ContractDeps, parseBody, personAsking, personCtx } from './asking.ts'
import { claimSecretIn } from './hosted.ts'
import { answerOf, type OnboardAnswer } from './onboard-answer.ts'
import { type OnboardInput, onboardBody } from './onboard-body.ts'
import { openingLimitMs, openWithin } from './opening.ts'
import { noSuchOrder } from './status.ts'

type Request = {
  readonly request: { readonly method: string; readonly headers: IncomingHttpHeaders }
  readonly traceId: string
}

/**
 * The buyer is back and signed in: settles, claims and opens in line, and says how far it got. Who they are comes from
 * the session alone, what they get from what was paid alone. Repeating it is safe and tells the current truth.
 */
export async function onboardLearner(deps: ContractDeps, body: unknown, from: Request): Promise<OnboardAnswer> {
  const signedIn = await personAsking(deps, from.request)
  const input = parseBody(onboardBody, body)
  const place = await placeOf(deps, input, signedIn)
  // The same answers as for an order of somebody else.
  if (place === null) throw hasProof(deps, signedIn, input) ? noSuchOrder() : unproven(signedIn)
  const { ctx, user } = await personCtx(deps.app, signedIn, place.organization, from.traceId)
  const wish = {
    orderId: place.orderId,
    claimSecret: input.claimSecret ?? claimSecretIn(from.request, place.orderId, deps.app.publicUrl),
    linkToken: input.linkToken ?? null,
    confirmEmail: input.confirmEmail,
  }
  const attempt = () => inTx(ctx, (tx) => claimAndCheck(tx, ctx, user, wish, input))
  const startedAt = ctx.clock.now()
  let claimed = await attempt()
  if (claimed.kind === 'not_paid' && (await settleNow(ctx, place.orderId)).outcome !== 'waits')
    claimed = await attempt()
  if (claimed.kind !== 'claimed') throw refusalOf(claimed, signedIn)
  const accounts = await inTx(ctx, (tx) => dueAccounts(tx, claimed.order.personId ?? user.personId))
  await openWithin(ctx, accounts, openingLimitMs - (ctx.clock.now() - startedAt))
  return inTx(ctx, async (tx) => answerOf(input, signedIn, await seatsShown(tx, claimed.order)))
}

async function placeOf(deps: ContractDeps, input: OnboardInput, signedIn: SignedIn) {
  const { orderRef, stripePaymentIntentId: paymentId } = input
  const organization = signedIn.organization ?? input.organization ?? null
  const place =
    orderRef !== undefined
      ? await placeOfOrder(deps.app, { orderRef })
      : await placeOfOrder(deps.app, { paymentId: paymentId ?? '', organization })
  const elsewhere = signedIn.organization !== null && place?.organization !== signedIn.organization
  return elsewhere ? null : place
}

const hasProof = ({ app }: ContractDeps, signedIn: SignedIn, input: OnboardInput): boolean =>
  input.claimSecret !== undefined ||
  input.linkToken !== undefined ||
  (signedIn.email !== null && isFresh(signedIn.mailboxProvenAt, app.clock.now(), freshProofMs))

type Wish = Parameters<typeof claimIn>[3]

/** Claims, and refuses in the same transaction what names courses nobody paid for: then nothing has happened. */
async function claimAndCheck(
  tx: Tx,
  ctx: Ctx,
  user: CallerUser,
  wish: Wish,
  input: OnboardInput,
): Promise<ClaimResult> {
  const claimed = await claimIn(tx, ctx, user, wish)
  if (claimed.kind === 'claimed') refuseUnpaid(await seatsShown(tx, claimed.order), input)
  return claimed
}

function refuseUnpaid(paid: readonly SeatShown[], { courseIds = [], bundleIds = [] }: OnboardInput): void {
  const unpaid = [
    ...courseIds.filter((name) => !paid.some((s) => names(s, name) && s.kind !== 'bundle')),
    ...bundleIds.filter((name) => !paid.some((s) => names(s, name) && s.kind === 'bundle')),
  ]
  if (unpaid.length > 0)
    throw new CodedError('courses_not_paid', `Not paid for with this order: ${unpaid.join(', ')}.`, {
      courses: unpaid,
    })
}

const names = (seat: SeatShown, name: string): boolean => seat.courseId === name || seat.externalId === name

const unproven = (signedIn: SignedIn): CodedError =>
  new CodedError('email_unproven', 'Prove the mailbox the purchase was paid with: ask for a code to it and sign in.', {
    action: 'prove_email',
    email: signedIn.email,
  })

function refusalOf(result: Exclude<ClaimResult, { kind: 'claimed' }>, signedIn: SignedIn): CodedError {
  switch (result.kind) {
    case 'unknown':
      return noSuchOrder()
    case 'unproven':
      return unproven(signedIn)
    case 'gift_of_another':
      return new CodedError('forbidden', 'This was bought as a gift: the link in the gift opens it, for its recipient.')
    case 'not_paid':
      return new CodedError('not_paid', undefined, { status: 'preparing', action: 'wait' })
    case 'closed':
      return new CodedError('order_closed', closedAdvice[result.state], { state: result.state, status: 'failed' })
    case 'confirm':
      return new CodedError('email_differs', undefined, {
        action: 'confirm_email',
        paidEmail: result.paidEmail,
        signedInEmail: result.yourEmail,
      })
    case 'second_claimant':
      return new CodedError('claimed_already', undefined, { caseId: result.caseId })
  }
}
