import type { HttpRequest, HttpResponse } from '@bursar/kit/http.ts'
import Stripe from 'stripe'
import type { Failure } from '#failure.ts'
import type { ConnectorIo } from '#io.ts'
import { answerFailure, errorIn, heldBack, NoAnswer, transportFailure, unreadableBody } from './failures.ts'

/** The version our types and mappings are written for; sent with every call. */
export const apiVersion = '2026-10-28.endive' satisfies Stripe.LatestApiVersion

/** A read with every expansion takes Stripe a second or two; more is an outage. */
const timeoutMs = 20_000
/** A page of 100 events with full invoices stays under this. */
const maxBodyBytes = 8 * 1024 * 1024

/**
 * Our http counts the length itself and names us. The SDK's own names tell Stripe about the machine and the tools
 * around the process, which is nobody's business.
 */
const dropped = new Set(['content-length', 'user-agent', 'x-stripe-client-user-agent'])

type Interface = NonNullable<NonNullable<ConstructorParameters<typeof Stripe>[1]>['httpClient']>
type Answer = Awaited<ReturnType<Interface['makeRequest']>>

/** Parsed once: the SDK wants the JSON, the call record wants the error in it. */
function read(response: HttpResponse): { readonly json: unknown; readonly failure: Failure | null } {
  let json: unknown
  try {
    json = JSON.parse(response.body.toString('utf8'))
  } catch {
    // Said in the failure, which the caller throws.
    return { json: undefined, failure: unreadableBody(response.status) }
  }
  if (typeof json !== 'object' || json === null) return { json, failure: unreadableBody(response.status) }
  const error = errorIn(json)
  if (response.status < 300 && error === null) return { json, failure: null }
  if (error === null) return { json, failure: unreadableBody(response.status) }
  return { json, failure: answerFailure(response.status, error, (name) => response.headers[name]) }
}

const answer = (response: HttpResponse, json: unknown): Answer => ({
  getStatusCode: () => response.status,
  getHeaders: () => ({ ...response.headers }),
  getRawResponse: () => ({}),
  toStream: () => {
    throw new Error('streaming is not used')
  },
  toJSON: () => Promise.resolve(json),
})

const method = (name: string): HttpRequest['method'] => {
  if (name === 'GET' || name === 'POST' || name === 'DELETE') return name
  throw new Error(`Stripe's API has no ${name}`)
}

/** The SDK's way out, laid over our one way out: budget, guard, timeouts and call records are those of every call. */
function httpClient(io: ConnectorIo): Interface {
  return {
    getClientName: () => 'bursar',
    makeRequest: async (host, port, path, verb, headers, data, protocol) => {
      const at = io.clock.now()
      const record = (durationMs: number, status: number | null, failure: Failure | null) =>
        io.record?.({ at, method: verb, path: path.split('?')[0] ?? path, durationMs, status, failure })
      const budget = await io.acquire?.(1)
      if (budget?.ok === false) {
        const failure = heldBack(budget.retryAfterMs)
        record(0, null, failure)
        throw new NoAnswer(failure)
      }
      const sent = Object.entries(headers)
        .filter(([name, value]) => value !== undefined && !dropped.has(name.toLowerCase()))
        .map(([name, value]) => [name, String(value)])
      const outcome = await io.http({
        method: method(verb),
        url: `${protocol}://${host}${port === '' ? '' : `:${port}`}${path}`,
        headers: Object.fromEntries(sent),
        ...(verb === 'POST' ? { body: data ?? '' } : {}),
        timeoutMs,
        maxBodyBytes,
      })
      if (!outcome.ok) {
        const failure = transportFailure(outcome.failure)
        record(outcome.failure.durationMs, null, failure)
        throw new NoAnswer(failure)
      }
      const { response } = outcome
      const { json, failure } = read(response)
      record(response.durationMs, response.status, failure)
      if (failure?.code === 'stripe.answer_unreadable') throw new NoAnswer(failure)
      return answer(response, json)
    },
  }
}

export type ClientConfig = {
  readonly secretKey: string
  readonly apiBase?: string
  readonly account?: string
}

/**
 * The SDK without habits of its own: no retries (the job queue retries, with the same idempotency key), no telemetry
 * (it would write a file into the home folder), our http.
 */
export function createClient(config: ClientConfig, io: ConnectorIo): Stripe {
  const base = new URL(config.apiBase ?? 'https://api.stripe.com')
  return new Stripe(config.secretKey, {
    apiVersion,
    host: base.hostname,
    port: base.port === '' ? (base.protocol === 'http:' ? 80 : 443) : Number(base.port),
    protocol: base.protocol === 'http:' ? 'http' : 'https',
    maxNetworkRetries: 0,
    telemetry: false,
    timeout: timeoutMs,
    httpClient: httpClient(io),
    ...(config.account === undefined ? {} : { stripeAccount: config.account }),
  })
}
