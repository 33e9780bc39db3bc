import { randomBytes } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { signStripe } from '@bursar/kit/signature/stripe.ts'
import { Agent, request } from 'undici'
import { benchSecret } from './shop.ts'
import type { TimeSpent } from './time-spent.ts'

export const benchPrice = 'price_bench'
export const benchKeys = { secret: 'sk_test_bench0000000000', publishable: 'pk_test_bench0000000000' }

/**
 * The least a payment provider must be to be asked: it makes checkouts, is paid, tells of it by a signed event and
 * answers what became of a checkout, each after a set time. Not the simulator, whose own cost would be measured.
 */
export type BenchProvider = {
  readonly url: string
  /** Pays the checkout of an order and sends its event; resolves with the status of the hub's answer. */
  pay(orderRef: string, email: string): Promise<number>
  /** How this checkout is named where its time is counted. */
  sessionOf(orderRef: string): string
  close(): Promise<void>
}

type Session = { readonly id: string; readonly order: string; email: string | null }

const seconds = () => Math.floor(Date.now() / 1000)

/** What the two of a session have in common, as Stripe writes it. */
function wire({ id, order, email }: Session) {
  const made = seconds()
  const paid = email !== null
  const metadata = { hub_order_id: order }
  const money = { amount: 4_900, currency: 'usd', livemode: false, created: made, customer: null, metadata }
  const intent = `pi_${id.slice(-24)}`
  const charge = {
    id: `ch_${id.slice(-24)}`,
    ...money,
    amount_captured: 4_900,
    amount_refunded: 0,
    status: 'succeeded',
    payment_intent: intent,
    disputed: false,
    receipt_email: null,
    billing_details: { email },
    refunds: { data: [], has_more: false },
  }
  return {
    ...{ id, object: 'checkout.session', mode: 'payment', livemode: false, created: made, expires_at: made + 86_400 },
    ...{ status: paid ? 'complete' : 'open', payment_status: paid ? 'paid' : 'unpaid', metadata },
    ...{ amount_total: 4_900, amount_subtotal: 4_900, currency: 'usd', customer: null, client_reference_id: order },
    ...{ subscription: null, invoice: null, url: null, client_secret: `${id}_secret_bench` },
    customer_details: paid ? { email, name: 'Bench Buyer' } : null,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    payment_intent: paid
      ? {
          id: intent,
          object: 'payment_intent',
          ...money,
          amount_received: 4_900,
          status: 'succeeded',
          receipt_email: null,
          latest_charge: charge,
        }
      : null,
    line_items: {
      data: [
        {
          id: `li_${id.slice(-24)}`,
          amount_total: 4_900,
          amount_tax: 0,
          description: 'Bench',
          quantity: 1,
          price: { id: benchPrice, product: 'prod_bench' },
        },
      ],
      has_more: false,
    },
  }
}

const send = (res: ServerResponse, status: number, body: unknown) => {
  const text = JSON.stringify(body)
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  res.end(text)
}

/** The event a provider sends when a session was paid, as bytes: they are signed as they are. */
function paidEvent(session: Session): Buffer {
  const { line_items: _, ...object } = wire(session)
  const event = {
    id: `evt_${session.id.slice(-24)}`,
    object: 'event',
    api_version: '2026-10-28.endive',
    created: seconds(),
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type: 'checkout.session.completed',
    data: { object: { ...object, payment_intent: object.payment_intent?.id ?? null } },
  }
  return Buffer.from(JSON.stringify(event))
}

export async function startProvider(answerMs: number, spent: TimeSpent, hubUrl: () => string): Promise<BenchProvider> {
  const byId = new Map<string, Session>()
  const byOrder = new Map<string, Session>()
  const agent = new Agent({ connections: 64, pipelining: 1 })

  const create = (form: URLSearchParams): Session => {
    const order = form.get('metadata[hub_order_id]') ?? ''
    const session: Session = { id: `cs_test_${randomBytes(12).toString('hex')}`, order, email: null }
    byId.set(session.id, session)
    byOrder.set(order, session)
    return session
  }

  const server = createServer((req, res) => {
    const began = performance.now()
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const path = (req.url ?? '').replace(/\?.*$/, '')
      const answer = (status: number, body: unknown, about: string) =>
        setTimeout(() => {
          send(res, status, body)
          spent.add(about, began, performance.now())
        }, answerMs)
      if (req.method === 'POST' && path === '/v1/checkout/sessions') {
        const session = create(new URLSearchParams(Buffer.concat(chunks).toString()))
        return answer(200, wire(session), session.id)
      }
      const asked = byId.get(/^\/v1\/checkout\/sessions\/([^/]+)$/.exec(path)?.[1] ?? '')
      if (asked !== undefined) return answer(200, wire(asked), asked.id)
      if (path === '/v1/events') return answer(200, { object: 'list', data: [], has_more: false }, '')
      answer(404, { error: { type: 'invalid_request_error', message: `no ${path} here` } }, '')
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const found = (order: string): Session => {
    const session = byOrder.get(order)
    if (session === undefined) throw new Error(`no checkout of ${order}`)
    return session
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sessionOf: (order) => found(order).id,
    pay: async (order, email) => {
      const session = found(order)
      session.email = email
      const body = paidEvent(session)
      const signature = signStripe(body, benchSecret, seconds())
      const answer = await request(`${hubUrl()}/api/stripe/webhook`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature },
        body,
      })
      await answer.body.dump()
      return answer.statusCode
    },
    close: async () => {
      await agent.close()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}
