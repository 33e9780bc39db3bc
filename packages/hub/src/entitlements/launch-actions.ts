import { minute, second } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Action, type ActionCtx, action } from '#action/define.ts'
import { id, instant, secret } from '#action/fields.ts'
import { record } from '#events/timeline.ts'
import { getOrganization } from '#identity/organizations.ts'
import { seatById } from './find.ts'
import { launchPath } from './launch.ts'
import { addLink } from './launch-link.ts'
import { isInsidePath, pathMax } from './launch-path.ts'
import { launchState, seatOfPerson } from './launch-seat.ts'

const guestLifeMs = 15 * minute
/** From the click in a frame to the form it posts. */
const ownLifeMs = 60 * second

const redirectTo = z
  .string()
  .max(pathMax)
  .refine(isInsidePath, 'a path inside the school, such as /course/one')
  .optional()
  .describe('Where in the school to land instead of the course.')

const told = (ctx: ActionCtx, personId: string, enrollmentId: string, expiresAt: number) =>
  record(ctx.tx, ctx, [{ personId, enrollmentId, kind: 'launch.minted', data: { expiresAt } }])

export const mintLink = action({
  name: 'launch.mint_link',
  summary:
    'Make a link that opens a course for its learner, once, within 15 minutes. Give it to that learner and nobody else. Off unless the organization allows guest access.',
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
    const { guestAccess } = await getOrganization(ctx.tx, ctx.organization)
    if (!guestAccess) throw new CodedError('guest_access_off')
    const expiresAt = ctx.tx.now + guestLifeMs
    const token = await addLink(ctx.tx, ctx, { enrollmentId: seat.id, purpose: 'guest', expiresAt, path: null })
    await told(ctx, seat.personId, seat.id, expiresAt)
    return { url: `${ctx.publicUrl}${launchPath}/${seat.id}?token=${token}`, expiresAt }
  },
})

export const mintOwn = action({
  name: 'launch.mint_own',
  summary:
    'Make a token that opens one of your own courses, once, within 60 seconds. Post it as a form to the path; it is no address to keep.',
  input: z.object({ enrollmentId: id('enr'), redirectTo }),
  output: z.object({
    path: z.string().describe('Where to post it, at this hub.'),
    token: secret(z.string().nullable().describe('Shown this once.')),
    expiresAt: instant,
  }),
  access: 'person',
  effect: 'write',
  hidden: 'agents',
  run: async (ctx, { enrollmentId, redirectTo }) => {
    const { user } = ctx
    const seat =
      user === undefined ? null : await seatOfPerson(ctx, enrollmentId, { ...user, organization: ctx.organization })
    // Somebody else's seat is told like one that does not exist.
    if (seat === null) throw new CodedError('not_found', 'There is no such enrollment.')
    const state = launchState(seat)
    if (state !== 'open') throw new CodedError('launch_unavailable', undefined, { state })
    const expiresAt = ctx.tx.now + ownLifeMs
    const token = await addLink(ctx.tx, ctx, { enrollmentId, purpose: 'own', expiresAt, path: redirectTo ?? null })
    await told(ctx, seat.personId, enrollmentId, expiresAt)
    return { path: `${launchPath}/${enrollmentId}`, token, expiresAt }
  },
})

export const launchActions: readonly Action[] = [mintLink, mintOwn]
