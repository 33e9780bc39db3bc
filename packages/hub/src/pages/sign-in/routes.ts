import { CodedError } from '@bursar/kit/errors.ts'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { originsOf } from '#identity/origins.ts'
import type { Provider } from '#identity/provider/provider.ts'
import { builtInIssuer, type SignedIn } from '#identity/signed-in.ts'
import type { SignInDoor, SignInMethod } from '#surfaces/sign-in-routes.ts'
import { field, goOn, ownForm, type PageRequest, pageScope, sendPage } from '../answer.ts'
import { askProvider } from '../ask-provider.ts'
import { texts } from '../texts.ts'
import { type PageDeps, visitorOf } from '../visitor.ts'
import { handOver, openToOpener } from './hand-over.ts'
import { codePage, factorPage, signInPage } from './views.ts'
import { organizationsWaiting } from './waiting.ts'
import { type SignInWay, wayOf } from './way.ts'

export type SignInPageDeps = PageDeps & {
  readonly door: Omit<SignInDoor, 'app'>
  readonly provider: Pick<Provider, 'requestCode' | 'verifyCode' | 'signInWithPassword' | 'exportUser' | 'handOver'>
}

type Place = { readonly id: string | null; readonly name: string | null }

const builtInMethods: readonly SignInMethod[] = [{ kind: 'code' }, { kind: 'passkey' }, { kind: 'password' }]

/**
 * Signing in on the hub's own pages, without a script: a code first, then the rest. Known and unknown addresses get the
 * same words at every step. An application that waits (OpenID Connect) is carried through in the query.
 */
export function signInPageRoutes(fastify: FastifyInstance, deps: SignInPageDeps): void {
  const page = pageScope(fastify, 'sign-in')
  const { publicUrl } = deps.app
  const own = (handle: Step) =>
    page(
      ownForm(publicUrl, async (request, reply) => {
        const way = wayOf(request.url)
        if (way.popup) openToOpener(reply)
        return handle({ fastify, deps, way, place: await placeOf(deps, way), request, reply })
      }),
    )
  fastify.get(
    '/sign-in',
    page(async (request, reply) => {
      const way = wayOf(request.url)
      if (way.popup) openToOpener(reply)
      return first({ fastify, deps, way, place: await placeOf(deps, way), request, reply }, null)
    }),
  )
  fastify.post('/sign-in/code', own(sendCode))
  fastify.post('/sign-in/verify', own(verify))
  fastify.post('/sign-in/password', own(password))
  fastify.post('/sign-in/second-factor', own(secondFactor))
  fastify.post(
    '/sign-in/done',
    own(async (it) => {
      const visitor = await visitorOf(it.deps, it.request)
      return visitor === null ? first(it, null) : finish(it, [])
    }),
  )
}

type At = {
  readonly fastify: FastifyInstance
  readonly deps: SignInPageDeps
  readonly way: SignInWay
  readonly place: Place
  readonly request: PageRequest
  readonly reply: FastifyReply
}
type Step = (it: At) => Promise<FastifyReply>

/** An application's sign-in is the hub's own; else the organization of the address decides whose codes are meant. */
async function placeOf(deps: SignInPageDeps, way: SignInWay): Promise<Place> {
  const found = way.organization === null || way.application ? null : await originsOf(deps.app, way.organization)
  return found === null ? { id: null, name: null } : { id: found.organization, name: found.name }
}

async function first(it: At, problem: string | null, email = it.way.hint): Promise<FastifyReply> {
  const { deps, way, place, request, reply } = it
  const visitor = await visitorOf(deps, request)
  const methods = place.id === null ? builtInMethods : await deps.door.methodsOf(place.id)
  const signedInAs = visitor === null || asksAgain(way) ? null : (visitor.email ?? visitor.subject)
  return sendPage(reply, {
    ...signInPage({ way, from: place.name, methods, signedInAs, problem, email }),
    status: problem === null ? 200 : 400,
  })
}

const asksAgain = (way: SignInWay): boolean =>
  way.application && (new URLSearchParams(way.query).get('prompt') ?? '').split(' ').includes('login')

const contextOf = ({ request, place }: At) => ({
  address: request.ip,
  userAgent: request.headers['user-agent']?.slice(0, 300) ?? null,
  organization: place.id,
})

/** The organization's own code service, or the built-in one. */
async function codesOf(it: At) {
  const { id } = it.place
  if (id !== null) {
    const codes = await it.deps.door.codesOf(id)
    const context = { ...contextOf(it), organization: id }
    return {
      request: (email: string) => codes.request(email, context),
      verify: (email: string, code: string) => codes.verify(email, code, context),
    }
  }
  const { provider } = it.deps
  return {
    request: (email: string) => provider.requestCode(email, contextOf(it)),
    verify: (email: string, code: string) => provider.verifyCode(email, code, contextOf(it)),
  }
}

