import type { Instant } from '@bursar/kit/clock.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'
import type { Evidence, Shown } from './claim-rules.ts'

type ShownRow = { readonly secret: Shown; readonly link: Shown }

/** How what was shown stands to an order. The comparison is of hashes of 256 random bits, so its time tells nothing. */
export const shownFor = (tx: Tx, orderId: string, secret: Buffer | null, link: Buffer | null) =>
  tx.one<ShownRow>(sql('claim_shown')`
    select
      case when ${secret}::bytea is null then 'none'
        when ${secret}::bytea = claim_secret_hash or ${secret}::bytea = any(claim_secret_more) then 'valid'
        when exists (select 1 from claim c where c.order_id = o.id and ${secret}::bytea = any(c.burnt)) then 'burnt'
        else 'wrong' end as secret,
      case when ${link}::bytea is null then 'none'
        when exists (select 1 from claim_link l where l.order_id = o.id and l.token_hash = ${link}::bytea
          and l.used_at is null and l.expires_at > ${ts(tx.now)}::timestamptz) then 'valid'
        when exists (select 1 from claim_link l where l.order_id = o.id and l.token_hash = ${link}::bytea
          and l.used_at is not null) then 'burnt'
        else 'wrong' end as link
    from "order" o where o.id = ${orderId}`)

export type NewClaim = {
  readonly orderId: string
  readonly fromPerson: string | null
  readonly toPerson: string
  readonly issuer: string
  readonly subject: string
  readonly evidence: Evidence
  readonly emailsDiffer: boolean
  readonly undoHash: Buffer | null
  readonly undoUntil: Instant | null
}

/** Writes down a claim, burns every secret of the order with it, and answers the claimant's open case. */
export async function insertClaim(tx: Tx, ctx: Pick<Ctx, 'ids' | 'organization'>, claim: NewClaim): Promise<string> {
  const id = ctx.ids.next('clm')
  await tx.run(sql('claim_insert')`
    with burnt as (
      select id, claim_secret_more || case when claim_secret_hash is null then '{}'::bytea[] else array[claim_secret_hash] end as hashes
      from "order" where id = ${claim.orderId}
    )
    insert into claim (id, organization_id, order_id, from_person, to_person, issuer, subject, evidence, emails_differ, burnt,
      claimed_at, undo_hash, undo_until)
    select ${id}, ${ctx.organization}, burnt.id, ${claim.fromPerson}, ${claim.toPerson}, ${claim.issuer}, ${claim.subject},
      ${claim.evidence}, ${claim.emailsDiffer}, burnt.hashes, ${ts(tx.now)}, ${claim.undoHash}::bytea, ${ts(claim.undoUntil)}::timestamptz
    from burnt`)
  // Whoever has it now has no question about it any more.
  await tx.run(sql('claim_secret_burn')`
    with answered as (
      update access_case set state = 'resolved', resolution = 'move', reason = 'The claimant has it now.', resolved_by = 'claim',
        resolved_at = ${ts(tx.now)}
      where order_id = ${claim.orderId} and claimant = ${claim.toPerson} and state = 'open')
    update "order" set claim_secret_hash = null, claim_secret_more = '{}' where id = ${claim.orderId}`)
  return id
}

export type ClaimView = {
  readonly id: string
  readonly fromPerson: string | null
  readonly toPerson: string
  readonly issuer: string
  readonly subject: string
  readonly evidence: Evidence
  readonly emailsDiffer: boolean
  readonly claimedAt: Instant
  readonly undoUntil: Instant | null
  readonly undoneAt: Instant | null
}

const claimsMax = 100

/** The claims of an order, oldest first. */
export const claimsOf = (tx: Tx, orderId: string) =>
  tx.many<ClaimView>(sql('claims_of')`
    select id, from_person as "fromPerson", to_person as "toPerson", issuer, subject, evidence, emails_differ as "emailsDiffer",
      claimed_at as "claimedAt", undo_until as "undoUntil", undone_at as "undoneAt"
    from claim where order_id = ${orderId} order by id limit ${claimsMax}`)

export type NewCase = {
  readonly orderId: string
  readonly claimant: string
  readonly holder: string | null
  readonly presented: { readonly evidence: Evidence; readonly email: string | null; readonly issuer: string }
}

/** Opens a case, or finds the open one of the same claimant. */
export const openCase = (tx: Tx, ctx: Pick<Ctx, 'ids' | 'organization'>, it: NewCase) =>
  tx.one<{ id: string; fresh: boolean }>(sql('case_open')`
    insert into access_case (id, organization_id, order_id, kind, claimant, holder, presented, opened_at, last_at)
    values (${ctx.ids.next('cas')}, ${ctx.organization}, ${it.orderId}, 'second_claimant', ${it.claimant}, ${it.holder},
      ${json(it.presented)}, ${ts(tx.now)}, ${ts(tx.now)})
    on conflict (order_id, kind, claimant) where state = 'open' do update set last_at = excluded.last_at
    returning id, (xmax = 0) as fresh`)

/** The address a person is reached at, once one is known for sure; an older one stays. */
export const keepContact = (tx: Tx, personId: string, email: string) =>
  tx.run(sql('person_contact')`update person set email = ${email} where id = ${personId} and email is null`)
