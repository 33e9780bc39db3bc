import * as z from 'zod'
import { type PageRequest, readPage, walk } from './pages.ts'
import {
  flag,
  maybe,
  maybeNumber,
  maybeText,
  maybeTime,
  type ProductType,
  productType,
  texts,
  toSeconds,
} from './shapes.ts'
import { path, type Transport } from './transport.ts'

export const userSchema = z.looseObject({
  id: z.string().min(1),
  email: z.string().min(1),
  username: maybeText,
  first_name: maybeText,
  last_name: maybeText,
  subscribed_for_marketing_emails: maybe(z.boolean()),
  eu_customer: maybe(z.boolean()),
  is_admin: flag,
  is_instructor: flag,
  is_suspended: flag,
  is_reporter: flag,
  is_affiliate: flag,
  role: maybe(z.looseObject({ level: z.string(), name: maybeText })),
  referrer_id: maybeText,
  created: maybeTime,
  last_login: maybeTime,
  signup_approval_status: maybeText,
  fields: z.record(z.string(), z.unknown()).catch({}),
  tags: texts,
  nps_score: maybeNumber,
  nps_comment: maybeText,
})
export type User = z.output<typeof userSchema>

const productSchema = z.looseObject({ id: z.string().min(1), title: maybeText, type: productType })
export type OwnedProduct = z.output<typeof productSchema>

export const segmentSchema = z.looseObject({ id: z.string(), name: maybeText, description: maybeText })

export type UserFilter = {
  /** Epoch ms. */
  readonly registeredAfter?: number
  readonly registeredBefore?: number
  readonly status?: 'paying' | 'non_paying' | 'suspended' | 'never_logged_in'
  readonly role?: 'user' | 'admin' | 'instructor' | 'reporter' | 'license_reporter'
  readonly tags?: readonly string[]
  /** Suspended users vanish from lists unless asked for. */
  readonly includeSuspended?: boolean
  /** Custom fields without their `cf_`. */
  readonly customFields?: Readonly<Record<string, string>>
}

export type NewUser = {
  readonly email: string
  readonly username: string
  readonly password?: string
  readonly first_name?: string
  readonly last_name?: string
  readonly tags?: readonly string[]
  readonly fields?: Readonly<Record<string, string | null>>
  readonly utms?: Readonly<Record<string, string>>
  readonly subscribed_for_marketing_emails?: boolean
  /** Null leaves it to the school's setting; false where logins come from us. */
  readonly send_registration_email?: boolean | null
  readonly is_admin?: boolean
  readonly signup_validation_rules?: boolean
}
export type UserChange = Partial<Omit<NewUser, 'password' | 'send_registration_email'>>

const listQuery = (filter: UserFilter) => ({
  registration_after: toSeconds(filter.registeredAfter),
  registration_before: toSeconds(filter.registeredBefore),
  status: filter.status,
  role: filter.role,
  tags: filter.tags,
  include_suspended: filter.includeSuspended,
  ...Object.fromEntries(Object.entries(filter.customFields ?? {}).map(([name, value]) => [`cf_${name}`, value])),
})

/** `user` is everywhere an id or an e-mail address. */
export function usersApi(transport: Transport) {
  const { call } = transport
  const list = (filter: UserFilter = {}) => ({
    path: '/v2/users',
    item: userSchema,
    query: listQuery(filter),
    sizable: true,
  })
  const byProduct = (productId: string, type: ProductType) => ({
    path: '/v2/users/by-product',
    item: userSchema,
    query: { product_id: productId, product_type: type },
  })
  return {
    page: (filter?: UserFilter, page?: PageRequest) => readPage(transport, list(filter), page),
    walk: (filter?: UserFilter, page?: PageRequest) => walk(transport, list(filter), page),
    get: (user: string, options: { readonly includeSuspended?: boolean } = {}) =>
      call({
        method: 'GET',
        path: path`/v2/users/${user}`,
        query: { include_suspended: options.includeSuspended },
        answer: userSchema,
      }),
    create: (user: NewUser) => call({ method: 'POST', path: '/v2/users', body: user, answer: userSchema }),
    update: (user: string, change: UserChange) =>
      call({ method: 'PUT', path: path`/v2/users/${user}`, body: change, answer: userSchema }),
    tag: (user: string, tags: readonly string[], action: 'attach' | 'detach') =>
      call({ method: 'PUT', path: path`/v2/users/${user}/tags`, body: { tags, action }, answer: userSchema }),
    suspend: (user: string) => call({ method: 'PUT', path: path`/v2/users/${user}/suspend`, answer: userSchema }),
    unsuspend: (user: string) => call({ method: 'PUT', path: path`/v2/users/${user}/unsuspend`, answer: userSchema }),
    /** What the user owns: the cheapest truth about access. Not paged. */
    products: (user: string) => readPage(transport, { path: path`/v2/users/${user}/products`, item: productSchema }),
    segments: () => readPage(transport, { path: '/v2/users/segments', item: segmentSchema }),
    walkBySegment: (segmentId: string, page?: PageRequest) =>
      walk(transport, { path: '/v2/users/by-segment', item: userSchema, query: { segment_id: segmentId } }, page),
    pageByProduct: (productId: string, type: ProductType, page?: PageRequest) =>
      readPage(transport, byProduct(productId, type), page),
    walkByProduct: (productId: string, type: ProductType, page?: PageRequest) =>
      walk(transport, byProduct(productId, type), page),
  }
}

const assignments = {
  assigned_courses: z.array(z.looseObject({ course_id: z.string(), revenue_share_percentage: maybeNumber })).catch([]),
  assigned_seat_offering_ids: texts,
  assigned_user_group_ids: texts,
  assigned_segment_id: maybeText,
}
const roleSchema = z.looseObject({
  id: z.string(),
  title: maybeText,
  description: maybeText,
  access_level: maybeText,
  custom_role: flag,
})
const userRoleSchema = z.looseObject({ id: z.string(), role_id: maybeText, ...assignments })

export type RoleChange = {
  readonly role_id: string
  /** An empty list removes what was assigned before; leave a key out to keep it. */
  readonly assigned_courses?: readonly { readonly course_id: string; readonly revenue_share_percentage: number }[]
  readonly assigned_seat_offering_ids?: readonly string[]
  readonly assigned_user_group_ids?: readonly string[]
  readonly assigned_segment_id?: string
}

export function rolesApi(transport: Transport) {
  return {
    list: (filter: { readonly roleId?: string; readonly accessLevel?: string } = {}) =>
      readPage(transport, {
        path: '/v2/user-roles',
        item: roleSchema,
        query: { role_id: filter.roleId, access_level: filter.accessLevel },
      }),
    of: (user: string) =>
      transport.call({ method: 'GET', path: path`/v2/users/${user}/user-role`, answer: userRoleSchema }),
    set: (user: string, change: RoleChange) =>
      transport.call({
        method: 'PUT',
        path: path`/v2/users/${user}/user-role`,
        body: change,
        answer: z.looseObject({}),
      }),
  }
}
