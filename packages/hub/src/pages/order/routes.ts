import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Ctx, inTx, systemCtx } from '#action/context.ts'
import { personOf } from '#identity/people.ts'
import type { IdentityRequest, SignedIn } from '#identity/signed-in.ts'
import { claimOrder } from '#orders/claim.ts'
import { settleNow } from '#orders/settle-now.ts'
import { type OrderPlace, type OrderShown, placeOfOrder, viewOrder } from '#orders/view.ts'
import { field, goOn, ownForm, type PageRequest, pageScope, refuse, sendPage, wantsJson } from '../answer.ts'
import { liveMark } from '../page.ts'
import { personCtx, schoolsOf } from '../person.ts'
import { type PageDeps, visitorOf } from '../visitor.ts'
import { claimRefusedPage, confirmPage, orderPage, signInFirstPage, unknownPage } from './views.ts'

export type OrderPageDeps = PageDeps & {
  /** The secret of an order that this browser keeps in its cookie; null without one. */
  claimSecretIn(request: IdentityRequest, orderRef: string): string | null
}

const orderPattern = /^ord_[0-9a-hjkmnp-tv-z]{26}$/

/** How an order stands, for the browser that paid and for its learner; from here they take it and open its courses. */
export function orderRoutes(fastify: FastifyInstance, deps: OrderPageDeps): void {
  const page = pageScope(fastify, 'order')
  const { app } = deps
  fastify.get(
    '/orders/:orderRef',
    page(async (request, reply) => {
      const seen = await look(deps, request)
      if (seen.kind !== 'order') return turnAway(request, reply, seen.kind)
      const { order, place, visitor } = seen
      if (wantsJson(request)) return reply.header('cache-control', 'no-store').send({ live: liveMark(order) })
      const formsTo = await schoolsOf(app, place.organization)
      return sendPage(reply, orderPage({ order, slug: place.slug, signedIn: visitor !== null, formsTo }))
    }),
  )
  fastify.post('/orders/:orderRef/claim', page(ownForm(app.publicUrl, (request, reply) => claim(deps, request, reply))))
}

type Seen =
  | {
      readonly kind: 'order'
      readonly place: OrderPlace
      readonly order: OrderShown
      readonly visitor: SignedIn | null
      readonly secret: string | null
    }
  | { readonly kind: 'stranger' | 'unknown' }

/** An order that is nobody's business and one that does not exist look alike. A payment still open is asked about. */
async function look(deps: OrderPageDeps, request: PageRequest): Promise<Seen> {
  const { orderRef = '' } = request.params
  const { app } = deps
  const visitor = await visitorOf(deps, request)
  const hidden: Seen = { kind: visitor === null ? 'stranger' : 'unknown' }
  const place = orderPattern.test(orderRef) ? await placeOfOrder(app, { orderRef }) : null
  if (place === null) return hidden
  const secret = deps.claimSecretIn(request, orderRef)
  const ctx = systemCtx(app, place.organization, 'order page', request.id)
  const viewer = { secret, personId: visitor === null ? null : await knownPerson(ctx, visitor) }
  const read = () => inTx(ctx, (tx) => viewOrder(tx, place.orderId, viewer))
  const before = await read()
  if (before === null) return hidden
  const open = before.payment === 'pending' || before.payment === 'processing'
  const order = open && (await settleNow(ctx, place.orderId)).outcome === 'asked' ? await read() : before
  return order === null ? hidden : { kind: 'order', place, order, visitor, secret }
}

/** Looking makes nobody known here. */
const knownPerson = (ctx: Ctx, { issuer, subject, organization }: SignedIn): Promise<string | null> =>
  organization !== null && organization !== ctx.organization
    ? Promise.resolve(null)
    : inTx(ctx, (tx) => personOf(tx, ctx.organization, issuer, subject))

function turnAway(request: PageRequest, reply: FastifyReply, kind: 'stranger' | 'unknown'): FastifyReply {
  const { orderRef = '' } = request.params
  const back = orderPattern.test(orderRef) ? `/orders/${orderRef}` : '/account'
  return kind === 'stranger'
    ? refuse(request, reply, 'unauthenticated', signInFirstPage(back))
    : refuse(request, reply, 'not_found', unknownPage(back))
}

async function claim(deps: OrderPageDeps, request: PageRequest, reply: FastifyReply): Promise<FastifyReply> {
  const seen = await look(deps, request)
  if (seen.kind !== 'order') return turnAway(request, reply, seen.kind)
  const { place, visitor, secret } = seen
  const path = `/orders/${place.orderId}`
  if (visitor === null) return refuse(request, reply, 'unauthenticated', signInFirstPage(path))
  const { ctx, user } = await personCtx(deps.app, visitor, place.organization, request.id)
  const confirmEmail = field(request.body, 'confirm') === 'yes'
  const wish = { orderId: place.orderId, claimSecret: secret, linkToken: null, confirmEmail }
  const result = await claimOrder(ctx, user, wish)
  if (result.kind === 'claimed') return goOn(reply, path)
  if (result.kind === 'confirm') return sendPage(reply, confirmPage(place.orderId, result))
  return refuse(request, reply, 'conflict', claimRefusedPage(result.kind, path))
}
