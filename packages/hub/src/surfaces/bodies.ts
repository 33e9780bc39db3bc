import { CodedError } from '@bursar/kit/errors.ts'
import type { FastifyInstance } from 'fastify'

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** In this scope bodies are JSON in UTF-8, nothing else: no form that a foreign page could post, no `__proto__`. */
export function acceptJson(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error')
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, {})
    let text: string
    try {
      text = strictUtf8.decode(body as Buffer)
    } catch {
      // The decoder throws for one reason only, and the caller is told.
      return done(new CodedError('body_unreadable', 'The body is not UTF-8.'))
    }
    parse(request, text, done)
  })
}

/** In this scope a body is the bytes that were sent, whatever they say they are: signatures cover bytes. */
export function acceptBytes(fastify: FastifyInstance): void {
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
}
