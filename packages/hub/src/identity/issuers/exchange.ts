import { type Instant, minute } from '@bursar/kit/clock.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import type { App } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { mintSessionToken } from './sessions.ts'

/** Long enough for a page to hand it on, too short to be found later in a log or a history. */
export const exchangeCodeMs = minute

export type ExchangeCode = {
  readonly session: string
  readonly organization: string
  readonly returnPath: string
  readonly isNew: boolean
}

/** A code that stands for a session which has no token yet. In clear, this once. */
export async function makeExchangeCode(tx: Tx, it: ExchangeCode): Promise<string> {
  const code = `bsx_${Buffer.from(secureRandom.bytes(32)).toString('base64url')}`
  await tx.run(sql('sign_in_code_insert')`
    insert into sign_in_code (code_hash, organization_id, session_id, return_path, is_new, expires_at)
    values (${hashSecret(code)}, ${it.organization}, ${it.session}, ${it.returnPath}, ${it.isNew}, ${ts(tx.now + exchangeCodeMs)})`)
  return code
}

export type Exchanged = {
  readonly token: string
  readonly expiresAt: Instant
  readonly isNew: boolean
  readonly returnPath: string
}

const codePattern = /^bsx_[A-Za-z0-9_-]{43}$/

/**
 * The session's token for its code: once. Null when the code is unknown, used or too old, and when the session ended
 * meanwhile. One statement, so that of two who come at once one gets nothing.
 */
export async function exchange(app: Pick<App, 'db' | 'clock'>, code: string): Promise<Exchanged | null> {
  if (!codePattern.test(code)) return null
  const now = ts(app.clock.now())
  const token = mintSessionToken()
  const rows = await app.db.direct<Omit<Exchanged, 'token'>>(sql('sign_in_code_exchange')`
    with spent as (
      update sign_in_code set used_at = ${now}
      where code_hash = ${hashSecret(code)} and used_at is null and expires_at > ${now}
      returning session_id, return_path, is_new
    )
    update session set token_hash = ${hashSecret(token)} from spent
    where session.id = spent.session_id and token_hash is null and revoked_at is null and session.expires_at > ${now}
    returning session.expires_at as "expiresAt", spent.is_new as "isNew", spent.return_path as "returnPath"`)
  return rows[0] === undefined ? null : { ...rows[0], token }
}
