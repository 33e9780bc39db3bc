import type { FastifyInstance } from 'fastify'
import type { PageRequest } from './answer.ts'

export type ProviderAnswer = {
  readonly status: number
  readonly json: Readonly<Record<string, unknown>>
  readonly cookies: readonly string[]
}

const nameOf = (pair: string): string => (pair.split('=')[0] ?? '').trim()

/** What was set a moment ago takes the place of what the browser still holds: of two of one name the first would count. */
function cookiesOf(held: string, set: readonly string[]): string {
  const fresh = set.map((cookie) => cookie.split(';')[0] ?? '')
  const names = new Set(fresh.map(nameOf))
  const kept = held.split(';').filter((pair) => pair.trim() !== '' && !names.has(nameOf(pair)))
  return [...fresh, ...kept.map((pair) => pair.trim())].join('; ')
}

/**
 * Asks the built-in provider at its own door (`/auth/*`) in the name of this visitor: its rules and limits hold for our
 * pages as for everybody. Only for forms that `ownForm` has let in, because it says so to the provider.
 */
export async function askProvider(
  fastify: FastifyInstance,
  request: PageRequest,
  wish: {
    readonly method: 'GET' | 'POST'
    readonly path: string
    readonly body?: unknown
    readonly publicUrl: string
    /** Cookies that were set a moment ago and are not in the request yet. */
    readonly cookies?: readonly string[]
  },
): Promise<ProviderAnswer> {
  const cookie = cookiesOf(request.headers.cookie ?? '', wish.cookies ?? [])
  const answer = await fastify.inject({
    method: wish.method,
    url: `/auth${wish.path}`,
    remoteAddress: request.ip,
    headers: {
      cookie,
      'user-agent': request.headers['user-agent'] ?? '',
      origin: new URL(wish.publicUrl).origin,
      'sec-fetch-site': 'same-origin',
      accept: 'application/json',
      ...(wish.method === 'POST' ? { 'content-type': 'application/json' } : {}),
    },
    ...(wish.method === 'POST' ? { payload: JSON.stringify(wish.body ?? {}) } : {}),
  })
  const set = answer.headers['set-cookie']
  const cookies = set === undefined ? [] : Array.isArray(set) ? set : [set]
  const text = answer.body.trim()
  const json = text.startsWith('{') || text.startsWith('[') ? (JSON.parse(text) as ProviderAnswer['json']) : {}
  return { status: answer.statusCode, json, cookies }
}
