import { stamp } from './respond.ts'
import type { School, SimBundle, SimCourse, SimEnrollment, SimPlan, SimUser } from './state.ts'

const fieldNames = [
  'bio',
  'location',
  'url',
  'fb',
  'twitter',
  'instagram',
  'linkedin',
  'skype',
  'behance',
  'dribbble',
  'github',
  'phone',
  'address',
  'country',
  'birthday',
  'company',
  'company_size',
  'university',
  'graduation_year',
] as const

const noFields = Object.fromEntries(fieldNames.map((name) => [name, null]))

/** A user as the API shows it. Newer schools add the two names. */
export function showUser(school: School, user: SimUser) {
  const names =
    school.variants.spec === 'S25'
      ? {}
      : school.variants.nameMode === 'username'
        ? { first_name: '', last_name: user.username }
        : { first_name: user.firstName, last_name: user.lastName }
  return {
    id: user.id,
    email: user.email,
    username: user.username,
    ...names,
    subscribed_for_marketing_emails: user.marketing,
    eu_customer: null,
    is_admin: user.level === 'admin',
    is_instructor: user.level === 'instructor',
    is_suspended: user.suspended,
    is_reporter: user.level === 'reporter',
    is_affiliate: user.affiliate,
    role: { level: user.level, name: user.level === 'user' ? 'User' : user.level },
    referrer_id: null,
    created: stamp(school, user.created),
    last_login: stamp(school, user.lastLogin),
    signup_approval_status: 'passed',
    fields: { ...noFields, ...user.fields },
    tags: user.tags,
    utms: user.utms,
    billing_info: null,
    nps_score: null,
    nps_comment: null,
  }
}

export function showCourse(school: School, course: SimCourse) {
  return {
    id: course.id,
    title: course.title,
    expires: course.expiresDays,
    expiresType: 'days',
    afterPurchase: { type: 'course', settings: { url: null, page: null } },
    categories: course.categories,
    description: null,
    label: null,
    author: { name: 'Ines Moreau', image: '' },
    courseImage: null,
    original_price: course.price,
    discount_price: 0,
    final_price: course.price,
    dripFeed: 'none',
    identifiers: { google_store_id: '', apple_store_id: '' },
    access: course.access,
    created: stamp(school, course.created),
    modified: stamp(school, course.created),
  }
}

export const showBundle = (school: School, bundle: SimBundle) => ({
  id: bundle.id,
  title: bundle.title,
  products: { courses: bundle.courses },
  image: null,
  description: null,
  access: bundle.access,
  created: stamp(school, bundle.created),
  modified: stamp(school, bundle.created),
  afterPurchase: { type: 'none', settings: { url: null, page: null } },
  price: bundle.price,
  paymentPlans: [],
})

export const showPlan = (school: School, plan: SimPlan) => ({
  id: plan.id,
  title: plan.title,
  stripePlanId: `plan_${plan.id}`,
  description: null,
  products: { courses: plan.courses },
  image: null,
  interval: plan.interval,
  interval_type: plan.intervalType,
  trial_period_days: 0,
  access: plan.access,
  price: plan.price,
  created: stamp(school, plan.created),
  modified: stamp(school, plan.created),
})

export const titleOf = (school: School, type: SimEnrollment['productType'], id: string): string => {
  const { courses, bundles, plans } = school.state
  const product = type === 'course' ? courses.get(id) : type === 'bundle' ? bundles.get(id) : plans.get(id)
  return product?.title ?? id
}

export function showPaymentProduct(school: School, type: SimEnrollment['productType'], id: string) {
  const { courses, bundles, plans } = school.state
  const price = (type === 'course' ? courses.get(id) : type === 'bundle' ? bundles.get(id) : plans.get(id))?.price ?? 0
  return {
    id,
    type,
    name: titleOf(school, type, id),
    description: null,
    image: null,
    trial_days: 0,
    original_price: price,
    discount_price: 0,
    final_price: price,
  }
}
