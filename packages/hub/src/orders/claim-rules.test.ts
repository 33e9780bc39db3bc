import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ClaimFacts, closedAdvice, decideClaim, type Shown, stateRefuses } from './claim-rules.ts'
import type { OrderState } from './rules.ts'

const facts = (
  more: Partial<Omit<ClaimFacts, 'claimant'>> & { claimant?: Partial<ClaimFacts['claimant']> } = {},
): ClaimFacts => ({
  state: 'paid',
  gift: false,
  mailbox: 'paid@x.example',
  mailboxOnly: false,
  claimedBy: null,
  secret: 'none',
  link: 'none',
  confirmed: false,
  ...more,
  claimant: {
    personId: 'prs_me',
    email: 'paid@x.example',
    emailVerified: false,
    mailboxFresh: false,
    ...more.claimant,
  },
})

const verified = { emailVerified: true }
const fresh = { mailboxFresh: true }
const other = { email: 'other@x.example' }

const table: readonly (readonly [string, ClaimFacts, string])[] = [
  ['secret, verified, equal', facts({ secret: 'valid', claimant: verified }), 'bind'],
  ['secret, fresh code, equal', facts({ secret: 'valid', claimant: fresh }), 'bind'],
  ['secret, verified, another', facts({ secret: 'valid', claimant: { ...verified, ...other } }), 'confirm'],
  ['the same, confirmed', facts({ secret: 'valid', confirmed: true, claimant: { ...verified, ...other } }), 'bind'],
  ['secret, unverified, equal', facts({ secret: 'valid' }), 'unproven'],
  ['secret, no address at all', facts({ secret: 'valid', claimant: { email: null, ...verified } }), 'unproven'],
  ['no secret, fresh code, equal', facts({ claimant: fresh }), 'bind'],
  ['no secret, verified long ago, equal', facts({ claimant: verified }), 'unproven'],
  ['no secret, fresh code, another', facts({ claimant: { ...fresh, ...other } }), 'unknown'],
  ['link, verified, equal', facts({ link: 'valid', claimant: verified }), 'bind'],
  ['link, verified, another', facts({ link: 'valid', claimant: { ...verified, ...other } }), 'confirm'],
  ['used link', facts({ link: 'burnt', claimant: verified }), 'unknown'],
  ['wrong secret', facts({ secret: 'wrong', claimant: verified }), 'unknown'],
  ['gift, the giver’s secret', facts({ gift: true, secret: 'valid', claimant: verified }), 'gift_of_another'],
  ['gift, its link', facts({ gift: true, link: 'valid', claimant: verified }), 'bind'],
  [
    'gift without an address, its link',
    facts({ gift: true, mailbox: null, link: 'valid', claimant: { ...verified, ...other } }),
    'bind',
  ],
  ['taken back: the secret', facts({ mailboxOnly: true, secret: 'valid', claimant: verified }), 'unproven'],
  ['taken back: a code', facts({ mailboxOnly: true, claimant: fresh }), 'bind'],
  ['theirs', facts({ claimedBy: 'prs_me', secret: 'burnt' }), 'already'],
  ['another’s, burnt secret', facts({ claimedBy: 'prs_you', secret: 'burnt', claimant: verified }), 'second_claimant'],
  ['another’s, burnt link', facts({ claimedBy: 'prs_you', link: 'burnt', claimant: verified }), 'second_claimant'],
  ['another’s, fresh code', facts({ claimedBy: 'prs_you', claimant: fresh }), 'second_claimant'],
  ['another’s, wrong secret', facts({ claimedBy: 'prs_you', secret: 'wrong', claimant: verified }), 'unknown'],
  ['another’s, nothing', facts({ claimedBy: 'prs_you', claimant: verified }), 'unproven'],
  ['not paid yet', facts({ state: 'pending', secret: 'valid', claimant: verified }), 'not_paid'],
  ['the bank takes its time', facts({ state: 'awaiting_funds', secret: 'valid', claimant: verified }), 'not_paid'],
  ['refunded', facts({ state: 'refunded', secret: 'valid', claimant: verified }), 'closed'],
  ['expired', facts({ state: 'expired', claimant: fresh }), 'closed'],
]

for (const [name, given, kind] of table)
  test(`binding table: ${name}: ${kind}`, () => {
    assert.equal(decideClaim(given).kind, kind)
  })

const states: readonly OrderState[] = [
  'pending',
  'awaiting_funds',
  'paid',
  'partially_refunded',
  'refunded',
  'disputed',
  'charged_back',
  'canceled',
  'expired',
]

test('every state that closes an order says what to do', () => {
  for (const state of states)
    assert.equal(stateRefuses(state)?.kind === 'closed', closedAdvice[state] !== undefined, state)
})

const shown = fc.constantFrom<Shown>('valid', 'burnt', 'wrong', 'none')
const email = fc.constantFrom('paid@x.example', 'other@x.example', null)
const anyFacts = fc.record({
  state: fc.constantFrom(...states),
  gift: fc.boolean(),
  mailbox: fc.constantFrom('paid@x.example', null),
  mailboxOnly: fc.boolean(),
  claimedBy: fc.constantFrom(null, 'prs_me', 'prs_you'),
  secret: shown,
  link: shown,
  confirmed: fc.boolean(),
  claimant: fc.record({
    personId: fc.constant('prs_me'),
    email,
    emailVerified: fc.boolean(),
    mailboxFresh: fc.boolean(),
  }),
})

test('nobody is ever bound without evidence, without a proven address, against another holder, or before the money', () => {
  fc.assert(
    fc.property(anyFacts, (f) => {
      if (decideClaim(f).kind !== 'bind') return
      const owns = f.claimant.mailboxFresh && f.claimant.email !== null && f.claimant.email === f.mailbox
      assert.ok(f.claimedBy === null)
      assert.ok(f.state === 'paid' || f.state === 'partially_refunded')
      assert.ok(f.claimant.email !== null && (f.claimant.emailVerified || f.claimant.mailboxFresh))
      assert.ok(owns || (!f.mailboxOnly && (f.link === 'valid' || (f.secret === 'valid' && !f.gift))))
      if (f.mailbox !== null && f.mailbox !== f.claimant.email) assert.ok(f.confirmed)
    }),
    { numRuns: 5_000 },
  )
})

test('without evidence an order answers exactly as one that does not exist', () => {
  const nothing = (f: ClaimFacts): ClaimFacts => ({
    ...f,
    state: 'pending',
    gift: false,
    mailbox: null,
    mailboxOnly: false,
    claimedBy: null,
    secret: f.secret === 'none' ? 'none' : 'wrong',
    link: f.link === 'none' ? 'none' : 'wrong',
  })
  fc.assert(
    fc.property(anyFacts, (f) => {
      const evident = [f.secret, f.link].some((s) => s === 'valid' || s === 'burnt')
      const owns = f.claimant.mailboxFresh && f.claimant.email === f.mailbox
      if (evident || owns || f.claimedBy === 'prs_me') return
      assert.deepEqual(decideClaim(f), decideClaim(nothing(f)))
    }),
    { numRuns: 5_000 },
  )
})

test('a purchase that was taken back looks to a guesser like one that does not exist', () => {
  for (const claimant of [verified, facts({}).claimant])
    for (const shown of [{ secret: 'wrong' }, { link: 'wrong' }] as const) {
      const there = decideClaim(facts({ mailboxOnly: true, claimant, ...shown })).kind
      assert.equal(there, decideClaim(facts({ state: 'pending', mailbox: null, claimant, ...shown })).kind)
    }
})
