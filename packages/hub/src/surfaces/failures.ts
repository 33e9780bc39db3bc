import type { Socket } from 'node:net'
import { CodedError, type ErrorCode, errorBody } from '@bursar/kit/errors.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '#action/context.ts'
import type { Limits } from './bounds.ts'

// What fastify refuses by itself, in our words.
const frameworkCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'body_unreadable',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'body_unreadable',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'body_unreadable',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'encoding_unsupported',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_REOPENED_CLOSE_SERVER: 'not_ready',
}

/** Every refusal and fault of every route in the one shape of kit/errors.ts, with the trace id. */
export function answerErrors(fastify: FastifyInstance, app: App, limits: Limits): void {
  fastify.setErrorHandler((error, request, reply) => sendError(app, request, reply, toCoded(error, limits)))
  fastify.setNotFoundHandler((request, reply) => {
    const allowed = methodsOf(fastify, request.url.split('?')[0] ?? '/')
    if (allowed.length === 0) return sendError(app, request, reply, new CodedError('not_found', 'No such address.'))
    void reply.header('allow', allowed.join(', '))
    return sendError(app, request, reply, new CodedError('method_not_allowed'))
  })
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

const methodsOf = (fastify: FastifyInstance, path: string): string[] =>
  methods.filter((method) => fastify.findRoute({ method, url: path }) !== null)

function toCoded(error: unknown, limits: Limits): unknown {
  if (error instanceof CodedError) return error
  const code = frameworkCodes[(error as { code?: string }).code ?? '']
  if (code === 'body_too_large') return new CodedError(code, undefined, { limit: limits.bodyBytesMax })
  if (code !== undefined) return new CodedError(code)
  const status = (error as { statusCode?: number }).statusCode
  return status === 400 ? new CodedError('body_unreadable') : error
}

/** For routes that answer an error themselves. What is not a `CodedError` is logged and told as `internal`. */
export function sendError(app: App, request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  if (!(error instanceof CodedError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    app.log.error('request failed', {
      route: request.routeOptions.url ?? 'unmatched',
      traceId: request.id,
      error: text,
    })
  }
  const { status, body } = errorBody(error, request.id)
  return reply.code(status).send(body)
}

/** An address that no router can read, such as `/%zz`. It is not repeated: it may be anything. */
export function answerUnroutable(_: Error, request: FastifyRequest, reply: unknown): void {
  const { status, body } = errorBody(new CodedError('not_found', 'The address cannot be read.'), request.id)
  // Fastify types this reply by a route that does not exist.
  void (reply as FastifyReply).code(status).header('x-trace-id', request.id).send(body)
}

/** Bytes that are not HTTP, or headers without end: answered once, then the connection is closed. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return void socket.destroy()
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const { status, body } = errorBody(
    new CodedError(tooLarge ? 'body_too_large' : 'body_unreadable', 'The request cannot be read.'),
  )
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  )
}
