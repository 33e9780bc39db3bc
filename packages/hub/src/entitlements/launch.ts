import type { CourseRef } from '@bursar/connectors/lms/port.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { type App, inTx, systemCtx } from '#action/context.ts'
import { openLms } from '#catalog/open.ts'
import { record } from '#events/timeline.ts'
import { burnLink, giveLinkBack } from './launch-link.ts'
import { schoolOrigins } from './launch-path.ts'
import type { LaunchSeat } from './launch-seat.ts'

export const launchPath = '/api/partner-launch'

export type Launched =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly reason: 'expired' | 'refused' | 'unavailable' }

export type LaunchHow = {
  /** Where in the school to land instead of the course. Checked by the caller with `isInsidePath`. */
  readonly path: string | null
  readonly signsIn: boolean
}

/**
 * Asks the school for a login of its own user, after spending the link when one led here. The login URL goes to the
 * caller's browser and nowhere else. When the school does not give one, the link is good again until it expires.
 * Only for a seat whose state is `open`.
 */
export async function launch(app: App, seat: LaunchSeat, how: LaunchHow): Promise<Launched> {
  const ctx = systemCtx(app, seat.organization, 'launch')
  const about = { personId: seat.personId, enrollmentId: seat.enrollmentId }
  const { linkId } = seat
  if (linkId !== null && !(await inTx(ctx, (tx) => burnLink(tx, linkId)))) return { ok: false, reason: 'expired' }
  const course = { kind: seat.kind, externalId: seat.courseExternalId }
  const answer = await askSchool(app, seat, { ...how, course })
  await inTx(ctx, async (tx) => {
    if (answer.ok) return record(tx, ctx, [{ ...about, kind: 'launch.used', data: linkId === null ? {} : { linkId } }])
    if (linkId !== null) await giveLinkBack(tx, linkId)
  })
  return answer
}

type School = Pick<LaunchSeat, 'organization' | 'connectionId' | 'account' | 'schoolConfig'>

/** A login of this account at its school, or why there is none. `course` null opens the school itself. */
export async function askSchool(
  app: App,
  school: School,
  wish: LaunchHow & { readonly course: CourseRef | null },
): Promise<Launched> {
  const { connectionId, account } = school
  const connector = await usable(app, school)
  if (connector?.launch === undefined || account === null) return { ok: false, reason: 'unavailable' }
  const { course, path, signsIn } = wish
  const answer = await connector.launch({ account, course, signsIn, ...(path === null ? {} : { path }) })
  if (!answer.ok) {
    app.log.warn('a school gave no login', { connectionId, failure: answer.failure.code })
    return { ok: false, reason: answer.failure.class === 'needs_person' ? 'refused' : 'unavailable' }
  }
  const url = URL.parse(answer.value.url)
  if (url === null || !schoolOrigins(school.schoolConfig).includes(url.origin)) {
    app.log.error('a school answered with a login at another host', { connectionId })
    return { ok: false, reason: 'refused' }
  }
  return { ok: true, url: url.href }
}

/** Settings that do not work are the organization's to mend; the learner is told that the school does not answer. */
async function usable(app: App, { organization, connectionId }: School) {
  try {
    return await openLms(systemCtx(app, organization, 'launch'), connectionId, { lane: 'interactive' })
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    app.log.error('a school cannot be asked for a login', { connectionId, failure: error.code })
    return null
  }
}
