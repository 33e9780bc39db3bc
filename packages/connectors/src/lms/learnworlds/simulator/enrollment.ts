import { day } from '@bursar/kit/clock.ts'
import type { SimReply, SimRequest, SimRoute } from '../../../simulator/server.ts'
import {
  findUser,
  invalid,
  missing,
  namedUser,
  noContent,
  ok,
  page,
  problem,
  readBody,
  stamp,
  textOf,
} from './respond.ts'
import { showCourse, showPaymentProduct, showUser, titleOf } from './show.ts'
import {
  coursesOf,
  hexId,
  logEvent,
  openCourses,
  ownedBy,
  type ProductType,
  productKey,
  type School,
  type SimEnrollment,
  type SimUser,
} from './state.ts'

type Asked = { readonly type: ProductType; readonly id: string }

function readProduct(request: SimRequest): Asked | SimReply {
  const body = readBody(request)
  if (body === null) return invalid('productId', 'The productId is required.')
  const id = textOf(body, 'productId')
  const type = textOf(body, 'productType')
  if (id === null) return invalid('productId', 'The productId is required.')
  if (type !== 'course' && type !== 'bundle' && type !== 'subscription')
    return invalid('productType', 'The productType must be course, bundle or subscription.')
  return { id, type }
}

const isReply = (value: Asked | SimReply): value is SimReply => 'status' in value

const monthMs = 30 * day
const durations: Readonly<Record<string, number>> = { days: day, weeks: 7 * day, months: monthMs }

function expiryOf(school: School, { id, type }: Asked, body: ReturnType<typeof readBody>): number | null {
  const now = school.clock.now()
  if (type === 'course') {
    const days = school.state.courses.get(id)?.expiresDays ?? null
    return days === null ? null : now + days * day
  }
  const unit = durations[textOf(body, 'duration_type') ?? '']
  const amount = Number(body?.duration ?? 0)
  return type === 'subscription' && unit !== undefined && amount >= 1 ? now + unit * amount : null
}

/** Writes an enrollment down as the school does: the row, the log, the payment and both webhooks. */
export function addEnrollment(
  school: School,
  user: SimUser,
  asked: Asked,
  more: { readonly justification: string | null; readonly price: number; readonly expires: number | null },
): SimEnrollment {
  const now = school.clock.now()
  const enrollment: SimEnrollment = {
    userId: user.id,
    productId: asked.id,
    productType: asked.type,
    created: now,
    duplicates: 0,
    ...more,
  }
  const owned = school.state.enrollments.get(user.id) ?? new Map<string, SimEnrollment>()
  owned.set(productKey(asked.type, asked.id), enrollment)
  school.state.enrollments.set(user.id, owned)
  const activity = school.variants.spec === 'S25' ? 'manual_enrollment' : 'enrollment'
  const info = { product: { id: asked.id, type: asked.type }, justification: more.justification, is_manual: true }
  logEvent(school, user.id, activity, school.variants.spec === 'S25' ? null : info)
  const payment = {
    id: hexId(school.random),
    userId: user.id,
    productId: asked.id,
    productType: asked.type,
    transactionId: more.justification ?? 'Added by admin',
    price: more.price,
    gateway: null,
    created: now,
    paidAt: more.price > 0 ? now : null,
  }
  if (more.price > 0) school.state.payments.push(payment)
  const shown = {
    payment: { ...showPayment(school, payment) },
    user: showUser(school, user),
  }
  // The documented sample of a started subscription nests the user in a second `user`.
  if (asked.type === 'subscription')
    school.emit('subscriptionPaymentPlanBought', 'subscription_started', {
      date: stamp(school, now),
      payment: shown.payment,
      user: { user: shown.user },
    })
  else school.emit('productBought', 'new_purchase', { ip_address: null, ...shown })
  if (more.price > 0) school.emit('paymentCreated', 'new_purchase', shown)
  return enrollment
}

