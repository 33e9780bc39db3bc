import * as z from 'zod'
import { courseSchema } from './catalog.ts'
import { type PageRequest, readPage, walk } from './pages.ts'
import { maybe, maybeNumber, maybeText, maybeTime, time } from './shapes.ts'
import { path, type Transport } from './transport.ts'
import { userSchema } from './users.ts'

export const enrolledSchema = z.looseObject({ created: maybeTime, expires: maybeTime, course: courseSchema })
export type Enrolled = z.output<typeof enrolledSchema>

const unitProgress = z.looseObject({
  unit_id: maybeText,
  unit_name: maybeText,
  unit_type: maybeText,
  unit_status: maybeText,
  unit_duration: maybeNumber,
  time_on_unit: maybeNumber,
  score_on_unit: maybeNumber,
  unit_progress_rate: maybeNumber,
})

const progressFields = {
  status: maybe(z.enum(['not_started', 'not_completed', 'completed'])),
  /** 0 to 100. */
  progress_rate: maybe(z.number().min(0).max(100)),
  average_score_rate: maybeNumber,
  /** Seconds. */
  time_on_course: maybeNumber,
  total_units: maybeNumber,
  completed_units: maybeNumber,
  completed_at: maybeTime,
  progress_per_section_unit: z
    .array(z.looseObject({ section_id: maybeText, units: z.array(unitProgress).catch([]) }))
    .catch([]),
}
const progressSchema = z.looseObject(progressFields)
export const courseProgressSchema = z.looseObject({ course_id: z.string().min(1), ...progressFields })
export type CourseProgress = z.output<typeof courseProgressSchema>

const startedJob = z.looseObject({ async: z.boolean().catch(true), job_id: maybeText })
const jobSchema = z.looseObject({
  action: maybeText,
  state: z.enum(['in-progress', 'failed', 'completed']),
  errors: z.array(z.unknown()).catch([]),
  results: z.unknown(),
})

const gradeSchema = z.looseObject({
  id: z.string(),
  user_id: z.string(),
  email: maybeText,
  grade: maybeNumber,
  created: maybeTime,
  modified: maybeTime,
  submittedTimestamp: maybeTime,
  learningUnit: maybe(z.looseObject({ id: z.string(), type: maybeText })),
})
const responseSchema = z.looseObject({
  id: z.string(),
  user_id: z.string(),
  email: maybeText,
  grade: maybeNumber,
  passed: maybe(z.boolean()),
  submittedTimestamp: maybeTime,
  answers: z.array(z.looseObject({})).catch([]),
  generalFeedback: maybeText,
})

export type GradeFilter = {
  readonly users?: readonly string[]
  readonly learningUnits?: readonly string[]
  /** With `desc`, stop at your own watermark: the cheapest way to read new quiz results. */
  readonly sort?: 'created' | 'submittedTimestamp'
  readonly order?: 'asc' | 'desc'
}
export type Review = {
  readonly answers: readonly { readonly blockId: string; readonly grade: number; readonly feedback?: string }[]
  readonly generalFeedback?: string
}

