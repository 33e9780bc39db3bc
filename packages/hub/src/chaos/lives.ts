import type { StripeControls } from '@bursar/connectors/payments/stripe/simulator.ts'
import type { Random } from '@bursar/kit/random.ts'
import { inTx, systemCtx } from '#action/context.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { setEntitlements } from '#entitlements/seats.ts'
import { applyJob } from '#entitlements/store.ts'
import { ensureMailboxPerson } from '#identity/people.ts'
import type { World } from '#main/world.ts'
import { askStatus, attempt, beginCart, payCart, pressAgain } from './lives-checkout.ts'
import { comeBack, enterSchool, followLink, race, signIn, undo } from './lives-claim.ts'
import { assign, decide, link, merge, resend, transfer } from './lives-people.ts'
import type { Act, Cast, Draw, Scene } from './scene.ts'

const peopleCount = 6

export async function createCast(world: World): Promise<Cast> {
  const prices = [
    await world.sell('Sourdough', 4_900, ['sourdough-basics']),
    await world.sell('Pastry', 7_900, ['pastry-foundations']),
    await world.sell('Safety and pricing', 9_000, ['food-safety', 'menu-pricing']),
    await world.sell('Sourdough again', 4_500, ['sourdough-basics']),
    await world.sell('Baker', 11_000, ['bundle:baker-bundle']),
  ]
  const subscriptions = [await world.sell('Pricing club', 1_900, ['menu-pricing'], 'month')]
  const people = Array.from({ length: peopleCount }, (_, i) => `person${i}@storm.example`)
  return { prices, subscriptions, people }
}

export const draw = (random: Random): Draw => ({
  one: (from) => from[Math.floor(random.next() * from.length)],
  chance: (probability) => random.next() < probability,
  between: (low, high) => low + Math.floor(random.next() * (high - low + 1)),
})

type Life = (world: World, cast: Cast, by: Draw) => Promise<string | null>

const cards = ['4242424242424242', '4242424242424242', '4242424242424242', '4000000000000002'] as const
const bankDebit = 'bank'

const purchase: Life = async (world, cast, by) => {
  const count = by.chance(0.7) ? 1 : by.between(2, 3)
  const lines = [...new Set(Array.from({ length: count }, () => by.one(cast.prices) ?? ''))]
  const session = await world.checkout(lines)
  const email = by.one(cast.people) ?? ''
  if (by.chance(0.08)) return attempt(`expire ${session}`, () => world.stripe.expire(session))
  const card = by.chance(0.15) ? bankDebit : (by.one(cards) ?? '')
  return attempt(`pay ${email} ${lines.length} lines by ${card}`, () => world.stripe.pay({ session, email, card }))
}

const subscribe: Life = async (world, cast, by) => {
  const price = by.one(cast.subscriptions) ?? ''
  const email = by.one(cast.people) ?? ''
  const session = await world.checkout([price], { mode: 'subscription' })
  return attempt(`subscribe ${email}`, () => world.stripe.pay({ session, email }))
}

const settleDebit: Life = async (world, _cast, by) => {
  const open = world.stripe.truth().checkouts.filter((c) => c.status === 'complete' && !c.paid)
  const chosen = by.one(open)
  if (chosen === undefined) return null
  return by.chance(0.7)
    ? attempt('debit arrives', () => world.stripe.payAsyncSucceed(chosen.session))
    : attempt('debit fails', () => world.stripe.payAsyncFail(chosen.session))
}

const refund: Life = async (world, _cast, by) => {
  const { payments, checkouts } = world.stripe.truth()
  const chosen = by.one(payments.filter((p) => p.status === 'succeeded' && p.refunded < p.amount && !p.disputed))
  if (chosen === undefined) return null
  const payment_intent = chosen.paymentIntent
  const checkout = checkouts.find((c) => c.paymentIntent === payment_intent)
  const line = by.one(checkout?.lines ?? [])
  if (by.chance(0.5) || line === undefined) return attempt('refund all', () => world.stripe.refund({ payment_intent }))
  return attempt('refund a line', () =>
    world.stripe.refund({ payment_intent, amount: Math.min(line.amount, chosen.amount - chosen.refunded) }),
  )
}

/** Several parts of one payment go back within moments, before anybody has heard of the first. */
const refundTwice: Life = async (world, cast, by) => {
  const first = await refund(world, cast, by)
  const { payments } = world.stripe.truth()
  const chosen = by.one(payments.filter((p) => p.refunded > 0 && p.refunded < p.amount && !p.disputed))
  if (chosen === undefined) return first
  const amount = Math.max(1, Math.floor((chosen.amount - chosen.refunded) / by.between(1, 3)))
  return (
    attempt('refund, and another', () => world.stripe.refund({ payment_intent: chosen.paymentIntent, amount })) ?? first
  )
}

const failRefund: Life = async (world, _cast, by) => {
  const chosen = by.one(world.stripe.truth().refunds.filter((r) => r.status === 'succeeded' || r.status === 'pending'))
  return chosen === undefined ? null : attempt('refund fails', () => world.stripe.refundFail(chosen.refund))
}

