import { type Instant, minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { Actor, CallerUser } from './context.ts'

export type { CallerUser } from './context.ts'

/** Who asks, for which tenant, and what they may do. Comes from a key or from the program itself, never from input. */
export type Caller = {
  readonly organization: string
  readonly actor: Actor
  readonly scopes: readonly string[]
  readonly user?: CallerUser
}

/** Any signed-in person, for what is theirs. Keys and clients are no persons. */
export const personAccess = 'person'

/** How long a second factor counts for an action that needs a fresh one. */
export const freshFactorMs = 10 * minute

/**
 * What runs this hub rather than one organization in it. `*` does not include it, so that no tenant can create or
 * list others.
 */
export const operatorScope = 'operator'

const scopePattern = /^[a-z][a-z_]*:(read|write)$/

export const isScope = (scope: string): boolean => scope === operatorScope || scopePattern.test(scope)

/** Whether these scopes cover what an action asks for. `x:write` includes `x:read`; `*` includes all but `operator`. */
export function allows(scopes: readonly string[], access: string): boolean {
  if (access === 'public' || scopes.includes(access)) return true
  if (access === operatorScope) return false
  if (scopes.includes('*')) return true
  return access.endsWith(':read') && scopes.includes(`${access.slice(0, -':read'.length)}:write`)
}

// Row-level security shows this organization nothing, because no row can carry its id.
export const nobody: Caller = {
  organization: `org_${'0'.repeat(26)}`,
  actor: { kind: 'system', name: 'anonymous' },
  scopes: [],
}

/** The program itself, acting inside one organization: a schedule, a job, the first start. */
export const systemCaller = (organization: string, name: string): Caller => ({
  organization,
  actor: { kind: 'system', name },
  scopes: ['*', operatorScope],
})

/** The caller, or the refusal: 401 without one, 403 without the scope, the person or the second factor. */
export function permit(
  caller: Caller | null,
  wanted: { readonly access: string; readonly secondFactor?: boolean },
  now: Instant,
): Caller {
  const { access } = wanted
  if (access === 'public') return caller ?? nobody
  if (caller === null) throw new CodedError('unauthenticated')
  const { user } = caller
  if (access === personAccess) {
    if (user === undefined) throw new CodedError('forbidden', 'Only a signed-in person can do this, for themselves.')
  } else if (!allows(caller.scopes, access)) {
    if (user?.scopesWait === true) throw new CodedError('second_factor_required')
    throw new CodedError('forbidden', `${user === undefined ? 'This key does' : 'Your roles do'} not hold ${access}.`, {
      scope: access,
    })
  }
  if (wanted.secondFactor === true && user !== undefined) {
    const at = user.secondFactorAt
    if (at === null || now - at > freshFactorMs) throw new CodedError('second_factor_required')
  }
  return caller
}
