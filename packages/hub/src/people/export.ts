import { day } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { type Ctx, inTx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'
import { builtInIssuer } from '#identity/signed-in.ts'
import { sendMail } from '#mail/send.ts'
import type { PrivacyRequest, StepResult } from './privacy-shape.ts'
import { signInOf } from './sign-in-systems.ts'

/** How long a copy waits to be downloaded. */
export const documentKeptMs = 7 * day
/** Rows of one kind in a copy; a person with more is told so in the copy. */
const rowsMax = 5_000

export const documentSealedFor = (requestId: string): string => `privacy_request.document:${requestId}`

/** Where a person downloads their copy, after signing in. */
export const copyPath = '/account'

/** Gathers everything the hub holds of these people into one document and seals it. */
export async function collect(ctx: Ctx, request: PrivacyRequest, people: readonly string[]): Promise<StepResult> {
  const subjects = await inTx(ctx, (tx) => builtInSubjects(tx, ctx, people))
  const signIn: unknown[] = []
  for (const subject of subjects) signIn.push(await signInOf(ctx).builtIn.exportUser(subject))
  return inTx(ctx, async (tx) => {
    const hub = await hubRows(tx, people)
    const document = { format: 'bursar.person.v1', madeAt: new Date(tx.now).toISOString(), signIn, ...hub }
    const sealed = ctx.secrets.seal(json(document), documentSealedFor(request.id))
    const until = tx.now + documentKeptMs
    const written = await tx.run(sql('export_write')`
      update privacy_request set document = ${sealed}, document_until = ${ts(until)}
      where id = ${request.id} and document is null and downloaded_at is null`)
    const contact = await tx.maybeOne<{ email: string | null; locale: string | null }>(sql('export_contact')`
      select email, locale from person where id = ${request.personId}`)
    if (written === 1 && typeof contact?.email === 'string')
      await sendMail(tx, ctx, {
        kind: 'export_ready',
        to: contact.email,
        data: { url: `${ctx.publicUrl}${copyPath}`, expiresAt: until },
        dedupeKey: `export:${request.id}`,
        ...(contact.locale === null ? {} : { locale: contact.locale }),
      })
    return { state: 'done', note: null, evidence: { bytes: sealed.length } }
  })
}

const builtInSubjects = async (tx: Tx, ctx: Ctx, people: readonly string[]): Promise<readonly string[]> => {
  const rows = await tx.many<{ subject: string }>(sql('export_subjects')`
    select subject from identity where issuer = ${builtInIssuer(ctx)} and person_id = any(${people}::text[]) order by 1`)
  return rows.map((row) => row.subject)
}

/** One list per table, each row as it is, without what is secret or only the machine's. */
async function hubRows(tx: Tx, people: readonly string[]): Promise<Record<string, unknown>> {
  const own = 'person_id = any($1)'
  const ofOrders = 'order_id in (select id from "order" where person_id = any($1) or buyer_id = any($1))'
  const tables: readonly (readonly [name: string, from: string, where: string])[] = [
    ['people', 'person', 'id = any($1)'],
    ['identities', 'identity', own],
    ['roles', 'role_grant', own],
    ['orders', '"order"', 'person_id = any($1) or buyer_id = any($1)'],
    ['orderLines', 'order_line', ofOrders],
    ['refunds', 'refund', ofOrders],
    ['disputes', 'dispute', ofOrders],
    ['subscriptions', 'subscription', ofOrders],
    ['claims', 'claim', 'from_person = any($1) or to_person = any($1)'],
    ['assignedSeats', 'seat_assignment', own],
    ['accessRights', 'entitlement', own],
    ['enrollments', 'enrollment', own],
    ['schoolAccounts', 'lms_account', own],
    ['paymentCustomers', 'payment_customer', own],
    ['history', 'timeline_entry', own],
    ['privacyRequests', 'privacy_request', own],
    ['merges', 'person_merge', 'from_person_id = any($1) or into_person_id = any($1)'],
  ]
  const document: Record<string, unknown> = {}
  for (const [name, from, where] of tables) {
    const rows = await tx.many<{ row: Record<string, unknown> }>({
      name: `export_${from.replaceAll('"', '')}`,
      text: `select to_jsonb(t) - '{claim_secret_hash,claim_secret_more,request_hash,undo_hash,burnt,document,lease_node,lease_token,lease_until,organization_id}'::text[] as row
        from ${from} t where ${where} limit ${rowsMax + 1}`,
      values: [people],
    })
    document[name] = rows.slice(0, rowsMax).map(({ row }) => row)
    if (rows.length > rowsMax) document[`${name}Incomplete`] = `Only ${rowsMax} of them are here; ask for the rest.`
  }
  document.messages = await tx.many(sql('export_messages')`
    select kind, to_address as "to", state, created_at as "createdAt", sent_at as "sentAt" from mail_message
    where organization_id = bursar_organization() and to_address in (select email from person where id = any(${people}::text[]))
    order by created_at limit ${rowsMax}`)
  return document
}

/** Hands the copy out, once. */
export async function download(tx: Tx, ctx: Ctx, request: PrivacyRequest): Promise<Record<string, unknown>> {
  const row = await tx.maybeOne<{ document: Buffer | null; until: number | null }>(sql('export_take')`
    select document, document_until as until from privacy_request where id = ${request.id} for update`)
  if (row === null) throw new CodedError('not_found', 'There is no such request.')
  if (row.document === null || row.until === null || row.until <= tx.now)
    throw new CodedError(
      request.downloadedAt === null && request.state === 'running' ? 'conflict' : 'link_expired',
      request.downloadedAt === null && request.state === 'running'
        ? 'The copy is still being made.'
        : 'The copy was downloaded, or its time is over; ask for a new one.',
    )
  const text = ctx.secrets.open(row.document, documentSealedFor(request.id))
  await tx.run(sql('export_taken')`
    update privacy_request set document = null, downloaded_at = ${ts(tx.now)} where id = ${request.id}`)
  return JSON.parse(text) as Record<string, unknown>
}
