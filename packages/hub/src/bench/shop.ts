import { randomBytes } from 'node:crypto'
import { signStripe } from '@bursar/kit/signature/stripe.ts'
import { Agent, request } from 'undici'

export const benchSecret = 'whsec_bench_0123456789abcdef0123'
export const benchCourse = 'bench-course'

/** A shop that was paid: sends signed events as Stripe would, without a Stripe to read them back from. */
export type Shop = {
  /** Resolves with the status; the moment it was sent stands in `sentAt` by e-mail. */
  pay(email: string): Promise<number>
  readonly sentAt: ReadonlyMap<string, number>
  close(): Promise<void>
}

const sessionOf = (email: string) => {
  const id = randomBytes(12).toString('hex')
  const now = Math.floor(Date.now() / 1000)
  return {
    id: `evt_${id}`,
    object: 'event',
    api_version: '2026-10-28.endive',
    created: now,
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type: 'checkout.session.completed',
    data: {
      object: {
        id: `cs_test_${id}`,
        object: 'checkout.session',
        mode: 'payment',
        status: 'complete',
        payment_status: 'paid',
        livemode: false,
        amount_total: 4900,
        amount_subtotal: 4900,
        currency: 'usd',
        created: now,
        expires_at: now + 86_400,
        customer: null,
        customer_details: { email, name: 'Bench Buyer' },
        client_reference_id: null,
        metadata: { courseId: benchCourse },
        payment_intent: `pi_${id}`,
        subscription: null,
        invoice: null,
        total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
      },
    },
  }
}

export function openShop(hubUrl: string): Shop {
  const agent = new Agent({ connections: 128, pipelining: 1 })
  const sentAt = new Map<string, number>()
  return {
    sentAt,
    pay: async (email) => {
      const body = Buffer.from(JSON.stringify(sessionOf(email)))
      const signature = signStripe(body, benchSecret, Math.floor(Date.now() / 1000))
      sentAt.set(email, performance.now())
      const answer = await request(`${hubUrl}/api/stripe/webhook`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature },
        body,
      })
      await answer.body.dump()
      return answer.statusCode
    },
    close: () => agent.close(),
  }
}
