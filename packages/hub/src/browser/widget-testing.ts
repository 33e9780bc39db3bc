import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startStripeSimulator } from '@bursar/connectors/payments/stripe/simulator.ts'
import { systemClock } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import Fastify from 'fastify'
import type { FrameLocator, Page } from 'playwright-core'
import { assetRoutes } from '#pages/assets.ts'
import { frameRoutes } from '#pages/frame.ts'
import { registerLimits } from '#surfaces/limits.ts'

/** What the hub's API answers, as a test scripts it: a status and a body. The real API has tests of its own. */
export type Scripted = (body: Readonly<Record<string, unknown>>, request: IncomingMessage) => readonly [number, unknown]

export type Stage = {
  readonly hub: string
  /** The origin the organization registered, and one it did not. */
  readonly host: string
  readonly stranger: string
  readonly stripe: Awaited<ReturnType<typeof startStripeSimulator>>
  /** By path; what is missing answers 404. */
  readonly answers: Map<string, Scripted>
  /** Every call of the API so far: path and body. */
  readonly calls: { readonly path: string; readonly body: Readonly<Record<string, unknown>> }[]
  /** The page both sites show. */
  html: string
  /** Whether the sites allow code made at run time, as Angular's compiler in the browser needs. */
  evaluates: boolean
  /** A session of the simulated provider, as the hub would make it. */
  session(mode: 'elements' | 'embedded_page'): Promise<{ readonly id: string; readonly clientSecret: string }>
  close(): Promise<void>
}

/** Longer than any step takes on a busy machine, and short enough to fail in. */
export const patienceMs = 10_000

export const organization = 'harbour'
const secretKey = 'sk_test_stage'
const publishableKey = 'pk_test_stage'
// As strict as a careful owner makes it: only the hub's script and frame, no inline style.
const hostPolicy = (hub: string, evaluates: boolean) =>
  `default-src 'none'; script-src 'self' ${evaluates ? "'unsafe-eval' " : ''}${hub}; frame-src ${hub}; form-action ${hub}`

const listenOn = async (server: Server, host: string): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return (server.address() as AddressInfo).port
}

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

/** A checkout session of the simulated provider, made over its API as the hub does. */
async function makeSession(
  url: string,
  { mode, price, back }: { readonly mode: string; readonly price: string; readonly back: string },
): Promise<{ readonly id: string; readonly clientSecret: string }> {
  const form = new URLSearchParams({
    mode: 'payment',
    ui_mode: mode,
    redirect_on_completion: 'if_required',
    return_url: back,
    allow_promotion_codes: 'true',
    'line_items[0][price]': price,
    'line_items[0][quantity]': '1',
  })
  const answer = await fetch(`${url}/v1/checkout/sessions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretKey}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: form,
  })
  const made = (await answer.json()) as { id: string; client_secret: string; error?: unknown }
  if (!answer.ok) throw new Error(JSON.stringify(made.error))
  return { id: made.id, clientSecret: made.client_secret }
}

/** A hub that serves the widget, a registered site, a stranger's site, and a simulated provider: four origins. */
export async function widgetStage(): Promise<Stage> {
  const stripe = await startStripeSimulator({ clock: systemClock, random: secureRandom, secretKey, publishableKey })
  const { id: price } = stripe.addPrice({ name: 'Sourdough basics', amount: 4_900, currency: 'usd' })
  const answers = new Map<string, Scripted>()
  const calls: Stage['calls'] = []
  const stage = { html: '', evaluates: false }
  const showPage = (_: IncomingMessage, response: ServerResponse) => {
    response
      .writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': hostPolicy(hub, stage.evaluates),
      })
      .end(stage.html)
  }
  const [hostServer, strangerServer] = [createServer(showPage), createServer(showPage)]
  const host = `http://localhost:${await listenOn(hostServer, 'localhost')}`
  const stranger = `http://localhost:${await listenOn(strangerServer, 'localhost')}`

  const fastify = Fastify()
  await registerLimits(fastify)
  await fastify.register(async (scope) => assetRoutes(scope))
  await fastify.register(async (scope) =>
    frameRoutes(scope, {
      originsOf: async (slug) => (slug === organization ? { name: 'Harbour School', origins: [host] } : null),
      stripeJs: () => `${stripe.url}/endive/stripe.js`,
    }),
  )
  fastify.all<{ Body: Readonly<Record<string, unknown>> }>('/api/*', async (request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const body = request.body ?? {}
    calls.push({ path, body })
    const scripted = answers.get(path)
    const [status, answer] = scripted?.(body, request.raw) ?? [
      404,
      { error: { code: 'not_found', message: 'Nothing.' } },
    ]
    if (status === 429) void reply.header('retry-after', '17')
    return reply.code(status).send(answer)
  })
  fastify.post('/checkout/start', async (_, reply) => reply.type('text/html').send('<h1>Started</h1>'))
  fastify.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )
  const hub = await fastify.listen({ host: '127.0.0.1', port: 0 })

  return Object.assign(stage, {
    ...{ hub, host, stranger, stripe, answers, calls },
    session: (mode: 'elements' | 'embedded_page') =>
      makeSession(stripe.url, { mode, price, back: `${hub}/checkout/return` }),
    close: async () => {
      await Promise.all([fastify.close(), stripe.close(), closeServer(hostServer), closeServer(strangerServer)])
    },
  })
}

