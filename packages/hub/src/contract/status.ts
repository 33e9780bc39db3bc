import type { IncomingHttpHeaders } from 'node:http'
import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { inTx, systemCtx } from '#action/context.ts'
import { id } from '#action/fields.ts'
import { personOf } from '#identity/people.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { isSecret } from '#orders/links.ts'
import { settleNow } from '#orders/settle-now.ts'
import { type OrderShown, placeOfOrder, type Viewer, viewOrder } from '#orders/view.ts'
import { askerOf, type ContractDeps, parseBody } from './asking.ts'
import { claimSecretIn } from './hosted.ts'

const statusBody = z.strictObject({
  orderRef: id('ord'),
  claimSecret: z.string().min(1).max(200).optional(),
  organization: z.string().max(80).optional(),
})

export type StatusAnswer = Omit<OrderShown, 'seats' | 'gift'> & {
  readonly gift: boolean
  readonly seats: readonly Pick<
    OrderShown['seats'][number],
    'enrollmentId' | 'course' | 'school' | 'state' | 'message'
  >[]
}

type Request = {
  readonly request: { readonly method: string; readonly headers: IncomingHttpHeaders }
  readonly traceId: string
}

/** One answer for an order that does not exist and for one that is nobody's business. */
export const noSuchOrder = (): CodedError =>
  new CodedError('not_found', 'There is no such order, or not for whoever asks.')

/**
 * How an order stands, for whoever holds its secret or is its learner. An order that is not paid yet is asked about
 * at the provider first, at most every other second.
 */
export async function checkoutStatus(deps: ContractDeps, body: unknown, from: Request): Promise<StatusAnswer> {
  const input = parseBody(statusBody, body)
  const { app } = deps
  const asker = await askerOf(deps, from.request)
  const place = await placeOfOrder(app, { orderRef: input.orderRef })
  if (place === null) throw noSuchOrder()
  const ctx = systemCtx(app, place.organization, 'checkout', from.traceId)
  const viewer: Viewer = {
    secret: secretOf(deps, input, from),
    personId: asker.kind === 'person' ? await knownPerson(deps, asker.signedIn, place.organization) : null,
  }
  const before = await inTx(ctx, (tx) => viewOrder(tx, place.orderId, viewer))
  if (before === null) throw noSuchOrder()
  const open = before.payment === 'pending' || before.payment === 'processing'
  const asked = open && (await settleNow(ctx, place.orderId)).outcome === 'asked'
  const now = asked ? await inTx(ctx, (tx) => viewOrder(tx, place.orderId, viewer)) : before
  if (now === null) throw noSuchOrder()
  return {
    ...now,
    seats: now.seats.map(({ enrollmentId, course, school, state, message }) => ({
      enrollmentId,
      course,
      school,
      state,
      message,
    })),
  }
}

/** The secret that was sent, or that this browser keeps; a text that is none is nobody's. */
function secretOf(deps: ContractDeps, input: z.output<typeof statusBody>, from: Request): string | null {
  const given = input.claimSecret ?? claimSecretIn(from.request, input.orderRef, deps.app.publicUrl)
  return given !== null && isSecret(given) ? given : null
}

/** Looking makes nobody known: who is no person here yet has no order here. */
const knownPerson = (deps: ContractDeps, signedIn: SignedIn, organization: string): Promise<string | null> =>
  signedIn.organization !== null && signedIn.organization !== organization
    ? Promise.resolve(null)
    : inTx({ db: deps.app.db, organization }, (tx) => personOf(tx, organization, signedIn.issuer, signedIn.subject))