/** What a user does with what he owns. `user` is an id or an e-mail address. */
export function learningApi(transport: Transport) {
  const { call } = transport
  const progress = (user: string) => ({
    path: path`/v2/users/${user}/progress`,
    item: courseProgressSchema,
    sizable: true,
  })
  const responses = (kind: 'assessments' | 'forms', id: string, users: readonly string[] = []) => ({
    path: path`/v2/${kind}/${id}/responses`,
    item: responseSchema,
    query: { users },
    sizable: true,
  })
  return {
    pageCourses: (user: string, page?: PageRequest) =>
      readPage(transport, { path: path`/v2/users/${user}/courses`, item: enrolledSchema }, page),
    walkCourses: (user: string, page?: PageRequest) =>
      walk(transport, { path: path`/v2/users/${user}/courses`, item: enrolledSchema }, page),
    /** All courses of one user. The only list that answers an empty page behind its end. */
    pageProgress: (user: string, page?: PageRequest) => readPage(transport, progress(user), page),
    walkProgress: (user: string, page?: PageRequest) => walk(transport, progress(user), page),
    courseProgress: (user: string, course: string) =>
      call({ method: 'GET', path: path`/v2/users/${user}/courses/${course}/progress`, answer: progressSchema }),
    /** Starts a job; no other percentage than all or nothing can be set. */
    complete: (user: string, course: string, options: { readonly units: readonly string[]; readonly email: boolean }) =>
      call({
        method: 'POST',
        path: path`/v2/users/${user}/courses/${course}/complete`,
        body: { units: options.units, send_course_complete_email: options.email },
        answer: startedJob,
      }),
    reset: (user: string, course: string, options: { readonly units: readonly string[] }) =>
      call({
        method: 'POST',
        path: path`/v2/users/${user}/courses/${course}/reset`,
        body: { units: options.units },
        answer: startedJob,
      }),
    /** Newer schools only; older ones answer 404. */
    job: (id: string) => call({ method: 'GET', path: path`/v2/async-actions/${id}`, answer: jobSchema }),
    /** Who has the course, without dates. */
    pageRoster: (course: string, page?: PageRequest & { readonly includeSuspended?: boolean }) =>
      readPage(transport, roster(course, page?.includeSuspended), page),
    walkRoster: (course: string, page?: PageRequest & { readonly includeSuspended?: boolean }) =>
      walk(transport, roster(course, page?.includeSuspended), page),
    walkGrades: (course: string, filter: GradeFilter = {}, page?: PageRequest) =>
      walk(
        transport,
        { path: path`/v2/courses/${course}/grades`, item: gradeSchema, query: filter, sizable: true },
        page,
      ),
    walkAssessment: (id: string, users?: readonly string[], page?: PageRequest) =>
      walk(transport, responses('assessments', id, users), page),
    walkForm: (id: string, users?: readonly string[], page?: PageRequest) =>
      walk(transport, responses('forms', id, users), page),
    review: (score: string, review: Review) =>
      call({
        method: 'POST',
        path: path`/v2/assessments/scores/${score}/review`,
        body: review,
        answer: responseSchema,
      }),
  }
}

const roster = (course: string, includeSuspended: boolean | undefined) => ({
  path: path`/v2/courses/${course}/users`,
  item: userSchema,
  query: { include_suspended: includeSuspended },
  sizable: true,
})

export const certificateSchema = z.looseObject({
  id: z.string().min(1),
  title: z.string().catch(''),
  issued: time,
  type: maybeText,
  status: z.string().catch('active'),
  score: z.union([z.string(), z.number()]).nullable().catch(null),
  short_url: maybe(z.union([z.string(), z.literal(false)])),
  external_url: maybeText,
  provider: maybeText,
  form: maybe(z.looseObject({})),
  user: z.looseObject({ id: z.string().min(1), email: maybeText }),
  course_id: z.string().min(1),
})
export type Certificate = z.output<typeof certificateSchema>

export type CertificateScope = { readonly userId?: string; readonly courseId?: string }

export function certificatesApi(transport: Transport) {
  const list = (scope: CertificateScope) => ({
    path: '/v2/certificates',
    item: certificateSchema,
    query: { user_id: scope.userId, course_id: scope.courseId },
  })
  return {
    /** At least one of the two filters is required by the school. 20 per page, fixed. */
    page: (scope: CertificateScope, page?: PageRequest) => readPage(transport, list(scope), page),
    walk: (scope: CertificateScope, page?: PageRequest) => walk(transport, list(scope), page),
    /** Issues it again with another date or names. */
    reissue: (
      id: string,
      change: {
        readonly issued?: number
        readonly form?: { readonly firstname: string; readonly lastname: string; readonly ptin: string }
      },
    ) =>
      transport.call({
        method: 'PUT',
        path: path`/v2/certificates/${id}`,
        body: { ...change, ...(change.issued === undefined ? {} : { issued: change.issued / 1_000 }) },
        answer: certificateSchema,
      }),
    revoke: (id: string) =>
      transport.call({ method: 'DELETE', path: path`/v2/certificates/${id}`, answer: z.unknown() }),
  }
}
