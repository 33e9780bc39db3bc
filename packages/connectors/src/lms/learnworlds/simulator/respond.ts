import type { SimReply, SimRequest } from '../../../simulator/server.ts'
import type { School, SimUser } from './state.ts'

export const ok = (body: unknown, status = 200): SimReply => ({ status, body })
export const noContent: SimReply = { status: 204 }

/** The bare form: `{"error": text}`. */
export const problem = (status: number, error: string): SimReply => ({ status, body: { error } })
export const missing = problem(404, 'Sorry the resource your trying to access does not exist.')

/** The form with a list and a context. */
export const listed = (status: number, context: string, message: string): SimReply => ({
  status,
  body: { errors: [{ code: String(status), context, message }], success: false },
})

/** The form keyed by field. */
export const invalid = (field: string, message: string, status = 422): SimReply => ({
  status,
  body: {
    statusCode: status,
    error: 'Validation Failed',
    message: 'Your input had some validation errors.',
    errors: { [field]: [{ '0': message }] },
  },
})

export type Body = Readonly<Record<string, unknown>>

/** The JSON object of a request, or null. */
export function readBody(request: SimRequest): Body | null {
  try {
    const json: unknown = JSON.parse(request.body.toString('utf8'))
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Body) : null
  } catch {
    return null // an unreadable body is answered as a validation error by the route
  }
}

export const textOf = (body: Body | null, name: string): string | null => {
  const value = body?.[name]
  return typeof value === 'string' && value !== '' ? value : null
}

export const textsOf = (body: Body | null, name: string): readonly string[] | null => {
  const value = body?.[name]
  return Array.isArray(value) ? value.filter((v) => typeof v === 'string') : null
}

/** Epoch ms as the school writes it. */
export const stamp = (school: School, ms: number | null): number | null =>
  ms === null ? null : school.variants.times === 'float' ? ms / 1_000 + 0.000_083 : Math.floor(ms / 1_000)

const userSegment = 5

/** The segment of the path that names a user, as this school reads it: a raw plus sign is a space. */
export function namedUser(request: SimRequest): string {
  const raw = request.path.split('/')[userSegment] ?? ''
  return decodeURIComponent(raw.replaceAll('+', ' '))
}

const isVisible = (school: School, user: SimUser) => school.clock.now() >= user.visibleAt

/** By id or e-mail address. A fresh user may not be visible yet. */
export function findUser(school: School, name: string): SimUser | undefined {
  const { users, userByEmail } = school.state
  const user = users.get(name) ?? users.get(userByEmail.get(name.toLowerCase()) ?? '')
  return user !== undefined && isVisible(school, user) ? user : undefined
}

type Paging = {
  readonly size: number
  /** True where items_per_page counts. */
  readonly sizable?: boolean
  /** Most lists repeat their last page behind the end; three answer an empty one. */
  readonly behindEnd?: 'last_page' | 'empty'
}

const sizeMax = 200

/** A page of rows, already in the order of the list. */
export function page<T>(request: SimRequest, rows: readonly T[], paging: Paging, show: (row: T) => unknown): SimReply {
  const asked = Number(request.query.get('items_per_page'))
  const size = paging.sizable === true && asked >= 1 ? Math.min(sizeMax, Math.floor(asked)) : paging.size
  const totalPages = Math.max(1, Math.ceil(rows.length / size))
  const wanted = Math.max(1, Math.floor(Number(request.query.get('page') ?? '1')) || 1)
  const shown = paging.behindEnd === 'empty' ? wanted : Math.min(wanted, totalPages)
  const data = rows.slice((shown - 1) * size, shown * size).map(show)
  return ok({ data, meta: { page: shown, totalItems: rows.length, totalPages, itemsPerPage: size } })
}

/** Newest first, as every list by creation is. */
export const newestFirst = <T>(rows: Iterable<T>): T[] => [...rows].reverse()
