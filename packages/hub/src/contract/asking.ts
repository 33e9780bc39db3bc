import { CodedError } from '@bursar/kit/errors.ts'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { allows, type Caller } from '#action/caller.ts'
import { type App, type Ctx, systemCtx } from '#action/context.ts'
import { authenticate } from '#identity/authenticate.ts'
import { type IdentityRequest, type SessionSource, type SignedIn, signedInBy } from '#identity/signed-in.ts'
import { callerOfUser } from '#identity/user-caller.ts'

/** What the routes of the contract need: the process, and the ways in which requests say who sends them. */
export type ContractDeps = { readonly app: App; readonly sources: readonly SessionSource[] }

/** Who asks: a signed-in person, a shop's server with a key, or a stranger. */
export type Asker =
  | { readonly kind: 'person'; readonly signedIn: SignedIn }
  | { readonly kind: 'key'; readonly caller: Caller }
  | { readonly kind: 'stranger' }

/** A wrong token or key is refused, never taken for a stranger. */
export async function askerOf(deps: ContractDeps, request: IdentityRequest): Promise<Asker> {
  const signedIn = await signedInBy(deps.sources, request)
  if (signedIn === 'invalid') throw new CodedError('unauthenticated', 'The session is not valid: unknown or ended.')
  if (signedIn !== null) return { kind: 'person', signedIn }
  const key = await authenticate(deps.app, request.headers.authorization)
  if (key.ok) return { kind: 'key', caller: key.caller }
  if (key.reason === 'invalid') throw new CodedError('unauthenticated')
  return { kind: 'stranger' }
}

/** The person behind a request; anybody else is refused. */
export async function personAsking(deps: ContractDeps, request: IdentityRequest): Promise<SignedIn> {
  const asker = await askerOf(deps, request)
  if (asker.kind === 'person') return asker.signedIn
  throw new CodedError('unauthenticated', 'Sign in first.')
}

/** The context of a person in one organization. A session of another organization counts for nothing here. */
export async function personCtx(app: App, signedIn: SignedIn, organization: string, traceId: string) {
  const { actor, user } = await callerOfUser(app, signedIn, organization)
  if (user === undefined) throw new Error('a signed-in caller without its person')
  const ctx: Ctx = { ...systemCtx(app, organization, 'contract', traceId), actor, user }
  return { ctx, user }
}

/** The context of whoever else asks: a key in its own organization, a stranger in the one they name. */
export function otherCtx(app: App, asker: Asker, organization: string, traceId: string): Ctx {
  const base = systemCtx(app, organization, 'checkout', traceId)
  return asker.kind === 'key' ? { ...base, actor: asker.caller.actor } : base
}

/** Keys act in their own organization and need the scope; both refusals look like an organization that is not there. */
export function permitKey(asker: Asker, organization: string): void {
  if (asker.kind !== 'key') return
  if (asker.caller.organization !== organization) throw new CodedError('not_found', 'There is no such organization.')
  if (!allows(asker.caller.scopes, 'orders:write'))
    throw new CodedError('forbidden', 'This key does not hold orders:write.', { scope: 'orders:write' })
}

/** The body in its shape, or the refusal that names each field. Unknown fields, such as an amount, are refused. */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body ?? {})
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => ({ path: z.core.toDotPath(issue.path), message: issue.message }))
  const [first] = issues
  const where = first === undefined || first.path === '' ? 'the input' : first.path
  throw new CodedError('input_invalid', `The input is not valid: ${where}: ${first?.message ?? 'unreadable'}.`, {
    issues,
  })
}

export const headerOf = (request: Pick<FastifyRequest, 'headers'>, name: string): string | null => {
  const value = request.headers[name]
  return typeof value === 'string' && value !== '' ? value : null
}
