import type { CourseKind } from '@bursar/connectors/lms/port.ts'
import { type Instant, minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { secureRandom } from '@bursar/kit/random.ts'
import { hashSecret } from '@bursar/kit/signature/token.ts'
import { z } from 'zod'
import { type App, inTx, systemCtx } from '#action/context.ts'
import { action } from '#action/define.ts'
import { id, instant, secret } from '#action/fields.ts'
import { openLms } from '#catalog/open.ts'
import { sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { seatById } from './find.ts'

const tokenBytes = 32
const lifeMs = 15 * minute

export const launchPath = '/api/partner-launch'

const hashOf = (token: string): Buffer => Buffer.from(hashSecret(token), 'hex')

export const mintLink = action({
  name: 'launch.mint_link',
  summary:
    'Make a link that opens a course for its learner, once, within 15 minutes. Give it to that learner and nobody else.',
  input: z.object({ enrollmentId: id('enr') }),
  output: z.object({
    url: secret(z.string().nullable().describe('Shown this once; whoever holds it enters as the learner.')),
    expiresAt: instant,
  }),
  access: 'launch:write',
  effect: 'write',
  hidden: 'agents',
  run: async (ctx, { enrollmentId }) => {
    const seat = await seatById(ctx.tx, enrollmentId)
    if (seat === null) throw new CodedError('not_found', 'There is no such enrollment.')
    const token = Buffer.from(secureRandom.bytes(tokenBytes)).toString('base64url')
    const expiresAt = ctx.tx.now + lifeMs
    await ctx.tx.run(sql('launch_link_add')`
      insert into launch_link (id, organization_id, enrollment_id, token_hash, expires_at, created_at)
      values (${ctx.ids.next('lnk')}, ${ctx.organization}, ${seat.id}, ${hashOf(token)}, ${ts(expiresAt)}, ${ts(ctx.tx.now)})`)
    const about = { personId: seat.personId, enrollmentId: seat.id }
    await record(ctx.tx, ctx, [{ ...about, kind: 'launch.minted', data: { expiresAt } }])
    return { url: `${ctx.publicUrl}${launchPath}/${seat.id}?token=${token}`, expiresAt }
  },
})

/** What a valid link leads to. */
export type LaunchSeat = {
  readonly linkId: string
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
  readonly privileged: boolean
  readonly wanted: 'granted' | 'revoked'
  readonly actual: 'none' | 'granted' | 'revoked' | 'unknown'
  readonly failureClass: string | null
  readonly nextTryAt: Instant | null
  readonly endedBecause: string | null
}

/** The seat of a link that is good right now; null for any that is wrong, used or too old. Changes nothing. */
export async function readLink(app: App, enrollmentId: string, token: string): Promise<LaunchSeat | null> {
  const rows = await app.db.direct<LaunchSeat>(sql('launch_link_read')`
    select l.id as "linkId", l.organization_id as organization, n.id as "enrollmentId", n.person_id as "personId",
      n.connection_id as "connectionId", k.name as school, k.config as "schoolConfig", c.title as course, c.kind,
      c.external_id as "courseExternalId", a.external_id as account, a.privileged, n.wanted, n.actual,
      n.failure_class as "failureClass", n.next_try_at as "nextTryAt",
      (select e.reason from entitlement e where e.person_id = n.person_id and e.course_id = n.course_id
        order by e.updated_at desc, e.id desc limit 1) as "endedBecause"
    from launch_link l join enrollment n on n.id = l.enrollment_id join course c on c.id = n.course_id
      join connection k on k.id = n.connection_id join lms_account a on a.id = n.account_id
    where l.token_hash = ${hashOf(token)} and l.enrollment_id = ${enrollmentId} and l.used_at is null
      and l.expires_at > ${ts(app.clock.now())}::timestamptz`)
  return rows[0] ?? null
}

export type LaunchState = 'open' | 'preparing' | 'waiting' | 'closed' | 'staff'

export const launchState = (seat: LaunchSeat): LaunchState => {
  if (seat.wanted === 'revoked') return 'closed'
  if (seat.privileged) return 'staff'
  if (seat.actual === 'granted' && seat.account !== null) return 'open'
  return seat.failureClass === null ? 'preparing' : 'waiting'
}

export type Launched =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly reason: 'expired' | 'refused' | 'unavailable' }

/**
 * Spends the link and asks the school for a login of its own user. The login URL goes to the caller's browser and
 * nowhere else. When the school does not give one, the link is good again until it expires.
 */
export async function launch(app: App, seat: LaunchSeat): Promise<Launched> {
  const ctx = systemCtx(app, seat.organization, 'launch')
  const about = { personId: seat.personId, enrollmentId: seat.enrollmentId }
  const burnt = await inTx(ctx, (tx) =>
    tx.run(sql('launch_link_burn')`
      update launch_link set used_at = ${ts(tx.now)} where id = ${seat.linkId} and used_at is null and expires_at > ${ts(tx.now)}::timestamptz`),
  )
  if (burnt === 0) return { ok: false, reason: 'expired' }
  const answer = await askSchool(app, seat)
  await inTx(ctx, async (tx) => {
    if (answer.ok) return record(tx, ctx, [{ ...about, kind: 'launch.used', data: { linkId: seat.linkId } }])
    await tx.run(sql('launch_link_give_back')`update launch_link set used_at = null where id = ${seat.linkId}`)
  })
  return answer
}

async function askSchool(app: App, seat: LaunchSeat): Promise<Launched> {
  const ctx = systemCtx(app, seat.organization, 'launch')
  const connector = await openLms(ctx, seat.connectionId, { lane: 'interactive' })
  if (connector.launch === undefined || seat.account === null) return { ok: false, reason: 'unavailable' }
  const course = { kind: seat.kind, externalId: seat.courseExternalId }
  const answer = await connector.launch({ account: seat.account, course })
  if (!answer.ok) {
    app.log.warn('a course could not be opened', { enrollmentId: seat.enrollmentId, failure: answer.failure.code })
    return { ok: false, reason: answer.failure.class === 'needs_person' ? 'refused' : 'unavailable' }
  }
  const url = URL.parse(answer.value.url)
  if (url === null || !schoolOrigins(seat.schoolConfig).includes(url.origin)) {
    app.log.error('a school answered with a login at another host', { connectionId: seat.connectionId })
    return { ok: false, reason: 'refused' }
  }
  return { ok: true, url: url.href }
}

/** The origins a login link of this school may lead to: its own addresses, and the hosts its settings add. */
export function schoolOrigins(config: Readonly<Record<string, unknown>>): string[] {
  const own = Object.values(config).flatMap((v) =>
    typeof v === 'string' && /^https?:\/\//.test(v) ? [URL.parse(v)] : [],
  )
  const added = Array.isArray(config.launchHosts)
    ? config.launchHosts.map((h) => URL.parse(`https://${String(h)}`))
    : []
  return [...new Set([...own, ...added].flatMap((url) => (url === null ? [] : [url.origin])))]
}
