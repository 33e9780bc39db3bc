import { CodedError, type ErrorCode, errorBody } from '@bursar/kit/errors.ts'
import { isId } from '@bursar/kit/ids.ts'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '#action/context.ts'
import { cachedLookup, type Endpoint, type EndpointLookup, type RawDelivery, verifyAt } from './endpoint.ts'
import type { Intake } from './receive.ts'
import { createRefusals, type OnRefused, type Refusals } from './refusals.ts'

/** An address that takes webhooks. `resolve` finds the endpoint, or null when there is none. */
export type WebhookRoute = {
  readonly path: string
  resolve(request: FastifyRequest): Promise<Endpoint | null>
}

export type WebhookOptions = {
  readonly app: Pick<App, 'clock' | 'ids' | 'log'>
  readonly intake: Pick<Intake, 'accept'>
  readonly routes: readonly WebhookRoute[]
  /** For the alert: told at most once a minute per source and reason. */
  readonly onRefused?: OnRefused
}

/** Stripe's largest event is below 100 kB; Standard Webhooks asks for less than 20. */
export const webhookBodyMaxBytes = 256 * 1024
const externalIdMax = 255
const typeMax = 200
const rateLimitedSeconds = 60
const upstreamRetrySeconds = 5

// What is needed to verify again. Signatures are no secrets; shared tokens would be, so none is named here.
const keptHeaders = [
  'content-type',
  'stripe-signature',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'x-webhook-id',
  'x-webhook-event',
  'x-webhook-timestamp',
  'x-webhook-signature',
]

/** Thrown inside the door: a delivery that is not let in, with what the alert may know. */
class Turned extends CodedError {
  readonly source: string | null
  readonly keyId: string | null

  constructor(code: ErrorCode, facts: { source?: string; keyId?: string; details?: Record<string, unknown> } = {}) {
    super(code, undefined, facts.details)
    this.source = facts.source ?? null
    this.keyId = facts.keyId ?? null
  }
}

/** Fastify's own refusals in our words. Everything it says with 4xx is about the request. */
function fromFastify(error: { code?: string; statusCode?: number }): CodedError | null {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new Turned('body_too_large', { details: { limit: webhookBodyMaxBytes } })
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Turned('encoding_unsupported')
  const status = error.statusCode ?? 500
  return status >= 400 && status < 500 ? new Turned('body_unreadable') : null
}

const keep = (headers: RawDelivery['headers']): Record<string, string> =>
  Object.fromEntries(
    keptHeaders.flatMap((name) => (typeof headers[name] === 'string' ? [[name, headers[name]] as const] : [])),
  )

function verify(deps: WebhookOptions, endpoint: Endpoint, delivery: RawDelivery) {
  const { source } = endpoint
  const verdict = (() => {
    try {
      return verifyAt(endpoint, delivery, deps.app.clock.now())
    } catch (error) {
      // A verifier that throws on a stranger's bytes is a bug of ours; for the stranger it is still a no.
      deps.app.log.error('a webhook verifier threw', { source, error: error instanceof Error ? error.name : 'unknown' })
      throw new Turned('body_unreadable', { source })
    }
  })()
  if (!verdict.ok)
    throw new Turned(verdict.reason, { source, ...(verdict.keyId === undefined ? {} : { keyId: verdict.keyId }) })
  const { event } = verdict
  if (endpoint.livemode !== null && event.livemode !== null && event.livemode !== endpoint.livemode)
    throw new Turned('livemode_mismatch', { source })
  if (event.externalId === '' || event.externalId.length > externalIdMax || event.type.length > typeMax)
    throw new Turned('body_unreadable', { source })
  return event
}

async function receive(deps: WebhookOptions, route: WebhookRoute, request: FastifyRequest) {
  const endpoint = await route.resolve(request).catch((error: unknown) => {
    deps.app.log.error('a webhook endpoint could not be looked up', {
      route: route.path,
      error: error instanceof Error ? error.name : 'unknown',
    })
    throw new CodedError('not_ready', undefined, { retryAfter: upstreamRetrySeconds })
  })
  if (endpoint === null) throw new Turned('not_found')
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const event = verify(deps, endpoint, { headers: request.headers, body })
  const mode = event.livemode === null ? '' : event.livemode ? ':live' : ':test'
  const accepted = await deps.intake.accept({
    ...event,
    organization: endpoint.organization,
    connection: endpoint.connection,
    source: `${endpoint.source}${mode}`,
    headers: keep(request.headers),
    body,
    traceId: request.id,
  })
  return { received: true, duplicate: accepted === 'duplicate' }
}