/** Amounts: older schools send the discount as a number, newer ones as an object with its currency. */
export function showPayment(school: School, payment: School['state']['payments'][number]) {
  const newer = school.variants.spec === 'S26'
  const product = showPaymentProduct(school, payment.productType, payment.productId)
  return {
    id: payment.id,
    transaction_id: payment.transactionId,
    type: payment.productType === 'subscription' ? 'subscription' : 'one-off',
    product,
    ...(newer ? { products: [product], currency_code: 'EUR', external_invoice: null } : {}),
    price: payment.price,
    discount: newer ? { amount: 0, currency: 'EUR' } : 0,
    refund_at: null,
    user_id: payment.userId,
    paid_at: stamp(school, payment.paidAt),
    invoice: null,
    billing_info: null,
    coupon: null,
    instructors: [],
    instructors_total_percentage: null,
    tax_amount: 0,
    tax_percentage: 0,
    affiliate: null,
    period: null,
    payment_plan_current_payment: null,
    payment_plan_total_payments: null,
    gateway: payment.gateway,
    created: stamp(school, payment.created),
  }
}

function enroll(school: School, request: SimRequest): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  const asked = readProduct(request)
  if (isReply(asked)) return asked
  const body = readBody(request)
  if (typeof body?.price !== 'number') return invalid('price', 'The price is required.')
  if (coursesOf(school, asked.type, asked.id) === undefined) return missing
  const before = school.state.enrollments.get(user.id)?.get(productKey(asked.type, asked.id))
  if (before !== undefined) {
    before.duplicates += 1
    return problem(school.variants.alreadyOwnedStatus, 'Product is already owned')
  }
  addEnrollment(school, user, asked, {
    justification: textOf(body, 'justification'),
    price: body.price,
    expires: expiryOf(school, asked, body),
  })
  return ok({ success: true })
}

/** Takes a product away. True when the user had it. */
export function removeEnrollment(school: School, user: SimUser, asked: Asked): boolean {
  const owned = school.state.enrollments.get(user.id)
  const enrollment = owned?.get(productKey(asked.type, asked.id))
  if (owned === undefined || enrollment === undefined) return false
  owned.delete(productKey(asked.type, asked.id))
  if (asked.type !== 'course' && school.variants.bundleUnenroll === 'keeps_courses')
    for (const id of coursesOf(school, asked.type, asked.id) ?? [])
      if (!owned.has(productKey('course', id)))
        owned.set(productKey('course', id), { ...enrollment, productId: id, productType: 'course', duplicates: 0 })
  const product = { id: asked.id, title: titleOf(school, asked.type, asked.id), type: asked.type }
  school.emit('userUnenrolledFromProduct', 'unenrolled_from_product', { product, user: showUser(school, user) })
  return true
}

function unenroll(school: School, request: SimRequest): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  const asked = readProduct(request)
  if (isReply(asked)) return asked
  return removeEnrollment(school, user, asked) ? noContent : missing
}

function products(school: School, request: SimRequest): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  const data = ownedBy(school, user.id).map((e) => ({
    id: e.productId,
    title: titleOf(school, e.productType, e.productId),
    type: e.productType,
  }))
  return ok({ data })
}

function courses(school: School, request: SimRequest): SimReply {
  const user = findUser(school, namedUser(request))
  if (user === undefined) return missing
  const rows = [...openCourses(school, user.id)].reverse()
  return page(request, rows, { size: 50 }, ([id, enrollment]) => {
    const course = school.state.courses.get(id)
    return {
      created: stamp(school, enrollment.created),
      expires: stamp(school, enrollment.expires),
      course: course === undefined ? { id } : showCourse(school, course),
    }
  })
}

const base = '/admin/api/v2/users/:id'

export const enrollmentRoutes = (school: School): SimRoute[] => [
  { method: 'POST', pattern: `${base}/enrollment`, handle: (request) => enroll(school, request) },
  { method: 'DELETE', pattern: `${base}/enrollment`, handle: (request) => unenroll(school, request) },
  { method: 'GET', pattern: `${base}/products`, handle: (request) => products(school, request) },
  { method: 'GET', pattern: `${base}/courses`, handle: (request) => courses(school, request) },
]
