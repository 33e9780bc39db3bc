import { CodedError } from '@bursar/kit/errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { cookieCounts } from '../signed-in.ts'
import type { AuthHome } from './auth.ts'
import { addressHeader } from './deps.ts'
import { takeAttempt } from './limits.ts'
import { openPaths } from './paths.ts'

/** Bodies of sign-ins, tokens and passkeys are small; nothing here needs more. */
export const bodyBytesMax = 64 * 1024

// Documents about us, asked often and by everybody: not worth a count in the database each time.
const uncounted = new Set(['/jwks', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'])

/** What applications in browsers ask from pages of their own, without cookies. */
export const crossOriginPaths: readonly string[] = [...uncounted, '/oauth2/token', '/oauth2/revoke', '/oauth2/userinfo']

// What belongs to this connection, or says where a request came from: we know that ourselves.
const dropped =
  /^(?:connection|keep-alive|transfer-encoding|content-length|te|trailer|upgrade|expect|host|forwarded|x-forwarded-.*|x-real-ip|x-bursar-address|proxy-.*)$/

function headersFor(request: FastifyRequest, publicUrl: string, path: string): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || dropped.test(name)) continue
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one)
  }
  if (!cookieCounts(request, publicUrl)) headers.delete('cookie')
  headers.set(addressHeader, request.ip)
  // These are gone to, never fetched; the library would answer JSON to whoever says `cors`, as Node's fetch does.
  if (path === '/oauth2/authorize' || path === '/oauth2/end-session') headers.set('sec-fetch-mode', 'navigate')
  return headers
}

/** The path below `/auth`, if it is one we open. The router has decoded it, and what was compared is handed on. */
function openPath(request: FastifyRequest, reply: FastifyReply, path: string): string {
  const methods = Object.hasOwn(openPaths, path) ? openPaths[path] : undefined
  if (methods === undefined) throw new CodedError('not_found')
  if (methods.some((method) => method === request.method)) return path
  void reply.header('allow', methods.join(', '))
  throw new CodedError('method_not_allowed')
}

/** Hands one request to better-auth and its answer back, byte for byte. */
export async function forward(home: AuthHome, request: FastifyRequest, reply: FastifyReply, asked: string) {
  const { app } = home.deps
  const path = openPath(request, reply, asked)
  if (!uncounted.has(path)) await takeAttempt(app, 'request from network', request.ip)
  const query = request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : ''
  const body = request.method === 'POST' && Buffer.isBuffer(request.body) ? new Uint8Array(request.body) : undefined
  const answer = await home.auth().handler(
    new Request(`${app.publicUrl}/auth${path}${query}`, {
      method: request.method,
      headers: headersFor(request, app.publicUrl, path),
      redirect: 'manual',
      ...(body === undefined || body.length === 0 ? {} : { body }),
    }),
  )
  void reply.code(answer.status)
  for (const [name, value] of answer.headers) if (name !== 'set-cookie') void reply.header(name, value)
  // Several cookies are several headers; joined by commas a browser would read one.
  const cookies = answer.headers.getSetCookie()
  if (cookies.length > 0) void reply.header('set-cookie', cookies)
  if (crossOriginPaths.includes(path)) void reply.header('access-control-allow-origin', '*')
  else void reply.header('cache-control', answer.headers.get('cache-control') ?? 'no-store')
  return reply.send(Buffer.from(await answer.arrayBuffer()))
}
