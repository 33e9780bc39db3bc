import type Stripe from 'stripe'
import type { Endpoint } from './api.ts'
import {
  createCustomer,
  createPrice,
  createProduct,
  metadataOf,
  type PriceInput,
  updateCustomer,
  updatePrice,
  updateProduct,
} from './catalog.ts'
import { expireSession } from './checkout.ts'
import { billingEndpoints } from './endpoints-billing.ts'
import { cancelIntent, confirmIntent, createIntent } from './intents.ts'
import { createLink, updateLink } from './links.ts'
import { page } from './lists.ts'
import { createCoupon, createPromotionCode, isActive, updatePromotionCode } from './promotions.ts'
import { as, resource } from './resource.ts'
import { refund, refundFail } from './reversals.ts'
import { createSession } from './session.ts'
import { emit, find, Refusal, type World } from './world.ts'

const catalog = (world: World): Endpoint[] => [
  ...resource('products', 'product', world.products, 'products_list', ['active']),
  ...resource('prices', 'price', world.prices, 'prices_list', ['active', 'product', 'currency', 'type']),
  ...resource('customers', 'customer', world.customers, 'customers_list', ['email', 'test_clock']),
  {
    method: 'POST',
    pattern: '/v1/products',
    operation: 'products_create',
    run: ({ form }) => createProduct(world, as<Stripe.ProductCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/products/:id',
    operation: 'products_update',
    run: ({ id, form }) => updateProduct(world, id, as<Stripe.ProductUpdateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/prices',
    operation: 'prices_create',
    run: ({ form }) => createPrice(world, as<PriceInput>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/prices/:id',
    operation: 'prices_update',
    run: ({ id, form }) => updatePrice(world, id, as<Stripe.PriceUpdateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/customers',
    operation: 'customers_create',
    run: ({ form }) => createCustomer(world, as<Stripe.CustomerCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/customers/:id',
    operation: 'customers_update',
    run: ({ id, form }) => updateCustomer(world, id, as<Stripe.CustomerUpdateParams>(form)),
  },
]

const checkout = (world: World): Endpoint[] => [
  ...resource('checkout/sessions', 'checkout.session', world.sessions, 'sessions_list', [
    'payment_intent',
    'subscription',
    'customer',
    'payment_link',
    'status',
  ]),
  {
    method: 'POST',
    pattern: '/v1/checkout/sessions',
    operation: 'sessions_create',
    run: ({ form }) => createSession(world, as<Stripe.Checkout.SessionCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/checkout/sessions/:id/expire',
    operation: 'sessions_expire',
    run: ({ id }) => expireSession(world, id),
  },
  {
    method: 'GET',
    pattern: '/v1/checkout/sessions/:id/line_items',
    operation: 'sessions_line_items',
    run: ({ id, form }) => {
      find(world.sessions, id, 'checkout.session')
      return page(world.lines.get(id) ?? [], form, `/v1/checkout/sessions/${id}/line_items`)
    },
  },
  ...resource('payment_links', 'payment_link', withCreated(world.links), 'payment_links_list', ['active']),
  {
    method: 'POST',
    pattern: '/v1/payment_links',
    operation: 'payment_links_create',
    run: ({ form }) => createLink(world, as<Stripe.PaymentLinkCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/payment_links/:id',
    operation: 'payment_links_update',
    run: ({ id, form }) => updateLink(world, id, as<Stripe.PaymentLinkUpdateParams>(form)),
  },
  {
    method: 'GET',
    pattern: '/v1/payment_links/:id/line_items',
    operation: 'payment_links_line_items',
    run: ({ id, form }) => {
      find(world.links, id, 'payment_link')
      return page(world.lines.get(id) ?? [], form, `/v1/payment_links/${id}/line_items`)
    },
  },
]

// Payment links are the one resource without `created`; their list has no such filter either.
const withCreated = (map: ReadonlyMap<string, Stripe.PaymentLink>) =>
  map as ReadonlyMap<string, Stripe.PaymentLink & { readonly created: number }>

const promotions = (world: World): Endpoint[] => [
  ...resource('coupons', 'coupon', world.coupons, 'coupons_list'),
  ...resource('promotion_codes', 'promotion code', world.promotionCodes, 'promotion_codes_list').slice(1),
  {
    method: 'GET',
    pattern: '/v1/promotion_codes',
    operation: 'promotion_codes_list',
    run: ({ form }) => {
      const { code, active, coupon } = as<Stripe.PromotionCodeListParams>(form)
      const fits = [...world.promotionCodes.values()].filter(
        (p) =>
          (code === undefined || p.code.toLowerCase() === code.toLowerCase()) &&
          (active === undefined || isActive(world, p) === active) &&
          (coupon === undefined || p.promotion.coupon === coupon),
      )
      return page(fits.reverse(), form, '/v1/promotion_codes')
    },
  },
  {
    method: 'POST',
    pattern: '/v1/coupons',
    operation: 'coupons_create',
    run: ({ form }) => createCoupon(world, as<Stripe.CouponCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/promotion_codes',
    operation: 'promotion_codes_create',
    run: ({ form }) => createPromotionCode(world, as<Stripe.PromotionCodeCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/promotion_codes/:id',
    operation: 'promotion_codes_update',
    run: ({ id, form }) => updatePromotionCode(world, id, as<Stripe.PromotionCodeUpdateParams>(form)),
  },
]

const payments = (world: World): Endpoint[] => [
  ...resource('payment_intents', 'payment_intent', world.payments, 'payment_intents_list', ['customer']),
  ...resource('charges', 'charge', world.charges, 'charges_list', ['customer', 'payment_intent']),
  ...resource('refunds', 'refund', world.refunds, 'refunds_list', ['charge', 'payment_intent']),
  ...resource('disputes', 'dispute', world.disputes, 'disputes_list', ['charge', 'payment_intent']),
  ...resource('balance_transactions', 'balance transaction', world.transactions, 'balance_transactions_list', [
    'type',
    'source',
    'currency',
  ]),
  {
    method: 'POST',
    pattern: '/v1/payment_intents',
    operation: 'payment_intents_create',
    run: ({ form }) => createIntent(world, as<Stripe.PaymentIntentCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/payment_intents/:id/confirm',
    operation: 'payment_intents_confirm',
    run: ({ id, form }) => confirmIntent(world, id, as<Stripe.PaymentIntentConfirmParams>(form).payment_method),
  },
  {
    method: 'POST',
    pattern: '/v1/payment_intents/:id/cancel',
    operation: 'payment_intents_cancel',
    run: ({ id, form }) => cancelIntent(world, id, as<Stripe.PaymentIntentCancelParams>(form).cancellation_reason),
  },
  {
    method: 'POST',
    pattern: '/v1/refunds',
    operation: 'refunds_create',
    run: ({ form }) => refund(world, as<Stripe.RefundCreateParams>(form)),
  },
  {
    method: 'POST',
    pattern: '/v1/refunds/:id',
    operation: 'refunds_update',
    run: ({ id, form }) => {
      const found = find(world.refunds, id, 'refund')
      found.metadata = metadataOf(as<Stripe.RefundUpdateParams>(form).metadata, found.metadata ?? {})
      emit(world, 'refund.updated', found)
      return found
    },
  },
  {
    method: 'POST',
    pattern: '/v1/refunds/:id/cancel',
    operation: 'refunds_cancel',
    run: ({ id }) => {
      if (find(world.refunds, id, 'refund').status !== 'pending')
        throw new Refusal('This refund can no longer be canceled.', { code: 'refund_not_cancelable' })
      return refundFail(world, id, 'canceled')
    },
  },
]

export const endpointsOf = (world: World): Endpoint[] => [
  ...catalog(world),
  ...checkout(world),
  ...promotions(world),
  ...payments(world),
  ...billingEndpoints(world),
]
