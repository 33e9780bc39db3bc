import * as z from 'zod'
import { type PageRequest, readPage, walk } from './pages.ts'
import { flag, maybe, maybeNumber, maybeText, maybeTime, type ProductType, time, toSeconds } from './shapes.ts'
import { path, type Transport } from './transport.ts'

const productOfPayment = z.looseObject({
  id: z.string(),
  type: maybeText,
  name: maybeText,
  original_price: maybeNumber,
  discount_price: maybeNumber,
  final_price: maybeNumber,
})

/** A number, or since the 2025 platform an object with amount and currency. */
const discount = z
  .union([
    z.number().transform((amount) => ({ amount, currency: null as string | null })),
    z.looseObject({ amount: z.number(), currency: maybeText }),
  ])
  .nullable()
  .catch(null)

export const paymentSchema = z.looseObject({
  id: z.string().min(1),
  transaction_id: maybeText,
  type: maybeText,
  product: maybe(productOfPayment),
  products: z.array(productOfPayment).catch([]),
  price: maybeNumber,
  discount,
  currency_code: maybeText,
  user_id: maybeText,
  coupon: maybeText,
  gateway: maybeText,
  invoice: maybeText,
  external_invoice: maybe(z.unknown()),
  tax_amount: maybeNumber,
  tax_percentage: maybeNumber,
  affiliate: maybe(z.looseObject({})),
  instructors: z.array(z.looseObject({})).catch([]),
  refund_at: maybeTime,
  paid_at: maybeTime,
  created: maybeTime,
})
export type LearnWorldsPayment = z.output<typeof paymentSchema>

const eventSchema = z.looseObject({
  user: z.looseObject({ id: z.string(), username: maybeText }),
  created: time,
  activity: z.string(),
  description: maybeText,
  type: maybeText,
  additional_info: maybe(z.record(z.string(), z.unknown())),
})
export type EventLog = z.output<typeof eventSchema>

const subscriptionSchema = z.looseObject({
  user_id: z.string(),
  email: maybeText,
  plan_id: z.string(),
  status: maybeText,
  provider: maybeText,
  provider_meta: maybe(z.looseObject({})),
  created: maybeTime,
  expires_at: maybeTime,
})
const installmentSchema = z.looseObject({
  id: z.string(),
  user_id: z.string(),
  productId: maybeText,
  productType: maybeText,
  status: maybeText,
  amount: maybeNumber,
  paymentsCount: maybeNumber,
  paymentsPayed: maybeNumber,
  isCancelable: flag,
  ends_at: maybeTime,
  current_period_start: maybeTime,
  current_period_end: maybeTime,
})
const invoiceLink = z.looseObject({ invoice: maybeText, url: z.string(), expires_at: maybeTime })

export type PaymentFilter = {
  readonly userId?: string
  readonly productId?: string
  readonly productType?: ProductType
  readonly affiliateId?: string
  /** Epoch ms. */
  readonly createdAfter?: number
  readonly createdBefore?: number
}
export type EventFilter = {
  readonly userId?: string
  /** One activity per call; without it, all. */
  readonly activity?: string
  readonly createdAfter?: number
  readonly createdBefore?: number
  readonly sort?: 'asc' | 'desc'
}
export type SubscriptionFilter = { readonly userId?: string; readonly status?: 'active' | 'inactive' | 'trial' }

const span = (filter: { readonly createdAfter?: number; readonly createdBefore?: number }) => ({
  created_after: toSeconds(filter.createdAfter),
  created_before: toSeconds(filter.createdBefore),
})

/** What the school wrote down: payments, activities, subscriptions. */
export function recordsApi(transport: Transport) {
  const { call } = transport
  const payments = (filter: PaymentFilter = {}) => ({
    path: '/v2/payments',
    item: paymentSchema,
    query: {
      user_id: filter.userId,
      product_id: filter.productId,
      product_type: filter.productType,
      affiliate_id: filter.affiliateId,
      ...span(filter),
    },
    sizable: true,
  })
  const events = (filter: EventFilter = {}) => ({
    path: '/v2/event-logs',
    item: eventSchema,
    query: { user_id: filter.userId, activity: filter.activity, sort: filter.sort, ...span(filter) },
  })
  return {
    pagePayments: (filter?: PaymentFilter, page?: PageRequest) => readPage(transport, payments(filter), page),
    walkPayments: (filter?: PaymentFilter, page?: PageRequest) => walk(transport, payments(filter), page),
    /** By payment id or transaction id. */
    payment: (id: string) => call({ method: 'GET', path: path`/v2/payments/${id}`, answer: paymentSchema }),
    invoiceLink: (id: string) =>
      call({ method: 'GET', path: path`/v2/payments/${id}/invoice-link`, answer: invoiceLink }),
    /** The only feed of changes. Rows have no id: (user.id, activity, created) tells them apart. */
    pageEvents: (filter?: EventFilter, page?: PageRequest) => readPage(transport, events(filter), page),
    walkEvents: (filter?: EventFilter, page?: PageRequest) => walk(transport, events(filter), page),
    walkSubscriptions: (filter: SubscriptionFilter = {}, page?: PageRequest) =>
      walk(
        transport,
        {
          path: '/v2/user-subscriptions',
          item: subscriptionSchema,
          query: { user_id: filter.userId, status: filter.status },
        },
        page,
      ),
    walkInstallments: (
      filter: { readonly userId?: string; readonly productId?: string; readonly productType?: ProductType } = {},
      page?: PageRequest,
    ) =>
      walk(
        transport,
        {
          path: '/v2/installments/active',
          item: installmentSchema,
          query: { user_id: filter.userId, product_id: filter.productId, product_type: filter.productType },
        },
        page,
      ),
  }
}