/** What a refusal says to a person, without saying whether anybody has the address. */
const wordsFor = (error: unknown): string => {
  if (!(error instanceof CodedError)) throw error
  const t = texts.signIn.problems
  switch (error.code) {
    case 'input_invalid':
      return t.address
    case 'rate_limited':
      return t.tooOften
    case 'upstream_failed':
      return t.away
    default:
      throw error
  }
}

async function sendCode(it: At): Promise<FastifyReply> {
  const email = (field(it.request.body, 'email') ?? '').trim()
  try {
    await (await codesOf(it)).request(email)
  } catch (error) {
    return first(it, wordsFor(error), email)
  }
  return sendPage(it.reply, codePage(it.way, it.place.name, email, null))
}

async function verify(it: At): Promise<FastifyReply> {
  const email = (field(it.request.body, 'email') ?? '').trim()
  const code = (field(it.request.body, 'code') ?? '').replaceAll(/\s/g, '')
  const again = (problem: string) =>
    sendPage(it.reply, { ...codePage(it.way, it.place.name, email, problem), status: 400 })
  const t = texts.signIn.problems
  try {
    const answer = await (await codesOf(it)).verify(email, code)
    if (!('refused' in answer)) return await entered(it, answer)
    return again(answer.refused === 'too_many' ? t.codeSpent : answer.refused === 'wrong' ? t.code : t.away)
  } catch (error) {
    return again(wordsFor(error))
  }
}

async function password(it: At): Promise<FastifyReply> {
  const email = (field(it.request.body, 'email') ?? '').trim()
  const given = field(it.request.body, 'password') ?? ''
  try {
    const answer = await it.deps.provider.signInWithPassword(email, given, contextOf(it))
    if (!('refused' in answer)) return await entered(it, answer)
    return first(it, texts.signIn.problems.password, email)
  } catch (error) {
    return first(it, wordsFor(error), email)
  }
}

/** Signed in: what waits for the person is theirs now; who has an authenticator is asked for it. */
async function entered(
  it: At,
  { signedIn, cookies }: { readonly signedIn: SignedIn; readonly cookies: readonly string[] },
): Promise<FastifyReply> {
  const { deps, place } = it
  const places = new Set([
    ...(place.id === null ? [] : [place.id]),
    ...(await organizationsWaiting(deps.app, signedIn)),
  ])
  for (const organization of places) await deps.door.onSignedIn(organization, signedIn)
  for (const cookie of cookies) void it.reply.header('set-cookie', cookie)
  if (signedIn.issuer === builtInIssuer(deps.app) && signedIn.secondFactorAt === null) {
    const user = await deps.provider.exportUser(signedIn.subject)
    if (user?.secondFactor === true) return sendPage(it.reply, factorPage(it.way, null))
  }
  return finish(it, cookies)
}

const sixDigits = /^\d{6}$/

async function secondFactor(it: At): Promise<FastifyReply> {
  const code = (field(it.request.body, 'code') ?? '').replaceAll(/\s/g, '')
  const path = sixDigits.test(code) ? '/two-factor/verify-totp' : '/two-factor/verify-backup-code'
  const { publicUrl } = it.deps.app
  const answer = await askProvider(it.fastify, it.request, { method: 'POST', path, body: { code }, publicUrl })
  const t = texts.signIn.problems
  if (answer.status !== 200)
    return sendPage(it.reply, { ...factorPage(it.way, answer.status === 429 ? t.tooOften : t.factor), status: 400 })
  for (const cookie of answer.cookies) void it.reply.header('set-cookie', cookie)
  return finish(it, answer.cookies)
}

/** On to where they were going. An application's address comes from the library, which has checked its own query. */
async function finish(it: At, cookies: readonly string[]): Promise<FastifyReply> {
  const { way, deps, fastify, request, reply } = it
  if (way.popup)
    return (await handOver(deps.provider, request, reply, cookies)) ?? first(it, texts.signIn.problems.away)
  if (!way.application) return goOn(reply, way.back)
  const answer = await askProvider(fastify, request, {
    method: 'POST',
    path: '/sign-in/continue',
    body: { oauth_query: way.query },
    publicUrl: deps.app.publicUrl,
    cookies,
  })
  const { url } = answer.json
  if (answer.status === 200 && typeof url === 'string')
    return goOn(reply, url, way.applicationOrigin === null ? [] : [way.applicationOrigin])
  return first(it, texts.signIn.problems.application)
}
