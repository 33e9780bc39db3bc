import type { Instant } from '@bursar/kit/clock.ts'
import type { World } from '#main/world.ts'

/** Something that breaks the promise and that no row shows. `about` names the row, the order or the address. */
export type Violation = { readonly code: string; readonly about: string; readonly detail: string }

export type LineRow = {
  readonly id: string
  readonly price: string | null
  readonly amount: bigint
  /** Courses of the version this line was bought as, by our ids; null while the price is unknown. */
  readonly courses: readonly string[] | null
  /** The people its further seats were given to. */
  readonly assigned: readonly string[]
}

export type OrderRow = {
  readonly id: string
  readonly checkout: string | null
  readonly payment: string | null
  readonly subscription: string | null
  readonly state: string
  readonly issue: string | null
  readonly paid: boolean
  readonly amount: bigint
  readonly email: string | null
  readonly person: string | null
  readonly lines: readonly LineRow[]
}

export type SeatRow = {
  readonly id: string
  readonly person: string
  readonly course: string
  /** `kind:slug`, as the school names it. */
  readonly product: string
  readonly email: string
  readonly account: string | null
  readonly wanted: 'granted' | 'revoked'
  readonly actual: 'none' | 'granted' | 'revoked' | 'unknown'
  readonly uncertain: boolean
  readonly attempts: number
  readonly nextTryAt: Instant | null
  readonly nextChangeAt: Instant | null
  readonly failure: string | null
}

export type EntitlementRow = {
  readonly id: string
  readonly person: string
  readonly course: string
  readonly source: string
  readonly order: string | null
  readonly live: boolean
}

export type Rows = {
  readonly orders: readonly OrderRow[]
  readonly seats: readonly SeatRow[]
  readonly entitlements: readonly EntitlementRow[]
  readonly refunds: readonly {
    readonly id: string
    readonly order: string
    readonly amount: bigint
    readonly state: string
    readonly allocation: Readonly<Record<string, string>> | null
  }[]
  readonly disputes: readonly { readonly id: string; readonly state: string }[]
  /** Texts of what arrived and has not been brought to its end: it names what it is about. */
  readonly open: readonly { readonly id: string; readonly state: string; readonly due: Instant | null; text: string }[]
  readonly policy: { readonly disputes: 'suspend' | 'keep'; readonly graceDays: number }
}

const ordersText = `
  select o.id, o.checkout_id as checkout, o.payment_id as payment, o.subscription_id as subscription, o.state, o.issue,
    o.paid_at is not null as paid, o.amount, o.email, o.person_id as person,
    coalesce((select jsonb_agg(jsonb_build_object('id', l.id, 'price', l.price_external_id, 'amount', l.amount::text,
      'courses', to_jsonb(v.course_ids),
      'assigned', (select coalesce(jsonb_agg(a.person_id), '[]') from seat_assignment a where a.line_id = l.id))) from order_line l left join product_version v on v.id = l.product_version_id
      where l.order_id = o.id), '[]') as lines
  from "order" o`
const seatsText = `
  select n.id, n.person_id as person, n.course_id as course, c.kind || ':' || c.external_id as product, a.email,
    a.external_id as account, n.wanted, n.actual, n.uncertain, n.attempts, n.next_try_at as "nextTryAt",
    n.next_change_at as "nextChangeAt", n.failure_class as failure
  from enrollment n join course c on c.id = n.course_id join lms_account a on a.id = n.account_id`
const openText = `
  select e.id, e.state, coalesce(e.next_try_at, e.received_at) as due, coalesce(convert_from(p.body, 'utf8'), '') as text
  from inbound_event e left join inbound_payload p on p.event_id = e.id and p.day = e.payload_day
  where e.state in ('pending', 'failed', 'unmatched')`

type Line = Omit<LineRow, 'amount'> & { readonly amount: string }

/** Everything the hub believes, in seven plain queries. */
export async function readRows(world: World): Promise<Rows> {
  const now = `to_timestamp(${world.clock.now()} / 1000.0)`
  const [orders, seats, entitlements, refunds, disputes, open, policies] = await Promise.all([
    world.rows<Omit<OrderRow, 'lines'> & { lines: readonly Line[] }>(ordersText),
    world.rows<SeatRow>(seatsText),
    world.rows<EntitlementRow>(`
      select id, person_id as person, course_id as course, source, order_id as order,
        starts_at <= ${now} and coalesce(ends_at > ${now}, true) and suspended_at is null and revoked_at is null as live
      from entitlement`),
    world.rows<Rows['refunds'][number]>(
      `select external_id as id, order_id as order, amount, state, allocation from refund`,
    ),
    world.rows<Rows['disputes'][number]>(`select external_id as id, provider_state as state from dispute`),
    world.rows<Rows['open'][number]>(openText),
    world.rows<Rows['policy']>(`
      select dispute_policy as disputes, grace_days as "graceDays" from organization where id = '${world.organization}'`),
  ])
  const [policy] = policies
  if (policy === undefined) throw new Error('the world has no organization')
  const withLines = orders.map((o) => ({ ...o, lines: o.lines.map((l) => ({ ...l, amount: BigInt(l.amount) })) }))
  return { orders: withLines, seats, entitlements, refunds, disputes, open, policy }
}
