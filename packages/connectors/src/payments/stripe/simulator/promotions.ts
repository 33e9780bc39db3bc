import type Stripe from 'stripe'
import { metadataOf } from './catalog.ts'
import type { Reduction } from './pricing.ts'
import { emit, find, idOf, newId, nowS, Refusal, type World } from './world.ts'

export function createCoupon(world: World, params: Stripe.CouponCreateParams): Stripe.Coupon {
  if ((params.percent_off === undefined) === (params.amount_off === undefined))
    throw new Refusal('You must pass one of percent_off or amount_off.', { code: 'parameter_missing' })
  if (params.amount_off !== undefined && params.currency === undefined)
    throw new Refusal('Must provide currency when amount_off is passed.', { param: 'currency' })
  if (params.percent_off !== undefined && (params.percent_off <= 0 || params.percent_off > 100))
    throw new Refusal('Invalid percent_off: must be above 0 and at most 100.', { param: 'percent_off' })
  const id = params.id ?? newId(world, 'co', 8).slice(3)
  if (world.coupons.has(id))
    throw new Refusal('Coupon already exists.', { code: 'resource_already_exists', param: 'id' })
  const coupon = {
    id,
    object: 'coupon',
    amount_off: params.amount_off ?? null,
    ...(params.applies_to?.products === undefined ? {} : { applies_to: { products: params.applies_to.products } }),
    created: nowS(world),
    currency: params.currency?.toLowerCase() ?? null,
    duration: params.duration ?? 'once',
    duration_in_months: params.duration_in_months ?? null,
    livemode: world.livemode,
    max_redemptions: params.max_redemptions ?? null,
    metadata: metadataOf(params.metadata),
    name: params.name ?? null,
    percent_off: params.percent_off ?? null,
    redeem_by: params.redeem_by ?? null,
    times_redeemed: 0,
    valid: true,
  } satisfies Stripe.Coupon
  world.coupons.set(id, coupon)
  emit(world, 'coupon.created', coupon)
  return coupon
}

const sameCode = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

export function createPromotionCode(world: World, params: Stripe.PromotionCodeCreateParams): Stripe.PromotionCode {
  const coupon = find(world.coupons, params.promotion.coupon ?? '', 'coupon', 'promotion[coupon]')
  const code = params.code ?? newId(world, 'c', 6).slice(2, 10).toUpperCase()
  if ([...world.promotionCodes.values()].some((other) => other.active && sameCode(other.code, code)))
    throw new Refusal(`An active promotion code with code: ${code} already exists.`, { param: 'code' })
  const { minimum_amount, minimum_amount_currency, first_time_transaction } = params.restrictions ?? {}
  const promotion = {
    id: newId(world, 'promo'),
    object: 'promotion_code',
    active: params.active ?? true,
    code,
    created: nowS(world),
    customer: params.customer ?? null,
    customer_account: null,
    expires_at: params.expires_at ?? null,
    livemode: world.livemode,
    max_redemptions: params.max_redemptions ?? null,
    metadata: metadataOf(params.metadata),
    promotion: { coupon: coupon.id, type: 'coupon' },
    restrictions: {
      first_time_transaction: first_time_transaction ?? false,
      minimum_amount: minimum_amount ?? null,
      minimum_amount_currency: minimum_amount_currency ?? null,
    },
    times_redeemed: 0,
  } satisfies Stripe.PromotionCode
  world.promotionCodes.set(promotion.id, promotion)
  emit(world, 'promotion_code.created', promotion)
  return promotion
}

export function updatePromotionCode(
  world: World,
  id: string,
  params: Stripe.PromotionCodeUpdateParams,
): Stripe.PromotionCode {
  const promotion = find(world.promotionCodes, id, 'promotion code')
  if (params.active !== undefined) promotion.active = params.active
  promotion.metadata = metadataOf(params.metadata, promotion.metadata ?? {})
  emit(world, 'promotion_code.updated', promotion)
  return promotion
}

const usedUp = (thing: { max_redemptions: number | null; times_redeemed: number }): boolean =>
  thing.max_redemptions !== null && thing.times_redeemed >= thing.max_redemptions