export const orderRef = 'ord_0123456789abcdefghjkmnpqrs'
export const claimSecret = 'clm_secret_that_must_not_leave'
export const sessionToken = 'session_token_that_must_not_leave'

export type SeatState = 'open' | 'preparing' | 'waiting' | 'closed'
const seatOf = (state: SeatState) => ({
  ...{ enrollmentId: 'enr_0123456789abcdefghjkmnpqrs', course: 'Sourdough basics', school: 'Harbour School' },
  ...{ state, message: '' },
})

/** What the simulated provider made of one session, as the hub would tell it. */
export function scriptPurchase(
  stage: Stage,
  session: { readonly id: string; readonly clientSecret: string },
  options: { readonly seats?: readonly SeatState[]; readonly mode?: string } = {},
): void {
  const seats = [...(options.seats ?? ['open'])]
  let claimed = false
  const payment = (): string => {
    const it = stage.stripe.session(session.id)
    if (it?.status === 'expired') return 'expired'
    if (it?.status !== 'complete') return 'pending'
    return it.payment_status === 'unpaid' ? 'processing' : 'paid'
  }
  stage.answers.clear()
  stage.calls.length = 0
  stage.answers.set('/api/checkout', () => [
    200,
    {
      ...{ orderRef, status: 'pending', mode: options.mode ?? 'elements', clientSecret: session.clientSecret },
      ...{ url: null, publishableKey, claimSecret },
      expiresAt: new Date(systemClock.now() + 3_600_000).toISOString(),
    },
  ])
  stage.answers.set('/api/checkout/status', () => {
    const state = claimed && seats.length > 1 ? seats.shift() : seats[0]
    const shown = claimed && state !== undefined ? [seatOf(state)] : []
    return [200, { orderRef, status: 'x', payment: payment(), claimed, email: 'l***@example.com', seats: shown }]
  })
  stage.answers.set('/api/sign-in/methods', () => [200, { methods: [{ kind: 'code' }, { kind: 'passkey' }] }])
  stage.answers.set('/api/sign-in/code', () => [200, { ok: true }])
  stage.answers.set('/api/sign-in/verify', (body) =>
    body.code === '123456'
      ? [200, { token: sessionToken, expiresAt: new Date(systemClock.now() + 3_600_000).toISOString(), isNew: true }]
      : [401, { error: { code: 'code_wrong', message: 'The code is wrong, used or too old.' } }],
  )
  stage.answers.set('/api/sign-out', () => [200, { ok: true }])
  stage.answers.set('/api/onboard-learner', () => {
    claimed = true
    return [200, { success: true, status: 'preparing', loginUrl: null, enrollments: [], message: '' }]
  })
  stage.answers.set('/api/v1/launch.mint_own', () => [200, { path: '/x', token: 'launch_token', expiresAt: '' }])
}

/** A registered site's page with this markup and nothing of its own; `HUB` in it stands for the hub's address. */
export const hostPage = (stage: Stage, markup: string, lang = 'en'): string =>
  `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>Shop</title><script src="${stage.hub}/bursar-checkout.js" defer></script></head><body><h1>Shop</h1>${markup.replaceAll('HUB', stage.hub)}</body></html>`

export const frameOf = (page: Page, tag = 'bursar-checkout'): FrameLocator => page.locator(tag).frameLocator('iframe')

// As text: it runs in the page, where there is a document.
const recorder = `globalThis.seen = []
for (const name of ['paymentSuccess', 'paymentError', 'paymentProcessing', 'loginSuccess', 'loginError', 'signupSuccess', 'statusChange'])
  document.addEventListener(name, (event) => globalThis.seen.push([name, event.detail]))`

/** Records every event of the elements from now on; read it with `seen`. */
export const listen = (page: Page): Promise<void> => page.evaluate(recorder)

export type Seen = readonly [string, { readonly status: string; readonly orderRef: string | null }]

export const seen = (page: Page): Promise<readonly Seen[]> => page.evaluate('globalThis.seen')

/** Fills in the provider's card fields, wherever they are nested. */
export async function enterCard(page: Page, number: string): Promise<void> {
  const fields = frameOf(page).frameLocator('.stripe iframe')
  await fields.getByLabel('Card number').fill(number)
  await fields.getByLabel('Expiration date').fill('12 / 40')
  await fields.getByLabel('Security code').fill('123')
}
