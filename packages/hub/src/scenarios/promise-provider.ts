import type { ProviderTruth } from '@bursar/connectors/payments/stripe/simulator.ts'
import { day, type Instant } from '@bursar/kit/clock.ts'
import { normalizeEmail } from '#identity/people.ts'
import type { OrderRow, Rows, Violation } from './promise-rows.ts'

export type Expectation = 'open' | 'shut'

type Checkout = ProviderTruth['checkouts'][number]
type Subscription = ProviderTruth['subscriptions'][number]

const countsAsBack = (status: string | null) => status === 'succeeded' || status === 'pending'
const isOpenDispute = (status: string) =>
  !status.startsWith('warning_') && status !== 'won' && status !== 'lost' && status !== 'prevented'

/** What a subscription gives at a moment, from what the provider says about its periods: paid, and not paid back. */
function subscriptionGives(subscription: Subscription, facts: Facts): Expectation {
  const { rows, now } = facts
  const kept = subscription.paidPeriods.filter((p) => !isPaidBack(p.paymentIntent, facts))
  const end = Math.max(Number.NEGATIVE_INFINITY, ...kept.map((p) => p.end)) + rows.policy.graceDays * day
  switch (subscription.status) {
    case 'active':
    case 'trialing':
    case 'past_due':
      return now < end ? 'open' : 'shut'
    default:
      return 'shut'
  }
}

function isPaidBack(payment: string | null, facts: Facts): boolean {
  const amount = facts.payments.get(payment ?? '')?.amount ?? 0
  const back = of(facts.refunds, payment).filter((r) => countsAsBack(r.status))
  return back.length > 0 && back.reduce((sum, r) => sum + r.amount, 0) >= amount
}

export type Expected = {
  readonly person: string
  readonly course: string
  readonly order: OrderRow
  readonly expectation: Expectation
  /** What an event that explains a difference would name. */
  readonly names: readonly (string | null)[]
}

type Judged = { readonly expected: readonly Expected[]; readonly violations: readonly Violation[] }
type Asked = { readonly rows: Rows; readonly truth: ProviderTruth; readonly now: Instant }

/** The same, found by name: a storm has tens of thousands of each. */
type Facts = Asked & {
  readonly payments: ReadonlyMap<string, ProviderTruth['payments'][number]>
  readonly subscriptions: ReadonlyMap<string, Subscription>
  readonly refunds: ReadonlyMap<string | null, ProviderTruth['refunds']>
  readonly disputes: ReadonlyMap<string | null, ProviderTruth['disputes']>
  readonly refundRows: ReadonlyMap<string, Rows['refunds']>
  readonly disputeRows: ReadonlyMap<string, string>
}

const indexed = (asked: Asked): Facts => ({
  ...asked,
  payments: new Map(asked.truth.payments.map((p) => [p.paymentIntent, p])),
  subscriptions: new Map(asked.truth.subscriptions.map((s) => [s.subscription, s])),
  refunds: Map.groupBy(asked.truth.refunds, (r) => r.paymentIntent),
  disputes: Map.groupBy(asked.truth.disputes, (d) => d.paymentIntent),
  refundRows: Map.groupBy(asked.rows.refunds, (r) => r.order),
  disputeRows: new Map(asked.rows.disputes.map((d) => [d.id, d.state])),
})

const of = <T>(found: ReadonlyMap<string | null, readonly T[]>, payment: string | null): readonly T[] =>
  payment === null ? [] : (found.get(payment) ?? [])

/** What each paid line should give, by the provider's books; and every paid checkout that no visible row accounts for. */
export function expectedSeats(asked: Asked): Judged {
  const facts = indexed(asked)
  const orders = new Map(facts.rows.orders.map((o) => [o.checkout, o]))
  const violations: Violation[] = []
  const expected: Expected[] = []
  for (const checkout of facts.truth.checkouts) {
    const order = orders.get(checkout.session)
    // Once its order is there, an event that found none explains nothing any more: the order must say it all.
    const told = (name: string) =>
      facts.rows.open.some((e) => (order === undefined || e.state !== 'unmatched') && e.text.includes(name))
    const names = namesOf(checkout, facts)
    const visible = names.some(told)
    if (checkout.paid && order === undefined) {
      if (!visible) violations.push({ code: 'paid_without_order', about: checkout.session, detail: 'No row knows it.' })
      continue
    }
    if (order === undefined) continue
    if (!visible) violations.push(...compare(checkout, order, facts))
    for (const line of order.lines) {
      const expectation = lineGives(checkout, order, line.id, facts)
      const people = new Set([order.person, ...line.assigned].filter((person) => person !== null))
      for (const person of people)
        for (const course of line.courses ?? []) expected.push({ person, course, order, names, expectation })
    }
  }
  return { expected, violations }
}

/** The payment of a checkout, or every payment of its subscription's invoices. */
function paymentsOf({ paymentIntent, subscription }: Checkout, facts: Facts): readonly string[] {
  const periods = facts.subscriptions.get(subscription ?? '')?.paidPeriods ?? []
  const payments = [paymentIntent, ...periods.map((p) => p.paymentIntent)]
  return [...new Set(payments.filter((p) => p !== null))]
}

