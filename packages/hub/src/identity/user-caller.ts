import { CodedError } from '@bursar/kit/errors.ts'
import type { Caller } from '#action/caller.ts'
import type { App } from '#action/context.ts'
import { sql } from '#db/sql.ts'
import { ensurePerson } from './people.ts'
import { scopesOfRoles } from './roles.ts'
import type { SignedIn } from './signed-in.ts'

type Known = { readonly organization: string; readonly personId: string | null; readonly roles: readonly string[] }

/**
 * A signed-in person as a caller in one organization: the one their session belongs to, the one named (slug or id),
 * or the only one that knows them. Roles count once the session has a second factor.
 */
export async function callerOfUser(app: App, signedIn: SignedIn, named: string | null): Promise<Caller> {
  const known = await place(app, signedIn, named)
  const personId =
    known.personId ??
    (
      await app.db.tx({ organization: known.organization }, (tx) =>
        ensurePerson(tx, { ids: app.ids, organization: known.organization }, signedIn),
      )
    ).id
  const roleScopes = scopesOfRoles(known.roles)
  const strong = signedIn.secondFactorAt !== null
  const { sessionId, issuer, subject, email, emailVerified, mailboxProvenAt, authenticatedAt, secondFactorAt } =
    signedIn
  return {
    organization: known.organization,
    actor: { kind: 'user', id: personId, name: email ?? `${issuer} ${subject}` },
    scopes: strong ? roleScopes : [],
    user: {
      ...{
        personId,
        sessionId,
        issuer,
        subject,
        email,
        emailVerified,
        mailboxProvenAt,
        authenticatedAt,
        secondFactorAt,
      },
      scopesWait: !strong && roleScopes.length > 0,
    },
  }
}

async function place(app: App, signedIn: SignedIn, named: string | null): Promise<Known> {
  const { issuer, subject } = signedIn
  const rows = await app.db.direct<Known>(sql('user_place')`
    select o.id as organization, coalesce(p.merged_into, p.id) as "personId",
      coalesce((select array_agg(r.role order by r.role) from role_grant r
        where r.person_id = coalesce(p.merged_into, p.id) and r.revoked_at is null), '{}') as roles
    from organization o
    left join identity i on i.organization_id = o.id and i.issuer = ${issuer} and i.subject = ${subject}
    left join person p on p.id = i.person_id
    where case when ${signedIn.organization}::text is not null then o.id = ${signedIn.organization}
        else i.person_id is not null or o.id = ${named} or o.slug = ${named} end
      and (${named}::text is null or o.id = ${named} or o.slug = ${named})
    limit 2`)
  const [only, ...more] = rows
  if (only !== undefined && more.length === 0) return only
  // A name that does not exist and one that is not theirs get the same answer.
  if (named !== null) throw new CodedError('not_found', 'There is no such organization for this session.')
  throw new CodedError('organization_needed')
}
