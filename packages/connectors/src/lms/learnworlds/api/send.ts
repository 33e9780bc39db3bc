import { done, type Failure, failed, type Outcome } from '../../../failure.ts'
import type { ConnectorIo } from '../../../io.ts'
import type { Settings } from '../config.ts'
import { classifyAnswer, classifyLost, learnWorldsFailure } from './errors.ts'

// A page of 200 progress rows carries every unit of every course; measured samples stay below 3 MB.
const bodyLimitBytes = 8 * 1024 * 1024

export type Sent = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** From the host's root, percent-encoded. */
  readonly path: string
  readonly query?: URLSearchParams
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One exchange: budget, call, record. The value is the parsed JSON, or null for 204. */
export type Send = (request: Sent) => Promise<Outcome<unknown>>

// Only these query values are harmless everywhere; filters may hold addresses or custom fields.
const shownQuery = new Set(['page', 'items_per_page'])

const shownSegment = (segment: string): string => (/(@|%40)/i.test(segment) ? '{email}' : segment)

/** The path as the call record may show it: ids stay, addresses and filters do not. */
export function shownPath(path: string, query?: URLSearchParams): string {
  const base = path.split('/').map(shownSegment).join('/')
  const kept = [...(query ?? [])].filter(([name]) => shownQuery.has(name))
  return kept.length === 0 ? base : `${base}?${new URLSearchParams(kept).toString()}`
}

const isWrite = (request: Sent) => request.method !== 'GET' && !request.path.includes('/oauth2/')

export function createSend(settings: Settings, io: ConnectorIo): Send {
  return async (request) => {
    const granted = (await io.acquire?.(1)) ?? { ok: true as const }
    if (!granted.ok) {
      const message = 'Our own budget for this school is used up for the moment.'
      const more = { retryAfterMs: granted.retryAfterMs, unsent: true }
      return failed(learnWorldsFailure('rate_limited', 'budget', message, more))
    }
    const at = io.clock.now()
    const search = request.query === undefined || request.query.size === 0 ? '' : `?${request.query.toString()}`
    const outcome = await io.http({
      method: request.method,
      url: `${settings.origin}${request.path}${search}`,
      headers: { accept: 'application/json', 'lw-client': settings.clientId, ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
      timeoutMs: settings.timeoutMs,
      maxBodyBytes: bodyLimitBytes,
    })
    const record = (durationMs: number, status: number | null, failure: Failure | null) =>
      io.record?.({
        at,
        method: request.method,
        path: shownPath(request.path, request.query),
        durationMs,
        status,
        failure,
      })
    if (!outcome.ok) {
      const failure = classifyLost(outcome.failure, isWrite(request))
      record(outcome.failure.durationMs, null, failure)
      return failed(failure)
    }
    const { status, headers, durationMs } = outcome.response
    const body = outcome.response.body.toString('utf8')
    const failure = classifyAnswer({ status, headers, body }, io.clock.now(), isWrite(request))
    record(durationMs, status, failure)
    if (failure !== null) return failed(failure)
    return done(status === 204 || body.trim() === '' ? null : (JSON.parse(body) as unknown))
  }
}