const disputesOf = (checkout: Checkout, facts: Facts) =>
  paymentsOf(checkout, facts).flatMap((payment) => of(facts.disputes, payment))

const refundsOf = (checkout: Checkout, facts: Facts) =>
  paymentsOf(checkout, facts).flatMap((payment) => of(facts.refunds, payment))

/** Whatever an event about this purchase would name. */
const namesOf = (checkout: Checkout, facts: Facts): readonly string[] =>
  [
    checkout.session,
    checkout.subscription,
    ...paymentsOf(checkout, facts),
    ...disputesOf(checkout, facts).map((d) => d.dispute),
    ...refundsOf(checkout, facts).map((r) => r.refund),
  ].filter((name) => name !== null)

/** One line of one checkout. Which line a partial refund pays back is the hub's own record, checked in `compare`. */
function lineGives(checkout: Checkout, order: OrderRow, lineId: string, facts: Facts): Expectation {
  const { rows } = facts
  if (!checkout.paid) return 'shut'
  const disputes = disputesOf(checkout, facts)
  if (disputes.some((d) => d.status === 'lost')) return 'shut'
  if (rows.policy.disputes === 'suspend' && disputes.some((d) => isOpenDispute(d.status))) return 'shut'
  if (checkout.subscription !== null) {
    const subscription = facts.subscriptions.get(checkout.subscription)
    return subscription === undefined ? 'shut' : subscriptionGives(subscription, facts)
  }
  const payment = facts.payments.get(checkout.paymentIntent ?? '')
  if (payment !== undefined && payment.refunded > 0 && payment.refunded >= payment.amount) return 'shut'
  const back = (facts.refundRows.get(order.id) ?? [])
    .filter((r) => countsAsBack(r.state))
    .reduce((sum, r) => sum + BigInt(r.allocation?.[lineId] ?? '0'), 0n)
  const amount = order.lines.find((l) => l.id === lineId)?.amount ?? 0n
  return amount > 0n && back >= amount ? 'shut' : 'open'
}

/** Whether an order says what the provider says: money, lines, refunds, disputes, buyer. */
function compare(checkout: Checkout, order: OrderRow, facts: Facts): Violation[] {
  const found: Violation[] = []
  const say = (code: string, detail: string) => found.push({ code, about: order.id, detail })
  if (order.paid !== checkout.paid) say('paid_differs', `Stripe: ${checkout.paid}, order: ${order.paid}.`)
  if (!checkout.paid) {
    if (checkout.status === 'expired' && order.state !== 'expired')
      say('order_open', `The form expired: ${order.state}.`)
    return found
  }
  if (order.amount !== BigInt(checkout.amount)) say('amount_differs', `${checkout.amount} / ${order.amount}`)
  const bought = checkout.lines.map((l) => l.price).sort()
  const kept = order.lines.map((l) => l.price).sort()
  const byMetadata = kept.length === 1 && kept[0] === null
  if (!byMetadata && bought.join() !== kept.join()) say('lines_differ', `${bought.join()} / ${kept.join()}`)
  if (order.lines.some((l) => l.courses === null) && order.issue === null) say('unmapped_unseen', 'No issue is shown.')
  if (checkout.email === null) {
    if (order.issue === null) say('no_buyer_unseen', 'No issue is shown.')
  } else if (order.email === null || normalizeEmail(order.email) !== normalizeEmail(checkout.email))
    say('buyer_differs', `Another mailbox paid: ${order.email}.`)
  found.push(...compareRefunds(checkout, order, facts))
  for (const { dispute, status } of disputesOf(checkout, facts)) {
    const known = facts.disputeRows.get(dispute)
    if (known !== status) say('dispute_differs', `${dispute}: ${status} / ${known ?? 'unknown'}`)
  }
  return found
}

function compareRefunds(checkout: Checkout, order: OrderRow, facts: Facts): Violation[] {
  const known = new Map((facts.refundRows.get(order.id) ?? []).map((r) => [r.id, r]))
  const made = refundsOf(checkout, facts)
  return made.flatMap((refund): Violation[] => {
    const row = known.get(refund.refund)
    const say = (code: string, detail: string) => [{ code, about: order.id, detail: `${refund.refund}: ${detail}` }]
    if (row === undefined || row.state !== refund.status || row.amount !== BigInt(refund.amount))
      return say('refund_differs', `${refund.status} ${refund.amount} / ${row?.state} ${row?.amount}`)
    // A subscription's refund is for a period, which the provider's books name; it has no lines.
    if (!countsAsBack(row.state) || checkout.subscription !== null) return []
    if (row.allocation === null)
      return order.state === 'partially_refunded' && order.issue === null
        ? say('refund_unattributed_unseen', 'nobody is told')
        : []
    const sum = Object.values(row.allocation).reduce((total, part) => total + BigInt(part), 0n)
    return sum === row.amount ? [] : say('refund_allocation_wrong', `${sum} of ${row.amount}`)
  })
}
