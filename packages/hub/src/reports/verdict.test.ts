import assert from 'node:assert/strict'
import { test } from 'node:test'
import { day, hour, minute } from '@bursar/kit/clock.ts'
import { interruptedAttempts } from './attempts.ts'
import { lengthText, momentText } from './names.ts'
import { lineVerdict, type SeatFacts, seatVerdict } from './verdict.ts'

const now = Date.UTC(2026, 0, 5, 9)
const seat = (change: Partial<SeatFacts>): SeatFacts => ({
  school: 'Harbour School',
  wanted: 'granted',
  actual: 'none',
  paused: false,
  nextTryAt: null,
  nextChangeAt: null,
  failingSince: null,
  failureClass: null,
  failureMessage: null,
  openedAt: null,
  closedAt: null,
  updatedAt: now,
  live: [],
  ended: null,
  ...change,
})
const told = (change: Partial<SeatFacts>) => {
  const { kind, sentence } = seatVerdict(seat(change), now)
  return `${kind}: ${sentence}`
}
const down = { failureClass: 'unavailable', failureMessage: 'LearnWorlds answers 503.', failingSince: now - hour }

test('each standing of a seat is one honest sentence', () => {
  assert.equal(
    told({ actual: 'granted', openedAt: now - day, live: ['Bought: Sourdough'] }),
    'open: Open at Harbour School since 2026-01-04 09:00:00 UTC (1 d ago). Bought: Sourdough.',
  )
  assert.equal(told({ nextTryAt: now }), 'being_set_up: Being set up at Harbour School.')
  assert.equal(
    told({ ...down, nextTryAt: now + 5 * minute }),
    'waiting: Waiting. Harbour School: LearnWorlds answers 503. Since 2026-01-05 08:00:00 UTC (1 h ago). Next try in 5 min (2026-01-05 09:05:00 UTC).',
  )
  assert.match(told({ ...down, failureClass: 'invalid' }), /^needs_person: A person must act\. /)
  assert.match(told({ ...down, failureClass: 'needs_learner' }), /^needs_learner: The learner must act\. /)
  assert.equal(
    told({ paused: true, nextTryAt: now }),
    'waiting: Waiting. Harbour School is paused by hand; it goes on with connections.resume.',
  )
})

test('F13: refunded, still open is told until it is closed', () => {
  const refunded = { wanted: 'revoked', ended: 'The payment was refunded.' } as const
  assert.match(
    told({ ...refunded, ...down, actual: 'granted', nextTryAt: now + minute }),
    /^closing: Should be closed, still open at Harbour School\. The payment was refunded\. .*Next try in 1 min/,
  )
  assert.match(told({ ...refunded, ...down, actual: 'granted' }), /^needs_person: Should be closed, still open\./)
  assert.equal(
    told({ ...refunded, actual: 'revoked', closedAt: now - minute }),
    'closed: Closed 1 min ago (2026-01-05 08:59:00 UTC). The payment was refunded.',
  )
})

test('a seat whose time has not come says when it opens', () => {
  assert.match(told({ wanted: 'revoked', nextChangeAt: now + day }), /^not_started: Opens in 1 d /)
})

test('a bought line without a seat says what is missing', () => {
  const order = { state: 'paid', issue: null, issueDetail: null, paidAt: now, hasPerson: true }
  const line = { description: 'A course', priceId: 'price_1', mapped: false }
  assert.match(lineVerdict(order, line).sentence, /price price_1 is not mapped to a course; map it with prices\.map\.$/)
  assert.match(lineVerdict({ ...order, hasPerson: false }, { ...line, mapped: true }).sentence, /without an e-mail/)
  assert.equal(lineVerdict({ ...order, paidAt: null, state: 'pending' }, null).sentence, 'Not paid yet.')
  assert.equal(lineVerdict({ ...order, paidAt: null, state: 'expired' }, null).kind, 'unpaid')
  assert.equal(lineVerdict(order, { ...line, mapped: true }).kind, 'being_set_up')
})

test('an attempt without an answer is interrupted once another began, or when nobody works on it', () => {
  const entry = (id: string, kind: 'apply.started' | 'enrollment.opened' | 'call.made') => ({
    id,
    kind,
    enrollmentId: 'e',
  })
  const list = [
    entry('1', 'apply.started'),
    entry('2', 'apply.started'),
    entry('3', 'enrollment.opened'),
    entry('4', 'apply.started'),
  ]
  const idle = interruptedAttempts(list, new Set())
  assert.deepEqual([[...idle.interrupted], [...idle.running]], [['1', '4'], []])
  const busy = interruptedAttempts(list, new Set(['e']))
  assert.deepEqual([[...busy.interrupted], [...busy.running]], [['1'], ['4']])
})

test('lengths of time read as people say them', () => {
  assert.deepEqual([0, 340, 4_200, 12 * minute, 3 * hour + 5 * minute, 2 * day + hour].map(lengthText), [
    '0 ms',
    '340 ms',
    '4.2 s',
    '12 min',
    '3 h 5 min',
    '2 d 1 h',
  ])
  assert.equal(momentText(now, now), 'now (2026-01-05 09:00:00 UTC)')
})
