import { minute } from '@bursar/kit/clock.ts'
import type { Ids } from '@bursar/kit/ids.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { freshProofMs, isFresh, type SignedIn } from './signed-in.ts'

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
  const id = deps.ids.next('prs')
  const row = await tx.maybeOne<{ id: string; created: boolean }>(sql('person_ensure_mailbox')`
    with known as (
      -- Shared until this purchase is committed: whoever erases or merges that person meanwhile waits and sees it.
      select person_id from identity
      where organization_id = ${deps.organization} and issuer = ${mailboxIssuer} and subject = ${subject} for share
    ), made as (
      insert into person (id, organization_id, email, name, created_at)
      select ${id}, ${deps.organization}, ${subject}, ${mailbox.name}, ${ts(tx.now)}
      where not exists (select 1 from known)
      returning id
    ), bound as (
      insert into identity (organization_id, issuer, subject, person_id, created_at)
      select ${deps.organization}, ${mailboxIssuer}, ${subject}, id, ${ts(tx.now)} from made
      on conflict do nothing
      returning person_id
    )
    select person_id as id, false as created from known
    union all select person_id, true from bound`)
  if (row !== null) return row
  // Somebody else was quicker at this mailbox; the one just made was never seen by anybody.
  await tx.run(sql('person_unmake')`delete from person where id = ${id}`)
  const theirs = await mailboxOf(tx, deps.organization, subject)
  if (theirs === null) throw new Error('a mailbox identity vanished')
  return { id: theirs.personId, created: false }
}

export type PersonFound = {
  readonly id: string
  readonly created: boolean
  /** Another person, known only as the paid mailbox this session has proven: what was bought for it may be claimed. */
  readonly mailboxPersonId: string | null
}

type Deps = { readonly ids: Ids; readonly organization: string }

/**
 * The person of an issuer and subject in this organization: found, or made. An address alone leads to nobody. When the
 * session has just proven a mailbox that nobody else has, the person waiting there is this one; an address the issuer
 * does not vouch for is not even kept as a contact, because schools would make accounts of it.
 */
export async function ensurePerson(tx: Tx, deps: Deps, signedIn: SignedIn): Promise<PersonFound> {
  const proven = isFresh(signedIn.mailboxProvenAt, tx.now, freshProofMs) && signedIn.email !== null
  const mailbox = signedIn.email === null || !proven ? null : normalizeEmail(signedIn.email)
  for (const key of [`${signedIn.issuer} ${signedIn.subject}`, ...(mailbox === null ? [] : [mailbox])].sort())
    await tx.run(
      sql('identity_lock')`select pg_advisory_xact_lock(hashtextextended(${`${deps.organization} ${key}`}, 1))`,
    )
  const known = await personOf(tx, deps.organization, signedIn.issuer, signedIn.subject)
  const waiting = mailbox === null ? null : await mailboxOf(tx, deps.organization, mailbox)
  if (known !== null) {
    await touch(tx, deps, signedIn, proven)
    if (mailbox !== null && waiting === null)
      return { id: known, created: false, mailboxPersonId: await takeMailbox(tx, deps, mailbox, known) }
    const other = waiting?.waits === true && waiting.personId !== known ? waiting.personId : null
    return { id: known, created: false, mailboxPersonId: other }
  }
  const { issuer, subject } = signedIn
  const email = signedIn.emailVerified || proven ? signedIn.email : null
  if (waiting?.waits === true) {
    await bind(tx, deps, issuer, subject, waiting.personId, email, proven)
    await tx.run(sql('mailbox_proven')`
      update identity set proven_at = ${ts(tx.now)}
      where organization_id = ${deps.organization} and issuer = ${mailboxIssuer} and subject = ${mailbox}`)
    return { id: waiting.personId, created: false, mailboxPersonId: null }
  }
  const id = deps.ids.next('prs')
  await tx.run(sql('person_insert')`
    insert into person (id, organization_id, email, name, created_at)
    values (${id}, ${deps.organization}, ${email === null ? null : normalizeEmail(email)}, ${signedIn.name}, ${ts(tx.now)})`)
  await bind(tx, deps, issuer, subject, id, email, proven)
  const free = mailbox !== null && waiting === null
  return { id, created: true, mailboxPersonId: free ? await takeMailbox(tx, deps, mailbox, id) : null }
}

/** The person an identity belongs to; follows a merge. */
export const personOf = async (
  tx: Tx,
  organization: string,
  issuer: string,
  subject: string,
): Promise<string | null> => {
  const row = await tx.maybeOne<{ id: string }>(sql('person_of_identity')`
    select coalesce(p.merged_into, p.id) as id from identity i join person p on p.id = i.person_id
    where i.organization_id = ${organization} and i.issuer = ${issuer} and i.subject = ${subject}`)
  return row?.id ?? null
}

/** `waits`: nobody has proven the mailbox, and nobody signs in as its person in another way. */
const mailboxOf = (tx: Tx, organization: string, mailbox: string) =>
  tx.maybeOne<{ personId: string; waits: boolean }>(sql('mailbox_identity')`
    select person_id as "personId", proven_at is null and not exists (
        select 1 from identity o where o.person_id = i.person_id and o.issuer <> ${mailboxIssuer}) as waits
    from identity i
    where organization_id = ${organization} and issuer = ${mailboxIssuer} and subject = ${mailbox} for update`)

/** Makes a proven mailbox a person's own; when it was paid for in this very moment, names the person waiting there. */
async function takeMailbox(tx: Tx, deps: Deps, mailbox: string, personId: string): Promise<string | null> {
  const taken = await bind(tx, deps, mailboxIssuer, mailbox, personId, mailbox, true)
  if (taken === 1) return null
  const theirs = await mailboxOf(tx, deps.organization, mailbox)
  return theirs?.waits === true ? theirs.personId : null
}

const bind = (
  tx: Tx,
  deps: Deps,
  issuer: string,
  subject: string,
  personId: string,
  email: string | null,
  proven: boolean,
) =>
  tx.run(sql('identity_bind')`
    insert into identity (organization_id, issuer, subject, person_id, email, proven_at, last_seen_at, created_at)
    values (${deps.organization}, ${issuer}, ${subject}, ${personId}, ${email}, ${proven ? ts(tx.now) : null}, ${ts(tx.now)}, ${ts(tx.now)})
    on conflict do nothing`)

/**
 * Seen again. The address and its proof stay together, because a proven one opens accounts of schools: what nobody
 * vouches for replaces nothing, and another address than the proven one is proven anew.
 */
const touch = (tx: Tx, deps: Deps, { issuer, subject, email: said, emailVerified }: SignedIn, proven: boolean) => {
  const email = emailVerified || proven ? said : null
  return tx.run(sql('identity_touch')`
    update identity set email = coalesce(${email}, email), last_seen_at = ${ts(tx.now)},
      proven_at = case when ${email}::text is null or lower(email) = lower(${email}) and proven_at is not null then proven_at
        when ${proven} then ${ts(tx.now)}::timestamptz end
    where organization_id = ${deps.organization} and issuer = ${issuer} and subject = ${subject}
      and (last_seen_at is null or last_seen_at < ${ts(tx.now - seenEveryMs)}::timestamptz
        or email is distinct from coalesce(${email}, email) or (${proven} and proven_at is null))`)
}

const seenEveryMs = 5 * minute
