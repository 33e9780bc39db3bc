import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import {
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
} from './respond.ts'
import { hexId, type School, type SimCoupon, type SimPromotion, type SimUser } from './state.ts'

const base = '/admin/api/v2'

const roles = [
  { id: 'user', title: 'User', description: 'Learner', access_level: 'user', custom_role: false },
  { id: 'instructor', title: 'Instructor', description: '', access_level: 'instructor', custom_role: false },
  { id: 'reporter', title: 'Reporter', description: '', access_level: 'reporter', custom_role: false },
  { id: 'seat_manager', title: 'Seat manager', description: '', access_level: 'seat_manager', custom_role: false },
  { id: 'admin', title: 'Admin', description: '', access_level: 'admin', custom_role: false },
] as const

const isLevel = (id: string): id is SimUser['level'] => roles.some((role) => role.id === id)

const showRole = (user: SimUser) => ({
  id: user.id,
  email: user.email,
  username: user.username,
  role_id: user.roleId ?? user.level,
  user_role: { id: user.roleId ?? user.level, access_level: user.level, name: user.level },
  assigned_courses: [],
  assigned_seat_offering_ids: [],
  assigned_user_group_ids: [],
})

const roleRoutes = (school: School): SimRoute[] => [
  {
    method: 'GET',
    pattern: `${base}/user-roles`,
    handle: ({ query }) => {
      const level = query.get('access_level')
      return ok({ data: roles.filter((role) => level === null || role.access_level === level) })
    },
  },
  {
    method: 'GET',
    pattern: `${base}/users/:id/user-role`,
    handle: (request) => {
      const user = findUser(school, namedUser(request))
      return user === undefined ? missing : ok(showRole(user))
    },
  },
  {
    method: 'PUT',
    pattern: `${base}/users/:id/user-role`,
    handle: (request) => {
      const user = findUser(school, namedUser(request))
      if (user === undefined) return missing
      const role = textOf(readBody(request), 'role_id')
      if (role === null || !isLevel(role)) return invalid('role_id', 'There is no such role.')
      user.level = role
      user.roleId = role
      return ok(showRole(user))
    },
  },
]

const showCoupon = (coupon: SimCoupon) => ({ ...coupon, times_used: 0 })
const showPromotion = (school: School, promotion: SimPromotion) => ({
  id: promotion.id,
  name: promotion.name,
  type: promotion.type,
  value: promotion.value,
  applies_to_all: ['none'],
  products: [],
  coupons: promotion.coupons.map(showCoupon),
  created: stamp(school, promotion.created),
  modified: stamp(school, promotion.created),
})

function addPromotion(school: School, request: SimRequest): SimReply {
  const body = readBody(request)
  const name = textOf(body, 'name')
  if (name === null) return invalid('name', 'The name is required.')
  const promotion: SimPromotion = {
    id: hexId(school.random),
    name,
    type: textOf(body, 'type') ?? 'percentage',
    value: Number(body?.value ?? 0),
    coupons: [],
    created: school.clock.now(),
  }
  school.state.promotions.set(promotion.id, promotion)
  return ok(showPromotion(school, promotion), 201)
}

function addCoupon(school: School, request: SimRequest): SimReply {
  const promotion = school.state.promotions.get(request.params.id ?? '')
  const body = readBody(request)
  const code = textOf(body, 'code')
  if (promotion === undefined) return missing
  if (code === null || promotion.coupons.some((c) => c.code === code)) return invalid('code', 'A new code is required.')
  const quantity = typeof body?.quantity === 'number' ? body.quantity : null
  const coupon: SimCoupon = { code, quantity, expires: textOf(body, 'expires'), bulk: false, prefix: null }
  promotion.coupons.push(coupon)
  return ok(showCoupon(coupon))
}

const couponsPerCallMax = 1_000

function addCoupons(school: School, request: SimRequest): SimReply {
  const promotion = school.state.promotions.get(request.params.id ?? '')
  const body = readBody(request)
  const prefix = textOf(body, 'prefix')
  const quantity = Number(body?.quantity ?? 0)
  if (promotion === undefined) return missing
  if (prefix === null || !(quantity >= 1 && quantity <= couponsPerCallMax))
    return invalid('quantity', 'A prefix and a quantity are required.')
  const coupons = Array.from({ length: quantity }, (): SimCoupon => {
    const code = `${prefix}${hexId(school.random).slice(0, 8)}`
    return { code, quantity: 1, expires: textOf(body, 'expires'), bulk: true, prefix }
  })
  promotion.coupons.push(...coupons)
  return ok(coupons.map(showCoupon))
}

