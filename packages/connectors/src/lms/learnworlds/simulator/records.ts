import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import { showPayment } from './enrollment.ts'
import { findUser, invalid, missing, newestFirst, noContent, ok, page, readBody, stamp } from './respond.ts'
import { showUser } from './show.ts'
import { hexId, logEvent, type School, type SimCertificate, type SimCourse, type SimUser } from './state.ts'

export function addCertificate(school: School, user: SimUser, course: SimCourse): SimCertificate {
  const certificate: SimCertificate = {
    id: hexId(school.random),
    userId: user.id,
    courseId: course.id,
    title: `Certificate: ${course.title}`,
    issued: school.clock.now(),
    deleted: false,
  }
  school.state.certificates.push(certificate)
  logEvent(school, user.id, 'award_certificate', { course_id: course.id, certificate_id: certificate.id })
  const { external_url: _, ...shown } = showCertificate(school, certificate)
  // In webhooks a missing short address is `false`, not null.
  school.emit('awardedCertificate', 'certificate_awarded', {
    certificate: { ...shown, short_url: false },
    user: showUser(school, user),
  })
  return certificate
}

function showCertificate(school: School, certificate: SimCertificate) {
  const user = school.state.users.get(certificate.userId)
  return {
    id: certificate.id,
    title: certificate.title,
    issued: stamp(school, certificate.issued),
    attempts: 1,
    type: 'completion',
    status: certificate.deleted ? 'deleted' : 'active',
    score: '100',
    short_url: null,
    provider: 'LearnWorlds',
    external_url: null,
    form: { firstname: user?.firstName ?? '', lastname: user?.lastName ?? '', ptin: '' },
    user: { id: certificate.userId, email: user?.email ?? '' },
    course_id: certificate.courseId,
  }
}

function listCertificates(school: School, request: SimRequest): SimReply {
  const user = request.query.get('user_id')
  const course = request.query.get('course_id')
  if (user === null && course === null) return invalid('course_id', 'A course_id or a user_id is required.')
  const rows = newestFirst(school.state.certificates).filter(
    (c) => (user === null || c.userId === user) && (course === null || c.courseId === course),
  )
  return page(request, rows, { size: 20 }, (c) => showCertificate(school, c))
}

const within = (query: URLSearchParams, at: number): boolean => {
  const after = query.get('created_after')
  const before = query.get('created_before')
  return (after === null || at / 1_000 > Number(after)) && (before === null || at / 1_000 < Number(before))
}

function listEvents(school: School, request: SimRequest): SimReply {
  const { query } = request
  const user = query.get('user_id')
  const activity = query.get('activity')
  const rows = school.state.events.filter(
    (e) =>
      (user === null || e.userId === user) && (activity === null || e.activity === activity) && within(query, e.at),
  )
  if (query.get('sort') !== 'asc') rows.reverse()
  return page(request, rows, { size: 50 }, (event) => ({
    user: { id: event.userId, username: school.state.users.get(event.userId)?.username ?? '' },
    created: stamp(school, event.at),
    activity: event.activity,
    description: event.activity.replaceAll('_', ' '),
    type: 'user',
    additional_info: event.info,
  }))
}

function listPayments(school: School, request: SimRequest): SimReply {
  const { query } = request
  const is = (name: string, value: string) => query.get(name) === null || query.get(name) === value
  const rows = newestFirst(school.state.payments).filter(
    (p) =>
      is('user_id', p.userId) &&
      is('product_id', p.productId) &&
      is('product_type', p.productType) &&
      within(query, p.created),
  )
  return page(request, rows, { size: 50, sizable: true }, (payment) => showPayment(school, payment))
}

const findCertificate = (school: School, id: string | undefined) => school.state.certificates.find((c) => c.id === id)

const base = '/admin/api/v2'

export const recordRoutes = (school: School): SimRoute[] => [
  { method: 'GET', pattern: `${base}/certificates`, handle: (request) => listCertificates(school, request) },
  {
    method: 'PUT',
    pattern: `${base}/certificates/:id`,
    handle: (request) => {
      const certificate = findCertificate(school, request.params.id)
      if (certificate === undefined) return missing
      const issued = readBody(request)?.issued
      if (typeof issued === 'number') certificate.issued = issued * 1_000
      return ok(showCertificate(school, certificate))
    },
  },
  {
    method: 'DELETE',
    pattern: `${base}/certificates/:id`,
    handle: ({ params }) => {
      const certificate = findCertificate(school, params.id)
      if (certificate === undefined) return missing
      certificate.deleted = true
      return noContent
    },
  },
  { method: 'GET', pattern: `${base}/event-logs`, handle: (request) => listEvents(school, request) },
  { method: 'GET', pattern: `${base}/payments`, handle: (request) => listPayments(school, request) },
  {
    method: 'GET',
    pattern: `${base}/payments/:id`,
    handle: ({ params }) => {
      const id = params.id
      const payment = school.state.payments.find((p) => p.id === id || p.transactionId === id)
      return payment === undefined ? missing : ok(showPayment(school, payment))
    },
  },
  {
    method: 'GET',
    pattern: `${base}/user-subscriptions`,
    handle: (request) => {
      const user = request.query.get('user_id')
      const rows = [...school.state.enrollments.values()]
        .flatMap((owned) => [...owned.values()])
        .filter((e) => e.productType === 'subscription' && (user === null || e.userId === user))
      return page(request, rows, { size: 20 }, (e) => ({
        user_id: e.userId,
        email: findUser(school, e.userId)?.email ?? '',
        plan_id: e.productId,
        created: stamp(school, e.created),
        expires_at: stamp(school, e.expires),
        status: e.expires === null || e.expires > school.clock.now() ? 'active' : 'inactive',
        provider: 'learnworlds',
        provider_meta: null,
      }))
    },
  },
]
