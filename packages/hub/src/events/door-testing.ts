import { request as httpRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createStripe } from '@bursar/connectors/payments/stripe/index.ts'
import { signStripe } from '@bursar/kit/signature/stripe.ts'
import fastify from 'fastify'
import type { Endpoint } from './endpoint.ts'
import { stripeWebhookRoutes, webhookRoutes } from './intake-routes.ts'
import { createIntake, type Intake, type IntakeOptions } from './receive.ts'
import type { OnRefused } from './refusals.ts'
import { verifyStandardDelivery } from './standard.ts'
import type { Ground } from './testing.ts'

export const stripeSecret = 'whsec_stripe_secret_of_the_test_0001'
export const standardSecret = `whsec_${Buffer.alloc(32, 9).toString('base64')}`

export type Answer = {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly json: { received?: boolean; duplicate?: boolean; error?: { code: string; traceId?: string; limit?: number } }
}

/** A webhook door on loopback: Stripe's addresses and one of the Standard Webhooks scheme. */
export type Door = {
  readonly port: number
  readonly refused: Parameters<OnRefused>[0][]
  /** Sends with Node's own client: exactly these headers and chunks. */
  send(path: string, headers: Record<string, string | string[]>, body: Buffer | readonly Buffer[]): Promise<Answer>
  /** Writes these bytes to the socket and reads until the other side closes or answers. */
  raw(bytes: string | Buffer): Promise<string>
  close(): Promise<void>
}

export const stripeEvent = (id: string, more: Record<string, unknown> = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      id,
      object: 'event',
      type: 'customer.created',
      created: 1_767_603_600,
      livemode: true,
      api_version: '2026-10-28.endive',
      data: { object: { object: 'customer', id: 'cus_1' } },
      ...more,
    }),
  )

export const stripeHeaders = (body: Buffer, at: number, secret = stripeSecret): Record<string, string> => ({
  'content-type': 'application/json',
  'stripe-signature': signStripe(body, secret, Math.floor(at / 1000)),
})

export async function openDoor(
  ground: Ground,
  options: IntakeOptions & { readonly intake?: Pick<Intake, 'accept'>; readonly standard?: Endpoint['verify'] } = {},
): Promise<Door> {
  const refused: Door['refused'] = []
  const stripe = createStripe({ secretKey: null }, { ...ground.app })
  const lookup = ground.lookup((raw, secrets, now) => stripe.verify(raw, secrets, now), true)
  const plugin = webhookRoutes({
    app: ground.app,
    intake: options.intake ?? createIntake(ground.app, options),
    routes: [
      ...stripeWebhookRoutes(ground.clock, lookup),
      { path: '/in/standard', resolve: () => ground.lookup(options.standard ?? verifyStandardDelivery)(null) },
    ],
    onRefused: (refusal) => refused.push(refusal),
  })
  const server = fastify()
  await server.register(plugin)
  // What every other route of the hub does with bodies; it must not reach the webhooks.
  server.post('/json', async (request) => request.body)
  await server.listen({ port: 0, host: '127.0.0.1' })
  const { port } = server.server.address() as AddressInfo
  return {
    port,
    refused,
    send: (path, headers, body) => send(port, path, headers, body),
    raw: (bytes) => raw(port, bytes),
    close: () => server.close(),
  }
}

const send = (
  port: number,
  path: string,
  headers: Record<string, string | string[]>,
  body: Buffer | readonly Buffer[],
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const chunks = Buffer.isBuffer(body) ? [body] : body
    let answered = false
    const length = Buffer.isBuffer(body) ? { 'content-length': String(body.length) } : {}
    const request = httpRequest(
      { port, host: '127.0.0.1', path, method: 'POST', agent: false, headers: { ...length, ...headers } },
      (response) => {
        answered = true
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => {
          const json = JSON.parse(Buffer.concat(parts).toString() || '{}') as Answer['json']
          resolve({ status: response.statusCode ?? 0, headers: response.headers, json })
        })
        response.on('error', reject)
      },
    )
    // A server that refuses a body early may close while we still write; the answer is what counts.
    request.on('error', (error) => (answered ? undefined : reject(error)))
    for (const chunk of chunks) request.write(chunk)
    request.end()
  })

const raw = (port: number, bytes: string | Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let text = ''
    socket.on('data', (part) => {
      text += part.toString('latin1')
      socket.end()
    })
    socket.on('close', () => resolve(text))
    // A server that closes with our bytes unread resets the connection; its answer has come by then.
    socket.on('error', (error) => (text === '' ? reject(error) : resolve(text)))
  })
