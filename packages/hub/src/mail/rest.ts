import { type Clock, type Instant, minute, second } from '@bursar/kit/clock.ts'
import { jitter, type Random } from '@bursar/kit/random.ts'
import type { Mailer, MailFailure } from './port.ts'

// Of the 32 jobs a worker runs at a time; a slow mail server must not take them all from the seats.
const atOnceMax = 8
const busyMs = second
const restMsMin = 5 * second
const restMsMax = 5 * minute

type Deps = { readonly clock: Clock; readonly random: Random }

/**
 * A mailer that lets its server rest when it serves nobody: after a failure of transport nothing is tried for a
 * while, then one message finds out. So ten thousand waiting messages cost one connection, not ten thousand.
 */
export function withRest(mailer: Mailer, { clock, random }: Deps): Mailer {
  let inHand = 0
  let failures = 0
  let restUntil: Instant = 0
  let probing = false

  const wait = (retryAfterMs: number, code: string, message: string): { ok: false; failure: MailFailure } => ({
    ok: false,
    failure: { class: 'transport', code, message, retryAfterMs },
  })

  return {
    deliver: async (message) => {
      const now = clock.now()
      if (now < restUntil)
        return wait(restUntil - now, 'mail.server_resting', 'The mail server is not asked for a while.')
      if (inHand >= atOnceMax || probing) return wait(busyMs, 'mail.server_busy', 'Other messages are being sent.')
      probing = failures > 0
      inHand += 1
      try {
        const delivered = await mailer.deliver(message)
        if (delivered.ok || delivered.failure.class !== 'transport') {
          failures = 0
          return delivered
        }
        failures += 1
        const restMs = jitter(Math.min(restMsMax, restMsMin * 2 ** (failures - 1)), random)
        restUntil = Math.max(restUntil, clock.now() + restMs)
        return { ok: false, failure: { retryAfterMs: restMs, ...delivered.failure } }
      } finally {
        inHand -= 1
        probing = false
      }
    },
    close: () => mailer.close(),
  }
}
