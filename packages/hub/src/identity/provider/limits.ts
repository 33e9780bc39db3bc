import { day, hour, minute, second } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import { normalizeIP } from '@fastify/rate-limit'
import type { App } from '#action/context.ts'
import { sql, ts } from '#db/sql.ts'

/**
 * How often what may be tried. Counted in the database, so that several processes share one count. Three guesses per
 * code and thirty codes a day leave a guesser one chance in ten thousand a day at six digits.
 */
const rules = {
  'code to address': { max: 5, windowMs: 15 * minute },
  'code to address, day': { max: 30, windowMs: day },
  // Codes of an organization's own provider. Counted by the mailbox alone: another organization is no other mailbox.
  'external code to address': { max: 5, windowMs: 10 * minute },
  'code from network': { max: 30, windowMs: 15 * minute },
  'guess at address': { max: 20, windowMs: 15 * minute },
  'guess from network': { max: 100, windowMs: 15 * minute },
  'password at address': { max: 10, windowMs: 15 * minute },
  'password from network': { max: 50, windowMs: 15 * minute },
  factor: { max: 5, windowMs: 10 * minute },
  // Longer than a code of an authenticator app is taken, before and after its half minute.
  'same factor': { max: 1, windowMs: 2 * minute },
  'request from network': { max: 300, windowMs: minute },
  'email change': { max: 5, windowMs: hour },
} as const

export type LimitName = keyof typeof rules

// One in a hundred calls sweeps up what has run out; at most this many rows, so that nobody waits for it.
const sweepChance = 0.01
const sweepRowsMax = 1_000

// Whoever has one IPv6 address has 2^64 of them: the network is counted, and an IPv4 address in either spelling.
const keyOf = (name: LimitName, subject: string): string =>
  hashSecret(`${name}\n${name.endsWith(' network') ? normalizeIP(subject) : subject}`)

/** Counts one attempt; throws `rate_limited` when there were too many. Subjects are kept as hashes only. */
export async function takeAttempt(app: App, name: LimitName, subject: string): Promise<void> {
  const rule = rules[name]
  const now = app.clock.now()
  const key = keyOf(name, subject)
  const [row] = await app.db.direct<{ count: number; resets_at: number }>(sql('auth_attempt')`
    insert into auth.attempt as a (key, count, resets_at) values (${key}, 1, ${ts(now + rule.windowMs)})
    on conflict (key) do update set
      count = case when a.resets_at <= ${ts(now)} then 1 else a.count + 1 end,
      resets_at = case when a.resets_at <= ${ts(now)} then excluded.resets_at else a.resets_at end
    returning count, resets_at`)
  if (row === undefined) throw new Error('an attempt was not counted')
  if (app.random.next() < sweepChance) await sweep(app)
  if (row.count <= rule.max) return
  const retryAfterSeconds = Math.max(1, Math.ceil((row.resets_at - now) / second))
  throw new CodedError('rate_limited', undefined, { retryAfterSeconds })
}

/** After a success the count begins anew: who gets it right at last is not locked out by the tries before. */
export const forgetAttempts = async (app: App, name: LimitName, subject: string): Promise<void> => {
  await app.db.direct(sql('auth_attempt_forget')`delete from auth.attempt where key = ${keyOf(name, subject)}`)
}

const sweep = (app: App) =>
  app.db.direct(sql('auth_attempt_sweep')`
    delete from auth.attempt where key in (
      select key from auth.attempt where resets_at <= ${ts(app.clock.now())} limit ${sweepRowsMax})`)
