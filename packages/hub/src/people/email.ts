import type { Instant } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { type App, type Ctx, systemCtx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { mailboxIssuer, normalizeEmail, personOf } from '#identity/people.ts'
import { isMailAddress } from '#mail/address.ts'
import { sendMail } from '#mail/send.ts'
import { emailJob } from './email-schools.ts'
import { actorId, mergePeople } from './merge.ts'

/** A change that the owner of both mailboxes has proven, or that an operator decides for a reason. */
export type EmailChange = {
  readonly newEmail: string
  readonly by:
    | {
        readonly kind: 'proof'
        /** The identity that changed its address, by a code sent to the new mailbox. */
        readonly issuer: string
        readonly subject: string
        /** When the change was asked for. What somebody else proved since then counts more (I4). */
        readonly startedAt: Instant
      }
    | { readonly kind: 'operator'; readonly reason: string }
}

export type EmailChanged = { readonly outcome: 'changed' | 'same'; readonly schools: number }

type Mailbox = { readonly personId: string; readonly provenAt: Instant | null; readonly signsIn: boolean }

/**
 * Gives a person a new address, in the caller's transaction: the contact, the mailbox that is theirs, and a wish per
 * school account that a job carries out. The old mailbox is let go of, so that whoever gets it next gets nothing. The
 * old address is told. A mailbox of somebody else is refused with `conflict`; people are joined only by proof or merge.
 */
export async function changeEmail(tx: Tx, ctx: Ctx, personId: string, change: EmailChange): Promise<EmailChanged> {
  const email = normalizeEmail(change.newEmail)
  if (!isMailAddress(email))
    throw new CodedError('input_invalid', 'This is not an address mail can be sent to.', {
      issues: [{ path: 'email', message: 'not an address' }],
    })
  await lockMailbox(tx, ctx.organization, email)
  const person = await lockPerson(tx, personId)
  const mailbox = await mailboxOf(tx, ctx.organization, email)
  if (change.by.kind === 'proof') await takeProven(tx, ctx, personId, { email, mailbox, by: change.by })
  else await takeDecided(tx, ctx, personId, { email, mailbox })
  if (person.email === email) return { outcome: 'same', schools: 0 }
  await tx.run(sql('person_email')`update person set email = ${email} where id = ${personId}`)
  const schools = await wishEmail(tx, ctx, personId, email)
  await record(tx, ctx, [{ kind: 'person.email_changed', personId, data: { by: actorId(ctx) } }])
  if (person.email !== null)
    await sendMail(tx, ctx, {
      kind: 'email_changed',
      to: person.email,
      data: { newEmail: email, changedAt: tx.now },
      ...(person.locale === null ? {} : { locale: person.locale }),
    })
  return { outcome: 'changed', schools }
}

const lockMailbox = (tx: Tx, organization: string, email: string) =>
  tx.run(sql('people_mailbox_lock')`
    select pg_advisory_xact_lock(hashtextextended(${`${organization} ${email}`}, 1))`)

async function lockPerson(tx: Tx, id: string): Promise<{ email: string | null; locale: string | null }> {
  const row = await tx.maybeOne<{ email: string | null; locale: string | null }>(sql('person_email_lock')`
    select email, locale from person where id = ${id} and merged_into is null and erased_at is null for no key update`)
  if (row === null) throw new CodedError('not_found', 'There is no such person.')
  return row
}

const mailboxOf = (tx: Tx, organization: string, email: string) =>
  tx.maybeOne<Mailbox>(sql('people_mailbox')`
    select person_id as "personId", proven_at as "provenAt",
      exists (select 1 from identity o where o.person_id = m.person_id and o.issuer <> ${mailboxIssuer}) as "signsIn"
    from identity m where organization_id = ${organization} and issuer = ${mailboxIssuer} and subject = ${email} for update`)

type Proven = {
  readonly email: string
  readonly mailbox: Mailbox | null
  readonly by: Extract<EmailChange['by'], { kind: 'proof' }>
}

async function takeProven(tx: Tx, ctx: Ctx, personId: string, it: Proven): Promise<void> {
  const { email, mailbox, by } = it
  const dead = (why: string) => new CodedError('conflict', `This change is over: ${why}`)
  if ((await personOf(tx, ctx.organization, by.issuer, by.subject)) !== personId)
    throw dead('the identity that asked for it is not this person\u2019s any more.')
  // I4: whoever has taken the account since then did not ask for this change. Taking it always binds an identity.
  const later = await tx.maybeOne(sql('people_taken_since')`
    select 1 from identity where person_id = ${personId} and proven_at > ${ts(by.startedAt)}::timestamptz
      and issuer <> ${mailboxIssuer} and not (issuer = ${by.issuer} and subject = ${by.subject}) limit 1`)
  if (later !== null) throw dead('somebody has proven this account to be theirs since it was asked for.')
  if (mailbox !== null && mailbox.personId !== personId) {
    if (mailbox.provenAt !== null || mailbox.signsIn) throw dead('the mailbox is somebody else\u2019s.')
    // Paid for and never proven: whoever proves the mailbox now is its owner.
    const how = 'The mailbox was proven by a code when the address was changed to it.'
    await mergePeople(tx, ctx, {
      from: mailbox.personId,
      into: personId,
      evidence: { kind: 'proof', how, provenMailbox: email },
    })
  }
  await tx.run(sql('people_mailbox_take')`
    insert into identity (organization_id, issuer, subject, person_id, email, proven_at, last_seen_at, created_at)
    values (${ctx.organization}, ${mailboxIssuer}, ${email}, ${personId}, ${email}, ${ts(tx.now)}, ${ts(tx.now)}, ${ts(tx.now)})
    on conflict (organization_id, issuer, subject) do update set proven_at = excluded.proven_at, last_seen_at = excluded.last_seen_at`)
  await releaseMailboxes(tx, ctx, personId, email)
  await tx.run(sql('people_identity_email')`
    update identity set email = ${email}, last_seen_at = ${ts(tx.now)}
    where organization_id = ${ctx.organization} and issuer = ${by.issuer} and subject = ${by.subject}`)
}

/**
 * An operator corrects an address nobody has proven: a person who is only a mailbox becomes that other mailbox, to be
 * proven by its owner. Somebody who signs in otherwise only gets another contact: an unproven mailbox must never lead
 * to them.
 */
async function takeDecided(
  tx: Tx,
  ctx: Ctx,
  personId: string,
  it: { readonly email: string; readonly mailbox: Mailbox | null },
): Promise<void> {
  if (it.mailbox !== null && it.mailbox.personId !== personId)
    throw new CodedError('conflict', 'This mailbox belongs to another person here; merge the two instead.', {
      personId: it.mailbox.personId,
    })
  const signsIn = await tx.maybeOne(sql('people_signs_in')`
    select 1 from identity where person_id = ${personId} and issuer <> ${mailboxIssuer} limit 1`)
  await releaseMailboxes(tx, ctx, personId, it.email)
  if (signsIn !== null) return
  await tx.run(sql('people_mailbox_wait')`
    insert into identity (organization_id, issuer, subject, person_id, created_at)
    values (${ctx.organization}, ${mailboxIssuer}, ${it.email}, ${personId}, ${ts(tx.now)}) on conflict do nothing`)
}

/** Mailboxes are given to new owners some day: one that is left behind leads to nobody. */
const releaseMailboxes = (tx: Tx, ctx: Ctx, personId: string, except: string) =>
  tx.run(sql('people_mailboxes_release')`
    delete from identity where organization_id = ${ctx.organization} and issuer = ${mailboxIssuer}
      and person_id = ${personId} and subject <> ${except}`)

/** What every school should have from now on. An account that is not made yet is made with the new address. */
async function wishEmail(tx: Tx, ctx: Ctx, personId: string, email: string): Promise<number> {
  const rows = await tx.many<{ accountId: string }>(sql('account_email_wish')`
    insert into account_email as w (account_id, organization_id, email, next_try_at, created_at, updated_at)
    select id, organization_id, ${email}, ${ts(tx.now)}::timestamptz, ${ts(tx.now)}::timestamptz, ${ts(tx.now)}::timestamptz
    from lms_account where person_id = ${personId} and email <> ${email}
    on conflict (account_id) do update set email = excluded.email, revision = w.revision + 1, state = 'todo',
      attempts = case when w.state = 'todo' then w.attempts else 0 end,
      -- While somebody asks the school, the new wish waits for the end of that.
      next_try_at = case when w.state = 'todo' then w.next_try_at else excluded.next_try_at end,
      failure_class = null, failure_code = null, failure_message = null, updated_at = excluded.updated_at
    returning account_id as "accountId"`)
  await enqueue(
    tx,
    rows.map((row) => emailJob(ctx.organization, row.accountId)),
  )
  return rows.length
}

export type ChangedAt = { readonly organization: string; readonly outcome: 'changed' | 'same' | 'refused' }

/**
 * For the built-in provider, once a code has proven the new mailbox: changes the person of this identity in every
 * organization that knows it. Where another person holds that mailbox already, nothing changes there.
 */
export async function changeEmailOfIdentity(
  app: App,
  change: {
    readonly issuer: string
    readonly subject: string
    readonly newEmail: string
    readonly startedAt: Instant
  },
): Promise<readonly ChangedAt[]> {
  const { issuer, subject, newEmail, startedAt } = change
  const places = await app.db.direct<{ organization: string; personId: string }>(sql('identity_places')`
    select i.organization_id as organization, coalesce(p.merged_into, p.id) as "personId"
    from identity i join person p on p.id = i.person_id where i.issuer = ${issuer} and i.subject = ${subject} order by 1`)
  const results: ChangedAt[] = []
  for (const { organization, personId } of places) {
    const ctx = systemCtx(app, organization, 'sign-in')
    const by = { kind: 'proof', issuer, subject, startedAt } as const
    try {
      const { outcome } = await app.db.tx({ organization }, (tx) => changeEmail(tx, ctx, personId, { newEmail, by }))
      results.push({ organization, outcome })
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      app.log.warn('an address was not changed', { organization, personId, code: error.code })
      results.push({ organization, outcome: 'refused' })
    }
  }
  return results
}