const dispute: Life = async (world, _cast, by) => {
  const { payments, disputes } = world.stripe.truth()
  const open = by.one(
    disputes.filter(
      (d) => d.status === 'needs_response' || d.status === 'under_review' || d.status === 'warning_needs_response',
    ),
  )
  if (open !== undefined && by.chance(0.6)) {
    const outcome = by.chance(0.5) ? ('won' as const) : ('lost' as const)
    return attempt(`dispute ${outcome}`, () => world.stripe.disputeClose(open.dispute, outcome))
  }
  const chosen = by.one(payments.filter((p) => p.status === 'succeeded' && !p.disputed && p.refunded === 0))
  if (chosen === undefined) return null
  return attempt('dispute', () =>
    world.stripe.dispute({ payment_intent: chosen.paymentIntent, inquiry: by.chance(0.2) }),
  )
}

const subscriptionLife: Life = async (world, _cast, by) => {
  const chosen = by.one(world.stripe.truth().subscriptions.filter((s) => s.status !== 'canceled'))
  if (chosen === undefined) return null
  const id = chosen.subscription
  const acts: readonly (readonly [string, (stripe: StripeControls) => unknown])[] = [
    ['renew', (s) => s.renew(id)],
    ['renew', (s) => s.renew(id)],
    ['renewal fails', (s) => s.renewFail(id)],
    ['card retried', (s) => s.retry(id)],
    ['cancel', (s) => s.cancel(id)],
    ['pause', (s) => s.pause(id)],
    ['resume', (s) => s.resume(id)],
  ]
  const [name, act] = by.one(acts) ?? ['', () => undefined]
  return attempt(name, () => act(world.stripe))
}

type Access = 'live' | 'ended'

async function giveByHand(world: World, email: string, course: string, access: Access): Promise<string> {
  const ctx = systemCtx(world.app, world.organization, 'storm')
  await inTx(ctx, async (tx) => {
    const person = await ensureMailboxPerson(tx, ctx, { email, name: null })
    const accounts = await setEntitlements(tx, ctx, [
      {
        source: 'manual',
        sourceId: `${email} ${course}`,
        orderId: null,
        personId: person.id,
        courseId: course,
        access,
        endsAt: null,
        reason: 'By hand',
      },
    ])
    await enqueue(
      tx,
      accounts.map((a) => applyJob(ctx.organization, a)),
    )
  })
  return `by hand ${access} ${email}`
}

/** A seat given or taken by hand, next to what was bought. */
const byHand: Life = async (world, cast, by) => {
  const email = by.one(cast.people) ?? ''
  const access = by.chance(0.6) ? 'live' : 'ended'
  const courses = await world.rows<{ id: string }>(`select id from course order by kind, external_id`)
  const course = by.one(courses)
  return course === undefined ? null : giveByHand(world, email, course.id, access)
}

/** The wish for a seat changes while a node is out asking for it: the answer it brings home is about the older wish. */
const changeOfMind: Life = async (world, _cast, by) => {
  const held = await world.rows<{ email: string; course: string; wanted: string }>(`
    select a.email, n.course_id as course, n.wanted from lms_account a join enrollment n on n.account_id = a.id
    where a.lease_token is not null and n.uncertain and not exists (
      select from entitlement e where e.person_id = n.person_id and e.course_id = n.course_id and e.source <> 'manual'
        and e.revoked_at is null and e.suspended_at is null)
    order by n.id`)
  const chosen = by.one(held)
  return chosen === undefined
    ? null
    : giveByHand(world, chosen.email, chosen.course, chosen.wanted === 'granted' ? 'ended' : 'live')
}

const lives: readonly (readonly [weight: number, life: Life])[] = [
  [14, purchase],
  [4, subscribe],
  [5, settleDebit],
  [6, refund],
  [3, refundTwice],
  [3, failRefund],
  [6, dispute],
  [6, subscriptionLife],
  [5, byHand],
  [4, changeOfMind],
]

const acts: readonly (readonly [weight: number, act: Act])[] = [
  ...lives.map(([weight, life]) => [weight, (s: Scene) => life(s.world, s.cast, s.by)] as const),
  [40, beginCart],
  [10, pressAgain],
  [45, payCart],
  [8, askStatus],
  [60, comeBack],
  [16, race],
  [30, followLink],
  [16, undo],
  [12, signIn],
  [20, enterSchool],
  [8, transfer],
  [6, assign],
  [4, resend],
  [8, decide],
  [4, link],
  [3, merge],
]

/** Something happens in somebody's life; null when what was drawn could not happen. */
export async function live(scene: Scene): Promise<string | null> {
  const total = acts.reduce((sum, [weight]) => sum + weight, 0)
  let at = scene.by.between(1, total)
  for (const [weight, act] of acts) {
    at -= weight
    if (at <= 0) return act(scene)
  }
  return null
}
