import type { SessionSource, SignedIn } from '#identity/signed-in.ts'
import { cookieCounts } from '#identity/signed-in.ts'

/**
 * For tests: sessions by name. `Authorization: Bearer <name>` or the cookie `who=<name>`; like every cookie it counts
 * only where `cookieCounts` says so.
 */
export function sessionsByName(publicUrl: () => string) {
  const known = new Map<string, SignedIn>()
  const source: SessionSource = async (request) => {
    const { authorization, cookie } = request.headers
    const named = /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
    if (named !== undefined) return known.get(named) ?? 'invalid'
    const carried = /(?:^|; )who=([^;]+)/.exec(cookie ?? '')?.[1]
    if (carried === undefined || !cookieCounts(request, publicUrl())) return null
    const found = known.get(carried)
    return found === undefined ? 'invalid' : { ...found, via: 'cookie' }
  }
  return { source, add: (name: string, signedIn: SignedIn) => void known.set(name, signedIn) }
}
