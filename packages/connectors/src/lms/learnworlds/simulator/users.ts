import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import {
  type Body,
  findUser,
  invalid,
  missing,
  namedUser,
  newestFirst,
  ok,
  page,
  readBody,
  textOf,
  textsOf,
} from './respond.ts'
import { showUser } from './show.ts'
import { hexId, logEvent, ownedBy, type ProductType, productKey, type School, type SimUser } from './state.ts'

const emailPattern = /^[^\s@]+@[^\s@]+\.[^\s@]+$/

export type NewSimUser = {
  readonly email: string
  readonly username: string
  readonly level?: SimUser['level']
  readonly tags?: readonly string[]
  readonly fields?: Readonly<Record<string, string | null>>
  readonly visibilityDelayMs?: number
}

/** Puts a user into the school and tells the webhooks. */
export function addUser(school: School, input: NewSimUser): SimUser {
  const now = school.clock.now()
  const [firstName = '', ...rest] = input.username.split(' ')
  const user: SimUser = {
    id: hexId(school.random),
    email: input.email.toLowerCase(),
    username: input.username,
    firstName,
    lastName: rest.join(' '),
    level: input.level ?? 'user',
    roleId: null,
    suspended: false,
    affiliate: false,
    tags: [...(input.tags ?? [])],
    fields: { ...input.fields },
    utms: {},
    marketing: null,
    created: now,
    visibleAt: now + (input.visibilityDelayMs ?? 0),
    lastLogin: null,
  }
  school.state.users.set(user.id, user)
  school.state.userByEmail.set(user.email, user.id)
  logEvent(school, user.id, 'register')
  school.emit('userUpdated', 'user_updated', { ip_address: null, user: showUser(school, user) })
  return user
}

export function renameUser(school: School, user: SimUser, email: string): void {
  school.state.userByEmail.delete(user.email)
  user.email = email.toLowerCase()
  school.state.userByEmail.set(user.email, user.id)
}

const duplicate = (school: School): SimReply =>
  invalid('email', 'This email is already in use.', school.variants.duplicateStatus)

function create(school: School, request: SimRequest): SimReply {
  const body = readBody(request)
  const email = textOf(body, 'email')
  const username = textOf(body, 'username')
  if (email === null || !emailPattern.test(email)) return invalid('email', 'A valid email is required.')
  if (username === null) return invalid('username', 'The username is required.')
  const { usernameMax } = school.variants
  if (usernameMax !== null && username.length > usernameMax)
    return invalid('username', `The username may have at most ${usernameMax} characters.`)
  if (school.state.userByEmail.has(email.toLowerCase())) return duplicate(school)
  const { visibilityDelayMs } = school.variants
  const user = addUser(school, {
    email,
    username,
    level: body?.is_admin === true ? 'admin' : 'user',
    tags: textsOf(body, 'tags') ?? [],
    visibilityDelayMs: visibilityDelayMs === 0 ? 0 : Math.round(school.random.next() * visibilityDelayMs) + 1,
  })
  applyChange(school, user, body ?? {})
  return ok(showUser(school, user), 201)
}

function applyChange(school: School, user: SimUser, body: Body): void {
  const { fields, utms, tags, is_admin: admin } = body
  if (typeof fields === 'object' && fields !== null) Object.assign(user.fields, fields)
  if (typeof utms === 'object' && utms !== null) Object.assign(user.utms, utms)
  if (typeof admin === 'boolean') user.level = admin ? 'admin' : 'user'
  if (typeof body.subscribed_for_marketing_emails === 'boolean') user.marketing = body.subscribed_for_marketing_emails
  if (school.variants.nameMode === 'first_last') {
    user.firstName = textOf(body, 'first_name') ?? user.firstName
    user.lastName = textOf(body, 'last_name') ?? user.lastName
  }
  if (Array.isArray(tags)) {
    const given = tags.filter((tag) => typeof tag === 'string')
    user.tags = school.variants.putTags === 'replace' ? given : [...new Set([...user.tags, ...given])]
  }
}

const told = (school: School, user: SimUser): SimReply => {
  school.emit('userUpdated', 'user_updated', { ip_address: null, user: showUser(school, user) })
  return ok(showUser(school, user))
}

function update(school: School, request: SimRequest): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  const body = readBody(request) ?? {}
  const email = textOf(body, 'email')
  if (email !== null && email.toLowerCase() !== user.email) {
    if (!emailPattern.test(email)) return invalid('email', 'A valid email is required.')
    if (school.state.userByEmail.has(email.toLowerCase())) return duplicate(school)
    renameUser(school, user, email)
  }
  user.username = textOf(body, 'username') ?? user.username
  applyChange(school, user, body)
  return told(school, user)
}

