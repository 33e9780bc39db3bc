import type { Instant } from '@bursar/kit/clock.ts'
import type { Database, Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

export type Whose = {
  readonly organization: string
  readonly issuer: string
  readonly kind: 'subject' | 'session'
  readonly value: string
}

/** Whether tokens of that moment have ended. One look at a primary key, at every request with such a token. */
export async function isRevoked(
  db: Database,
  it: {
    readonly issuer: { readonly url: string; readonly organization: string }
    readonly subject: string
    readonly session: string | null
    readonly issuedAt: Instant
  },
): Promise<boolean> {
  // "iat" is cut to seconds, so a token of the very second of the logout counts as older.
  const rows = await db.direct(sql('revocation_find')`
    select 1 from revocation
    where organization_id = ${it.issuer.organization} and issuer = ${it.issuer.url}
      and ((kind = 'subject' and value = ${it.subject}) or (kind = 'session' and value = ${it.session}))
      and revoked_before > ${ts(it.issuedAt)}
    limit 1`)
  return rows.length > 0
}

/** From now on older tokens are refused; the later of two moments stays. */
export const revokeBefore = (tx: Tx, it: Whose, at: Instant) =>
  tx.run(sql('revocation_set')`
    insert into revocation (organization_id, issuer, kind, value, revoked_before)
    values (${it.organization}, ${it.issuer}, ${it.kind}, ${it.value}, ${ts(at)})
    on conflict (issuer, kind, value, organization_id) do update
      set revoked_before = greatest(revocation.revoked_before, excluded.revoked_before)`)
