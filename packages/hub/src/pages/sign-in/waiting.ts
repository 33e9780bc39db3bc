import type { App } from '#action/context.ts'
import { sql } from '#db/sql.ts'
import { mailboxIssuer, normalizeEmail } from '#identity/people.ts'
import { freshProofMs, isFresh, type SignedIn } from '#identity/signed-in.ts'

const placesMax = 20

/**
 * The organizations where something waits for the mailbox this session has just proven: a seat prepared for it, or a
 * paid order nobody has claimed. A sign-in at the hub itself names none.
 */
export async function organizationsWaiting(app: App, signedIn: SignedIn): Promise<readonly string[]> {
  const { email } = signedIn
  if (email === null || !isFresh(signedIn.mailboxProvenAt, app.clock.now(), freshProofMs)) return []
  const mailbox = normalizeEmail(email)
  const rows = await app.db.direct<{ organization: string }>(sql('sign_in_waiting')`
    select organization_id as organization from identity
    where issuer = ${mailboxIssuer} and subject = ${mailbox} and proven_at is null
    union select organization_id from "order"
    where email_key = ${mailbox} and learner_email is null and gift is null and claimed_at is null and paid_at is not null
    union select organization_id from "order"
    where lower(learner_email) = ${mailbox} and claimed_at is null and paid_at is not null
    limit ${placesMax}`)
  return rows.map((row) => row.organization)
}
