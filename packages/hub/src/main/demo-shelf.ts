import type { StripeControls } from '@bursar/connectors/payments/stripe/simulator.ts'

/** What the demo school sells, in cents: two courses, a bundle and a subscription. */
const items = [
  {
    name: 'Sourdough basics',
    amount: 4_900,
    courses: [{ kind: 'course', id: 'sourdough-basics', title: 'Sourdough basics' }],
  },
  {
    name: 'Food safety at work',
    amount: 3_500,
    courses: [{ kind: 'course', id: 'food-safety', title: 'Food safety at work' }],
  },
  { name: 'The baker', amount: 11_000, courses: [{ kind: 'bundle', id: 'baker-bundle', title: 'The baker' }] },
  {
    name: 'All courses, monthly',
    amount: 2_900,
    interval: 'month',
    courses: [{ kind: 'subscription', id: 'all-courses', title: 'All courses' }],
  },
] as const

const currency = 'usd'

/** An item with its price at the payment provider. */
export type OnSale = {
  readonly name: string
  readonly price: string
  readonly amount: number
  readonly currency: string
  readonly interval: string | null
  readonly courses: readonly { readonly kind: string; readonly id: string; readonly title: string }[]
}

/** What tells one item from another, also after its amount was changed in a newer version of the program. */
export const shelfKey = (item: Pick<OnSale, 'name' | 'amount' | 'interval'>): string =>
  [item.name, item.amount, item.interval ?? 'once'].join(' / ')

/** Puts everything on sale. A price that the provider still knows keeps its id. */
export function fillShelf(
  stripe: Pick<StripeControls, 'addPrice' | 'price'>,
  known: ReadonlyMap<string, string>,
): readonly OnSale[] {
  return items.map((item) => {
    const interval = 'interval' in item ? item.interval : null
    const before = stripe.price(known.get(shelfKey({ ...item, interval })) ?? '')
    const price =
      before ??
      stripe.addPrice({ name: item.name, amount: item.amount, currency, ...(interval === null ? {} : { interval }) })
    return { ...item, interval, currency, price: price.id, courses: [...item.courses] }
  })
}
