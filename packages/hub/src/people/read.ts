import type { Instant } from '@bursar/kit/clock.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { mailboxIssuer } from '#identity/people.ts'

export type PersonRow = {
  readonly id: string
  readonly email: string | null
  readonly name: string | null
  readonly state: 'active' | 'waiting' | 'merged' | 'erased'
  readonly mergedInto: string | null
  readonly roles: string[]
  readonly createdAt: Instant
}

export type PeopleFilter = {
  readonly id?: string | null
  readonly email?: string | null
  readonly after?: string | null
  readonly limit: number
}

/** People by exact address or id, oldest first. `waiting`: a paid mailbox that nobody has proven yet. */
export const peopleOf = (tx: Tx, f: PeopleFilter) =>
  tx.many<PersonRow>(sql('people_find')`
    select p.id, p.email, p.name, p.merged_into as "mergedInto", p.created_at as "createdAt",
      case when p.erased_at is not null then 'erased' when p.merged_into is not null then 'merged'
        when exists (select 1 from identity i where i.person_id = p.id and (i.issuer <> ${mailboxIssuer} or i.proven_at is not null)) then 'active'
        else 'waiting' end as state,
      array(select r.role from role_grant r where r.person_id = p.id and r.revoked_at is null order by r.role) as roles
    from person p
    where p.organization_id = bursar_organization() and (${f.id ?? null}::text is null or p.id = ${f.id ?? null})
      and (${f.email ?? null}::text is null or p.id = any(array(
        select id from person where email = ${f.email ?? null} and organization_id = bursar_organization()
        union select person_id from identity where issuer = ${mailboxIssuer} and subject = ${f.email ?? null} and organization_id = bursar_organization())))
      and (${f.after ?? null}::text is null or p.id > ${f.after ?? null})
    order by p.id limit ${f.limit}`)

export type IdentityRow = {
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  readonly provenAt: Instant | null
  readonly lastSeenAt: Instant | null
}

export const identitiesOf = (tx: Tx, personId: string) =>
  tx.many<IdentityRow>(sql('people_identities')`
    select issuer, subject, email, proven_at as "provenAt", last_seen_at as "lastSeenAt"
    from identity where person_id = ${personId} order by created_at, issuer limit 100`)

export type CustomerRow = { readonly connectionId: string; readonly externalId: string }

export const customersOf = (tx: Tx, personId: string) =>
  tx.many<CustomerRow>(sql('people_customers')`
    select connection_id as "connectionId", external_id as "externalId" from payment_customer
    where person_id = ${personId} order by created_at, external_id limit 100`)

export type AccountRow = {
  readonly id: string
  readonly connectionId: string
  readonly school: string
  readonly externalId: string | null
  readonly privileged: boolean
  readonly email: string
  /** The address the school is still to be told; with what stands in the way. */
  readonly emailWanted: string | null
  readonly emailFailure: string | null
}

export const accountsOf = (tx: Tx, personId: string) =>
  tx.many<AccountRow>(sql('people_accounts')`
    select a.id, a.connection_id as "connectionId", k.name as school, a.external_id as "externalId", a.privileged, a.email,
      case when w.state <> 'done' then w.email end as "emailWanted", w.failure_message as "emailFailure"
    from lms_account a join connection k on k.id = a.connection_id left join account_email w on w.account_id = a.id
    where a.person_id = ${personId} order by a.created_at, a.id limit 100`)

/** Open sessions of outside identity providers; those of the built-in one belong to the installation. */
export const sessionCount = async (tx: Tx, personId: string): Promise<number> => {
  const row = await tx.one<{ n: number }>(sql('people_sessions')`
    select count(*)::int as n from session s join identity i on i.organization_id = s.organization_id and i.issuer = s.issuer and i.subject = s.subject
    where i.person_id = ${personId} and s.revoked_at is null and s.expires_at > now()`)
  return row.n
}
