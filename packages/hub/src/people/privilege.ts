import { CodedError } from '@bursar/kit/errors.ts'
import type { ActionCtx } from '#action/define.ts'
import { sql } from '#db/sql.ts'
import { mayGrant } from '#identity/actions-roles.ts'
import type { GrantableRole } from '#identity/roles.ts'

/**
 * Whoever changes who somebody is could become them: by a merge, by an address whose mailbox they read, by taking the
 * owner's own way in away. So it needs all that the roles of these people may do, as giving those roles would.
 */
export async function refuseMightier(ctx: Pick<ActionCtx, 'tx' | 'scopes'>, people: readonly string[]): Promise<void> {
  const held = await ctx.tx.many<{ role: GrantableRole }>(sql('people_roles_held')`
    select distinct role from role_grant where revoked_at is null
      and person_id in (select coalesce(merged_into, id) from person where id = any(${people}::text[]))`)
  const mightier = held.find(({ role }) => !mayGrant(ctx.scopes, role))
  if (mightier === undefined) return
  throw new CodedError(
    'forbidden',
    `Only somebody who holds all that ${mightier.role} can do may do this to its holder.`,
  )
}