function tag(school: School, request: SimRequest): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  const body = readBody(request)
  const tags = textsOf(body, 'tags')
  const action = textOf(body, 'action')
  if (tags === null || (action !== 'attach' && action !== 'detach')) return invalid('action', 'Use attach or detach.')
  user.tags = action === 'attach' ? [...new Set([...user.tags, ...tags])] : user.tags.filter((t) => !tags.includes(t))
  // The quirk of the tag events: the data is the user itself.
  const [type, trigger] =
    action === 'attach' ? ['userTagAdded', 'user_tag_added'] : ['userTagDeleted', 'user_tag_deleted']
  school.emit(type, trigger, showUser(school, user))
  return ok(showUser(school, user))
}

function setSuspended(school: School, request: SimRequest, suspended: boolean): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  user.suspended = suspended
  return ok(showUser(school, user))
}

const statuses: Readonly<Record<string, (school: School, user: SimUser) => boolean>> = {
  suspended: (_, user) => user.suspended,
  never_logged_in: (_, user) => user.lastLogin === null,
  paying: (school, user) => ownedBy(school, user.id).some((e) => e.price > 0),
  non_paying: (school, user) => !ownedBy(school, user.id).some((e) => e.price > 0),
}

/** The filters of the users list. Anything unknown is ignored. */
function matches(school: School, query: URLSearchParams, user: SimUser): boolean {
  const suspendedWanted = query.get('include_suspended') === 'true' || query.get('status') === 'suspended'
  if (user.suspended && !suspendedWanted) return false
  if (school.clock.now() < user.visibleAt) return false
  const after = query.get('registration_after')
  const before = query.get('registration_before')
  if (after !== null && user.created / 1_000 <= Number(after)) return false
  if (before !== null && user.created / 1_000 >= Number(before)) return false
  const role = query.get('role')
  if (role !== null && user.level !== role) return false
  const status = statuses[query.get('status') ?? '']
  if (status !== undefined && !status(school, user)) return false
  const tags = query.get('tags')?.split(',') ?? []
  if (!tags.every((t) => user.tags.includes(t))) return false
  return [...query].every(([name, value]) => !name.startsWith('cf_') || user.fields[name] === value)
}

export const visibleUsers = (school: School, query: URLSearchParams): SimUser[] =>
  newestFirst(school.state.users.values()).filter((user) => matches(school, query, user))

function byProduct(school: School, request: SimRequest): SimReply {
  const id = request.query.get('product_id')
  const type = request.query.get('product_type')
  if (id === null) return invalid('product_id', 'The product_id is required.')
  if (type !== 'course' && type !== 'bundle' && type !== 'subscription')
    return {
      status: 422,
      body: {
        error: "You need to provide a valid product_type query parameters value: 'course', 'bundle', 'subscription'",
      },
    }
  const key = productKey(type as ProductType, id)
  const owners = visibleUsers(school, new URLSearchParams()).filter((u) => school.state.enrollments.get(u.id)?.has(key))
  return page(request, owners, { size: 20 }, (user) => showUser(school, user))
}

const getUser = (school: School, request: SimRequest): SimReply => {
  const user = findUser(school, namedUser(request))
  const hidden = user?.suspended === true && request.query.get('include_suspended') !== 'true'
  return user === undefined || hidden ? missing : ok(showUser(school, user))
}

const base = '/admin/api/v2/users'
const segment = { id: 'all-learners', name: 'All learners', description: null }

export const userRoutes = (school: School): SimRoute[] => [
  {
    method: 'GET',
    pattern: base,
    handle: (request) =>
      page(request, visibleUsers(school, request.query), { size: 20, sizable: true }, (u) => showUser(school, u)),
  },
  { method: 'POST', pattern: base, handle: (request) => create(school, request) },
  { method: 'GET', pattern: `${base}/segments`, handle: () => ok({ data: [segment] }) },
  {
    method: 'GET',
    pattern: `${base}/by-segment`,
    handle: (request) => {
      if (request.query.get('segment_id') !== segment.id) return missing
      const users = visibleUsers(school, new URLSearchParams())
      return page(request, users, { size: 20, behindEnd: 'empty' }, (user) => showUser(school, user))
    },
  },
  { method: 'GET', pattern: `${base}/by-product`, handle: (request) => byProduct(school, request) },
  { method: 'GET', pattern: `${base}/:id`, handle: (request) => getUser(school, request) },
  { method: 'PUT', pattern: `${base}/:id`, handle: (request) => update(school, request) },
  { method: 'PUT', pattern: `${base}/:id/tags`, handle: (request) => tag(school, request) },
  { method: 'PUT', pattern: `${base}/:id/suspend`, handle: (request) => setSuspended(school, request, true) },
  { method: 'PUT', pattern: `${base}/:id/unsuspend`, handle: (request) => setSuspended(school, request, false) },
]
