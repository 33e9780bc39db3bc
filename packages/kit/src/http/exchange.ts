import { Agent, buildConnector, type Dispatcher } from 'undici'
import { type Clock, second, startRealDeadline } from '../clock.ts'
import { type AddressGuard, blockedCode } from './guard.ts'
import type { HttpFailure, HttpOutcome, HttpRequest } from './types.ts'

const defaultTimeoutMs = 15 * second
const defaultMaxBodyBytes = 1024 * 1024
const connectTimeoutMs = 10 * second
const connectionsPerOrigin = 64
const headersMaxBytes = 32 * 1024

const invalidHeaderValue = /[\r\n\0]/
const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/

/** One agent for the process. Connections are kept alive; HTTP/1.1 only, one request per connection at a time. */
export function createAgent(guard: AddressGuard): Agent {
  const common = { timeout: connectTimeoutMs, allowH2: false, autoSelectFamily: true }
  const guarded = buildConnector({ ...common, lookup: guard.lookup })
  const trusted = buildConnector({ ...common, lookup: guard.trustedLookup })
  return new Agent({
    connect: (options, done) => {
      const origin = URL.parse(`${options.protocol}//${options.host ?? options.hostname}`)?.origin ?? ''
      return guard.trusts(origin) ? trusted(options, done) : guarded(options, done)
    },
    allowH2: false,
    pipelining: 1,
    connections: connectionsPerOrigin,
    maxHeaderSize: headersMaxBytes,
    // One deadline covers the whole exchange (see exchange); undici's own phase timers stay off.
    headersTimeout: 0,
    bodyTimeout: 0,
    useMilo: false,
  })
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

const unreachable: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EHOSTDOWN',
])
const nameNotFound: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME'])
const timedOut: ReadonlySet<string> = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'])
const callerFault: ReadonlySet<string> = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'])
const tlsFault =
  /^(ERR_TLS|ERR_SSL|CERT_|EPROTO$|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_)/

/** `started` tells that bytes may have left. Before that moment every failure is certainly unsent. */
function kindOf(error: unknown, started: boolean): HttpFailure['kind'] {
  const code = codeOf(error)
  if (timedOut.has(code)) return 'timeout'
  if (started) return 'reset'
  if (code === blockedCode) return 'blocked'
  if (callerFault.has(code)) return 'invalid'
  if (nameNotFound.has(code)) return 'dns'
  if (unreachable.has(code)) return 'refused'
  if (tlsFault.test(code)) return 'tls'
  return 'reset'
}

const describe = (error: unknown): string => {
  const code = codeOf(error)
  const text = error instanceof Error && error.message !== '' ? error.message : 'the connection failed'
  return code === '' || text.includes(code) ? text : `${text} (${code})`
}

type HeaderMap = Record<string, string | string[] | undefined>

const flatten = (headers: HeaderMap): Record<string, string> => {
  const flat: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return flat
}

/** The first header that cannot be sent, or null. A line break in a value would forge further headers. */
export function badHeader(headers: Readonly<Record<string, string>> | undefined): string | null {
  for (const name in headers) {
    if (!headerName.test(name) || invalidHeaderValue.test(headers[name] ?? '')) return name
  }
  return null
}

const dispatchOptions = (url: URL, request: HttpRequest, userAgent: string): Dispatcher.DispatchOptions => ({
  origin: url.origin,
  path: url.pathname + url.search,
  method: request.method,
  headers: { 'user-agent': userAgent, ...request.headers },
  body: request.body ?? null,
})

/** Sends one request once, to an address the guard has let pass. */
export function exchange(
  deps: { agent: Dispatcher; clock: Clock; userAgent: string },
  url: URL,
  request: HttpRequest,
): Promise<HttpOutcome> {
  const startedAt = deps.clock.now()
  const maxBytes = request.maxBodyBytes ?? defaultMaxBodyBytes
  const timeoutMs = request.timeoutMs ?? defaultTimeoutMs

  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | null = null
    let settled = false
    let status = 0
    let headers: Record<string, string> = {}
    let chunks: Buffer[] = []
    let size = 0

    const settle = (outcome: HttpOutcome) => {
      if (settled) return
      settled = true
      cancelDeadline()
      chunks = []
      resolve(outcome)
    }
    const durationMs = () => Math.max(0, deps.clock.now() - startedAt)
    const lose = (kind: HttpFailure['kind'], message: string) =>
      settle({ ok: false, failure: { kind, message, maybeSent: controller !== null, durationMs: durationMs() } })
    const giveUp = (kind: HttpFailure['kind'], message: string) => {
      lose(kind, message)
      controller?.abort(new Error(message))
    }
    const tooLarge = () => giveUp('too_large', `the answer is longer than ${maxBytes} bytes`)
    const cancelDeadline = startRealDeadline(timeoutMs, () => giveUp('timeout', `no answer within ${timeoutMs} ms`))

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: (started) => {
        // The deadline may have passed while the request waited for a connection: then it must not leave.
        if (settled) return started.abort(new Error('too late to send'))
        controller = started
      },
      onResponseStart: (_controller, code, incoming) => {
        if (code < 200) return
        status = code
        headers = flatten(incoming)
        if (Number(headers['content-length']) > maxBytes) tooLarge()
      },
      onResponseData: (_controller, chunk) => {
        if (settled) return
        size += chunk.length
        if (size > maxBytes) return tooLarge()
        chunks.push(chunk)
      },
      onResponseEnd: () => {
        const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size)
        settle({ ok: true, response: { status, headers, body, durationMs: durationMs() } })
      },
      onResponseError: (_controller, error) => lose(kindOf(error, controller !== null), describe(error)),
    }

    deps.agent.dispatch(dispatchOptions(url, request, deps.userAgent), handler)
  })
}
