import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hintsOf } from './hints.ts'

const user = { id: '618a740f8d07051ab200e5f4', email: 'j@example.com' }
const account = user.id
const course = { kind: 'course', externalId: 'c1' } as const

test('each event names the account and, where it can, the course', () => {
  const cases: readonly (readonly [string, object, object])[] = [
    ['userUpdated', { user }, { kind: 'account_changed', account }],
    ['enrolledFreeCourse', { user, course: { id: 'c1' } }, { kind: 'enrollment_changed', account, course, ours: null }],
    ['courseCompleted', { user, course: { id: 'c1' } }, { kind: 'progress_changed', account, course }],
    [
      'learningProgramCompleted',
      { user, learningProgram: { id: 'p1', type: 'learning_collection' } },
      { kind: 'progress_changed', account, course: { kind: 'program', externalId: 'p1' } },
    ],
    [
      'userUnenrolledFromProduct',
      { user, product: { id: 'b1', type: 'bundle' } },
      { kind: 'enrollment_changed', account, course: { kind: 'bundle', externalId: 'b1' }, ours: null },
    ],
    [
      'subscriptionUpdated',
      { user, plan: {}, new_plan: {}, created_at: '2026-01-01T00:00:00Z' },
      { kind: 'enrollment_changed', account, course: null, ours: null },
    ],
  ]
  for (const [type, data, hint] of cases) assert.deepEqual(hintsOf(type, { ...data }), [hint], type)
})

test('the quirks: a user inside the user, the user as the data, the user in the certificate', () => {
  assert.deepEqual(
    hintsOf('subscriptionPaymentPlanBought', {
      user: { user },
      payment: { product: { id: 's1', type: 'subscription' } },
    }),
    [{ kind: 'enrollment_changed', account, course: { kind: 'subscription', externalId: 's1' }, ours: null }],
  )
  assert.deepEqual(hintsOf('userTagAdded', { ...user, tags: ['a'] }), [{ kind: 'account_changed', account }])
  assert.deepEqual(hintsOf('awardedCertificate', { certificate: { course_id: 'c1', user } }), [
    { kind: 'certificate_changed', account, course },
  ])
})

test('the echo of our own grant carries our key; a sale of the school does not', () => {
  const bought = (payment: object) =>
    hintsOf('productBought', { user, payment: { product: { id: 'c1', type: 'course' }, ...payment } })[0]
  const ours = (payment: object) => {
    const hint = bought(payment)
    return hint?.kind === 'enrollment_changed' ? hint.ours : assert.fail()
  }
  assert.equal(ours({ transaction_id: 'hub:g1', gateway: null }), 'hub:g1')
  assert.equal(ours({ transaction_id: 'Added by admin', gateway: null }), null)
  assert.equal(ours({ transaction_id: 'ch_1', gateway: 'stripe' }), null)
})

test('leads, new types and events without a user are kept as something else', () => {
  assert.deepEqual(hintsOf('leadCreated', { email: 'l@example.com' }), [{ kind: 'other', type: 'leadCreated' }])
  assert.deepEqual(hintsOf('somethingNew', { user }), [{ kind: 'other', type: 'somethingNew' }])
  assert.deepEqual(hintsOf('courseCompleted', {}), [{ kind: 'other', type: 'courseCompleted' }])
})
