import * as z from 'zod'
import { type PageRequest, readPage, walk } from './pages.ts'
import { paymentSchema } from './records.ts'
import { flag, maybe, maybeNumber, maybeText, maybeTime, texts } from './shapes.ts'
import { path, type Transport } from './transport.ts'
import { userSchema } from './users.ts'

const leadSchema = z.looseObject({
  email: z.string(),
  first_name: maybeText,
  last_name: maybeText,
  tags: texts,
  created: maybeTime,
  user_id: maybeText,
  user_registered_at: maybeTime,
  page_submitted: maybeText,
})
const couponSchema = z.looseObject({
  code: z.string(),
  quantity: maybeNumber,
  /** A date, `yyyy-mm-dd`. */
  expires: maybeText,
  bulk: flag,
  prefix: maybeText,
  times_used: maybeNumber,
})
const promotionSchema = z.looseObject({
  id: z.string(),
  name: maybeText,
  type: maybeText,
  value: maybeNumber,
  coupons: z.array(couponSchema).catch([]),
  products: z.array(z.looseObject({ id: z.string(), type: maybeText })).catch([]),
  created: maybeTime,
  modified: maybeTime,
})
const usageSchema = z.looseObject({
  usage: maybe(couponSchema),
  payments: z.array(paymentSchema).catch([]),
  meta: maybe(z.looseObject({ page: maybeNumber, totalPages: maybeNumber, totalItems: maybeNumber })),
})
const affiliateSchema = z.looseObject({
  id: z.string(),
  email: maybeText,
  username: maybeText,
  code: maybeText,
  commission_percentage: maybeNumber,
  date: maybeTime,
  pending: maybeNumber,
  due: maybeNumber,
})
const payoutSchema = z.looseObject({ amount: maybeNumber, created: maybeTime, paymentMethod: maybeText })

export type NewPromotion = {
  readonly name: string
  readonly type?: 'percentage' | 'fixed'
  readonly value?: number
  readonly applies_to_all?: readonly ('bundles' | 'courses' | 'courses_bundles' | 'none')[]
  readonly products?: readonly { readonly type: 'course' | 'bundle'; readonly id: string }[]
}
export type NewCoupon = { readonly code: string; readonly quantity?: number; readonly expires?: string }
export type NewCoupons = { readonly prefix: string; readonly quantity: number; readonly expires?: string | null }
export type NewAffiliate = {
  readonly commission_percentage?: number
  readonly paymentMethod?: 'paypal' | 'other' | 'bank_transfer' | 'none'
  readonly paymentNotes?: string | null
}

export function leadsApi(transport: Transport) {
  return { walk: (page?: PageRequest) => walk(transport, { path: '/v2/leads', item: leadSchema }, page) }
}

export function promotionsApi(transport: Transport) {
  const { call } = transport
  return {
    walk: (page?: PageRequest) => walk(transport, { path: '/v2/promotions', item: promotionSchema }, page),
    get: (id: string) => call({ method: 'GET', path: path`/v2/promotions/${id}`, answer: promotionSchema }),
    create: (promotion: NewPromotion) =>
      call({ method: 'POST', path: '/v2/promotions', body: promotion, answer: promotionSchema }),
    coupons: (id: string) => readPage(transport, { path: path`/v2/promotions/${id}/coupons`, item: couponSchema }),
    addCoupon: (id: string, coupon: NewCoupon) =>
      call({ method: 'POST', path: path`/v2/promotions/${id}/coupons`, body: coupon, answer: couponSchema }),
    addCoupons: (id: string, coupons: NewCoupons) =>
      call({
        method: 'POST',
        path: path`/v2/promotions/${id}/coupons-bulk`,
        body: coupons,
        answer: z.array(couponSchema),
      }),
    usage: (id: string, coupon: string, page: PageRequest = {}) =>
      call({
        method: 'GET',
        path: path`/v2/promotions/${id}/coupons/${coupon}/usage`,
        query: { page: page.page ?? 1 },
        answer: usageSchema,
      }),
  }
}

export function affiliatesApi(transport: Transport) {
  const of = (id: string, what: 'leads' | 'customers') => ({
    path: path`/v2/affiliates/${id}/${what}`,
    item: userSchema,
  })
  return {
    walk: (page?: PageRequest) => walk(transport, { path: '/v2/affiliates', item: affiliateSchema }, page),
    /** Makes an existing user an affiliate. */
    create: (user: string, affiliate: NewAffiliate = {}) =>
      transport.call({
        method: 'POST',
        path: path`/v2/affiliates/${user}`,
        body: affiliate,
        answer: z.looseObject({ data: affiliateSchema }).transform((answer) => answer.data),
      }),
    walkLeads: (id: string, page?: PageRequest) => walk(transport, of(id, 'leads'), page),
    walkCustomers: (id: string, page?: PageRequest) => walk(transport, of(id, 'customers'), page),
    walkPayments: (id: string, page?: PageRequest) =>
      walk(transport, { path: path`/v2/affiliates/${id}/payments`, item: paymentSchema }, page),
    walkPayouts: (id: string, which: 'upcoming' | 'due' | 'completed', page?: PageRequest) =>
      walk(transport, { path: path`/v2/affiliates/${id}/payouts/${which}`, item: payoutSchema }, page),
  }
}
