import type { FastifyInstance, FastifyReply } from 'fastify'
import type { App } from '#action/context.ts'
import { launch, launchPath } from '#entitlements/launch.ts'
import { hashOfToken } from '#entitlements/launch-link.ts'
import { isInsidePath, schoolOrigins } from '#entitlements/launch-path.ts'
import { type LaunchSeat, launchState, seatOfLink, seatOfPerson, signsInAtHub } from '#entitlements/launch-seat.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { field, goOn, ownForm, type PageRequest, pageScope, refuse, sendPage, wantsJson } from '../answer.ts'
import { liveMark } from '../page.ts'
import { type PageDeps, visitorOf } from '../visitor.ts'
import { endedPage, seatPage, signInFirstPage, unavailablePage, unknownPage, type Way } from './views.ts'

const enrollmentPattern = /^enr_[0-9a-hjkmnp-tv-z]{26}$/

/**
 * The door of a course. GET shows how the seat stands and changes nothing, so that a scanner, a preview or a prefetch
 * spends nothing; the button's POST leads to the school: for the learner's own session, or once for a link's token.
 */
export function launchRoutes(fastify: FastifyInstance, deps: PageDeps): void {
  const page = pageScope(fastify, 'launch')
  fastify.get(
    `${launchPath}/:enrollmentId`,
    page(async (request, reply) => {
      const way = wayOf(request.query)
      const found = await atDoor(deps, request, way)
      if (found.kind !== 'seat') return turnAway(request, reply, found.kind, way)
      const { seat } = found
      const state = launchState(seat)
      if (wantsJson(request))
        return reply.header('cache-control', 'no-store').send({ state, course: seat.course, live: liveMark(state) })
      return sendPage(reply, seatPage(seat, state, way))
    }),
  )
  fastify.post(
    `${launchPath}/:enrollmentId`,
    page(
      ownForm(deps.app.publicUrl, async (request, reply) => {
        const way = wayOf(request.body)
        const found = await atDoor(deps, request, way)
        if (found.kind !== 'seat') return turnAway(request, reply, found.kind, way)
        return enter(deps.app, request, reply, { ...found, way })
      }),
    ),
  )
}

const wayOf = (source: unknown): Way => {
  const wish = field(source, 'redirectTo')
  return { token: field(source, 'token'), redirectTo: wish !== null && isInsidePath(wish) ? wish : null }
}

type AtDoor =
  | { readonly kind: 'seat'; readonly seat: LaunchSeat; readonly signedIn: SignedIn | null }
  | { readonly kind: 'ended' | 'stranger' | 'unknown' }

/** A token speaks alone: whoever posts one is judged by it, whatever session their browser has besides. */
async function atDoor(deps: PageDeps, request: PageRequest, way: Way): Promise<AtDoor> {
  const { enrollmentId = '' } = request.params
  const readable = enrollmentPattern.test(enrollmentId)
  if (way.token !== null) {
    const hash = hashOfToken(way.token)
    const seat = !readable || hash === null ? null : await seatOfLink(deps.app, enrollmentId, hash)
    if (seat === null) return { kind: 'ended' }
    // An own link was made for a seat that was proven open within the last minute.
    return { kind: 'seat', seat: seat.linkPurpose === 'own' ? { ...seat, accountProven: true } : seat, signedIn: null }
  }
  const signedIn = await visitorOf(deps, request)
  if (signedIn === null) return { kind: 'stranger' }
  const seat = readable ? await seatOfPerson(deps.app, enrollmentId, signedIn) : null
  return seat === null ? { kind: 'unknown' } : { kind: 'seat', seat, signedIn }
}

/** Nobody learns which enrollments exist: without a session all look alike, with one all that are not theirs do. */
function turnAway(
  request: PageRequest,
  reply: FastifyReply,
  kind: 'ended' | 'stranger' | 'unknown',
  way: Way,
): FastifyReply {
  const query = way.redirectTo === null ? '' : `?${new URLSearchParams({ redirectTo: way.redirectTo })}`
  const { enrollmentId = '' } = request.params
  // Whoever made the address may name the organization, so that its own way to sign in is offered.
  const organization = field(request.query, 'organization')
  const back = enrollmentPattern.test(enrollmentId) ? `${launchPath}/${enrollmentId}${query}` : '/account'
  switch (kind) {
    case 'ended':
      return refuse(request, reply, 'link_expired', endedPage)
    case 'stranger':
      return refuse(request, reply, 'unauthenticated', signInFirstPage(back, organization))
    case 'unknown':
      return refuse(request, reply, 'not_found', unknownPage(back, organization))
  }
}

type Entering = { readonly seat: LaunchSeat; readonly signedIn: SignedIn | null; readonly way: Way }

async function enter(
  app: App,
  request: PageRequest,
  reply: FastifyReply,
  { seat, signedIn, way }: Entering,
): Promise<FastifyReply> {
  const state = launchState(seat)
  if (state !== 'open') return refuse(request, reply, 'launch_unavailable', seatPage(seat, state, way), { state })
  const launched = await launch(app, seat, {
    path: seat.linkPath ?? way.redirectTo,
    signsIn: signedIn !== null && signsInAtHub(app, signedIn, seat.accountEmail),
  })
  if (launched.ok) {
    const origins = schoolOrigins(seat.schoolConfig)
    return goOn(reply, launched.url, origins)
  }
  if (launched.reason === 'expired') return refuse(request, reply, 'link_expired', endedPage)
  return refuse(request, reply, 'launch_unavailable', unavailablePage(seat, launched.reason), {
    state: launched.reason,
  })
}
