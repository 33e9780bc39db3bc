import { day } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { sql, ts } from '#db/sql.ts'

/** Ended sessions stay this long for whoever asks what happened. */
const sessionKeptMs = 30 * day
/** A logout token older than its own life of minutes cannot come again; a day covers every clock. */
const spentKeptMs = day
/** Access tokens live a day at most, so an older bound has nothing left to refuse. */
const revocationKeptMs = 2 * day

/** Takes out what has run out. Returns how many rows went. */
export async function sweepIssuers(app: Pick<App, 'db' | 'clock'>): Promise<number> {
  const now = app.clock.now()
  const [row] = await app.db.direct<{ gone: bigint }>(sql('issuer_sweep')`
    with codes as (delete from sign_in_code where expires_at < ${ts(now - spentKeptMs)} returning 1),
      challenges as (delete from issuer_challenge where expires_at < ${ts(now - spentKeptMs)} returning 1),
      tokens as (delete from logout_token where received_at < ${ts(now - spentKeptMs)} returning 1),
      bounds as (delete from revocation where revoked_before < ${ts(now - revocationKeptMs)} returning 1),
      ended as (delete from session where expires_at < ${ts(now - sessionKeptMs)} returning 1)
    select (select count(*) from codes) + (select count(*) from challenges) + (select count(*) from tokens)
      + (select count(*) from bounds) + (select count(*) from ended) as gone`)
  return Number(row?.gone ?? 0)
}
