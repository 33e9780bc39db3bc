import type { PaymentConnector } from '@bursar/connectors/payments/port.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { type Ctx, inTx } from '#action/context.ts'
import type { Connection } from '#catalog/connections.ts'
import { paymentsOf } from '#catalog/open.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { type Begun, type Cart, checkoutLifeMs } from './begin.ts'
import { orderIdKey } from './telling.ts'

export type Form = {
  readonly checkoutId: string
  readonly url: string | null
  readonly clientSecret: string | null
  readonly publishableKey: string | null
}

/** The connector of the account; refuses one that cannot show what is asked for. */
export function connectorFor(ctx: Ctx, connection: Connection, cart: Pick<Cart, 'ui'>): PaymentConnector {
  const connector = paymentsOf(ctx, connection)
  if (cart.ui === 'hosted_page' || connector.publishableKey !== null) return connector
  throw new CodedError('connection_unusable', 'The payment account has no publishable key, which a form needs.', {
    connectionId: connection.id,
  })
}

/** Asks the provider for the form of an order. Asked again for the same order it gives the same form, never a second. */
export async function openForm(ctx: Ctx, connection: Connection, order: Begun, cart: Cart): Promise<Form> {
  const connector = connectorFor(ctx, connection, cart)
  const mode = cart.mode ?? (await modeOf(ctx, connection, cart))
  let made = await ask(connector, connection, order, cart, mode ?? 'payment')
  if (!made.ok && mode === null && isRecurring(made.failure)) {
    await inTx(ctx, (tx) => rememberRecurring(tx, connection.id, cart))
    made = await ask(connector, connection, order, cart, 'subscription')
  }
  if (!made.ok) {
    const { class: kind, code, message } = made.failure
    if (kind === 'invalid') await inTx(ctx, (tx) => giveUp(tx, ctx, order.id, message))
    if (code === 'promotion_unknown' || code === 'promotion_refused')
      throw new CodedError('promotion_unknown', message, { orderId: order.id })
    throw new CodedError('upstream_failed', message, { failure: code, class: kind, orderId: order.id })
  }
  const { externalId, url, clientSecret } = made.value
  await inTx(ctx, (tx) =>
    tx.run(sql('order_checkout')`
      update "order" set checkout_id = coalesce(checkout_id, ${externalId}), updated_at = ${ts(tx.now)} where id = ${order.id}`),
  )
  return { checkoutId: externalId, url, clientSecret, publishableKey: connector.publishableKey }
}

type Asked = Awaited<ReturnType<PaymentConnector['createCheckout']>>

function ask(
  connector: PaymentConnector,
  connection: Connection,
  order: Begun,
  cart: Cart,
  mode: 'payment' | 'subscription',
): Promise<Asked> {
  const settings = connection.config as { automaticTax?: unknown; allowPromotionCodes?: unknown }
  const placed = (url: string) => url.replace('{ORDER}', order.id)
  const asked = {
    mode,
    lines: cart.lines,
    ...(order.customerId === null
      ? cart.email === null
        ? {}
        : { email: cart.email }
      : { customerId: order.customerId }),
    ...(cart.promotionCode === null ? {} : { promotionCode: cart.promotionCode }),
    ...(settings.allowPromotionCodes === true && cart.promotionCode === null ? { allowPromotionCodes: true } : {}),
    ...(settings.automaticTax === true ? { automaticTax: true } : {}),
    metadata: { [orderIdKey]: order.id },
    expiresAt: order.createdAt + checkoutLifeMs,
    // A refused try in the other mode must not be what the provider remembers of this order.
    idempotencyKey:
      cart.mode === null && mode === 'subscription' ? `checkout:${order.id}:subscription` : `checkout:${order.id}`,
  }
  return cart.ui === 'hosted_page'
    ? connector.createCheckout({
        ...asked,
        ui: 'hosted_page',
        successUrl: placed(cart.successUrl),
        cancelUrl: placed(cart.cancelUrl),
      })
    : connector.createCheckout({ ...asked, ui: cart.ui, returnUrl: placed(cart.successUrl) })
}

type FailureOf<T> = T extends { readonly ok: false; readonly failure: infer F } ? F : never

/** Stripe says it in English alone: "You specified `payment` mode but passed a recurring price." */
const isRecurring = (failure: FailureOf<Asked>): boolean =>
  failure.class === 'invalid' && /recurring price/i.test(failure.message)

/** What is known of the prices of a cart; null when nobody has asked for them before. */
const modeOf = (ctx: Ctx, connection: Connection, cart: Cart): Promise<'payment' | 'subscription' | null> =>
  inTx(ctx, async (tx) => {
    const row = await tx.one<{ recurring: boolean | null }>(sql('cart_recurring')`
      select bool_or(recurring) as recurring from price
      where connection_id = ${connection.id} and external_id = any(${cart.lines.map((l) => l.priceId)}::text[])`)
    return row.recurring === true ? 'subscription' : null
  })

const rememberRecurring = (tx: Tx, connectionId: string, cart: Cart) =>
  cart.lines.length > 1
    ? Promise.resolve(0)
    : tx.run(sql('price_recurring')`
        update price set recurring = true where connection_id = ${connectionId}
          and external_id = any(${cart.lines.map((l) => l.priceId)}::text[])`)

/** The provider refused the checkout itself: this order can never be paid. */
async function giveUp(tx: Tx, ctx: Ctx, orderId: string, why: string): Promise<void> {
  await tx.run(sql('order_give_up')`
    update "order" set state = 'canceled', form_state = 'failed', request_key = null, updated_at = ${ts(tx.now)} where id = ${orderId} and checkout_id is null`)
  await record(tx, ctx, [{ kind: 'order.canceled', orderId, data: { reason: `The checkout was refused: ${why}` } }])
}