const promotionRoutes = (school: School): SimRoute[] => {
  const find = (request: SimRequest) => school.state.promotions.get(request.params.id ?? '')
  return [
    {
      method: 'GET',
      pattern: `${base}/promotions`,
      handle: (request) =>
        page(request, newestFirst(school.state.promotions.values()), { size: 20 }, (p) => showPromotion(school, p)),
    },
    { method: 'POST', pattern: `${base}/promotions`, handle: (request) => addPromotion(school, request) },
    {
      method: 'GET',
      pattern: `${base}/promotions/:id`,
      handle: (request) => {
        const promotion = find(request)
        return promotion === undefined ? missing : ok(showPromotion(school, promotion))
      },
    },
    {
      method: 'GET',
      pattern: `${base}/promotions/:id/coupons`,
      handle: (request) => {
        const promotion = find(request)
        return promotion === undefined ? missing : ok({ data: promotion.coupons.map(showCoupon) })
      },
    },
    { method: 'POST', pattern: `${base}/promotions/:id/coupons`, handle: (request) => addCoupon(school, request) },
    {
      method: 'POST',
      pattern: `${base}/promotions/:id/coupons-bulk`,
      handle: (request) => addCoupons(school, request),
    },
    {
      method: 'GET',
      pattern: `${base}/promotions/:id/coupons/:cid/usage`,
      handle: (request) => {
        const coupon = find(request)?.coupons.find((c) => c.code === request.params.cid)
        if (coupon === undefined) return missing
        const meta = { page: 1, totalItems: 0, totalPages: 1, itemsPerPage: 50 }
        return ok({ usage: showCoupon(coupon), payments: [], meta })
      },
    },
  ]
}

const showAffiliate = (school: School, user: SimUser) => ({
  id: user.id,
  email: user.email,
  username: user.username,
  code: user.id.slice(0, 8),
  paymentMethod: 'none',
  paymentNotes: null,
  date: stamp(school, user.created),
  clicks: 0,
  sales: 0,
  commissions: 0,
  leads: 0,
  customers: 0,
  payouts: 0,
  pending: 0,
  due: 0,
  commission_percentage: 10,
})

const emptyList = (pattern: string): SimRoute => ({
  method: 'GET',
  pattern: `${base}/${pattern}`,
  handle: (request) => page(request, [], { size: 20, behindEnd: 'empty' }, (row) => row),
})

const affiliateRoutes = (school: School): SimRoute[] => [
  {
    method: 'GET',
    pattern: `${base}/affiliates`,
    handle: (request) => {
      const rows = newestFirst(school.state.users.values()).filter((user) => user.affiliate)
      return page(request, rows, { size: 20 }, (user) => showAffiliate(school, user))
    },
  },
  {
    method: 'POST',
    pattern: `${base}/affiliates/:id`,
    handle: (request) => {
      const user = findUser(school, request.params.id ?? '')
      if (user === undefined) return missing
      user.affiliate = true
      return ok({ data: showAffiliate(school, user) }, 201)
    },
  },
  ...['leads', 'customers', 'payments', 'payouts/upcoming', 'payouts/due', 'payouts/completed'].map((what) =>
    emptyList(`affiliates/:id/${what}`),
  ),
]

const space = { id: 'lounge', title: 'Lounge', description: '', access: 'public', collectionId: 'main' }

const communityRoutes = (school: School): SimRoute[] => {
  return [
    {
      method: 'GET',
      pattern: `${base}/community/collections`,
      handle: () =>
        ok({ data: [{ id: 'main', name: 'Main', description: '', display_order: 1, space_ids: ['lounge'] }] }),
    },
    {
      method: 'GET',
      pattern: `${base}/community/spaces`,
      handle: (request) => page(request, [space], { size: 20, sizable: true }, (row) => row),
    },
    {
      method: 'GET',
      pattern: `${base}/community/spaces/:id`,
      handle: ({ params }) => (params.id === space.id ? ok(space) : missing),
    },
    {
      method: 'GET',
      pattern: `${base}/community/spaces/:id/users`,
      handle: (request) =>
        page(request, [...school.state.members], { size: 20, sizable: true }, (id) => ({
          id,
          username: school.state.users.get(id)?.username ?? '',
          status: 'joined',
        })),
    },
    {
      method: 'POST',
      pattern: `${base}/community/spaces/:id/users`,
      handle: (request) => {
        const uids = readBody(request)?.uids
        const known = (Array.isArray(uids) ? uids : []).filter((id) => school.state.users.has(String(id)))
        for (const id of known) school.state.members.add(String(id))
        return ok({ data: { invitation: false, users: known.map((id) => ({ id, status: 'joined' })) } })
      },
    },
    {
      method: 'DELETE',
      pattern: `${base}/community/spaces/:id/users/:uid`,
      handle: ({ params }) => (school.state.members.delete(params.uid ?? '') ? noContent : missing),
    },
    emptyList('community/posts'),
  ]
}

const calendarRoutes = (school: School): SimRoute[] => [
  {
    method: 'GET',
    pattern: `${base}/school/events`,
    handle: () => {
      const [course] = school.state.courses.values()
      const startDate = stamp(school, school.clock.now() + 86_400_000)
      const event = { title: 'Questions and answers', startDate, productId: course?.id ?? '', type: 'liveSession' }
      return ok({ data: course === undefined ? [] : [event] })
    },
  },
  {
    method: 'GET',
    pattern: `${base}/payments/:id/invoice-link`,
    handle: ({ params }) => {
      const payment = school.state.payments.find((p) => p.id === params.id)
      if (payment === undefined) return missing
      const expires = stamp(school, school.clock.now() + 3_600_000)
      return ok({
        invoice: `INV-${payment.id.slice(0, 6)}`,
        url: 'https://school.example/invoice.pdf',
        expires_at: expires,
      })
    },
  },
]

/** Everything about the school that is not learning: roles, promotions, affiliates, community, calendar, leads. */
export const officeRoutes = (school: School): SimRoute[] => [
  ...roleRoutes(school),
  ...promotionRoutes(school),
  ...affiliateRoutes(school),
  ...communityRoutes(school),
  ...calendarRoutes(school),
  emptyList('leads'),
  emptyList('installments/active'),
]
