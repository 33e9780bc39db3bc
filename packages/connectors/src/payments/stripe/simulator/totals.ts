import type Stripe from 'stripe'
import { type Asked, type Priced, priceLines } from './pricing.ts'
import { checkPromotion, discountable, promotionByCode, reductionOf } from './promotions.ts'
import { idOf, Refusal, type World } from './world.ts'

export const couponOf = (world: World, session: Stripe.Checkout.Session): Stripe.Coupon | undefined =>
  world.coupons.get(idOf(session.discounts?.[0]?.coupon) ?? '')

/** Where the buyer is: as entered on the form, else as the customer is known. */
export const addressOf = (world: World, session: Stripe.Checkout.Session): Stripe.Address | null =>
  world.addresses.get(session.id) ?? world.customers.get(idOf(session.customer) ?? '')?.address ?? null

/** The rate for the buyer's country; null while tax is off or nobody knows where they are. */
export function taxPercentOf(world: World, session: Stripe.Checkout.Session): number | null {
  const country = addressOf(world, session)?.country ?? null
  if (!session.automatic_tax.enabled || country === null) return null
  return world.taxRates.get(country) ?? 0
}

export const askedOf = (price: Stripe.Price | null, subtotal: number, coupon: Stripe.Coupon | undefined): Asked => ({
  subtotal,
  inclusive: price?.tax_behavior === 'inclusive',
  discountable: discountable(coupon, price),
})

const sumOf = (priced: readonly Priced[], field: keyof Priced): number =>
  priced.reduce((sum, line) => sum + line[field], 0)

/** Works out lines and totals anew, after the session began or its code or address changed. */
export function reprice(world: World, session: Stripe.Checkout.Session): void {
  const lines = world.lines.get(session.id) ?? []
  const coupon = couponOf(world, session)
  const percent = taxPercentOf(world, session)
  const asked = lines.map((line) => askedOf(line.price, line.amount_subtotal, coupon))
  const priced = priceLines(asked, reductionOf(coupon), percent)
  for (const [i, line] of lines.entries()) {
    const { discount, tax, total } = priced[i] ?? { discount: 0, tax: 0, total: line.amount_subtotal }
    line.amount_discount = discount
    line.amount_tax = tax
    line.amount_total = total
  }
  // A trial is paid for later; the session itself asks for nothing.
  const counted = (world.plans.get(session.id)?.trialDays ?? 0) > 0 ? [] : priced
  session.amount_subtotal = sumOf(counted, 'subtotal')
  session.amount_total = sumOf(counted, 'total')
  session.total_details = {
    amount_discount: sumOf(counted, 'discount'),
    amount_shipping: 0,
    amount_tax: sumOf(counted, 'tax'),
  }
  if (session.automatic_tax.enabled)
    session.automatic_tax.status = percent === null ? 'requires_location_inputs' : 'complete'
  if (session.status === 'open') session.payment_status = session.amount_total === 0 ? 'no_payment_required' : 'unpaid'
}

/** The buyer says where they are; tax follows. */
export function locate(world: World, session: Stripe.Checkout.Session, address: Partial<Stripe.Address>): void {
  world.addresses.set(session.id, {
    city: address.city ?? null,
    country: address.country?.toUpperCase() ?? null,
    line1: address.line1 ?? null,
    line2: address.line2 ?? null,
    postal_code: address.postal_code ?? null,
    state: address.state ?? null,
  })
  reprice(world, session)
}

/** The buyer enters a code on the form. Throws the sentence they would read. */
export function enterCode(world: World, session: Stripe.Checkout.Session, code: string | null): void {
  if (session.allow_promotion_codes !== true)
    throw new Refusal('This Checkout Session takes no promotion codes.', { param: 'promotion_code' })
  if (code === null) session.discounts = []
  else {
    const promotion = promotionByCode(world, code)
    if (promotion === undefined) throw new Refusal('This promotion code is invalid.', { code: 'invalidCode' })
    const { currency, amount_subtotal: subtotal } = session
    const cart = { subtotal: subtotal ?? 0, currency, customer: idOf(session.customer) }
    const coupon = checkPromotion(world, promotion, cart, 'promotion_code')
    session.discounts = [{ coupon: coupon.id, promotion_code: promotion.id }]
  }
  reprice(world, session)
}

/** How an invoice of a subscription is priced: what its checkout agreed on, for as long as the coupon lasts. */
export function invoicePricing(
  world: World,
  subscription: Stripe.Subscription,
  items: readonly { readonly price: Stripe.Price; readonly amount: number }[],
): { readonly priced: readonly Priced[]; readonly coupon: string | null } {
  const terms = world.terms.get(subscription.id)
  const invoices = [...world.invoices.values()].filter(
    (invoice) => idOf(invoice.parent?.subscription_details?.subscription) === subscription.id,
  ).length
  const named = terms?.coupon === undefined || terms.coupon === null ? undefined : world.coupons.get(terms.coupon)
  const coupon = named !== undefined && lasts(named, invoices) ? named : undefined
  const asked = items.map(({ price, amount }) => askedOf(price, amount, coupon))
  return { priced: priceLines(asked, reductionOf(coupon), terms?.taxPercent ?? null), coupon: coupon?.id ?? null }
}

/** `repeating` counts months; here invoices, which is the same for a monthly price. */
const lasts = (coupon: Stripe.Coupon, earlierInvoices: number): boolean => {
  if (coupon.duration === 'forever') return true
  if (coupon.duration === 'repeating') return earlierInvoices < (coupon.duration_in_months ?? 1)
  return earlierInvoices === 0
}
