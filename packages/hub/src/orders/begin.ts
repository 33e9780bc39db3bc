import { createHash } from 'node:crypto'
import { hour, type Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { Ctx } from '#action/context.ts'
import { type Connection, connectionById, connections } from '#catalog/connections.ts'
import { offersOf } from '#catalog/products.ts'
import type { Tx } from '#db/database.ts'
import { json, sql } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { normalizeEmail } from '#identity/people.ts'
import { insertClaim } from './claim-store.ts'
import { type Gift, insertOrder, type OrderRow } from './store.ts'

export type Cart = {
  readonly connectionId: string | null
  /** Null: whatever the prices are. */
  readonly mode: 'payment' | 'subscription' | null
  readonly ui: 'hosted_page' | 'embedded_page' | 'elements'
  readonly lines: readonly { readonly priceId: string; readonly quantity: number }[]
  /** Fills in the form; proves nothing. */
  readonly email: string | null
  readonly promotionCode: string | null
  readonly gift: Gift | null
  readonly buyer: Buyer | null
  /** Two requests with one key are one order. Null: each request is a new one. */
  readonly requestKey: string | null
  /** Where the form leads back to; may hold {ORDER}, which becomes the order's id. */
  readonly successUrl: string
  readonly cancelUrl: string
}

/** A signed-in person who buys. `proven`: their address is vouched for, so the purchase is theirs from the start. */
export type Buyer = {
  readonly personId: string
  readonly issuer: string
  readonly subject: string
  readonly proven: boolean
}

export type Begun = {
  readonly id: string
  readonly createdAt: Instant
  readonly state: OrderRow['state']
  readonly checkoutId: string | null
  /** It is a signed-in person's from the start. */
  readonly claimed: boolean
  /** The person's customer record at the provider, when there is one. */
  readonly customerId: string | null
  /** This request had been made before. */
  readonly again: boolean
}

// Stripe's own longest life of a checkout; counted from the order, so that a repetition asks for exactly the same.
export const checkoutLifeMs = 23 * hour
// Secrets one request key may be given: tabs and reloads of one buyer, not a stranger who guesses.
const secretsMax = 10

/** The payment account named, or the only one there is. */
export async function accountFor(tx: Tx, cart: Pick<Cart, 'connectionId'>): Promise<Connection> {
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

export async function refuseUnknownPrices(tx: Tx, connection: Connection, cart: Pick<Cart, 'lines'>): Promise<void> {
  const wanted = [...new Set(cart.lines.map((l) => l.priceId))]
  const offers = await offersOf(tx, connection.id, wanted)
  const unknown = wanted.filter((p) => !offers.has(p))
  if (unknown.length > 0)
    throw new CodedError('price_unknown', `Not on sale here: ${unknown.join(', ')}.`, { prices: unknown })
}

/** What is asked for, without who asks: a buyer who signs in on the way still has the same cart. */
const hashOf = ({ connectionId, mode, ui, lines, email, promotionCode, gift }: Cart): Buffer =>
  createHash('sha256')
    .update(json([connectionId, mode, ui, lines.map((l) => [l.priceId, l.quantity]), email, promotionCode, gift]))
    .digest()

type Known = Omit<Begun, 'again'> & { readonly same: boolean; readonly secrets: number }

const ownOrder = async (tx: Tx, cart: Cart, connection: Connection): Promise<Known | null> =>
  cart.requestKey === null
    ? null
    : tx.maybeOne<Known>(sql('order_by_request')`
        select id, created_at as "createdAt", state, checkout_id as "checkoutId", claimed_at is not null as claimed,
          (select external_id from payment_customer c where c.person_id = o.buyer_id and c.connection_id = o.connection_id
            order by c.created_at limit 1) as "customerId",
          coalesce(request_hash = ${hashOf(cart)}, true) as same, cardinality(claim_secret_more) as secrets
        from "order" o
        where request_key = ${cart.requestKey} and connection_id = ${connection.id} for update`)

/**
 * The order of this request, committed before the provider is asked. A repetition finds it again and gets a further
 * secret of its own, because what the first answer carried may be lost, or be in another tab. A null hash only looks.
 */
export async function begin(
  tx: Tx,
  ctx: Ctx,
  connection: Connection,
  cart: Cart,
  claimHash: Buffer | null,
): Promise<Begun> {
  // Two tabs at once: the second finds what the first has begun.
  if (cart.requestKey !== null)
    await tx.run(sql('request_lock')`
      select pg_advisory_xact_lock(hashtextextended(${`${ctx.organization} ${cart.requestKey}`}, 2))`)
  const known = await ownOrder(tx, cart, connection)
  if (known !== null) {
    if (!known.same) throw new CodedError('idempotency_mismatch')
    // Paid under this key: nobody may get hold of that purchase by repeating it.
    if (known.state === 'pending' && !known.claimed && claimHash !== null) {
      if (known.secrets >= secretsMax) throw new CodedError('rate_limited', 'This cart was opened too often.')
      await tx.run(sql('order_claim_further')`
        update "order" set claim_secret_more = claim_secret_more || ${claimHash}::bytea where id = ${known.id}`)
    }
    const { same, secrets, ...rest } = known
    return { ...rest, again: true }
  }
  return insert(tx, ctx, connection, cart, claimHash)
}

async function insert(tx: Tx, ctx: Ctx, connection: Connection, cart: Cart, claimHash: Buffer | null): Promise<Begun> {
  const id = ctx.ids.next('ord')
  const { livemode } = connection.config as { livemode?: boolean }
  const { buyer } = cart
  const owner = buyer?.proven === true && cart.gift === null ? buyer : null
  await insertOrder(tx, ctx, {
    id,
    connectionId: connection.id,
    checkoutId: null,
    livemode: livemode ?? false,
    createdAt: tx.now,
    claimSecretHash: owner === null ? claimHash : null,
  })
  await tx.run(sql('order_begin')`
    update "order" set request_key = ${cart.requestKey}, request_hash = ${hashOf(cart)}, email = ${cart.email}, ui = ${cart.ui},
      promotion_code = ${cart.promotionCode}, gift = ${cart.gift === null ? null : json(cart.gift)}::jsonb,
      learner_email = ${cart.gift?.email == null ? null : normalizeEmail(cart.gift.email)}, buyer_id = ${buyer?.personId ?? null}
    where id = ${id}`)
  await record(tx, ctx, [{ kind: 'order.created', orderId: id, data: { amount: 0n, currency: null } }])
  if (owner !== null) await ownFromStart(tx, ctx, id, owner)
  const customer = buyer === null ? null : await customerOf(tx, buyer.personId, connection.id)
  const begun = { id, createdAt: tx.now, state: 'pending', checkoutId: null, claimed: owner !== null } as const
  return { ...begun, customerId: customer?.externalId ?? null, again: false }
}

const customerOf = (tx: Tx, personId: string, connectionId: string) =>
  tx.maybeOne<{ externalId: string }>(sql('customer_of_person')`
    select external_id as "externalId" from payment_customer
    where person_id = ${personId} and connection_id = ${connectionId} order by created_at limit 1`)

/** Somebody who is signed in with a proven address buys for themselves: there is nothing to claim. */
async function ownFromStart(tx: Tx, ctx: Ctx, orderId: string, buyer: Buyer): Promise<void> {
  await insertClaim(tx, ctx, {
    orderId,
    fromPerson: null,
    toPerson: buyer.personId,
    issuer: buyer.issuer,
    subject: buyer.subject,
    evidence: 'session',
    emailsDiffer: false,
    undoHash: null,
    undoUntil: null,
  })
  await tx.run(sql('order_own_from_start')`
    update "order" set person_id = ${buyer.personId}, claimed_by = ${buyer.personId}, claimed_at = created_at where id = ${orderId}`)
  const data = { how: 'by being signed in when the order began' }
  await record(tx, ctx, [{ kind: 'order.claimed', orderId, personId: buyer.personId, data }])
}
