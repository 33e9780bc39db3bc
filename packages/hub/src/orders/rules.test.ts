import assert from 'node:assert/strict'
import { test } from 'node:test'
import { day, type Instant } from '@bursar/kit/clock.ts'
import {
  evaluate,
  type OrderFacts,
  type PeriodFacts,
  paidUntil,
  type RefundFacts,
  type SubscriptionFacts,
} from './rules.ts'

const policy = { disputes: 'suspend', graceDays: 7 } as const
const month = 30 * day
const first: PeriodFacts = { paymentId: 'pi_1', amount: 900n, endsAt: month }
const second: PeriodFacts = { paymentId: 'pi_2', amount: 900n, endsAt: 2 * month }
const back = (paymentId: string, amount: bigint, state: RefundFacts['state'] = 'succeeded'): RefundFacts => ({
  id: `re_${paymentId}_${amount}`,
  paymentId,
  amount,
  state,
  allocation: null,
})
const subscription = (periods: readonly PeriodFacts[], carriedUntil: Instant | null = month): SubscriptionFacts => ({
  state: 'active',
  carriedUntil,
  pastDueSince: null,
  endedAt: null,
  periods,
})
const order = (more: Partial<OrderFacts>): OrderFacts => ({
  paid: true,
  awaitingFunds: false,
  closed: null,
  amount: 900n,
  lines: [{ id: 'l', amount: 900n, courseKey: 'c' }],
  refunds: [],
  disputes: [],
  subscription: subscription([first]),
  ...more,
})
const judged = (more: Partial<OrderFacts>) => {
  const { state, access } = evaluate(order(more), policy)
  return {
    state,
    access: access.l?.kind,
    endsAt: access.l !== undefined && 'endsAt' in access.l ? access.l.endsAt : null,
  }
}

test('a subscription is paid until its latest period that was not paid back', () => {
  assert.equal(paidUntil(subscription([first, second]), []), 2 * month)
  assert.equal(paidUntil(subscription([first, second]), [back('pi_2', 900n)]), month)
  assert.equal(paidUntil(subscription([first, second]), [back('pi_1', 900n)]), 2 * month)
  assert.equal(paidUntil(subscription([first]), [back('pi_1', 900n)]), 'nothing')
})

test('two refunds that make the whole period count as one; a part, or a refund that failed, as none', () => {
  assert.equal(paidUntil(subscription([first]), [back('pi_1', 400n), back('pi_1', 500n)]), 'nothing')
  assert.equal(paidUntil(subscription([first]), [back('pi_1', 899n)]), month)
  assert.equal(paidUntil(subscription([first]), [back('pi_1', 900n, 'failed')]), month)
  assert.equal(paidUntil(subscription([first]), [back('pi_1', 900n, 'pending')]), 'nothing')
})

test('what the subscription itself showed stands in until its invoice is known, and goes with its refund', () => {
  assert.equal(paidUntil(subscription([]), []), month)
  assert.equal(paidUntil(subscription([second]), [back('pi_2', 900n)]), month)
  assert.equal(paidUntil(subscription([second], 2 * month), [back('pi_2', 900n)]), 'nothing')
  assert.equal(paidUntil(subscription([], null), []), null)
})

test('a trial costs nothing, so nothing of it can be paid back', () => {
  const trial: PeriodFacts = { paymentId: null, amount: 0n, endsAt: month }
  assert.equal(paidUntil(subscription([trial, second]), [back('pi_2', 900n)]), month)
})

test('F12: a refund of one period leaves the order partly refunded; of all of them, refunded and ended', () => {
  const both = subscription([first, second])
  const one = judged({ subscription: both, refunds: [back('pi_2', 900n)] })
  assert.deepEqual(one, { state: 'partially_refunded', access: 'live', endsAt: month + 7 * day })
  const all = judged({ subscription: both, refunds: [back('pi_1', 900n), back('pi_2', 900n)] })
  assert.deepEqual(all, { state: 'refunded', access: 'ended', endsAt: null })
})

test('F14: a dispute over a subscription suspends or ends it as it does an order', () => {
  assert.equal(judged({ disputes: [{ state: 'open' }] }).access, 'suspended')
  assert.equal(judged({ disputes: [{ state: 'lost' }] }).access, 'ended')
  assert.equal(judged({ disputes: [{ state: 'won' }] }).access, 'live')
  assert.equal(judged({ disputes: [{ state: 'inquiry' }] }).access, 'live')
})
