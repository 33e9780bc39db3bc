import type { SimRoute } from '../../../simulator/server.ts'
import { missing, newestFirst, ok, page, readBody, textOf } from './respond.ts'
import { showBundle, showCourse, showPlan, showUser } from './show.ts'
import { openCourses, type School, type SimCourse } from './state.ts'
import { visibleUsers } from './users.ts'

const base = '/admin/api/v2'

export function addCourse(
  school: School,
  input: {
    readonly id: string
    readonly title: string
    readonly price?: number
    readonly access?: string
    readonly units?: number
    readonly expiresDays?: number | null
    readonly categories?: readonly string[]
  },
): SimCourse {
  const course: SimCourse = {
    id: input.id,
    title: input.title,
    access: input.access ?? 'paid',
    price: input.price ?? 0,
    categories: input.categories ?? [],
    units: Array.from({ length: input.units ?? 5 }, (_, i) => ({
      id: `${input.id}-unit-${i + 1}`,
      title: `Lesson ${i + 1}`,
      type: i === (input.units ?? 5) - 1 ? 'assessmentV2' : 'ivideo',
    })),
    expiresDays: input.expiresDays ?? null,
    created: school.clock.now(),
  }
  school.state.courses.set(course.id, course)
  return course
}

const contents = (course: SimCourse) => ({
  id: course.id,
  title: course.title,
  sections: [
    {
      id: `${course.id}-section-1`,
      title: 'The course',
      description: null,
      access: 'premium',
      drip: null,
      learningUnits: course.units.map((unit) => ({
        type: unit.type,
        id: unit.id,
        icon: 'icon',
        title: unit.title,
        subtitle: '',
      })),
    },
  ],
})

const courseRoutes = (school: School): SimRoute[] => [
  {
    method: 'GET',
    pattern: `${base}/courses`,
    handle: (request) => {
      const access = request.query.getAll('access')
      const categories = request.query.get('categories')?.split(',') ?? []
      const rows = newestFirst(school.state.courses.values()).filter(
        (course) =>
          (access.length === 0 || access.includes(course.access)) &&
          (categories.length === 0 || categories.some((c) => course.categories.includes(c))),
      )
      return page(request, rows, { size: 50 }, (course) => showCourse(school, course))
    },
  },
  {
    method: 'POST',
    pattern: `${base}/courses`,
    handle: (request) => {
      const body = readBody(request)
      const id = textOf(body, 'titleId')
      const title = textOf(body, 'title')
      if (id === null || title === null || school.state.courses.has(id))
        return { status: 422, body: { error: 'The titleId must be new and the title present.' } }
      return ok(showCourse(school, addCourse(school, { id, title, access: textOf(body, 'access') ?? 'paid' })), 201)
    },
  },
  {
    method: 'GET',
    pattern: `${base}/courses/:id`,
    handle: ({ params }) => {
      const course = school.state.courses.get(params.id ?? '')
      return course === undefined ? missing : ok(showCourse(school, course))
    },
  },
  {
    method: 'PUT',
    pattern: `${base}/courses/:id`,
    handle: (request) => {
      const course = school.state.courses.get(request.params.id ?? '')
      if (course === undefined) return missing
      const body = readBody(request)
      course.title = textOf(body, 'title') ?? course.title
      course.access = textOf(body, 'access') ?? course.access
      return ok(showCourse(school, course))
    },
  },
  {
    method: 'GET',
    pattern: `${base}/courses/:id/contents`,
    handle: ({ params }) => {
      const course = school.state.courses.get(params.id ?? '')
      return course === undefined ? missing : ok(contents(course))
    },
  },
  {
    method: 'GET',
    pattern: `${base}/courses/:id/users`,
    handle: (request) => {
      const id = request.params.id ?? ''
      if (!school.state.courses.has(id)) return missing
      const rows = visibleUsers(school, request.query).filter((user) => openCourses(school, user.id).has(id))
      return page(request, rows, { size: 20, sizable: true }, (user) => showUser(school, user))
    },
  },
]

export const catalogRoutes = (school: School): SimRoute[] => [
  ...courseRoutes(school),
  {
    method: 'GET',
    pattern: `${base}/bundles`,
    handle: (request) =>
      page(request, newestFirst(school.state.bundles.values()), { size: 20 }, (b) => showBundle(school, b)),
  },
  {
    method: 'GET',
    pattern: `${base}/bundles/:id`,
    handle: ({ params }) => {
      const bundle = school.state.bundles.get(params.id ?? '')
      return bundle === undefined ? missing : ok(showBundle(school, bundle))
    },
  },
  {
    method: 'GET',
    pattern: `${base}/subscription-plans`,
    handle: (request) =>
      page(request, newestFirst(school.state.plans.values()), { size: 50 }, (p) => showPlan(school, p)),
  },
  {
    method: 'GET',
    pattern: `${base}/subscription-plans/:id`,
    handle: ({ params }) => {
      const plan = school.state.plans.get(params.id ?? '')
      return plan === undefined ? missing : ok(showPlan(school, plan))
    },
  },
]
