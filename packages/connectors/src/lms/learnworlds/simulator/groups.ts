import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import { addEnrollment } from './enrollment.ts'
import {
  type Body,
  findUser,
  invalid,
  missing,
  namedUser,
  newestFirst,
  noContent,
  ok,
  page,
  readBody,
  stamp,
  textOf,
  textsOf,
} from './respond.ts'
import { showUser } from './show.ts'
import { hexId, productKey, type School, type SimGroup, type SimUser } from './state.ts'

const coursesOfBody = (body: Body | null): readonly string[] | null => {
  const products = body?.products
  return typeof products === 'object' && products !== null ? textsOf(products as Body, 'courses') : null
}

/** Groups and seats differ in name and in the switch that enrolls; one row serves both. */
type Kind = { readonly base: string; readonly of: string; readonly map: (school: School) => Map<string, SimGroup> }

const groups: Kind = { base: '/admin/api/v2/user_groups', of: 'user-groups', map: (school) => school.state.groups }
const seats: Kind = { base: '/admin/api/v2/seats', of: 'seats', map: (school) => school.state.seats }

function show(school: School, kind: Kind, group: SimGroup) {
  const common = {
    id: group.id,
    title: group.title,
    description: '',
    products: { courses: group.courses },
    tags: [],
    created: stamp(school, group.created),
    modified: stamp(school, group.created),
  }
  if (kind === groups) return { ...common, enroll_users_on_courses: group.enrolls, group_managers: [] }
  return {
    ...common,
    number_of_seats: group.seats,
    available_seats: group.seats - group.users.size,
    max_number_of_users: group.seats,
    seat_managers: [],
    total_enrollments: group.users.size * group.courses.length,
    access: 'active',
  }
}

function write(school: School, kind: Kind, request: SimRequest, known?: SimGroup): SimReply {
  const body = readBody(request)
  const title = textOf(body, 'title')
  const courses = coursesOfBody(body)
  if (title === null) return invalid('title', 'The title is required.')
  if (courses === null) return invalid('products', 'The courses are required.')
  const seatsAsked = Number(body?.number_of_seats ?? 0)
  if (kind === seats && !(seatsAsked >= 1)) return invalid('number_of_seats', 'The number of seats is required.')
  const group: SimGroup = known ?? {
    id: hexId(school.random),
    title,
    courses,
    enrolls: kind === seats,
    seats: 0,
    users: new Set(),
    created: school.clock.now(),
  }
  group.title = title
  group.courses = courses
  group.seats = seatsAsked
  if (kind === groups) group.enrolls = body?.enroll_users_on_courses === true
  kind.map(school).set(group.id, group)
  return ok(show(school, kind, group), known === undefined ? 201 : 200)
}

/** One call, all courses of the group: the only bulk enrollment there is. */
function join(school: School, group: SimGroup, user: SimUser): void {
  group.users.add(user.id)
  if (!group.enrolls) return
  for (const id of group.courses)
    if (school.state.courses.has(id) && !school.state.enrollments.get(user.id)?.has(productKey('course', id)))
      addEnrollment(school, user, { type: 'course', id }, { justification: null, price: 0, expires: null })
}

const find = (school: School, kind: Kind, request: SimRequest) => kind.map(school).get(request.params.id ?? '')

const rowRoutes = (school: School, kind: Kind): SimRoute[] => [
  {
    method: 'GET',
    pattern: kind.base,
    handle: (request) =>
      page(request, newestFirst(kind.map(school).values()), { size: 20 }, (g) => show(school, kind, g)),
  },
  { method: 'POST', pattern: kind.base, handle: (request) => write(school, kind, request) },
  {
    method: 'GET',
    pattern: `${kind.base}/:id`,
    handle: (request) => {
      const group = find(school, kind, request)
      return group === undefined ? missing : ok(show(school, kind, group))
    },
  },
  {
    method: 'PUT',
    pattern: `${kind.base}/:id`,
    handle: (request) => {
      const group = find(school, kind, request)
      return group === undefined ? missing : write(school, kind, request, group)
    },
  },
]

function joinOrLeave(school: School, kind: Kind, request: SimRequest): SimReply {
  const group = find(school, kind, request)
  const user = findUser(school, request.params.uid ?? '')
  if (group === undefined || user === undefined) return missing
  if (request.method === 'DELETE') return group.users.delete(user.id) ? noContent : missing
  if (kind === seats && group.users.size >= group.seats) return invalid('seats', 'There is no free seat.')
  join(school, group, user)
  return ok({ success: true })
}

function ofUser(school: School, kind: Kind, request: SimRequest): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  const rows = [...kind.map(school).values()].filter((g) => g.users.has(user.id))
  if (kind === groups) return ok(rows.map(({ id, title }) => ({ id, title })))
  const shown = rows.map(({ id, title, created }) => ({ id, title, active: true, got_seat_on: stamp(school, created) }))
  // A user without seats is answered with a bare null.
  return ok(shown.length === 0 ? null : shown)
}

const memberRoutes = (school: School, kind: Kind): SimRoute[] => [
  {
    method: 'GET',
    pattern: `${kind.base}/:id/users`,
    handle: (request) => {
      const group = find(school, kind, request)
      if (group === undefined) return missing
      // The documentation shows a bare list here, without meta.
      return ok([...group.users].flatMap((id) => school.state.users.get(id) ?? []).map((u) => showUser(school, u)))
    },
  },
  {
    method: 'POST',
    pattern: `${kind.base}/:id/users/:uid`,
    handle: (request) => joinOrLeave(school, kind, request),
  },
  {
    method: 'DELETE',
    pattern: `${kind.base}/:id/users/:uid`,
    handle: (request) => joinOrLeave(school, kind, request),
  },
  {
    method: 'GET',
    pattern: `/admin/api/v2/users/:id/${kind.of}`,
    handle: (request) => ofUser(school, kind, request),
  },
]

export const groupRoutes = (school: School): SimRoute[] =>
  [groups, seats].flatMap((kind) => [...rowRoutes(school, kind), ...memberRoutes(school, kind)])
