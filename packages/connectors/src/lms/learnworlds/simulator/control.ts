import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import { addCourse } from './catalog.ts'
import { addEnrollment, removeEnrollment } from './enrollment.ts'
import { setDone, visit } from './learning.ts'
import { addCertificate } from './records.ts'
import { type Body, ok, problem, readBody, textOf } from './respond.ts'
import { showUser } from './show.ts'
import type { ProductType, School, SimCourse, SimUser } from './state.ts'
import { addUser, renameUser } from './users.ts'
import type { Outbox } from './webhooks.ts'

const unknown = problem(404, 'no such user or course')

// Outside people are not held up by the visibility delay, so this looks past it.
const userOf = (school: School, name: string | null | undefined): SimUser | undefined =>
  school.state.users.get(name ?? '') ??
  school.state.users.get(school.state.userByEmail.get((name ?? '').toLowerCase()) ?? '')

type Learner = { readonly user: SimUser; readonly course: SimCourse; readonly body: Body }

/** A control call about one learner in one course. */
const forLearner =
  (school: School, act: (learner: Learner) => unknown) =>
  (request: SimRequest): SimReply => {
    const body = readBody(request) ?? {}
    const user = userOf(school, request.params.id ?? textOf(body, 'user'))
    const course = school.state.courses.get(textOf(body, 'course') ?? '')
    if (user === undefined || course === undefined) return unknown
    return ok({ ok: true, ...(act({ user, course, body }) as object | undefined) })
  }

const learnerControls = (school: School): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/_sim/learners/:id/complete',
    handle: forLearner(school, ({ user, course, body }) => {
      setDone(school, user, course, course.units.length, false)
      return body.certificate === true ? { certificate: addCertificate(school, user, course).id } : {}
    }),
  },
  {
    method: 'POST',
    pattern: '/_sim/learners/:id/progress',
    handle: forLearner(school, ({ user, course, body }) => {
      const percent = Number(body.percent ?? 0)
      visit(school, user, course.id)
      setDone(school, user, course, Math.floor((percent * course.units.length) / 100), false)
      return {}
    }),
  },
  {
    method: 'POST',
    pattern: '/_sim/certificates',
    handle: forLearner(school, ({ user, course }) => ({ certificate: addCertificate(school, user, course).id })),
  },
]

const productOf = (body: Body): { readonly type: ProductType; readonly id: string } | null => {
  for (const type of ['course', 'bundle', 'subscription'] as const) {
    const id = textOf(body, type)
    if (id !== null) return { type, id }
  }
  return null
}

const enrollmentControls = (school: School): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/_sim/enroll',
    handle: (request) => {
      const body = readBody(request) ?? {}
      const user = userOf(school, textOf(body, 'user'))
      const product = productOf(body)
      if (user === undefined || product === null) return unknown
      const expires = typeof body.expires === 'number' ? body.expires : null
      addEnrollment(school, user, product, { justification: null, price: Number(body.price ?? 0), expires })
      return ok({ ok: true })
    },
  },
  {
    method: 'POST',
    pattern: '/_sim/unenroll',
    handle: (request) => {
      const body = readBody(request) ?? {}
      const user = userOf(school, textOf(body, 'user'))
      const product = productOf(body)
      if (user === undefined || product === null) return unknown
      return ok({ ok: removeEnrollment(school, user, product) })
    },
  },
]

function changeUser(school: School, user: SimUser, body: Body): void {
  if (typeof body.suspended === 'boolean') user.suspended = body.suspended
  user.username = textOf(body, 'username') ?? user.username
  const email = textOf(body, 'email')
  if (email !== null) renameUser(school, user, email)
  const level = textOf(body, 'level')
  if (level !== null) user.level = level as SimUser['level']
  school.emit('userUpdated', 'user_updated', { ip_address: null, user: showUser(school, user) })
}

const userControls = (school: School): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/_sim/users',
    handle: (request) => {
      const body = readBody(request) ?? {}
      const email = textOf(body, 'email')
      if (email === null || school.state.userByEmail.has(email.toLowerCase()))
        return problem(409, 'email missing or known')
      const username = textOf(body, 'username') ?? email
      const level = (textOf(body, 'level') ?? 'user') as SimUser['level']
      return ok({ id: addUser(school, { email, username, level }).id }, 201)
    },
  },
  {
    method: 'POST',
    pattern: '/_sim/users/:id',
    handle: (request) => {
      const user = userOf(school, request.params.id)
      if (user === undefined) return unknown
      changeUser(school, user, readBody(request) ?? {})
      return ok({ ok: true })
    },
  },
  {
    method: 'POST',
    pattern: '/_sim/courses',
    handle: (request) => {
      const body = readBody(request) ?? {}
      const id = textOf(body, 'id')
      if (id === null) return problem(422, 'id missing')
      const title = textOf(body, 'title') ?? id
      const expiresDays = typeof body.expiresDays === 'number' ? body.expiresDays : null
      return ok({ id: addCourse(school, { id, title, expiresDays }).id }, 201)
    },
  },
]

const webhookControls = (school: School, outbox: Outbox): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/_sim/webhooks',
    handle: (request) => {
      const body = readBody(request) ?? {}
      const target = textOf(body, 'target')
      const token = textOf(body, 'token')
      outbox.configure({
        ...(target === null ? {} : { target }),
        ...(token === null ? {} : { token }),
        ...(typeof body.autoSend === 'boolean' ? { autoSend: body.autoSend } : {}),
      })
      if (typeof body.delayMs === 'number') outbox.setDelay(body.delayMs)
      return ok({ ok: true })
    },
  },
  {
    method: 'POST',
    pattern: '/_sim/webhooks/flush',
    handle: async (request) => ok(await outbox.flush(readBody(request) ?? {})),
  },
  {
    method: 'POST',
    pattern: '/_sim/webhooks/dummy',
    handle: () => {
      const [user] = school.state.users.values()
      const shown = user === undefined ? {} : showUser(school, user)
      outbox.queue('userUpdated', 'user_updated', { ip_address: null, user: shown }, false)
      return ok({ ok: true })
    },
  },
  { method: 'GET', pattern: '/_sim/webhooks', handle: () => ok({ deliveries: outbox.list() }) },
]

const variantControls = (school: School): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/_sim/variants',
    handle: (request) => {
      school.variants = { ...school.variants, ...readBody(request) }
      return ok(school.variants)
    },
  },
]

const signInControls = (school: School): SimRoute[] => [
  {
    method: 'POST',
    pattern: '/_sim/sign-in',
    handle: (request) => {
      const body = readBody(request) ?? {}
      const wanted = typeof body.oidc === 'object' && body.oidc !== null ? (body.oidc as Body) : null
      const [issuer, clientId, clientSecret] = ['issuer', 'clientId', 'clientSecret'].map(
        (n) => textOf(wanted, n) ?? '',
      )
      if (wanted !== null && !(issuer && clientId && clientSecret))
        return problem(422, 'issuer, clientId, clientSecret')
      school.signIn = {
        oidc: issuer && clientId && clientSecret ? { issuer, clientId, clientSecret } : null,
        page: textOf(body, 'page'),
      }
      return ok({ oidc: school.signIn.oidc?.issuer ?? null, page: school.signIn.page })
    },
  },
]

/** What the people around the school do: learn, complete, rename, suspend, unenroll by hand. */
export const controlRoutes = (school: School, outbox: Outbox): SimRoute[] => [
  ...learnerControls(school),
  ...enrollmentControls(school),
  ...userControls(school),
  ...webhookControls(school, outbox),
  ...variantControls(school),
  ...signInControls(school),
]
