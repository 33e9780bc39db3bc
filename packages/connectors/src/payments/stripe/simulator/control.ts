import { z } from 'zod'
import type { SimReply, SimRoute } from '#simulator/server.ts'
import type { StripeActions } from './actions.ts'
import type { ApiState } from './api.ts'
import type { Outbox } from './outbox.ts'
import { Refusal } from './world.ts'

const text = z.string().min(1)
const amount = z.coerce.number().int().positive()
const metadata = z.record(z.string(), z.string())

const answer = (work: () => unknown): SimReply => {
  try {
    return { status: 200, body: work() ?? { ok: true } }
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: { error: error.message, ...error.error } }
    if (error instanceof z.ZodError) return { status: 400, body: { error: 'input', issues: error.issues } }
    throw error
  }
}

/** A control call: its JSON body through a schema into a function. */
const post = <T>(name: string, schema: z.ZodType<T>, work: (input: T) => unknown): SimRoute => ({
  method: 'POST',
  pattern: `/_sim/${name}`,
  handle: ({ body }) => answer(() => work(schema.parse(body.length === 0 ? {} : JSON.parse(body.toString('utf8'))))),
})

// zod's optional keys carry `undefined`; the actions take absent keys only.
const present = <T extends object>(input: T) =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }

const session = z.object({ session: text })
const subscription = z.object({ subscription: text })

/** What a buyer, the bank and the shop do with single payments. */
const selling = (actions: StripeActions): SimRoute[] => [
  post(
    'add_price',
    z.object({
      name: text,
      amount,
      currency: text.optional(),
      interval: text.optional(),
      metadata: metadata.optional(),
      taxBehavior: z.enum(['inclusive', 'exclusive']).optional(),
    }),
    (input) => actions.addPrice(present(input)),
  ),
  post(
    'pay',
    z.object({
      session: text,
      card: text.optional(),
      email: text.optional(),
      name: text.optional(),
      country: text.optional(),
    }),
    (input) => actions.pay(present(input)),
  ),
  post('pay_async_succeed', session, (input) => actions.payAsyncSucceed(input.session)),
  post('pay_async_fail', session, (input) => actions.payAsyncFail(input.session)),
  post('expire', session, (input) => actions.expire(input.session)),
  post('open_link', z.object({ payment_link: text }), (input) => actions.openLink(input.payment_link)),
  post(
    'refund',
    z.object({
      payment_intent: text.optional(),
      charge: text.optional(),
      amount: amount.optional(),
      reason: text.optional(),
      metadata: metadata.optional(),
      pending: z.boolean().optional(),
    }),
    (input) => actions.refund(present(input)),
  ),
  post('refund_succeed', z.object({ refund: text }), (input) => actions.refundSucceed(input.refund)),
  post('refund_fail', z.object({ refund: text }), (input) => actions.refundFail(input.refund)),
  post(
    'dispute',
    z.object({
      payment_intent: text,
      inquiry: z.boolean().optional(),
      amount: amount.optional(),
      reason: text.optional(),
    }),
    (input) => actions.dispute(present(input)),
  ),
  post(
    'dispute_close',
    z.object({ dispute: text, outcome: z.enum(['won', 'lost', 'warning_closed', 'prevented', 'escalated']) }),
    (input) => actions.disputeClose(input.dispute, input.outcome),
  ),
  post('fraud_warning', z.object({ payment_intent: text }), (input) => actions.fraudWarning(input.payment_intent)),
]

/** What the shop sets up in the dashboard beside its prices. */
const shopkeeping = (actions: StripeActions): SimRoute[] => [
  post(
    'add_promotion',
    z.object({
      code: text,
      percentOff: z.number().positive().max(100).optional(),
      amountOff: amount.optional(),
      currency: text.optional(),
      duration: z.enum(['once', 'forever']).optional(),
      minimumAmount: amount.optional(),
      maxRedemptions: amount.optional(),
      expiresAt: amount.optional(),
      products: z.array(text).optional(),
    }),
    (input) => actions.addPromotion(present(input)),
  ),
  post('end_promotion', z.object({ code: text }), (input) => actions.endPromotion(input.code)),
  post('tax_rate', z.object({ country: text.length(2), percent: z.number().min(0).max(100) }), (input) =>
    actions.setTaxRate(input.country, input.percent),
  ),
  post(
    'add_customer',
    z.object({ email: text.optional(), name: text.optional(), country: text.length(2).optional() }),
    (input) => actions.addCustomer(present(input)),
  ),
]

/** What happens to subscriptions, and time. */
const renewing = (actions: StripeActions): SimRoute[] => [
  post('renew', subscription, (input) => actions.renew(input.subscription)),
  post('renew_fail', subscription, (input) => actions.renewFail(input.subscription)),
  post('retry', z.object({ subscription: text, card: text.optional() }), (input) =>
    actions.retry(input.subscription, input.card),
  ),
  post('cancel', subscription, (input) => actions.cancel(input.subscription)),
  post(
    'cancel_at',
    z.object({
      subscription: text,
      cancel_at: z.number().nullable().optional(),
      cancel_at_period_end: z.boolean().optional(),
    }),
    ({ subscription: id, ...at }) => actions.cancelAt(id, present(at)),
  ),
  post('pause', subscription, (input) => actions.pause(input.subscription)),
  post('resume', subscription, (input) => actions.resume(input.subscription)),
  post('card', z.object({ customer: text, card: text }), (input) => actions.setCard(input.customer, input.card)),
  post('after_dunning', z.object({ what: z.enum(['cancel', 'unpaid']) }), (input) =>
    actions.setAfterDunning(input.what),
  ),
  post('advance', z.union([z.object({ clock: text, frozen_time: z.number() }), z.strictObject({})]), (input) =>
    actions.advance('clock' in input ? input : {}),
  ),
]

const deliverInput = z.object({
  id: text.optional(),
  duplicate: z.number().int().positive().max(1_000).optional(),
  shuffle: z.boolean().optional(),
  drop: z.number().min(0).max(1).optional(),
  delayMs: z.number().nonnegative().optional(),
  parallel: z.number().int().positive().max(100).optional(),
})

const sending = (outbox: Outbox, state: ApiState, truth: () => object): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/_sim/deliver',
    handle: async ({ body }) => {
      const input = deliverInput.parse(body.length === 0 ? {} : JSON.parse(body.toString('utf8')))
      const { id, ...options } = input
      return {
        status: 200,
        body: id === undefined ? await outbox.deliverAll(present(options)) : await outbox.deliver(id),
      }
    },
  },
  { method: 'GET', pattern: '/_sim/outbox', handle: () => ({ status: 200, body: { deliveries: outbox.list() } }) },
  { method: 'GET', pattern: '/_sim/truth', handle: () => ({ status: 200, body: truth() }) },
  post(
    'webhook',
    z.object({
      url: z.url(),
      secret: text,
      form: z.enum(['snapshot', 'thin', 'both']).optional(),
      events: z.array(text).optional(),
    }),
    (input) => {
      outbox.webhook = present(input)
    },
  ),
  post('fail_after_work', z.object({ times: z.number().int().positive() }), (input) => {
    state.failAfterWork = input.times
  }),
]

export const controlRoutes = (deps: {
  readonly actions: StripeActions
  readonly outbox: Outbox
  readonly state: ApiState
  readonly truth: () => object
}): SimRoute[] => [
  ...selling(deps.actions),
  ...shopkeeping(deps.actions),
  ...renewing(deps.actions),
  ...sending(deps.outbox, deps.state, deps.truth),
]
