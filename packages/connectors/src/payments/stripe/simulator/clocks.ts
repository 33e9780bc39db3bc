import type Stripe from 'stripe'
import { expireSession } from './checkout.ts'
import { runDue } from './subscriptions.ts'
import { emit, find, newId, nowS, Refusal, type World } from './world.ts'

const monthS = 30 * 24 * 3600

export function createTestClock(
  world: World,
  params: { readonly frozen_time: number; readonly name?: string },
): Stripe.TestHelpers.TestClock {
  const clock = {
    id: newId(world, 'clock'),
    object: 'test_helpers.test_clock',
    created: nowS(world),
    deletes_after: nowS(world) + monthS,
    frozen_time: params.frozen_time,
    livemode: false,
    name: params.name ?? null,
    status: 'ready',
    status_details: {},
  } satisfies Stripe.TestHelpers.TestClock
  world.clocks.set(clock.id, clock)
  emit(world, 'test_helpers.test_clock.created', clock)
  return clock
}

/** Moves one test clock; its subscriptions do in order what falls due on the way. */
export function advanceClock(world: World, id: string, to: number): Stripe.TestHelpers.TestClock {
  const clock = find(world.clocks, id, 'test clock')
  if (to <= clock.frozen_time)
    throw new Refusal('`frozen_time` must be after the clock\u2019s current time.', { param: 'frozen_time' })
  runDue(world, id, to)
  clock.frozen_time = to
  emit(world, 'test_helpers.test_clock.ready', clock)
  return clock
}

/** Does what is due by the simulator's own clock: sessions expire, subscriptions renew, tries are repeated. */
export function tick(world: World): void {
  const now = nowS(world)
  for (const session of world.sessions.values())
    if (session.status === 'open' && session.expires_at <= now) expireSession(world, session.id)
  runDue(world, null, now)
}
