import * as z from 'zod'
import type { ProductRef } from './shapes.ts'
import { nothing, path, type Transport } from './transport.ts'

export type NewEnrollment = ProductRef & {
  /** Must be present even when 0. Above 0 the school books a payment of its own. */
  readonly price: number
  /** Comes back in event logs, payments and webhooks. */
  readonly justification?: string | null
  readonly send_enrollment_email?: boolean | null
  /** Only for subscriptions. */
  readonly duration_type?: 'months' | 'weeks' | 'days'
  readonly duration?: number
}

const accepted = z.looseObject({ success: z.boolean() })

/** `user` is an id or an e-mail address. */
export function enrollmentApi(transport: Transport) {
  return {
    /** Fails with `learnworlds.already_owned` when the user has the product. The answer holds no id and no dates. */
    enroll: (user: string, enrollment: NewEnrollment) =>
      transport.call({
        method: 'POST',
        path: path`/v2/users/${user}/enrollment`,
        body: enrollment,
        answer: accepted,
      }),
    /** The product stands in the body of a DELETE: a proxy that drops such bodies breaks it. */
    unenroll: (user: string, product: ProductRef) =>
      transport.call({
        method: 'DELETE',
        path: path`/v2/users/${user}/enrollment`,
        body: { productId: product.productId, productType: product.productType },
        answer: nothing,
      }),
  }
}

const loginSchema = z.looseObject({ url: z.url(), user_id: z.string().min(1) })

export type LoginRequest =
  | { readonly user_id: string; readonly redirectUrl: string }
  /** Creates the user when there is none. */
  | { readonly email: string; readonly username: string; readonly avatar?: string; readonly redirectUrl: string }

export function ssoApi(transport: Transport) {
  return {
    /** The url logs its bearer in: mint on click, redirect at once, never keep. */
    login: (request: LoginRequest) =>
      transport.call({ method: 'POST', path: '/sso', body: request, answer: loginSchema }),
  }
}
