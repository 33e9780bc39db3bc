import { minute } from '@bursar/kit/clock.ts'
import { CodedError, type ErrorCode, errorBody } from '@bursar/kit/errors.ts'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { acceptJson } from '#surfaces/bodies.ts'
import { paragraph } from './html.ts'
import { documentOf, headersOf, type Page } from './page.ts'
import { texts } from './texts.ts'

const formBytesMax = 4 * 1_024
const fieldsMax = 40
// A page that follows by itself asks thirty times a minute, and a class may share one address.
const readsPerMinute = 600
const requestsPerMinute = 60

/** What a route of ours gets: names from the address, texts from the query and from the form or JSON body. */
export type PageRequest = FastifyRequest<{
  Params: Readonly<Record<string, string>>
  Querystring: Readonly<Record<string, unknown>>
}>

export type Handler = (request: PageRequest, reply: FastifyReply) => Promise<FastifyReply>

export const sendPage = (reply: FastifyReply, page: Page): FastifyReply =>
  reply
    .code(page.status ?? 200)
    .headers(headersOf(page))
    .send(documentOf(page))

/** Whether the asker reads JSON rather than pages. */
export const wantsJson = (request: PageRequest): boolean => {
  const accept = request.headers.accept ?? ''
  return accept.includes('application/json') && !accept.includes('text/html')
}

/** A refusal in the form the asker reads: our error body, or this page. */
export function refuse(
  request: PageRequest,
  reply: FastifyReply,
  code: ErrorCode,
  page: Page,
  details: Record<string, unknown> = {},
): FastifyReply {
  const { status, body } = errorBody(new CodedError(code, undefined, details), request.id)
  if (wantsJson(request)) return reply.code(status).header('cache-control', 'no-store').send(body)
  return sendPage(reply, { ...page, status })
}

/** One text of the form, JSON body or query; null when it is missing or no text. */
export function field(source: unknown, name: string): string | null {
  const value = (source as Readonly<Record<string, unknown>> | null | undefined)?.[name]
  return typeof value === 'string' && value !== '' ? value : null
}

/** Forms and JSON, and a limit per address under `name`: sixty a minute that do something. Needs `registerLimits`. */
export function pageScope(fastify: FastifyInstance, name: string): (handle: Handler) => { readonly handler: Handler } {
  acceptJson(fastify)
  fastify.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: formBytesMax },
    (_, body, done) => done(null, Object.fromEntries([...new URLSearchParams(String(body))].slice(0, fieldsMax))),
  )
  const limitOf = (what: string, max: number) =>
    fastify.createRateLimit({
      max,
      timeWindow: minute,
      keyGenerator: (request) => `${name} ${what} ${normalizeIP(request.ip)}`,
    })
  const reads = limitOf('reads', readsPerMinute)
  const requests = limitOf('requests', requestsPerMinute)
  return (handle) => ({
    handler: async (request, reply) => {
      const used = await (request.method === 'POST' ? requests : reads)(request)
      if (used.isAllowed || !used.isExceeded) return handle(request, reply)
      void reply.header('retry-after', String(Math.max(1, used.ttlInSeconds)))
      return refuse(request, reply, 'rate_limited', { title: texts.busy.title, body: paragraph(texts.busy.text) })
    },
  })
}

/**
 * A form of ours came from a page of ours: what another site makes a browser send is refused. Whoever says nothing is
 * no browser of this decade, and has no cookie that would count.
 */
export function ownForm(publicUrl: string, handle: Handler): Handler {
  const isForeign = ({ headers }: PageRequest): boolean => {
    const site = headers['sec-fetch-site']
    if (site !== undefined) return site !== 'same-origin' && site !== 'none'
    return headers.origin !== undefined && headers.origin !== new URL(publicUrl).origin
  }
  return async (request, reply) =>
    isForeign(request)
      ? refuse(request, reply, 'forbidden', { title: texts.foreign.title, body: paragraph(texts.foreign.text) })
      : handle(request, reply)
}

/** See-other, with nothing in the body and nothing told about where it came from. */
export const goOn = (reply: FastifyReply, location: string, formsTo: readonly string[] = []): FastifyReply =>
  reply.code(303).headers(headersOf({ formsTo })).header('location', location).send('')
