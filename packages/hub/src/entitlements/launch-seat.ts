import type { CourseKind } from '@bursar/connectors/lms/port.ts'
import type { Instant } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { sql, ts } from '#db/sql.ts'
import { mailboxIssuer, normalizeEmail } from '#identity/people.ts'
import { builtInIssuer, type SignedIn } from '#identity/signed-in.ts'

/** A seat as somebody at its door sees it. */
export type LaunchSeat = {
  /** The link that leads here; null for the learner's own session. */
  readonly linkId: string | null
  readonly linkPurpose: 'guest' | 'own' | null
  /** Where in the school the link lands instead of the course. */
  readonly linkPath: string | null
  readonly organization: string
  readonly enrollmentId: string
  readonly personId: string
  readonly connectionId: string
  readonly school: string
  readonly schoolConfig: Readonly<Record<string, unknown>>
  readonly course: string
  readonly kind: CourseKind
  readonly courseExternalId: string
  readonly account: string | null
  readonly accountEmail: string
  readonly privileged: boolean
  /** The hub made the account, or its person has once proven the mailbox the account belongs to. */
  readonly accountProven: boolean
  readonly wanted: 'granted' | 'revoked'
  readonly actual: 'none' | 'granted' | 'revoked' | 'unknown'
  readonly failureClass: string | null
  readonly nextTryAt: Instant | null
  readonly endedBecause: string | null
}

type Wish = {
  readonly enrollmentId: string
  readonly tokenHash: Buffer | null
  readonly signedIn: Pick<SignedIn, 'issuer' | 'subject' | 'organization'> | null
}

/** One statement for both doors, so that both see a seat the same way. */
async function read(app: App, { enrollmentId, tokenHash, signedIn }: Wish): Promise<LaunchSeat | null> {
  const rows = await app.db.direct<LaunchSeat>(sql('launch_seat_read')`
    select l.id as "linkId", l.purpose as "linkPurpose", l.redirect_path as "linkPath",
      n.organization_id as organization, n.id as "enrollmentId", n.person_id as "personId",
      n.connection_id as "connectionId", k.name as school, k.config as "schoolConfig", c.title as course, c.kind,
      c.external_id as "courseExternalId", a.external_id as account, a.email as "accountEmail", a.privileged,
      (a.created_by_hub or exists (
        select from identity i join person p on p.id = i.person_id
        where i.organization_id = n.organization_id and i.proven_at is not null
          and coalesce(p.merged_into, p.id) = coalesce(owner.merged_into, owner.id)
          and (i.issuer = ${mailboxIssuer} and i.subject = lower(a.email) or lower(i.email) = lower(a.email))
      )) as "accountProven",
      n.wanted, n.actual, n.failure_class as "failureClass", n.next_try_at as "nextTryAt",
      (select e.reason from entitlement e where e.person_id = n.person_id and e.course_id = n.course_id
        order by e.updated_at desc, e.id desc limit 1) as "endedBecause"
    from enrollment n join person owner on owner.id = n.person_id join course c on c.id = n.course_id
      join connection k on k.id = n.connection_id join lms_account a on a.id = n.account_id
      left join launch_link l on l.enrollment_id = n.id and l.token_hash = ${tokenHash} and l.used_at is null
        and l.expires_at > ${ts(app.clock.now())}::timestamptz
    where n.id = ${enrollmentId} and (l.id is not null or exists (
      select from identity i join person p on p.id = i.person_id
      where i.organization_id = n.organization_id and i.issuer = ${signedIn?.issuer ?? null}::text
        and i.subject = ${signedIn?.subject ?? null}::text
        and coalesce(p.merged_into, p.id) = coalesce(owner.merged_into, owner.id)
        and (${signedIn?.organization ?? null}::text is null or n.organization_id = ${signedIn?.organization ?? null})))`)
  return rows[0] ?? null
}

/** The seat of a link that is good right now; null for any that is wrong, used or too old. Changes nothing. */
export const seatOfLink = (app: App, enrollmentId: string, tokenHash: Buffer): Promise<LaunchSeat | null> =>
  read(app, { enrollmentId, tokenHash, signedIn: null })

/**
 * The seat of a signed-in person. Somebody else's seat and one that does not exist are the same null. An address the
 * session vouches for proves the account of that address.
 */
export async function seatOfPerson(
  app: App,
  enrollmentId: string,
  signedIn: Pick<SignedIn, 'issuer' | 'subject' | 'organization' | 'email' | 'emailVerified' | 'mailboxProvenAt'>,
): Promise<LaunchSeat | null> {
  const seat = await read(app, { enrollmentId, tokenHash: null, signedIn })
  return seat === null
    ? null
    : { ...seat, accountProven: seat.accountProven || vouchesFor(signedIn, seat.accountEmail) }
}

/** Whether the session speaks for the owner of this address: verified by an issuer that counts, or proven in it. */
export const vouchesFor = (
  signedIn: Pick<SignedIn, 'email' | 'emailVerified' | 'mailboxProvenAt'>,
  email: string,
): boolean =>
  (signedIn.emailVerified || signedIn.mailboxProvenAt !== null) &&
  signedIn.email !== null &&
  normalizeEmail(signedIn.email) === normalizeEmail(email)

/**
 * Whether a school that signs its people in at this hub will find the right one: the browser holds the built-in
 * provider's own cookie, with the address of the account.
 */
export const signsInAtHub = (app: Pick<App, 'publicUrl'>, signedIn: SignedIn, accountEmail: string): boolean =>
  signedIn.via === 'cookie' && signedIn.issuer === builtInIssuer(app) && vouchesFor(signedIn, accountEmail)

export type LaunchState = 'open' | 'preparing' | 'waiting' | 'closed' | 'staff' | 'unproven'

/** What the page may offer. Only `open` leads anywhere. */
export function launchState(
  seat: Pick<LaunchSeat, 'wanted' | 'actual' | 'privileged' | 'account' | 'accountProven' | 'failureClass'>,
): LaunchState {
  if (seat.wanted === 'revoked') return 'closed'
  if (seat.privileged) return 'staff'
  if (seat.account !== null && !seat.accountProven) return 'unproven'
  if (seat.actual === 'granted' && seat.account !== null) return 'open'
  return seat.failureClass === null ? 'preparing' : 'waiting'
}
