import { CodedError } from '@bursar/kit/errors.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

/**
 * What people are here. Everybody who signs in is a `purchaser`; `payee` receives payouts; the others run the
 * organization. A role of a learning platform never becomes one of these: whoever breaks into a school must not find
 * refunds and payouts behind it.
 */
export const grantableRoles = [
  'payee',
  'commerce-admin',
  'owner',
  'operator',
  'support',
  'finance',
  'developer',
] as const
export type GrantableRole = (typeof grantableRoles)[number]
export type Role = 'purchaser' | GrantableRole

/** Scopes per role. A purchaser needs none: what is theirs is theirs. */
const scopesOf: Readonly<Record<Role, readonly string[]>> = {
  purchaser: [],
  payee: [],
  owner: ['*'],
  'commerce-admin': [
    'orders:write',
    'timeline:read',
    'people:read',
    'cases:write',
    'events:read',
    'catalog:read',
    'entitlements:read',
    'enrollments:read',
  ],
  operator: [
    'orders:write',
    'timeline:read',
    'people:write',
    'cases:write',
    'events:write',
    'catalog:write',
    'connections:write',
    'entitlements:write',
    'enrollments:write',
  ],
  support: ['orders:read', 'timeline:read', 'people:read', 'cases:read', 'entitlements:read', 'enrollments:write'],
  finance: ['orders:read', 'timeline:read', 'people:read', 'events:read'],
  developer: [
    'catalog:write',
    'connections:write',
    'events:write',
    'timeline:read',
    'keys:write',
    // Not to write: whoever lists an issuer as trusted can sign in as anybody it names.
    'identity:read',
    'organizations:read',
    'enrollments:read',
    'orders:read',
  ],
}

export const scopesOfRoles = (roles: readonly string[]): readonly string[] => [
  ...new Set(roles.flatMap((role) => scopesOf[role as Role] ?? [])),
]

export type RoleGrant = {
  readonly id: string
  readonly personId: string
  readonly role: GrantableRole
  readonly reason: string
  readonly grantedBy: string
  readonly grantedAt: number
  readonly revokedAt: number | null
}

/** Gives a role; null when the person holds it already. */
export const grantRole = (
  tx: Tx,
  ctx: Pick<Ctx, 'ids' | 'organization' | 'actor'>,
  wish: { readonly personId: string; readonly role: GrantableRole; readonly reason: string },
) =>
  tx.maybeOne<RoleGrant>(sql('role_grant')`
    insert into role_grant (id, organization_id, person_id, role, reason, granted_by, granted_at)
    select ${ctx.ids.next('rol')}, ${ctx.organization}, p.id, ${wish.role}, ${wish.reason}, ${ctx.actor.name}, ${ts(tx.now)}
    from person p where p.id = ${wish.personId} and p.merged_into is null and p.erased_at is null
    on conflict (person_id, role) where revoked_at is null do nothing
    returning id, person_id as "personId", role, reason, granted_by as "grantedBy", granted_at as "grantedAt", revoked_at as "revokedAt"`)

/** Takes a role back; null when the person does not hold it. An organization keeps its last owner. */
export async function revokeRole(
  tx: Tx,
  ctx: Pick<Ctx, 'organization' | 'actor'>,
  wish: { readonly personId: string; readonly role: GrantableRole; readonly reason: string },
): Promise<RoleGrant | null> {
  if (wish.role === 'owner') {
    const owners = await tx.many<{ personId: string }>(sql('owners')`
      select person_id as "personId" from role_grant
      where organization_id = ${ctx.organization} and role = 'owner' and revoked_at is null for update`)
    if (owners.length === 1 && owners[0]?.personId === wish.personId)
      throw new CodedError('conflict', 'This is the last owner; make another person owner first.')
  }
  return tx.maybeOne<RoleGrant>(sql('role_revoke')`
    update role_grant set revoked_at = ${ts(tx.now)}, revoked_by = ${ctx.actor.name}, revoke_reason = ${wish.reason}
    where organization_id = ${ctx.organization} and person_id = ${wish.personId} and role = ${wish.role} and revoked_at is null
    returning id, person_id as "personId", role, reason, granted_by as "grantedBy", granted_at as "grantedAt", revoked_at as "revokedAt"`)
}

/** The roles a person holds now, `purchaser` first. */
export const rolesOf = async (tx: Tx, personId: string): Promise<readonly Role[]> => {
  const rows = await tx.many<{ role: GrantableRole }>(sql('roles_of')`
    select role from role_grant where person_id = ${personId} and revoked_at is null order by role`)
  return ['purchaser', ...rows.map((row) => row.role)]
}
