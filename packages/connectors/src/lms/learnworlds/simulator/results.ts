import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import { missing, ok, page, stamp } from './respond.ts'
import type { School, SimCourse, SimProgress, SimUnit } from './state.ts'

const gradeOfDone = 88

type Result = { readonly course: SimCourse; readonly unit: SimUnit; readonly row: SimProgress }

/** One result per learner who finished a course with an assessment, by the time it was handed in. */
function results(school: School, fits: (course: SimCourse, unit: SimUnit) => boolean): Result[] {
  const found: Result[] = []
  for (const row of school.state.progress.values()) {
    const course = school.state.courses.get(row.courseId)
    if (course === undefined || row.completedAt === null) continue
    for (const unit of course.units)
      if (unit.type === 'assessmentV2' && fits(course, unit)) found.push({ course, unit, row })
  }
  return found
}

const resultId = (result: Result) => `${result.row.userId}-${result.unit.id}`

const common = (school: School, result: Result) => ({
  id: resultId(result),
  user_id: result.row.userId,
  email: school.state.users.get(result.row.userId)?.email ?? '',
  grade: gradeOfDone,
  created: stamp(school, result.row.startedAt),
  modified: stamp(school, result.row.completedAt),
  submittedTimestamp: stamp(school, result.row.completedAt),
})

const showGrade = (school: School, result: Result) => ({
  ...common(school, result),
  learningUnit: { id: result.unit.id, type: result.unit.type, icon: 'icon', subtitle: '' },
})

const showResponse = (school: School, result: Result) => ({
  ...common(school, result),
  passed: true,
  answers: [
    {
      blockId: `${result.unit.id}-question-1`,
      blockType: 'tmc',
      description: 'A question',
      answer: 'An answer',
      points: 1,
      blockMaxScore: 1,
      answerData: null,
      feedback: null,
    },
  ],
  generalFeedback: null,
})

const listed = (query: URLSearchParams, name: string): readonly string[] | null => query.get(name)?.split(',') ?? null

function grades(school: School, request: SimRequest): SimReply {
  const course = school.state.courses.get(request.params.id ?? '')
  if (course === undefined) return missing
  const users = listed(request.query, 'users')
  const units = listed(request.query, 'learningUnits')
  const rows = results(school, (c, unit) => c.id === course.id && (units === null || units.includes(unit.id))).filter(
    (r) => users === null || users.includes(r.row.userId),
  )
  rows.sort((a, b) => (a.row.completedAt ?? 0) - (b.row.completedAt ?? 0))
  if (request.query.get('order') !== 'asc') rows.reverse()
  return page(request, rows, { size: 20, sizable: true }, (row) => showGrade(school, row))
}

function responses(school: School, request: SimRequest): SimReply {
  const users = listed(request.query, 'users')
  const rows = results(school, (_, unit) => unit.id === request.params.id).filter(
    (r) => users === null || users.includes(r.row.userId),
  )
  return page(request, rows, { size: 20, sizable: true }, (row) => showResponse(school, row))
}

function analytics(school: School, request: SimRequest): SimReply {
  const course = school.state.courses.get(request.params.id ?? '')
  if (course === undefined) return missing
  const rows = [...school.state.progress.values()].filter((row) => row.courseId === course.id)
  return ok({
    students: rows.length,
    videos: course.units.length - 1,
    learning_units: course.units.length,
    video_time: 0,
    video_viewing_time: 0,
    avg_score_rate: rows.length === 0 ? 0 : gradeOfDone,
    success_rate: 100,
    total_study_time: rows.reduce((sum, row) => sum + row.timeS, 0),
    avg_time_to_finish: 0,
    social_interactions: 0,
    certificates_issued: school.state.certificates.filter((c) => c.courseId === course.id).length,
  })
}

function unitAnalytics(school: School, request: SimRequest): SimReply {
  const course = school.state.courses.get(request.params.id ?? '')
  const index = course?.units.findIndex((unit) => unit.id === request.params.uid) ?? -1
  const unit = course?.units[index]
  if (course === undefined || unit === undefined) return missing
  const rows = [...school.state.progress.values()].filter((row) => row.courseId === course.id)
  const done = rows.filter((row) => row.done > index).length
  return ok({
    type: unit.type,
    name: unit.title,
    users_completed: done,
    viewers: rows.length,
    avg_study_time: 0,
    total_study_time: 0,
    avg_score_rate: 0,
  })
}

function review(school: School, request: SimRequest): SimReply {
  const result = results(school, () => true).find((r) => resultId(r) === request.params.id)
  return result === undefined ? missing : ok(showResponse(school, result))
}

const base = '/admin/api/v2'

export const resultRoutes = (school: School): SimRoute[] => [
  { method: 'GET', pattern: `${base}/courses/:id/grades`, handle: (request) => grades(school, request) },
  { method: 'GET', pattern: `${base}/courses/:id/analytics`, handle: (request) => analytics(school, request) },
  {
    method: 'GET',
    pattern: `${base}/courses/:id/units/:uid/analytics`,
    handle: (request) => unitAnalytics(school, request),
  },
  { method: 'GET', pattern: `${base}/assessments/:id/responses`, handle: (request) => responses(school, request) },
  { method: 'GET', pattern: `${base}/forms/:id/responses`, handle: (request) => responses(school, request) },
  { method: 'POST', pattern: `${base}/assessments/scores/:id/review`, handle: (request) => review(school, request) },
]
