import type { Instant } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { sql } from '#db/sql.ts'
import { schoolOrigins } from '#entitlements/launch-path.ts'
import { type LaunchState, launchState, vouchesFor } from '#entitlements/launch-seat.ts'
import { mailboxIssuer } from '#identity/people.ts'
import type { SignedIn } from '#identity/signed-in.ts'

export type OwnSeat = {
  readonly organization: string
  readonly enrollmentId: string
  readonly course: string
  readonly school: string
  readonly state: LaunchState
  readonly endedBecause: string | null
  readonly origins: readonly string[]
}

type SeatRow = {
  readonly organization: string
  readonly enrollmentId: string
  readonly course: string
  readonly school: string
  readonly config: Record<string, unknown>
  readonly wanted: 'granted' | 'revoked'
  readonly actual: 'none' | 'granted' | 'revoked' | 'unknown'
  readonly failureClass: string | null
  readonly account: string | null
  readonly accountEmail: string
  readonly privileged: boolean
  readonly accountProven: boolean
  readonly endedBecause: string | null
}

const seatsMax = 200

/** The courses of a signed-in person, in every organization where this session counts. */
export async function ownSeats(app: App, signedIn: SignedIn): Promise<readonly OwnSeat[]> {
  const { issuer, subject, organization } = signedIn
  const rows = await app.db.direct<SeatRow>(sql('account_seats')`
    select n.organization_id as organization, n.id as "enrollmentId", c.title as course, k.name as school, k.config,
      n.wanted, n.actual, n.failure_class as "failureClass", a.external_id as account, a.email as "accountEmail",
      a.privileged, (a.created_by_hub or exists (select from identity m where m.organization_id = n.organization_id
        and m.person_id = a.person_id and m.proven_at is not null
          and (m.issuer = ${mailboxIssuer} and m.subject = lower(a.email) or lower(m.email) = lower(a.email)))) as "accountProven",
      (select e.reason from entitlement e where e.person_id = n.person_id and e.course_id = n.course_id
        order by e.updated_at desc, e.id desc limit 1) as "endedBecause"
    from identity i join person p on p.id = i.person_id
      join person same on coalesce(same.merged_into, same.id) = coalesce(p.merged_into, p.id)
      join enrollment n on n.person_id = same.id join course c on c.id = n.course_id
      join connection k on k.id = n.connection_id join lms_account a on a.id = n.account_id
    where i.issuer = ${issuer} and i.subject = ${subject}
      and (${organization}::text is null or i.organization_id = ${organization})
    order by n.wanted, c.title, n.id limit ${seatsMax}`)
  return rows.map((row) => ({
    organization: row.organization,
    enrollmentId: row.enrollmentId,
    course: row.course,
    school: row.school,
    endedBecause: row.endedBecause,
    origins: schoolOrigins(row.config),
    state: launchState({ ...row, accountProven: row.accountProven || vouchesFor(signedIn, row.accountEmail) }),
  }))
}

export type OwnIdentity = {
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
  readonly lastSeenAt: Instant | null
}

export type OwnPlace = {
  readonly organization: string
  readonly slug: string
  readonly name: string
  readonly personId: string
  readonly identities: readonly OwnIdentity[]
}

const placesMax = 20

/** Where this session's person is known, with the ways they sign in there. */
export const ownPlaces = (app: App, signedIn: SignedIn): Promise<OwnPlace[]> =>
  app.db.direct<OwnPlace>(sql('account_places')`
    select o.id as organization, o.slug, o.name, coalesce(p.merged_into, p.id) as "personId",
      (select coalesce(json_agg(json_build_object('issuer', l.issuer, 'subject', l.subject, 'email', l.email) order by l.created_at), '[]')
        from identity l where l.person_id = coalesce(p.merged_into, p.id) and l.issuer not like 'urn:bursar:%') as identities
    from identity i join person p on p.id = i.person_id join organization o on o.id = i.organization_id
    where i.issuer = ${signedIn.issuer} and i.subject = ${signedIn.subject}
      and (${signedIn.organization}::text is null or o.id = ${signedIn.organization})
    order by o.name, o.id limit ${placesMax}`)
