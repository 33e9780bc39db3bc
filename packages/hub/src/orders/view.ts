import type { App } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { launchPath } from '#entitlements/launch.ts'
import { maskEmail } from '#mail/address.ts'
import { secretHash } from './links.ts'
import { learnerMailbox } from './prepare.ts'
import type { OrderState } from './rules.ts'
import { type Said, type SeatWord, say, seatWord } from './seat-words.ts'
import { findOrderById, type OrderRow } from './store.ts'

export type PaymentWord = 'pending' | 'processing' | 'paid' | 'failed' | 'expired' | 'refunded'

/** One word for the money, as the page of a buyer needs it. */
export function paymentWord(state: OrderState): PaymentWord {
  switch (state) {
    case 'pending':
      return 'pending'
    case 'awaiting_funds':
      return 'processing'
    case 'paid':
    case 'partially_refunded':
    case 'disputed':
      return 'paid'
    case 'refunded':
    case 'charged_back':
      return 'refunded'
    case 'canceled':
      return 'failed'
    case 'expired':
      return 'expired'
  }
}

export type SeatShown = {
  readonly enrollmentId: string | null
  readonly courseId: string
  /** The school's own name of the course. */
  readonly externalId: string
  readonly kind: string
  readonly course: string
  readonly school: string
  readonly state: SeatWord
  readonly message: string
  /** True when no time will open it: the learner or a person must act. */
  readonly stuck: boolean
}

type SeatRow = {
  readonly enrollmentId: string | null
  readonly courseId: string
  readonly externalId: string
  readonly kind: string
  readonly course: string
  readonly school: string
  readonly wanted: 'granted' | 'revoked' | null
  readonly actual: string | null
  readonly failureClass: string | null
  readonly nextTryAt: number | null
  readonly ended: string | null
}

const seatsMax = 200

/** The courses an order pays for, each with the seat of its learner. */
const seatRows = (tx: Tx, orderId: string, personId: string | null) =>
  tx.many<SeatRow>(sql('order_seats')`
    select n.id as "enrollmentId", c.id as "courseId", c.external_id as "externalId", c.kind, c.title as course, k.name as school,
      n.wanted, n.actual, n.failure_class as "failureClass", n.next_try_at as "nextTryAt",
      (select e.reason from entitlement e where e.person_id = ${personId} and e.course_id = c.id and e.order_id = ${orderId}
        and (e.revoked_at is not null or e.suspended_at is not null) order by e.updated_at desc limit 1) as ended
    from (
      select distinct unnest(v.course_ids) as id from order_line l join product_version v on v.id = l.product_version_id
      where l.order_id = ${orderId}) bought
    join course c on c.id = bought.id join connection k on k.id = c.connection_id
    left join enrollment n on n.person_id = ${personId} and n.course_id = c.id
    order by c.title, c.id limit ${seatsMax}`)

function wordFor(row: SeatRow, order: OrderRow): Said {
  if (order.paidAt === null) return say('waiting', 'It opens when the payment is confirmed.')
  if (row.wanted === null)
    return order.personId === null
      ? say('waiting', 'It opens when the purchase is claimed.')
      : say('closed', row.ended ?? 'Access to this course has ended.')
  return seatWord({ ...row, wanted: row.wanted })
}

/** The seats of an order as its learner may see them. */
export async function seatsShown(tx: Tx, order: OrderRow): Promise<readonly SeatShown[]> {
  const rows = await seatRows(tx, order.id, order.personId)
  return rows.map((row) => {
    const { enrollmentId, courseId, externalId, kind, course, school } = row
    return { enrollmentId, courseId, externalId, kind, course, school, ...wordFor(row, order) }
  })
}

export const launchPathOf = (enrollmentId: string): string => `${launchPath}/${enrollmentId}`

export type OrderShown = {
  readonly orderRef: string
  readonly status: OrderState
  readonly payment: PaymentWord
  readonly claimed: boolean
  readonly gift: boolean
  /** The mailbox the seat is for, masked. */
  readonly email: string | null
  readonly seats: readonly SeatShown[]
}

/** `whole`: the viewer is the learner, or holds the secret of an order nobody has claimed. */
export async function showOrderTo(tx: Tx, order: OrderRow, whole: boolean): Promise<OrderShown> {
  const mailbox = learnerMailbox(order)
  return {
    orderRef: order.id,
    status: order.state,
    payment: paymentWord(order.state),
    claimed: order.claimedAt !== null,
    gift: order.gift !== null,
    email: mailbox === null ? null : maskEmail(mailbox),
    seats: whole ? await seatsShown(tx, order) : [],
  }
}

export type OrderPlace = { readonly organization: string; readonly slug: string; readonly orderId: string }

/** Where an order is, by our id or by the provider's name of its payment. Says nothing about who may see it. */
export async function placeOfOrder(
  app: App,
  name: { readonly orderRef: string } | { readonly paymentId: string; readonly organization: string | null },
): Promise<OrderPlace | null> {
  const orderRef = 'orderRef' in name ? name.orderRef : null
  const paymentId = 'paymentId' in name ? name.paymentId : null
  const organization = 'organization' in name ? name.organization : null
  const rows = await app.db.direct<OrderPlace>(sql('order_place')`
    select o.organization_id as organization, g.slug, o.id as "orderId" from "order" o join organization g on g.id = o.organization_id
    where (o.id = ${orderRef} or o.payment_id = ${paymentId})
      and (${organization}::text is null or g.id = ${organization} or g.slug = ${organization})
    limit 2`)
  const [only, ...more] = rows
  return only !== undefined && more.length === 0 ? only : null
}

/** Who looks at an order: the secret of the browser that pays, or the person of a session. */
export type Viewer = { readonly secret: string | null; readonly personId: string | null }

/**
 * The order as this viewer may see it; null for an order that does not exist and for one that is none of theirs, so
 * that a stranger learns neither. Whoever holds a secret that was burnt by a claim sees only that it was claimed.
 */
export async function viewOrder(tx: Tx, orderId: string, viewer: Viewer): Promise<OrderShown | null> {
  const order = await findOrderById(tx, orderId)
  if (order === null) return null
  if (viewer.personId !== null && viewer.personId === order.claimedBy) return showOrderTo(tx, order, true)
  if (viewer.personId !== null && viewer.personId === order.buyerId) return showOrderTo(tx, order, order.gift === null)
  if (viewer.secret === null) return null
  const hash = secretHash(viewer.secret)
  const held = await tx.maybeOne<{ live: boolean }>(sql('order_secret_held')`
    select o.claim_secret_hash = ${hash}::bytea or ${hash}::bytea = any(o.claim_secret_more) as live from "order" o
    where o.id = ${orderId} and (o.claim_secret_hash = ${hash}::bytea or ${hash}::bytea = any(o.claim_secret_more)
      or exists (select 1 from claim c where c.order_id = o.id and ${hash}::bytea = any(c.burnt)))`)
  if (held === null) return null
  return showOrderTo(tx, order, held.live === true && order.gift === null)
}
