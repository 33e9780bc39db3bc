import { second } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import { apply } from '#entitlements/apply.ts'

/** How long an answer waits for the schools; after that it says "preparing" and the jobs go on. */
export const openingLimitMs = 8 * second
// A wait of this length is still a better answer than "preparing": a new account that is not visible yet.
const nearMs = 2 * second
// A school that answers in 20 ms is done in 50; one that takes a second need not be asked after every moment.
const busyWaitMs = { first: 15, growth: 1.6, most: 200 } as const

/**
 * Opens seats in line, at most until the limit. Whatever is not done by then goes on in this process and by its job, so
 * nothing is lost when the caller stops waiting.
 */
export async function openWithin(ctx: Ctx, accounts: readonly string[], limitMs = openingLimitMs): Promise<void> {
  if (accounts.length === 0) return
  const stop = new AbortController()
  const deadline = ctx.clock.now() + limitMs
  const work = Promise.all(accounts.map((account) => openOne(ctx, account, deadline, stop.signal)))
  const late = ctx.clock.sleep(limitMs, stop.signal)
  const outcome = work.then(
    () => null,
    (error: unknown) => ({ error }),
  )
  try {
    const failed = await Promise.race([outcome, late.then(() => null)])
    // The job that was written with the claim does the work; this answer only did not wait for it.
    if (failed !== null) ctx.log.error('a seat was not opened in line', { error: String(failed.error) })
  } finally {
    stop.abort()
  }
}

async function openOne(ctx: Ctx, accountId: string, deadline: number, signal: AbortSignal): Promise<void> {
  let busy: number = busyWaitMs.first
  while (!signal.aborted && ctx.clock.now() < deadline) {
    const applied = await apply(ctx, accountId, { lane: 'interactive' })
    // Somebody else is at it right now, most likely the webhook's job: its result is ours.
    if (applied.outcome === 'busy') {
      await ctx.clock.sleep(busy, signal)
      busy = Math.min(busy * busyWaitMs.growth, busyWaitMs.most)
    } else if (applied.outcome !== 'worked' || applied.dueAt === null) return
    else {
      const wait = applied.dueAt - ctx.clock.now()
      if (wait > nearMs || applied.dueAt > deadline) return
      await ctx.clock.sleep(wait, signal)
    }
  }
}
