import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { sql, ts } from '#db/sql.ts'
import { endAllFor } from '#entitlements/merge.ts'
import { applyJob } from '#entitlements/store.ts'
import { mailboxIssuer } from '#identity/people.ts'
import { maskEmail } from '#mail/address.ts'
import { sendMail } from '#mail/send.ts'
import { forgetAddress } from '#mail/store.ts'
import { forgetInOrders, lockOrdersOf } from '#orders/person.ts'
import { retained } from './privacy-plan.ts'
import type { StepResult } from './privacy-shape.ts'

export const erasedReason = 'The person asked to be erased.'

// A shorter name would blank out innocent words.
const nameLengthMin = 4

type Known = { readonly email: string | null; readonly name: string | null; readonly locale: string | null }

/**
 * Takes names, addresses and identities out of the hub's own rows, in one transaction. The person stays as a row
 * without a name, so that the books and the seats keep pointing somewhere. The last message goes to the last address.
 */
export async function eraseRecords(tx: Tx, ctx: Ctx, people: readonly string[]): Promise<StepResult> {
  await lockOrdersOf(tx, people)
  // A purchase that found this person a moment ago commits first; one that comes now finds nobody and makes a new one.
  await tx.run(sql('erase_identities_lock')`select 1 from identity where person_id = any(${people}::text[]) for update`)
  const accounts: string[] = []
  for (const person of people) accounts.push(...(await endAllFor(tx, ctx, person, erasedReason)))
  await enqueue(
    tx,
    accounts.map((account) => applyJob(ctx.organization, account)),
  )
  const known = await tx.many<Known>(sql('erase_known')`
    select email, name, locale from person where id = any(${people}::text[]) order by id`)
  const addresses = await addressesOf(tx, people)
  const contact = known.find((k) => k.email !== null)
  const goodbye = contact?.email ?? null
  const ordersWere = await tx.many<{ email: string }>(sql('erase_order_emails')`
    select distinct email_key as email from "order" where person_id = any(${people}::text[]) and email_key is not null`)
  const orders = await forgetInOrders(tx, people, addresses)
  const names = known.flatMap((k) => (k.name !== null && k.name.length >= nameLengthMin ? [k.name] : []))
  const entries = await redactTimeline(tx, people, orders, [...addresses, ...ordersWere.map((o) => o.email), ...names])
  for (const address of addresses) await forgetAddress(tx, ctx.organization, address)
  const messages = await tx.many<{ id: string }>(sql('erase_queued')`
    select id from mail_message where organization_id = ${ctx.organization} and to_address = any(${addresses}::text[]) and state = 'queued'`)
  const last =
    goodbye === null
      ? null
      : await sendMail(tx, ctx, {
          kind: 'person_erased',
          to: goodbye,
          data: { erasedAt: tx.now, kept: Object.values(retained) },
          ...(contact?.locale === null || contact?.locale === undefined ? {} : { locale: contact.locale }),
        })
  await eraseRows(tx, ctx, people, addresses)
  const waiting = [...messages.map((m) => m.id), ...(last === null ? [] : [last.id])]
  return { state: 'done', evidence: { orders: orders.length, timelineEntries: entries, messages: waiting } }
}

/** What is theirs beyond doubt. What an issuer merely says about an address erases nobody else's order. */
const addressesOf = async (tx: Tx, people: readonly string[]): Promise<readonly string[]> => {
  const rows = await tx.many<{ address: string }>(sql('erase_addresses')`
    select distinct address from (
      select lower(email) as address from person where id = any(${people}::text[])
      union all select subject from identity where person_id = any(${people}::text[]) and issuer = ${mailboxIssuer}
      union all select lower(email) from lms_account where person_id = any(${people}::text[])) a
    where address <> ''`)
  return rows.map((row) => row.address)
}

/**
 * Entries keep their order and their numbers; words of people about people go. Addresses are looked for as they are,
 * as they stand in a path, and masked.
 */
const redactTimeline = (tx: Tx, people: readonly string[], orders: readonly string[], words: readonly string[]) => {
  const forms = [
    ...new Set(words.flatMap((w) => [w, encodeURIComponent(w), ...(w.includes('@') ? [maskEmail(w)] : [])])),
  ].sort((a, b) => b.length - a.length)
  const pattern = forms
    .map((w) =>
      JSON.stringify(w)
        .slice(1, -1)
        .replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    )
    .join('|')
  return tx.run(sql('erase_timeline')`
    update timeline_entry t set data = case when t.kind = 'note' then jsonb_set(d.data, '{text}', '"[erased]"') else d.data end
    from (select id, case when ${pattern} = '' then data else regexp_replace(data::text, ${pattern}, '[erased]', 'gi')::jsonb end as data
      from timeline_entry where person_id = any(${people}::text[]) or order_id = any(${orders}::text[])
        or enrollment_id in (select id from enrollment where person_id = any(${people}::text[]))) d
    where d.id = t.id and (t.kind = 'note' or d.data <> t.data)`)
}

async function eraseRows(tx: Tx, ctx: Ctx, people: readonly string[], addresses: readonly string[]): Promise<void> {
  await tx.run(sql('erase_person')`
    update person set email = null, name = null, locale = null, erased_at = ${ts(tx.now)} where id = any(${people}::text[])`)
  await tx.run(sql('erase_identities')`delete from identity where person_id = any(${people}::text[])`)
  await tx.run(sql('erase_roles')`
    update role_grant set revoked_at = ${ts(tx.now)}, revoked_by = 'erase', revoke_reason = 'Erased.'
    where person_id = any(${people}::text[]) and revoked_at is null`)
  await tx.run(sql('erase_grantor')`
    update role_grant set granted_by = '[erased]' where organization_id = ${ctx.organization} and lower(granted_by) = any(${addresses}::text[])`)
  await tx.run(sql('erase_account_emails')`
    delete from account_email where account_id in (select id from lms_account where person_id = any(${people}::text[]))`)
  await tx.run(sql('erase_documents')`
    update privacy_request set document = null, document_until = null where person_id = any(${people}::text[])`)
  await tx.run(sql('erase_launch_links')`
    delete from launch_link where enrollment_id in (select id from enrollment where person_id = any(${people}::text[]))`)
}

/** The messages that were still on their way lose their address once they are sent. */
export async function eraseMails(tx: Tx, ctx: Ctx, ids: readonly string[]): Promise<StepResult> {
  await tx.run(sql('erase_mails')`
    update mail_message set to_address = '' where organization_id = ${ctx.organization} and id = any(${ids}::text[]) and state <> 'queued'`)
  const { left } = await tx.one<{ left: number }>(sql('erase_mails_left')`
    select count(*)::int as left from mail_message where id = any(${ids}::text[]) and state = 'queued'`)
  if (left === 0) return { state: 'done', note: null }
  return { state: 'todo', note: 'The last message is on its way.', nextTryAt: tx.now + mailLookMs }
}

const mailLookMs = 60_000
