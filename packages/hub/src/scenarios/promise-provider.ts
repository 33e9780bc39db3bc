import type { ProviderTruth } from '@bursar/connectors/payments/stripe/simulator.ts'
import { day, type Instant } from '@bursar/kit/clock.ts'
import { normalizeEmail } from '#identity/people.ts'
import type { Violation } from './promise.ts'
import type { OrderRow, Rows } from './promise-rows.ts'

export type Expectation = 'open' | 'shut'

type Checkout = ProviderTruth['checkouts'][number]
type Subscription = ProviderTruth['subscriptions'][number]

const countsAsBack = (status: string | null) => status === 'succeeded' || status === 'pending'
const isOpenDispute = (status: string) =>
  !status.startsWith('warning_') && status !== 'won' && status !== 'lost' && status !== 'prevented'

/** What a subscription gives at a moment, from what the provider says about its paid periods. */
export function subscriptionGives(subscription: Subscription, graceDays: number, now: Instant): Expectation {
  const paidUntil = Math.max(0, ...subscription.paidPeriods.map((p) => p.end))
  const end = paidUntil + graceDays * day
  switch (subscription.status) {
    case 'active':
    case 'trialing':
    case 'past_due':
      return now < end ? 'open' : 'shut'
    default:
      return 'shut'
  }
}

export type Expected = {
  readonly person: string
  readonly course: string
  readonly order: OrderRow
  readonly expectation: Expectation
}

type Judged = { readonly expected: readonly Expected[]; readonly violations: readonly Violation[] }
type Facts = { readonly rows: Rows; readonly truth: ProviderTruth; readonly now: Instant }

/** What each paid line should give, by the provider's books; and every paid checkout that no visible row accounts for. */
export function expectedSeats(facts: Facts): Judged {
  const orders = new Map(facts.rows.orders.map((o) => [o.checkout, o]))
  const violations: Violation[] = []
  const expected: Expected[] = []
  for (const checkout of facts.truth.checkouts) {
    const order = orders.get(checkout.session)
    const told = (name: string | null) => name !== null && facts.rows.open.some((e) => e.text.includes(name))
    const visible = told(checkout.session) || told(checkout.paymentIntent) || told(checkout.subscription)
    if (checkout.paid && order === undefined) {
      if (!visible) violations.push({ code: 'paid_without_order', about: checkout.session, detail: 'No row knows it.' })
      continue
    }
    if (order === undefined) continue
    if (!visible) violations.push(...compare(checkout, order, facts))
    if (order.person === null) continue
    for (const line of order.lines)
      for (const course of line.courses ?? [])
        expected.push({ person: order.person, course, order, expectation: lineGives(checkout, order, line.id, facts) })
  }
  return { expected, violations }
}

/** One line of one checkout. Which line a partial refund pays back is the hub's own record, checked in `compare`. */
function lineGives(checkout: Checkout, order: OrderRow, lineId: string, { rows, truth, now }: Facts): Expectation {
  if (!checkout.paid) return 'shut'
  const disputes = truth.disputes.filter((d) => d.paymentIntent !== null && d.paymentIntent === checkout.paymentIntent)
  if (disputes.some((d) => d.status === 'lost')) return 'shut'
  if (checkout.subscription !== null) {
    const subscription = truth.subscriptions.find((s) => s.subscription === checkout.subscription)
    return subscription === undefined ? 'shut' : subscriptionGives(subscription, rows.policy.graceDays, now)
  }
  if (rows.policy.disputes === 'suspend' && disputes.some((d) => isOpenDispute(d.status))) return 'shut'
  const payment = truth.payments.find((p) => p.paymentIntent === checkout.paymentIntent)
  if (payment !== undefined && payment.refunded > 0 && payment.refunded >= payment.amount) return 'shut'
  const back = rows.refunds
    .filter((r) => r.order === order.id && countsAsBack(r.state))
    .reduce((sum, r) => sum + BigInt(r.allocation?.[lineId] ?? '0'), 0n)
  const amount = order.lines.find((l) => l.id === lineId)?.amount ?? 0n
  return amount > 0n && back >= amount ? 'shut' : 'open'
}

/** Whether an order says what the provider says: money, lines, refunds, disputes, buyer. */
function compare(checkout: Checkout, order: OrderRow, { rows, truth }: Facts): Violation[] {
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
  } else if (order.personEmail !== normalizeEmail(checkout.email))
    say('buyer_differs', 'Another person holds the order.')
  found.push(...compareRefunds(checkout, order, rows, truth))
  const disputes = new Map(rows.disputes.map((d) => [d.id, d.state]))
  for (const dispute of truth.disputes.filter((d) => d.paymentIntent === checkout.paymentIntent))
    if (disputes.get(dispute.dispute) !== dispute.status)
      say('dispute_differs', `${dispute.dispute}: ${dispute.status} / ${disputes.get(dispute.dispute) ?? 'unknown'}`)
  return found
}

function compareRefunds(checkout: Checkout, order: OrderRow, rows: Rows, truth: ProviderTruth): Violation[] {
  const known = new Map(rows.refunds.map((r) => [r.id, r]))
  const made = truth.refunds.filter((r) => r.paymentIntent !== null && r.paymentIntent === checkout.paymentIntent)
  return made.flatMap((refund): Violation[] => {
    const row = known.get(refund.refund)
    const say = (code: string, detail: string) => [{ code, about: order.id, detail: `${refund.refund}: ${detail}` }]
    if (row === undefined || row.state !== refund.status || row.amount !== BigInt(refund.amount))
      return say('refund_differs', `${refund.status} ${refund.amount} / ${row?.state} ${row?.amount}`)
    if (!countsAsBack(row.state)) return []
    if (row.allocation === null)
      return order.state === 'partially_refunded' && order.issue === null
        ? say('refund_unattributed_unseen', 'nobody is told')
        : []
    const sum = Object.values(row.allocation).reduce((total, part) => total + BigInt(part), 0n)
    return sum === row.amount ? [] : say('refund_allocation_wrong', `${sum} of ${row.amount}`)
  })
}
