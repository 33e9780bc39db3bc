import type { App } from '#action/context.ts'
import { type IdentityRequest, type SessionSource, type SignedIn, signedInBy } from '#identity/signed-in.ts'

/** What every page needs: the process, and the ways in which requests say who sends them. */
export type PageDeps = { readonly app: App; readonly sources: readonly SessionSource[] }

/** Who looks at the page; null for a stranger, and for a session that has ended. */
export async function visitorOf(deps: PageDeps, request: IdentityRequest): Promise<SignedIn | null> {
  const found = await signedInBy(deps.sources, request)
  return found === 'invalid' ? null : found
}
