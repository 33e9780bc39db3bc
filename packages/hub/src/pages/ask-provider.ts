import type { FastifyInstance } from 'fastify'
import type { PageRequest } from './answer.ts'

export type ProviderAnswer = {
  readonly status: number
  readonly json: Readonly<Record<string, unknown>>
  readonly cookies: readonly string[]
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
  const fresh = (wish.cookies ?? []).map((cookie) => cookie.split(';')[0] ?? '')
  const cookie = [request.headers.cookie ?? '', ...fresh].filter((c) => c !== '').join('; ')
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