const setRetryAfter = (reply: FastifyReply, error: CodedError): void => {
  const seconds = error.details.retryAfter
  if (typeof seconds === 'number') void reply.header('retry-after', String(seconds))
}

const handleErrors = (deps: WebhookOptions, refusals: Refusals, route: WebhookRoute) =>
  function onError(
    error: Error & { code?: string; statusCode?: number },
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    const coded = error instanceof CodedError ? error : fromFastify(error)
    if (coded === null) {
      deps.app.log.error('a webhook route failed', { route: route.path, traceId: request.id, error: error.name })
      const answer = errorBody(error, request.id)
      return reply.code(answer.status).send(answer.body)
    }
    const turned = coded instanceof Turned ? coded : null
    const overLimit =
      turned !== null &&
      refusals.note({
        route: route.path,
        source: turned.source,
        reason: turned.code,
        keyId: turned.keyId,
        address: request.ip,
        traceId: request.id,
      })
    const shown = overLimit ? new CodedError('rate_limited', undefined, { retryAfter: rateLimitedSeconds }) : coded
    setRetryAfter(reply, shown)
    const answer = errorBody(shown, request.id)
    return reply.code(answer.status).send(answer.body)
  }

function addRoute(scope: FastifyInstance, deps: WebhookOptions, refusals: Refusals, route: WebhookRoute): void {
  const errorHandler = handleErrors(deps, refusals, route)
  scope.route({
    method: 'POST',
    url: route.path,
    bodyLimit: webhookBodyMaxBytes,
    errorHandler,
    onRequest: async (request, reply) => {
      const encoding = request.headers['content-encoding']
      if (encoding === undefined || encoding === 'identity') return
      // The body stays unread, so the connection cannot carry another request.
      void reply.header('connection', 'close')
      throw new Turned('encoding_unsupported')
    },
    handler: async (request) => receive(deps, route, request),
  })
  scope.route({
    method: ['GET', 'PUT', 'PATCH', 'DELETE'],
    url: route.path,
    bodyLimit: webhookBodyMaxBytes,
    errorHandler,
    handler: async (_, reply) => {
      void reply.header('allow', 'POST')
      throw new CodedError('method_not_allowed')
    },
  })
}

/**
 * The door for webhooks, as a fastify plugin with its own body parser: bodies stay bytes. A delivery is verified over
 * those bytes, stored with its job, and only then answered `200 {received, duplicate}`. What a stranger sends is
 * answered with a coded 4xx.
 */
export function webhookRoutes(deps: WebhookOptions): FastifyPluginAsync & { readonly refusals: Refusals } {
  const refusals = createRefusals({
    clock: deps.app.clock,
    log: deps.app.log,
    ...(deps.onRefused === undefined ? {} : { onRefused: deps.onRefused }),
  })
  const plugin: FastifyPluginAsync = async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: webhookBodyMaxBytes }, (_request, body, done) =>
      done(null, body),
    )
    // One id from the first byte to the last platform call; the server may have chosen it already.
    scope.addHook('onRequest', async (request) => {
      if (!isId(request.id, 'trc')) request.id = deps.app.ids.next('trc')
    })
    for (const route of deps.routes) addRoute(scope, deps, refusals, route)
  }
  return Object.assign(plugin, { refusals })
}

/**
 * Stripe's two addresses: one per connection, and the plain one for the only (or default) payment connection, for
 * which `lookup` is asked with null. Answers are remembered for five seconds.
 */
export function stripeWebhookRoutes(clock: App['clock'], lookup: EndpointLookup): readonly WebhookRoute[] {
  const find = cachedLookup(clock, lookup)
  return [
    { path: '/api/stripe/webhook', resolve: () => find(null) },
    {
      path: '/api/stripe/webhook/:connectionId',
      resolve: async (request) => {
        const { connectionId } = request.params as { connectionId: string }
        return isId(connectionId, 'con') ? find(connectionId) : null
      },
    },
  ]
}
