import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import { findUser, invalid, missing, namedUser, ok, page, readBody, stamp, textsOf } from './respond.ts'
import { showCourse, showUser } from './show.ts'
import {
  hexId,
  logEvent,
  openCourses,
  ownedBy,
  type School,
  type SimCourse,
  type SimJob,
  type SimProgress,
  type SimUser,
} from './state.ts'

const secondsPerUnit = 420

/** The row of a user in a course, made on first use. */
export function progressOf(school: School, userId: string, courseId: string): SimProgress {
  const key = `${userId}/${courseId}`
  const known = school.state.progress.get(key)
  if (known !== undefined) return known
  const fresh: SimProgress = { userId, courseId, done: 0, timeS: 0, startedAt: null, completedAt: null }
  school.state.progress.set(key, fresh)
  return fresh
}

export function visit(school: School, user: SimUser, courseId: string): void {
  user.lastLogin = school.clock.now()
  progressOf(school, user.id, courseId).startedAt ??= school.clock.now()
  logEvent(school, user.id, 'visit_course', { course_id: courseId })
}

/** Sets how many units are done. Reaching all of them completes the course once and tells the webhooks. */
export function setDone(school: School, user: SimUser, course: SimCourse, units: number, manually: boolean): void {
  const now = school.clock.now()
  const row = progressOf(school, user.id, course.id)
  row.done = Math.max(0, Math.min(course.units.length, units))
  row.timeS = Math.max(row.timeS, row.done * secondsPerUnit)
  row.startedAt ??= now
  if (row.done < course.units.length) {
    row.completedAt = null
    return
  }
  if (row.completedAt !== null) return
  row.completedAt = now
  logEvent(school, user.id, 'complete_course', { course_id: course.id })
  school.emit('courseCompleted', 'course_completed', {
    completed_at: stamp(school, now),
    manually_completed: manually,
    ip_address: null,
    course: showCourse(school, course),
    user: showUser(school, user),
  })
  completePrograms(school, user, manually)
}

/** A bundle counts as a learning program; it is complete with the last of its courses. */
function completePrograms(school: School, user: SimUser, manually: boolean): void {
  for (const enrollment of ownedBy(school, user.id)) {
    const bundle = enrollment.productType === 'bundle' ? school.state.bundles.get(enrollment.productId) : undefined
    const complete = bundle?.courses.every((id) => progressOf(school, user.id, id).completedAt !== null)
    if (bundle === undefined || complete !== true) continue
    school.emit('learningProgramCompleted', 'learning_program_completed', {
      learningProgram: { id: bundle.id, type: 'learning_collection', title: bundle.title, access: bundle.access },
      user: showUser(school, user),
      completed_at: stamp(school, school.clock.now()),
      manually_completed: manually,
    })
  }
}

function showProgress(school: School, course: SimCourse, row: SimProgress | undefined) {
  const done = row?.done ?? 0
  const total = course.units.length
  const started = done > 0 || (row?.startedAt ?? null) !== null
  return {
    status: row?.completedAt != null ? 'completed' : started ? 'not_completed' : 'not_started',
    progress_rate: total === 0 ? 0 : Math.round((done * 100) / total),
    average_score_rate: done === total && total > 0 ? 88 : 0,
    time_on_course: row?.timeS ?? 0,
    total_units: total,
    completed_units: done,
    completed_at: stamp(school, row?.completedAt ?? null),
    progress_per_section_unit: [
      {
        section_id: `${course.id}-section-1`,
        units: course.units.map((unit, i) => ({
          unit_section_name: 'The course',
          unit_id: unit.id,
          unit_name: unit.title,
          unit_type: unit.type,
          unit_status: i < done ? 'completed' : 'not_completed',
          unit_duration: null,
          time_on_unit: i < done ? secondsPerUnit : 0,
          score_on_unit: unit.type === 'assessmentV2' && i < done ? 88 : null,
          unit_progress_rate: i < done ? 100 : 0,
        })),
      },
    ],
  }
}

const rowOf = (school: School, user: SimUser, course: SimCourse) => school.state.progress.get(`${user.id}/${course.id}`)

function allProgress(school: School, request: SimRequest): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  const courses = [...openCourses(school, user.id).keys()].flatMap((id) => school.state.courses.get(id) ?? [])
  return page(request, courses, { size: 20, sizable: true, behindEnd: 'empty' }, (course) => ({
    course_id: course.id,
    ...showProgress(school, course, rowOf(school, user, course)),
  }))
}

type Learner = { readonly user: SimUser; readonly course: SimCourse }

function learnerOf(school: School, request: SimRequest): Learner | null {
  const user = findUser(school, namedUser(request))
  const course = school.state.courses.get(request.params.cid ?? '')
  if (user === undefined || course === undefined) return null
  return openCourses(school, user.id).has(course.id) ? { user, course } : null
}

function startJob(school: School, work: Pick<SimJob, 'action' | 'userId' | 'courseId' | 'units'>): SimReply {
  const id = hexId(school.random)
  const readyAt = school.clock.now() + school.variants.jobDelayMs
  school.state.jobs.set(id, { id, readyAt, applied: false, ...work })
  settleJobs(school)
  return ok({ async: true, job_id: id })
}

/** Jobs take effect when their time has come; anybody who looks makes sure of it. */
export function settleJobs(school: School): void {
  for (const job of school.state.jobs.values()) {
    if (job.applied || school.clock.now() < job.readyAt) continue
    job.applied = true
    const user = school.state.users.get(job.userId)
    const course = school.state.courses.get(job.courseId)
    // Deleted while the job waited: there is nothing left to change.
    if (user === undefined || course === undefined) continue
    setDone(school, user, course, progressOf(school, user.id, course.id).done + job.units, true)
  }
}

function change(school: School, request: SimRequest, action: 'complete' | 'reset'): SimReply {
  const learner = learnerOf(school, request)
  if (learner === null) return missing
  const body = readBody(request)
  const units = textsOf(body, 'units')
  if (units === null) return invalid('units', 'The units are required.')
  if (action === 'complete' && typeof body?.send_course_complete_email !== 'boolean')
    return invalid('send_course_complete_email', 'The value is required.')
  const { user, course } = learner
  const named = units.length === 0 ? course.units.length : units.length
  const work = { action, userId: user.id, courseId: course.id }
  return startJob(school, { ...work, units: action === 'complete' ? named : -named })
}

const base = '/admin/api/v2/users/:id'

export const learningRoutes = (school: School): SimRoute[] => [
  { method: 'GET', pattern: `${base}/progress`, handle: (request) => allProgress(school, request) },
  {
    method: 'GET',
    pattern: `${base}/courses/:cid/progress`,
    handle: (request) => {
      const learner = learnerOf(school, request)
      return learner === null
        ? missing
        : ok(showProgress(school, learner.course, rowOf(school, learner.user, learner.course)))
    },
  },
  {
    method: 'POST',
    pattern: `${base}/courses/:cid/complete`,
    handle: (request) => change(school, request, 'complete'),
  },
  { method: 'POST', pattern: `${base}/courses/:cid/reset`, handle: (request) => change(school, request, 'reset') },
  {
    method: 'GET',
    pattern: '/admin/api/v2/async-actions/:id',
    handle: ({ params }) => {
      const job = school.state.jobs.get(params.id ?? '')
      // Older schools have no such address.
      if (job === undefined || school.variants.spec === 'S25') return missing
      return ok({ action: job.action, state: job.applied ? 'completed' : 'in-progress', errors: [], results: null })
    },
  },
]