/** Whether Stripe would list it as active now. */
export const isActive = (world: World, promotion: Stripe.PromotionCode): boolean =>
  promotion.active &&
  !usedUp(promotion) &&
  (promotion.expires_at === null || promotion.expires_at > nowS(world)) &&
  (world.coupons.get(idOf(promotion.promotion.coupon) ?? '')?.valid ?? false)

export const promotionByCode = (world: World, code: string): Stripe.PromotionCode | undefined =>
  [...world.promotionCodes.values()].find((p) => sameCode(p.code, code.trim()) && isActive(world, p))

const checkCoupon = (world: World, coupon: Stripe.Coupon, currency: string | null, param: string): void => {
  const late = coupon.redeem_by !== null && coupon.redeem_by <= nowS(world)
  if (!coupon.valid || late) throw new Refusal('This coupon has expired.', { code: 'coupon_expired', param })
  if (coupon.currency !== null && coupon.currency !== currency)
    throw new Refusal(`The currency of the coupon (${coupon.currency}) is not that of the session.`, { param })
}

/** Holds a code against a cart. Throws Stripe's refusal; not simulated: first_time_transaction. */
export function checkPromotion(
  world: World,
  promotion: Stripe.PromotionCode,
  cart: { readonly subtotal: number; readonly currency: string | null; readonly customer: string | null },
  param: string,
): Stripe.Coupon {
  if (!isActive(world, promotion)) throw new Refusal('This promotion code is not active.', { param })
  const coupon = find(world.coupons, idOf(promotion.promotion.coupon) ?? '', 'coupon', param)
  checkCoupon(world, coupon, cart.currency, param)
  if (promotion.customer !== null && idOf(promotion.customer) !== cart.customer)
    throw new Refusal('This promotion code belongs to another customer.', { param })
  const minimum = promotion.restrictions.minimum_amount
  if (minimum !== null && cart.subtotal < minimum)
    throw new Refusal('This promotion code needs a larger amount.', {
      code: 'promotion_code_minimum_amount_not_met',
      param,
    })
  return coupon
}

type Asked = NonNullable<Stripe.Checkout.SessionCreateParams['discounts']>

/** The discounts of a new session, as it shows them. */
export function discountsOf(
  world: World,
  asked: Stripe.Emptyable<Asked> | undefined,
  cart: Parameters<typeof checkPromotion>[2],
): Stripe.Checkout.Session.Discount[] {
  const [first, ...more] = asked === undefined || asked === null || asked === '' ? [] : asked
  if (first === undefined) return []
  if (more.length > 0) throw new Refusal('You may not pass more than one discount.', { param: 'discounts' })
  if (first.coupon !== undefined) {
    const param = 'discounts[0][coupon]'
    const coupon = find(world.coupons, first.coupon, 'coupon', param)
    checkCoupon(world, coupon, cart.currency, param)
    return [{ coupon: coupon.id, promotion_code: null }]
  }
  const param = 'discounts[0][promotion_code]'
  const promotion = find(world.promotionCodes, first.promotion_code ?? '', 'promotion code', param)
  return [{ coupon: checkPromotion(world, promotion, cart, param).id, promotion_code: promotion.id }]
}

export const reductionOf = (coupon: Stripe.Coupon | undefined): Reduction | null => {
  if (coupon === undefined) return null
  if (coupon.percent_off !== null) return { percentOff: coupon.percent_off }
  return coupon.amount_off === null ? null : { amountOff: coupon.amount_off }
}

export const discountable = (coupon: Stripe.Coupon | undefined, price: Stripe.Price | null): boolean => {
  const products = coupon?.applies_to?.products
  return products === undefined || products.includes(idOf(price?.product ?? null) ?? '')
}

/** A finished checkout uses its coupon and code once. */
export function redeem(world: World, session: Stripe.Checkout.Session): void {
  for (const discount of session.discounts ?? []) {
    const coupon = world.coupons.get(idOf(discount.coupon) ?? '')
    const promotion = world.promotionCodes.get(idOf(discount.promotion_code) ?? '')
    if (coupon !== undefined) {
      coupon.times_redeemed += 1
      coupon.valid = !usedUp(coupon)
    }
    if (promotion !== undefined) promotion.times_redeemed += 1
  }
}
