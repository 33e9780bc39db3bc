import { type Instant, minute } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import type { App } from '#action/context.ts'
import { sql, ts } from '#db/sql.ts'
import type { IdentityRequest } from '../signed-in.ts'
import type { AuthHome } from './auth.ts'
import { tokenOf } from './sessions.ts'

/** Long enough for a window to hand it on, too short to be found later in a log or a history. */
const lifeMs = minute
const codeBytes = 32
const codePattern = /^bsh_[A-Za-z0-9_-]{43}$/
const sealedFor = (hash: string): string => `auth.hand_over:${hash}`

/**
 * A code for the session a window's cookie carries, for the frame that opened the window: frames get no cookies. Null
 * when the request carries no session.
 */
export async function handOver(home: AuthHome, request: IdentityRequest): Promise<string | null> {
  const { app } = home.deps
  const session = await tokenOf(home, request)
  if (session === null) return null
  const code = `bsh_${Buffer.from(secureRandom.bytes(codeBytes)).toString('base64url')}`
  const hash = hashSecret(code)
  const now = app.clock.now()
  await app.db.direct(sql('hand_over_make')`
    with old as (delete from auth.hand_over where expires_at < ${ts(now - lifeMs)}::timestamptz)
    insert into auth.hand_over (code_hash, token, session_ends_at, expires_at)
    values (${hash}, ${app.secrets.seal(session.token, sealedFor(hash))}, ${ts(session.expiresAt)}, ${ts(now + lifeMs)})`)
  return code
}

/** The session for its code, once. Null when it is unknown, used or too old. */
export async function takeHandOver(
  app: Pick<App, 'db' | 'clock' | 'secrets'>,
  code: string,
): Promise<{ readonly token: string; readonly expiresAt: Instant } | null> {
  if (!codePattern.test(code)) return null
  const hash = hashSecret(code)
  const now = ts(app.clock.now())
  const [row] = await app.db.direct<{ token: Buffer; expiresAt: Instant }>(sql('hand_over_take')`
    update auth.hand_over set used_at = ${now}
    where code_hash = ${hash} and used_at is null and expires_at > ${now}::timestamptz
    returning token, session_ends_at as "expiresAt"`)
  return row === undefined ? null : { token: app.secrets.open(row.token, sealedFor(hash)), expiresAt: row.expiresAt }
}
