import * as z from 'zod'
import { type PageRequest, readPage, walk } from './pages.ts'
import { flag, maybe, maybeNumber, maybeText, maybeTime, texts } from './shapes.ts'
import { nothing, path, type Transport } from './transport.ts'
import { userSchema } from './users.ts'

const manager = z.looseObject({ id: z.string(), username: maybeText, email: maybeText, role_id: maybeText })
const courses = z.looseObject({ courses: texts }).catch({ courses: [] })

const groupSchema = z.looseObject({
  id: z.string().min(1),
  title: maybeText,
  description: maybeText,
  products: courses,
  enroll_users_on_courses: flag,
  group_managers: z.array(manager).catch([]),
  tags: texts,
  created: maybeTime,
  modified: maybeTime,
})
const seatSchema = z.looseObject({
  id: z.string().min(1),
  title: maybeText,
  description: maybeText,
  products: courses,
  number_of_seats: maybeNumber,
  available_seats: maybeNumber,
  max_number_of_users: maybeNumber,
  seat_managers: z.array(manager).catch([]),
  tags: texts,
  total_enrollments: maybeNumber,
  access: maybeText,
  created: maybeTime,
  modified: maybeTime,
})
const seatOfUser = z.looseObject({
  id: z.string(),
  title: maybeText,
  active: maybe(z.boolean()),
  got_seat_on: maybeTime,
})
const groupOfUser = z.looseObject({ id: z.string(), title: maybeText })
const accepted = z.looseObject({ success: z.boolean() })

export type NewGroup = {
  readonly title: string
  readonly products: { readonly courses: readonly string[] }
  /** With true, adding one user enrolls in all courses of the group: one call instead of one per course. */
  readonly enroll_users_on_courses?: boolean
  readonly description?: string
  readonly max_number_of_users?: number
  readonly group_managers?: readonly string[]
  readonly tags?: readonly string[]
}
export type NewSeat = {
  readonly title: string
  readonly products: { readonly courses: readonly string[] }
  readonly number_of_seats: number
  readonly description?: string
  readonly max_number_of_users?: number
  readonly seat_managers?: readonly string[]
  readonly tags?: readonly string[]
  readonly access?: 'active' | 'inactive'
}

/** `group` and `user` are ids here; an e-mail address works only where a single user is named first. */
export function groupsApi(transport: Transport) {
  const { call } = transport
  return {
    walk: (page?: PageRequest) => walk(transport, { path: '/v2/user_groups', item: groupSchema }, page),
    get: (group: string) => call({ method: 'GET', path: path`/v2/user_groups/${group}`, answer: groupSchema }),
    create: (group: NewGroup) => call({ method: 'POST', path: '/v2/user_groups', body: group, answer: groupSchema }),
    update: (group: string, change: NewGroup) =>
      call({ method: 'PUT', path: path`/v2/user_groups/${group}`, body: change, answer: groupSchema }),
    walkUsers: (group: string, page?: PageRequest) =>
      walk(transport, { path: path`/v2/user_groups/${group}/users`, item: userSchema }, page),
    addUser: (group: string, user: string) =>
      call({ method: 'POST', path: path`/v2/user_groups/${group}/users/${user}`, answer: accepted }),
    removeUser: (group: string, user: string) =>
      call({ method: 'DELETE', path: path`/v2/user_groups/${group}/users/${user}`, answer: nothing }),
    of: (user: string) => readPage(transport, { path: path`/v2/users/${user}/user-groups`, item: groupOfUser }),
  }
}

export function seatsApi(transport: Transport) {
  const { call } = transport
  return {
    walk: (page?: PageRequest) => walk(transport, { path: '/v2/seats', item: seatSchema }, page),
    get: (seat: string) => call({ method: 'GET', path: path`/v2/seats/${seat}`, answer: seatSchema }),
    create: (seat: NewSeat) => call({ method: 'POST', path: '/v2/seats', body: seat, answer: seatSchema }),
    update: (seat: string, change: NewSeat) =>
      call({ method: 'PUT', path: path`/v2/seats/${seat}`, body: change, answer: seatSchema }),
    walkUsers: (seat: string, page?: PageRequest) =>
      walk(transport, { path: path`/v2/seats/${seat}/users`, item: userSchema }, page),
    addUser: (seat: string, user: string, options: { readonly addToActiveSeat: boolean }) =>
      call({
        method: 'POST',
        path: path`/v2/seats/${seat}/users/${user}`,
        body: { add_to_active_seat: options.addToActiveSeat },
        answer: accepted,
      }),
    removeUser: (seat: string, user: string, options: { readonly removeFromOffering: boolean }) =>
      call({
        method: 'DELETE',
        path: path`/v2/seats/${seat}/users/${user}`,
        body: { remove_from_seat_offering: options.removeFromOffering },
        answer: nothing,
      }),
    /** The school answers null for a user without seats. */
    of: (user: string) =>
      call({
        method: 'GET',
        path: path`/v2/users/${user}/seats`,
        answer: z
          .array(seatOfUser)
          .nullable()
          .transform((seats) => seats ?? []),
      }),
  }
}
