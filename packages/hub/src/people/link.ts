import { CodedError } from '@bursar/kit/errors.ts'
import type { CallerUser } from '#action/caller.ts'
import type { Ctx } from '#action/context.ts'
import type { ActionCtx } from '#action/define.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { revokeBefore } from '#identity/issuers/revocations.ts'
import { mailboxIssuer, normalizeEmail, personOf } from '#identity/people.ts'
import { rolesOf } from '#identity/roles.ts'
import { builtInIssuer, freshProofMs, isFresh, type SignedIn } from '#identity/signed-in.ts'
import { actorId, type Merge, mergePeople } from './merge.ts'
import { type LinkRefusal, linkRefusal } from './rules.ts'

export type Linked = {
  readonly outcome: 'linked' | 'already' | 'merged' | 'waiting_person'
  readonly merge: Merge | null
}

const refusals: Readonly<Record<LinkRefusal, () => CodedError>> = {
  same: () => new CodedError('conflict', 'Both tokens are of the same identity.'),
  stale: () => new CodedError('email_unproven', 'Sign in again with both within fifteen minutes, then link them.'),
  mailbox_unproven: () =>
    new CodedError('email_unproven', 'One of the two must have been proven by a code sent to its mailbox just now.'),
  factor_needed: () => new CodedError('second_factor_required'),
}

/**
 * Makes a second identity this person's own, by showing a session of it beside one's own. When it already belongs to
 * somebody here, the two people become one; nothing is ever joined because addresses look alike.
 */
export async function linkIdentity(tx: Tx, ctx: Ctx, user: CallerUser, other: SignedIn): Promise<Linked> {
  const { organization } = ctx
  if (other.organization !== null && other.organization !== organization)
    throw new CodedError('not_found', 'This session does not count in this organization.')
  await lockIdentity(tx, organization, other.issuer, other.subject)
  const theirs = await personOf(tx, organization, other.issuer, other.subject)
  const refusal = linkRefusal(
    {
      mine: { ...user, hasRoles: await hasRoles(tx, user.personId) },
      theirs: { ...other, hasRoles: theirs !== null && (await hasRoles(tx, theirs)) },
      builtIn: builtInIssuer(ctx),
    },
    tx.now,
  )
  if (refusal !== null) throw refusals[refusal]()
  if (theirs === user.personId) return { outcome: 'already', merge: null }
  const how = `A session of ${other.issuer} was shown beside one of ${user.issuer}.`
  const proven = other.email !== null && isFresh(other.mailboxProvenAt, tx.now, freshProofMs)
  const evidence = { kind: 'proof', how, ...(proven ? { provenMailbox: other.email } : {}) } as const
  if (theirs !== null) {
    const merge = await mergePeople(tx, ctx, { from: theirs, into: user.personId, evidence })
    return { outcome: merge.state === 'waiting_person' ? 'waiting_person' : 'merged', merge }
  }
  await bindIdentity(tx, ctx, user.personId, other)
  const waiting = await waitingAtMailbox(tx, organization, other)
  if (waiting === null || waiting === user.personId) return { outcome: 'linked', merge: null }
  const merge = await mergePeople(tx, ctx, { from: waiting, into: user.personId, evidence })
  return { outcome: 'linked', merge }
}

const hasRoles = async (tx: Tx, personId: string): Promise<boolean> => (await rolesOf(tx, personId)).length > 1

/** The same lock `ensurePerson` takes, so that a first visit and a link at once end as one. */
export const lockIdentity = (tx: Tx, organization: string, issuer: string, subject: string) =>
  tx.run(sql('people_identity_lock')`
    select pg_advisory_xact_lock(hashtextextended(${`${organization} ${issuer} ${subject}`}, 1))`)

async function bindIdentity(tx: Tx, ctx: Ctx, personId: string, other: SignedIn): Promise<void> {
  const proven = other.mailboxProvenAt === null ? null : ts(tx.now)
  await tx.run(sql('people_identity_bind')`
    insert into identity (organization_id, issuer, subject, person_id, email, proven_at, last_seen_at, created_at)
    values (${ctx.organization}, ${other.issuer}, ${other.subject}, ${personId}, ${other.email}, ${proven}, ${ts(tx.now)}, ${ts(tx.now)})`)
  await record(tx, ctx, [{ kind: 'person.linked', personId, data: { issuer: other.issuer, by: actorId(ctx) } }])
}

/** The person known only as the mailbox this session has just proven; never one who signs in otherwise. */
export async function waitingAtMailbox(
  tx: Tx,
  organization: string,
  other: Pick<SignedIn, 'email' | 'mailboxProvenAt'>,
): Promise<string | null> {
  if (other.email === null || other.mailboxProvenAt === null) return null
  const row = await tx.maybeOne<{ personId: string }>(sql('people_mailbox_waiting')`
    select person_id as "personId" from identity where organization_id = ${organization} and issuer = ${mailboxIssuer}
      and subject = ${normalizeEmail(other.email)} and proven_at is null
      and not exists (select 1 from identity o where o.person_id = identity.person_id and o.issuer <> ${mailboxIssuer}) for update`)
  return row?.personId ?? null
}

export type IdentityKey = { readonly issuer: string; readonly subject: string }

/**
 * Takes a way in away. One always stays: a mailbox alone is a place for purchases, no way in. Sessions of an outside
 * issuer end with it; a session of the built-in provider leads to a new, empty person from now on.
 */
export async function unlinkIdentity(ctx: ActionCtx, personId: string, key: IdentityKey): Promise<void> {
  const { tx } = ctx
  const all = await tx.many<IdentityKey>(sql('people_identities_lock')`
    select issuer, subject from identity where person_id = ${personId} order by issuer, subject for update`)
  const ways = all.filter((it) => it.issuer !== mailboxIssuer)
  if (!ways.some((it) => it.issuer === key.issuer && it.subject === key.subject))
    throw new CodedError('not_found', 'This person has no such identity.')
  if (ways.length === 1) throw new CodedError('conflict', 'This is the only way in; link another one first.')
  await tx.run(sql('people_identity_unbind')`
    delete from identity where organization_id = ${ctx.organization} and issuer = ${key.issuer} and subject = ${key.subject} and person_id = ${personId}`)
  await endOutsideSessions(tx, ctx, key)
  await record(tx, ctx, [{ kind: 'person.unlinked', personId, data: { issuer: key.issuer, by: actorId(ctx) } }])
}

/** Ends what an outside issuer's identity is signed in with here. The built-in provider's sessions are not ours alone. */
export async function endOutsideSessions(tx: Tx, ctx: Ctx, key: IdentityKey): Promise<number> {
  if (key.issuer === builtInIssuer(ctx) || key.issuer === mailboxIssuer) return 0
  const { organization } = ctx
  const { issuer, subject } = key
  await revokeBefore(tx, { organization, issuer, kind: 'subject', value: subject }, tx.now)
  return tx.run(sql('people_sessions_end')`
    update session set revoked_at = ${ts(tx.now)}
    where organization_id = ${organization} and issuer = ${issuer} and subject = ${subject} and revoked_at is null`)
}
