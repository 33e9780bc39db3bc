import type { Instant } from '@bursar/kit/clock.ts'
import type { Ids } from '@bursar/kit/ids.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

export const prepareSeatChoices = ['at_payment', 'at_claim'] as const
export const disputePolicies = ['suspend', 'keep'] as const

export type Organization = {
  readonly id: string
  readonly name: string
  readonly slug: string
  readonly prepareSeat: (typeof prepareSeatChoices)[number]
  readonly disputePolicy: (typeof disputePolicies)[number]
  readonly graceDays: number
  /** Links that open a course for whoever holds them may be made (launch.mint_link). */
  readonly guestAccess: boolean
  readonly createdAt: Instant
}

type Row = {
  id: string
  name: string
  slug: string
  prepare_seat: Organization['prepareSeat']
  dispute_policy: Organization['disputePolicy']
  grace_days: number
  guest_access: boolean
  created_at: Instant
}

const toOrganization = (row: Row): Organization => ({
  id: row.id,
  name: row.name,
  slug: row.slug,
  prepareSeat: row.prepare_seat,
  disputePolicy: row.dispute_policy,
  graceDays: row.grace_days,
  guestAccess: row.guest_access,
  createdAt: row.created_at,
})

/** Null when the slug is taken. Needs a transaction over all tenants. */
export async function createOrganization(
  tx: Tx,
  deps: { readonly ids: Ids },
  wish: { readonly name: string; readonly slug: string },
): Promise<Organization | null> {
  const row = await tx.maybeOne<Row>(sql('organization_insert')`
    insert into organization (id, name, slug, created_at)
    values (${deps.ids.next('org')}, ${wish.name}, ${wish.slug}, ${ts(tx.now)})
    on conflict (slug) do nothing
    returning id, name, slug, prepare_seat, dispute_policy, grace_days, guest_access, created_at`)
  return row === null ? null : toOrganization(row)
}

/** Oldest first. Needs a transaction over all tenants. */
export async function listOrganizations(tx: Tx, page: { readonly after: string | null; readonly limit: number }) {
  const rows = await tx.many<Row>(sql('organization_list')`
    select id, name, slug, prepare_seat, dispute_policy, grace_days, guest_access, created_at from organization
    where ${page.after}::text is null or id > ${page.after} order by id limit ${page.limit}`)
  return rows.map(toOrganization)
}

export async function getOrganization(tx: Tx, id: string): Promise<Organization> {
  const row = await tx.one<Row>(sql('organization_get')`
    select id, name, slug, prepare_seat, dispute_policy, grace_days, guest_access, created_at from organization where id = ${id}`)
  return toOrganization(row)
}

export type OrganizationChange = {
  readonly name?: string | undefined
  readonly prepareSeat?: Organization['prepareSeat'] | undefined
  readonly disputePolicy?: Organization['disputePolicy'] | undefined
  readonly graceDays?: number | undefined
  readonly guestAccess?: boolean | undefined
}

/** What is left out stays as it is. */
export async function updateOrganization(tx: Tx, id: string, change: OrganizationChange): Promise<Organization> {
  const row = await tx.one<Row>(sql('organization_update')`
    update organization set
      name = coalesce(${change.name ?? null}, name),
      prepare_seat = coalesce(${change.prepareSeat ?? null}, prepare_seat),
      dispute_policy = coalesce(${change.disputePolicy ?? null}, dispute_policy),
      grace_days = coalesce(${change.graceDays ?? null}, grace_days),
      guest_access = coalesce(${change.guestAccess ?? null}, guest_access)
    where id = ${id}
    returning id, name, slug, prepare_seat, dispute_policy, grace_days, guest_access, created_at`)
  return toOrganization(row)
}
