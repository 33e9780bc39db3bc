import type { World } from '#main/world.ts'

export type Purchase = { readonly session: string; readonly email: string; readonly payment: string }

type BuyOptions = {
  readonly card?: string
  readonly name?: string
  readonly mode?: 'payment' | 'subscription'
  readonly metadata?: Record<string, string>
}

/** A buyer goes through a shop's checkout. Nothing is delivered yet. `payment` is '' for a subscription. */
export async function buy(
  world: World,
  email: string,
  prices: readonly string[],
  options: BuyOptions = {},
): Promise<Purchase> {
  const { mode = 'payment', metadata = {}, card, name = 'Some Learner' } = options
  const session = await world.checkout(prices, { mode, metadata })
  world.stripe.pay({ session, email, name, ...(card === undefined ? {} : { card }) })
  const { payment_intent: payment } = world.stripe.session(session) ?? {}
  return { session, email, payment: typeof payment === 'string' ? payment : (payment?.id ?? '') }
}

/** The subscription behind a purchase. */
export function subscriptionOf(world: World, purchase: Purchase): string {
  const subscription = world.stripe.session(purchase.session)?.subscription
  if (subscription === null || subscription === undefined) throw new Error(`${purchase.session} has no subscription`)
  return typeof subscription === 'string' ? subscription : subscription.id
}

export type SeatView = {
  readonly course: string
  readonly wanted: string
  readonly actual: string
  readonly attempts: number
  readonly nextTryAt: number | null
  readonly failureClass: string | null
  readonly failureCode: string | null
}

/** The seats of an address, by course. */
export const seatsOf = async (world: World, email: string): Promise<readonly SeatView[]> =>
  (
    await world.rows<SeatView>(`
      select c.external_id as course, n.wanted, n.actual, n.attempts, n.next_try_at as "nextTryAt",
        n.failure_class as "failureClass", n.failure_code as "failureCode"
      from enrollment n join lms_account a on a.id = n.account_id join course c on c.id = n.course_id
      where a.email = '${email}' order by c.external_id`)
  ).map((row) => ({ ...row }))

export type OrderView = { readonly state: string; readonly issue: string | null; readonly refunded: bigint }

/** The order of a checkout. */
export async function orderOf(world: World, session: string): Promise<OrderView | null> {
  const [row] = await world.rows<OrderView>(
    `select state, issue, amount_refunded as refunded from "order" where checkout_id = '${session}'`,
  )
  return row === undefined ? null : { ...row }
}

/** How the school was called since its log was cleared, ids left out, tokens not counted. */
export const callsOf = (world: World): readonly string[] =>
  world.school
    .log()
    .filter((entry) => entry.path.includes('/v2/'))
    .map((c) => `${c.method} ${c.path.replace(/[0-9a-f]{24}/, ':id')}`)

/**
 * Delivers what waits, except events of `type` that name `name`: those are lost until somebody sends them by the
 * returned ids.
 */
export async function deliverAllBut(world: World, name: string, type: string): Promise<readonly string[]> {
  const held: string[] = []
  for (const { id, eventId, state, ...delivery } of [...world.stripe.outbox()]) {
    if (state !== 'waiting') continue
    const isHeld = delivery.type === type && world.stripe.signedDelivery(eventId).body.includes(name)
    if (isHeld) held.push(id)
    else await world.stripe.deliver(id)
  }
  await world.stripe.deliverAll({ drop: 1 })
  return held
}

/** Delivers what waits, the newest first. */
export async function deliverBackwards(world: World): Promise<void> {
  const waiting = world.stripe.outbox().filter((d) => d.state === 'waiting')
  for (const delivery of waiting.toReversed()) await world.stripe.deliver(delivery.id)
}
