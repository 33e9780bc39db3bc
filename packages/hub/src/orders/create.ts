import { CodedError } from '@bursar/kit/errors.ts'
import { type Ctx, inTx } from '#action/context.ts'
import { accountFor, type Begun, begin, type Cart, checkoutLifeMs, refuseUnknownPrices } from './begin.ts'
import { newSecret, secretHash } from './links.ts'
import { connectorFor, openForm } from './open-form.ts'
import { refuseOddAddresses } from './return-address.ts'
import { settleNow } from './settle-now.ts'

export type { Cart } from './begin.ts'

/** What the buyer gets to pay with. Every field but the order's may be null: the order is paid, over, or a dry run. */
export type Checkout = {
  readonly order: Begun | null
  readonly checkoutId: string | null
  readonly url: string | null
  readonly clientSecret: string | null
  readonly publishableKey: string | null
  /** Given this once; null when the order is a signed-in buyer's own, or no longer open. */
  readonly claimSecret: string | null
  readonly expiresAt: number | null
}

/**
 * Begins an order and its checkout. Prices decide what is bought and for how much; the caller names neither. Order and
 * hashed secret are committed before the provider is asked. The same request key finds the same order again: one that
 * is paid or over is answered as it is, never opened a second time.
 */
export async function beginCheckout(ctx: Ctx, cart: Cart): Promise<Checkout> {
  refuseOddAddresses(ctx, cart)
  const connection = await inTx(ctx, async (tx) => {
    const account = await accountFor(tx, cart)
    await refuseUnknownPrices(tx, account, cart)
    return account
  })
  // An account that cannot show the form is told before there is an order.
  connectorFor(ctx, connection, cart)
  if (ctx.dryRun) return nothing
  const claimSecret = newSecret()
  const order = await inTx(ctx, (tx) => begin(tx, ctx, connection, cart, secretHash(claimSecret)))
  // Somebody who presses "pay" twice, or reloads after paying: what is paid is not offered again.
  if (order.again && order.state === 'pending' && order.checkoutId !== null) {
    await settleNow(ctx, order.id)
    const now = await inTx(ctx, (tx) => begin(tx, ctx, connection, cart, null))
    if (now.state !== 'pending') return { ...nothing, order: now }
  }
  if (order.state !== 'pending') return { ...nothing, order }
  const form = await openForm(ctx, connection, order, cart)
  return {
    order,
    ...form,
    claimSecret: order.claimed ? null : claimSecret,
    expiresAt: order.createdAt + checkoutLifeMs,
  }
}

const nothing: Checkout = {
  order: null,
  checkoutId: null,
  url: null,
  clientSecret: null,
  publishableKey: null,
  claimSecret: null,
  expiresAt: null,
}

/** The same for a shop's own server, which wants a page to send its buyer to. */
export async function createCheckout(
  ctx: Ctx,
  cart: Pick<Cart, 'connectionId' | 'lines' | 'email' | 'successUrl' | 'cancelUrl'> & {
    readonly mode: 'payment' | 'subscription'
  },
) {
  const made = await beginCheckout(ctx, {
    ...cart,
    ui: 'hosted_page',
    promotionCode: null,
    gift: null,
    buyer: null,
    requestKey: ctx.requestKey ?? null,
  })
  if (made.order !== null && made.url === null)
    throw new CodedError('conflict', `This request was made already; its order is ${made.order.state}.`, {
      orderId: made.order.id,
    })
  const { checkoutId, url, claimSecret } = made
  return { orderId: made.order?.id ?? null, checkoutId, url, claimSecret }
}
