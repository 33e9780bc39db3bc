import { createHash } from 'node:crypto'
import { hour, type Instant } from '@bursar/kit/clock.ts'
import type { SimReply, SimRequest, SimRoute } from '#simulator/server.ts'
import { apiVersion } from '../client.ts'
import { expand } from './expand.ts'
import { decodeForm, type Form } from './form.ts'
import { check, type Operation } from './schemas.ts'
import { newId, Refusal, type Wire, type World } from './world.ts'

/** One call of the API: where, how its parameters are checked, and what it does. */
export type Endpoint = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly pattern: string
  readonly operation: Operation
  readonly run: (call: {
    readonly id: string
    readonly form: Form
    readonly params: Readonly<Record<string, string>>
  }) => object
}

type Stored = { readonly fingerprint: string; readonly reply: SimReply; readonly at: Instant }

/** Stripe may forget a key after 24 hours; this one does, so that nobody builds on more. */
const keyLifetimeMs = 24 * hour

/** What outlives a request: stored answers by idempotency key, and failures ordered by a test. */
export type ApiState = {
  readonly answers: Map<string, Stored>
  /** The next calls do their work and then answer 500, which is stored under their key like any answer. */
  failAfterWork: number
}

export const createApiState = (): ApiState => ({ answers: new Map(), failAfterWork: 0 })

const errorReply = (error: Refusal, requestId: string): SimReply => ({
  status: error.status,
  body: {
    error: {
      ...(error.error.code === undefined ? {} : { code: error.error.code }),
      ...(error.error.decline_code === undefined ? {} : { decline_code: error.error.decline_code }),
      ...(error.error.code === undefined ? {} : { doc_url: `https://stripe.com/docs/error-codes/${error.error.code}` }),
      message: error.message,
      ...(error.error.param === undefined ? {} : { param: error.error.param }),
      request_log_url: `https://dashboard.stripe.com/test/logs/${requestId}`,
      type: error.error.type,
    },
  },
})

const serverError: SimReply = {
  status: 500,
  body: { error: { message: 'An unknown error occurred', type: 'api_error' } },
}

function formOf(request: SimRequest): Form {
  const type = request.headers['content-type'] ?? ''
  if (request.method === 'POST' && type.includes('application/json'))
    return request.body.length === 0 ? {} : (JSON.parse(request.body.toString('utf8')) as Form)
  const body = request.method === 'POST' ? new URLSearchParams(request.body.toString('utf8')) : request.query
  return decodeForm(body)
}

const one = (value: string | string[] | undefined): string | null => (typeof value === 'string' ? value : null)

const fingerprintOf = (request: SimRequest): string =>
  createHash('sha256').update(`${request.method} ${request.path}\n`).update(request.body).digest('hex')

/** Performs the work; a refusal of the work is an answer like any other, a refusal of the parameters is not stored. */
function work(world: World, endpoint: Endpoint, request: SimRequest, form: Form, requestId: string): SimReply {
  try {
    const result = endpoint.run({ id: request.params.id ?? '', form, params: request.params })
    const paths = Array.isArray(form.expand) ? form.expand.map(String) : []
    return { status: 200, body: expand(world, result, paths) as Wire }
  } catch (error) {
    if (error instanceof Refusal) return errorReply(error, requestId)
    throw error
  }
}

function serve(world: World, state: ApiState, endpoint: Endpoint, request: SimRequest): SimReply {
  const requestId = newId(world, 'req', 8)
  const key = request.method === 'POST' ? one(request.headers['idempotency-key']) : null
  const headers = {
    'request-id': requestId,
    'stripe-version': one(request.headers['stripe-version']) ?? apiVersion,
    ...(key === null ? {} : { 'idempotency-key': key }),
  }
  const fingerprint = fingerprintOf(request)
  const now = world.clock.now()
  const kept = key === null ? undefined : state.answers.get(key)
  const stored = kept !== undefined && now - kept.at <= keyLifetimeMs ? kept : undefined
  if (stored !== undefined && stored.fingerprint !== fingerprint) {
    const mismatch = new Refusal(
      'Keys for idempotent requests can only be used with the same parameters they were first used with.',
      { type: 'idempotency_error' },
    )
    return { ...errorReply(mismatch, requestId), headers }
  }
  if (stored !== undefined) return { ...stored.reply, headers: { ...headers, 'idempotent-replayed': 'true' } }
  let form: Form
  try {
    form = check(endpoint.operation, formOf(request))
  } catch (error) {
    if (error instanceof Refusal) return { ...errorReply(error, requestId), headers }
    throw error
  }
  world.request = { id: requestId, idempotency_key: key }
  try {
    const answer = work(world, endpoint, request, form, requestId)
    const reply = state.failAfterWork > 0 ? serverError : answer
    if (state.failAfterWork > 0) state.failAfterWork -= 1
    if (key !== null) state.answers.set(key, { fingerprint, reply, at: now })
    return { ...reply, headers }
  } finally {
    world.request = { id: null, idempotency_key: null }
  }
}

export const routesOf = (world: World, state: ApiState, endpoints: readonly Endpoint[]): SimRoute[] =>
  endpoints.map((endpoint) => ({
    method: endpoint.method,
    pattern: endpoint.pattern,
    handle: (request) => serve(world, state, endpoint, request),
  }))

/** The key is asked for on every call; a wrong one is answered as Stripe does, with the key masked. */
export function authenticate(request: SimRequest, secretKey: string | null): SimReply | null {
  if (!request.path.startsWith('/v1/') && !request.path.startsWith('/v2/')) return null
  const header = request.headers.authorization ?? ''
  const given = header.startsWith('Bearer ')
    ? header.slice(7)
    : header.startsWith('Basic ')
      ? (Buffer.from(header.slice(6), 'base64').toString().split(':')[0] ?? '')
      : ''
  if (given === '') return errorReply(new Refusal('You did not provide an API key.', {}, 401), 'req_none')
  const fits = secretKey === null ? /^(sk|rk)_(test|live)_/.test(given) : given === secretKey
  if (fits) return null
  return errorReply(new Refusal(`Invalid API Key provided: ${given.slice(0, 8)}****`, {}, 401), 'req_none')
}

export const unknownUrl = (request: SimRequest): SimReply =>
  errorReply(new Refusal(`Unrecognized request URL (${request.method}: ${request.path}).`, {}, 404), 'req_none')
