import type { Caller } from '#action/caller.ts'
import type { App } from '#action/context.ts'
import { type IdentityRequest, type SessionSource, signedInBy } from './signed-in.ts'
import { callerOfUser } from './user-caller.ts'

/** One way in which requests say who calls. Null: nothing of this kind; `invalid`: of this kind, and wrong. */
export type CallerSource = (request: IdentityRequest) => Promise<Caller | 'invalid' | null>

const headerMax = 80

/** Signed-in people as callers, in the organization named by the header `Bursar-Organization`. */
export const userCallers =
  (app: App, sources: readonly SessionSource[]): CallerSource =>
  async (request) => {
    const signedIn = await signedInBy(sources, request)
    if (signedIn === null || signedIn === 'invalid') return signedIn
    const named = request.headers['bursar-organization']
    return callerOfUser(app, signedIn, typeof named === 'string' ? named.slice(0, headerMax) : null)
  }
