import type { Ids } from '@bursar/kit/ids.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

/** The issuer of addresses that somebody typed and nobody has proven. See migration 0005. */
export const mailboxIssuer = 'urn:bursar:mailbox'

/** One spelling per mailbox: trimmed, NFC, lower case. Dots and plus tags stay; they may be different people. */
export const normalizeEmail = (email: string): string => email.trim().normalize('NFC').toLowerCase()

/**
 * The person behind a paid mailbox: found by the unproven identity, or made with it. Prepares a seat; it never signs
 * anybody in.
 */
export async function ensureMailboxPerson(
  tx: Tx,
  deps: { ids: Ids; organization: string },
  mailbox: { readonly email: string; readonly name: string | null },
): Promise<{ id: string; created: boolean }> {
  const subject = normalizeEmail(mailbox.email)
  const row = await tx.one<{ id: string; created: boolean }>(sql('person_ensure_mailbox')`
    with known as (
      select person_id from identity
      where organization_id = ${deps.organization} and issuer = ${mailboxIssuer} and subject = ${subject}
    ), made as (
      insert into person (id, organization_id, email, name, created_at)
      select ${deps.ids.next('prs')}, ${deps.organization}, ${subject}, ${mailbox.name}, ${ts(tx.now)}
      where not exists (select 1 from known)
      returning id
    ), bound as (
      insert into identity (organization_id, issuer, subject, person_id, created_at)
      select ${deps.organization}, ${mailboxIssuer}, ${subject}, id, ${ts(tx.now)} from made
      returning person_id
    )
    select person_id as id, false as created from known
    union all select person_id, true from bound`)
  return row
}
