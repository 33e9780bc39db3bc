import { hour } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { createGuard } from '@bursar/kit/http.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import { type Ctx, inTx } from '#action/context.ts'
import { type Connection, connectionById, connections } from '#catalog/connections.ts'
import { paymentsOf } from '#catalog/open.ts'
import { offersOf } from '#catalog/products.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { insertOrder } from './store.ts'

export type Cart = {
  readonly connectionId: string | null
  readonly mode: 'payment' | 'subscription'
  readonly lines: readonly { readonly priceId: string; readonly quantity: number }[]
  readonly email: string | null
  readonly successUrl: string
  readonly cancelUrl: string
}

const claimSecretBytes = 32
// Stripe's own longest life of a checkout; counted from the order, so that a repetition asks for exactly the same.
const checkoutLifeMs = 23 * hour

/** The payment account named, or the only one there is. */
async function accountFor(tx: Tx, cart: Cart): Promise<Connection> {
  if (cart.connectionId !== null) {
    const named = await connectionById(tx, cart.connectionId)
    if (named?.category !== 'payment') throw new CodedError('not_found', 'There is no such payment account.')
    return named
  }
  const [only, ...more] = (await connections(tx, 'payment')).filter((c) => c.state === 'active')
  if (only === undefined) throw new CodedError('conflict', 'No payment account is connected yet.')
  if (more.length > 0)
    throw new CodedError('input_invalid', 'There are several payment accounts: name one.', {
      issues: [{ path: 'connectionId', message: 'is required when there are several payment accounts' }],
    })
  return only
}

async function refuseUnknownPrices(tx: Tx, connection: Connection, cart: Cart): Promise<void> {
  const wanted = [...new Set(cart.lines.map((l) => l.priceId))]
  const offers = await offersOf(tx, connection.id, wanted)
  const unknown = wanted.filter((p) => !offers.has(p))
  if (unknown.length > 0)
    throw new CodedError('price_unknown', `Not on sale here: ${unknown.join(', ')}.`, { prices: unknown })
}

/** Where the buyer is sent back to is another's page, never called by the hub; still no script and no plain http. */
function refuseOddAddresses(ctx: Ctx, cart: Cart): void {
  const guard = createGuard({ allowLoopback: ctx.demo })
  for (const [path, text] of [
    ['successUrl', cart.successUrl],
    ['cancelUrl', cart.cancelUrl],
  ] as const) {
    // Stripe fills in {CHECKOUT_SESSION_ID}.
    const address = guard.check(text.replaceAll(/[{}]/g, ''))
    if (!address.ok)
      throw new CodedError('input_invalid', `${path}: ${address.reason}.`, {
        issues: [{ path, message: address.reason }],
      })
  }
}

type Begun = { readonly id: string; readonly createdAt: number }

const ownOrder = async (tx: Tx, ctx: Ctx, connection: Connection) =>
  ctx.requestKey === undefined
    ? null
    : tx.maybeOne<Begun & { readonly paidAt: number | null }>(sql('order_by_request')`
        select id, created_at as "createdAt", paid_at as "paidAt" from "order"
        where request_key = ${ctx.requestKey} and connection_id = ${connection.id} for update`)

/**
 * The order of this request, committed before the provider is asked. A repetition after a crash finds it again and
 * gets a new claim secret: nobody has received the first.
 */
async function begin(tx: Tx, ctx: Ctx, connection: Connection, cart: Cart, claimHash: Buffer): Promise<Begun> {
  const known = await ownOrder(tx, ctx, connection)
  if (known !== null) {
    // Paid long ago under this key: nobody may get hold of that purchase by repeating it.
    if (known.paidAt !== null) throw new CodedError('conflict', 'This request was made already, and paid.')
    await tx.run(sql('order_claim_anew')`update "order" set claim_secret_hash = ${claimHash} where id = ${known.id}`)
    return known
  }
  const id = ctx.ids.next('ord')
  const { livemode } = connection.config as { livemode?: boolean }
  await insertOrder(tx, ctx, {
    id,
    connectionId: connection.id,
    checkoutId: null,
    livemode: livemode ?? false,
    createdAt: tx.now,
    claimSecretHash: claimHash,
  })
  await tx.run(
    sql(
      'order_begin',
    )`update "order" set request_key = ${ctx.requestKey ?? null}, email = ${cart.email} where id = ${id}`,
  )
  await record(tx, ctx, [{ kind: 'order.created', orderId: id, data: { amount: 0n, currency: null } }])
  return { id, createdAt: tx.now }
}

/**
 * Begins an order and its checkout. Prices decide what is bought and for how much; the caller names neither. The claim
 * secret binds the purchase to whoever began it, and is returned this once.
 */
export async function createCheckout(ctx: Ctx, cart: Cart) {
  refuseOddAddresses(ctx, cart)
  const connection = await inTx(ctx, async (tx) => {
    const account = await accountFor(tx, cart)
    await refuseUnknownPrices(tx, account, cart)
    return account
  })
  const connector = paymentsOf(ctx, connection)
  if (ctx.dryRun) return { orderId: null, checkoutId: null, url: null, claimSecret: null }
  const claimSecret = Buffer.from(secureRandom.bytes(claimSecretBytes)).toString('base64url')
  const hash = Buffer.from(hashSecret(claimSecret), 'hex')
  const order = await inTx(ctx, (tx) => begin(tx, ctx, connection, cart, hash))
  const made = await connector.createCheckout({
    ui: 'hosted_page',
    mode: cart.mode,
    lines: cart.lines,
    successUrl: cart.successUrl,
    cancelUrl: cart.cancelUrl,
    ...(cart.email === null ? {} : { email: cart.email }),
    metadata: { hub_order_id: order.id },
    expiresAt: order.createdAt + checkoutLifeMs,
    idempotencyKey: `checkout:${order.id}`,
  })
  if (!made.ok) {
    const { class: kind, code, message } = made.failure
    if (kind === 'invalid') await inTx(ctx, (tx) => giveUp(tx, ctx, order.id, message))
    throw new CodedError('upstream_failed', message, { failure: code, class: kind, orderId: order.id })
  }
  await inTx(ctx, (tx) =>
    tx.run(sql('order_checkout')`
      update "order" set checkout_id = coalesce(checkout_id, ${made.value.externalId}), updated_at = ${ts(tx.now)} where id = ${order.id}`),
  )
  return { orderId: order.id, checkoutId: made.value.externalId, url: made.value.url, claimSecret }
}

/** The provider refused the checkout itself: this order can never be paid. */
async function giveUp(tx: Tx, ctx: Ctx, orderId: string, why: string): Promise<void> {
  await tx.run(sql('order_give_up')`
    update "order" set state = 'canceled', form_state = 'failed', request_key = null, updated_at = ${ts(tx.now)} where id = ${orderId} and checkout_id is null`)
  await record(tx, ctx, [{ kind: 'order.canceled', orderId, data: { reason: `The checkout was refused: ${why}` } }])
}
