import { minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { App } from '#action/context.ts'
import type { CodeRefusal, CodeSignIn } from '#identity/code-sign-in.ts'
import { originsOf } from '#identity/origins.ts'
import type { IdentityRequest, SignedIn } from '#identity/signed-in.ts'
import { acceptJson } from './bodies.ts'

/** A way to sign in at one organization, in the order in which to offer them. */
export type SignInMethod =
  | { readonly kind: 'code' | 'password' | 'passkey' }
  | { readonly kind: 'issuer'; readonly id: string; readonly name: string }

/** A new session on its way to its owner. `cookies` are whole Set-Cookie values. */
export type Handed = {
  readonly signedIn: SignedIn
  readonly token: string
  readonly cookies: readonly string[]
  readonly expiresAt: number
  readonly isNew: boolean
}

export type SignInDoor = {
  readonly app: App
  /** Who sends and takes this organization's codes: the built-in provider, or the organization's own. */
  codesOf(organization: string): Promise<
    Pick<CodeSignIn, 'request'> & {
      verify(...of: Parameters<CodeSignIn['verify']>): Promise<Handed | { readonly refused: CodeRefusal }>
    }
  >
  methodsOf(organization: string): Promise<readonly SignInMethod[]>
  /** Ends the session a request carries. Returns the cookies that take it out of the browser. */
  signOut(request: IdentityRequest): Promise<readonly string[]>
  /** What waits for a proven mailbox: the person of this organization, and what was bought for that address. */
  onSignedIn(organization: string, signedIn: SignedIn): Promise<void>
}

const organization = z.string().min(1).max(60)
const email = z.string().trim().min(3).max(254)
const askInput = z.strictObject({ organization, email })
const verifyInput = z.strictObject({
  organization,
  email,
  code: z.string().trim().min(1).max(20),
  transport: z.enum(['token', 'cookie']).default('token'),
})
const methodsQuery = z.object({ organization })

// Strangers reach these. A person types a few; whoever tries all codes of six digits needs a million.
const perMinute = { ask: 10, verify: 20, read: 120 } as const

/** Signing in with a code, whoever sends it, in the same three requests for every provider. */
export function signInRoutes(fastify: FastifyInstance, door: SignInDoor): void {
  acceptJson(fastify)
  const limited = (name: keyof typeof perMinute) => {
    const limit = fastify.createRateLimit({
      max: perMinute[name],
      timeWindow: minute,
      keyGenerator: (request) => `sign-in ${name} ${normalizeIP(request.ip)}`,
    })
    return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const used = await limit(request)
      if (used.isAllowed || !used.isExceeded) return
      const seconds = Math.max(1, used.ttlInSeconds)
      void reply.header('retry-after', String(seconds))
      throw new CodedError('rate_limited', undefined, { retryAfterSeconds: seconds })
    }
  }
  fastify.post('/api/sign-in/code', { onRequest: limited('ask') }, async (request, reply) => {
    const input = read(askInput, request.body)
    const id = await organizationOf(door.app, input.organization)
    await (await door.codesOf(id)).request(input.email, contextOf(request, id))
    return noStore(reply).send({ ok: true })
  })
  fastify.post('/api/sign-in/verify', { onRequest: limited('verify') }, async (request, reply) => {
    const input = read(verifyInput, request.body)
    const id = await organizationOf(door.app, input.organization)
    const answer = await (await door.codesOf(id)).verify(input.email, input.code, contextOf(request, id))
    if ('refused' in answer) throw refusal(answer.refused)
    await door.onSignedIn(id, answer.signedIn)
    return hand(noStore(reply), answer, input.transport)
  })
  fastify.get('/api/sign-in/methods', { onRequest: limited('read') }, async (request, reply) => {
    const input = read(methodsQuery, request.query)
    const id = await organizationOf(door.app, input.organization)
    return noStore(reply).send({ methods: await door.methodsOf(id) })
  })
  fastify.post('/api/sign-out', { onRequest: limited('read') }, async (request, reply) => {
    for (const cookie of await door.signOut(request)) void reply.header('set-cookie', cookie)
    return noStore(reply).send({ ok: true })
  })
}

/** Gives a session to its owner: to a frame as a token, to our own pages as a cookie that scripts cannot read. */
export function hand(reply: FastifyReply, handed: Handed, transport: 'token' | 'cookie'): FastifyReply {
  const { token, cookies, isNew } = handed
  const expiresAt = new Date(handed.expiresAt).toISOString()
  if (transport === 'token') return reply.send({ token, expiresAt, isNew })
  for (const cookie of cookies) void reply.header('set-cookie', cookie)
  return reply.send({ token: null, expiresAt, isNew })
}

const noStore = (reply: FastifyReply): FastifyReply => reply.header('cache-control', 'no-store')

function read<T>(schema: z.ZodType<T>, raw: unknown): T {
  const parsed = schema.safeParse(raw ?? {})
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map((issue) => ({ path: z.core.toDotPath(issue.path), message: issue.message }))
  throw new CodedError('input_invalid', `The input is not valid: ${issues[0]?.path}: ${issues[0]?.message}.`, {
    issues,
  })
}

async function organizationOf(app: App, slug: string): Promise<string> {
  const found = await originsOf(app, slug)
  if (found === null) throw new CodedError('not_found', 'There is no such organization.')
  return found.organization
}

const contextOf = (request: FastifyRequest, organization: string) => ({
  organization,
  address: request.ip,
  userAgent: request.headers['user-agent']?.slice(0, 300) ?? null,
})

const refusal = (refused: CodeRefusal): CodedError => {
  switch (refused) {
    case 'wrong':
      return new CodedError('code_wrong')
    case 'too_many':
      return new CodedError('code_wrong', 'This code was tried too often. Ask for a new one.', { spent: true })
    case 'rate_limited':
      return new CodedError('rate_limited')
    case 'unavailable':
      return new CodedError('upstream_failed', 'The sign-in service does not answer right now. Try again in a minute.')
    case 'second_factor':
      return new CodedError('second_factor_required')
  }
}
