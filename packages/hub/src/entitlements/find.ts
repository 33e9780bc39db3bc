import type { Instant } from '@bursar/kit/clock.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import type { Entitlement } from './rules.ts'

export type EntitlementView = Entitlement & {
  readonly sourceId: string
  readonly orderId: string | null
  readonly personId: string
  readonly email: string | null
  readonly courseId: string
  readonly course: string
  readonly reason: string
  readonly createdAt: Instant
}

export type EntitlementFilter = {
  readonly id?: string | undefined
  readonly personId?: string | undefined
  readonly email?: string | undefined
  readonly courseId?: string | undefined
  readonly orderId?: string | undefined
  readonly after?: string | undefined
  readonly limit?: number | undefined
}

const listMax = 200

/** Reasons for access, oldest first. What is left out of the filter does not narrow. */
export const entitlementsOf = (tx: Tx, f: EntitlementFilter) =>
  tx.many<EntitlementView>(sql('entitlement_find')`
    select e.id, e.source, e.source_id as "sourceId", e.order_id as "orderId", e.person_id as "personId", p.email,
      e.course_id as "courseId", c.title as course, e.reason, e.starts_at as "startsAt", e.ends_at as "endsAt",
      e.suspended_at as "suspendedAt", e.revoked_at as "revokedAt", e.created_at as "createdAt"
    from (
      -- The page first, from this table alone: then the planner need not guess how many rows the joins leave.
      select * from entitlement
      where organization_id = bursar_organization() and (${f.id ?? null}::text is null or id = ${f.id ?? null})
        and (${f.personId ?? null}::text is null or person_id = ${f.personId ?? null})
        and (${f.email ?? null}::text is null or person_id = any(array(select id from person where email = ${f.email ?? null})))
        and (${f.courseId ?? null}::text is null or course_id = ${f.courseId ?? null})
        and (${f.orderId ?? null}::text is null or order_id = ${f.orderId ?? null})
        and (${f.after ?? null}::text is null or id > ${f.after ?? null})
      order by id limit ${f.limit ?? listMax}) e
    join person p on p.id = e.person_id join course c on c.id = e.course_id
    order by e.id`)

export const entitlementById = async (tx: Tx, id: string): Promise<EntitlementView | null> =>
  (await entitlementsOf(tx, { id }))[0] ?? null

/** The seat of one person in one course, if it was ever wanted. */
export const seatOf = (tx: Tx, personId: string, courseId: string) =>
  tx.maybeOne<{ id: string }>(sql('seat_of')`
    select id from enrollment where person_id = ${personId} and course_id = ${courseId}`)

export const seatStates = ['open', 'waiting', 'stuck', 'closed'] as const
export type SeatState = (typeof seatStates)[number]

export type Seat = {
  readonly id: string
  readonly state: SeatState
  readonly personId: string
  readonly email: string | null
  readonly courseId: string
  readonly course: string
  readonly connectionId: string
  readonly school: string
  readonly accountId: string
  readonly wanted: 'granted' | 'revoked'
  readonly actual: 'none' | 'granted' | 'revoked' | 'unknown'
  readonly attempts: number
  readonly nextTryAt: Instant | null
  readonly nextChangeAt: Instant | null
  readonly failingSince: Instant | null
  readonly failureClass: string | null
  readonly failureCode: string | null
  readonly failureMessage: string | null
  readonly openedAt: Instant | null
  readonly closedAt: Instant | null
  readonly updatedAt: Instant
}

export type SeatFilter = {
  readonly id?: string | undefined
  readonly state?: SeatState | undefined
  readonly email?: string | undefined
  readonly connectionId?: string | undefined
  readonly failureClass?: string | undefined
  readonly failureCode?: string | undefined
  readonly after?: string | undefined
  readonly limit?: number | undefined
}

/** Seats with their state. `stuck`: no try will help until somebody acts. */
export const seats = (tx: Tx, f: SeatFilter) =>
  tx.many<Seat>(sql('seat_find')`
    select * from (
      select n.id, case when n.next_try_at is not null then 'waiting' when n.failure_class is not null then 'stuck'
          when n.wanted = 'granted' and n.actual = 'granted' then 'open' else 'closed' end as state,
        n.person_id as "personId", p.email, n.course_id as "courseId", c.title as course, n.connection_id as "connectionId",
        k.name as school, n.account_id as "accountId", n.wanted, n.actual, n.attempts, n.next_try_at as "nextTryAt",
        n.next_change_at as "nextChangeAt", n.failing_since as "failingSince", n.failure_class as "failureClass",
        n.failure_code as "failureCode", n.failure_message as "failureMessage", n.opened_at as "openedAt",
        n.closed_at as "closedAt", n.updated_at as "updatedAt"
      from enrollment n join person p on p.id = n.person_id join course c on c.id = n.course_id
        join connection k on k.id = n.connection_id
      where n.organization_id = bursar_organization() and (${f.id ?? null}::text is null or n.id = ${f.id ?? null})
        and (${f.email ?? null}::text is null or p.email = ${f.email ?? null})
        and (${f.connectionId ?? null}::text is null or n.connection_id = ${f.connectionId ?? null})
        and (${f.failureClass ?? null}::text is null or n.failure_class = ${f.failureClass ?? null})
        and (${f.failureCode ?? null}::text is null or n.failure_code = ${f.failureCode ?? null})
        and (${f.after ?? null}::text is null or n.id > ${f.after ?? null})) s
    where ${f.state ?? null}::text is null or state = ${f.state ?? null}
    order by id limit ${f.limit ?? listMax}`)

export const seatById = async (tx: Tx, id: string): Promise<Seat | null> => (await seats(tx, { id }))[0] ?? null
