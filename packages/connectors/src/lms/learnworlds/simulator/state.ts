import type { Clock } from '@bursar/kit/clock.ts'
import type { Random } from '@bursar/kit/random.ts'
import type { SchoolVariants } from './options.ts'

export type ProductType = 'course' | 'bundle' | 'subscription'

/** All times in epoch milliseconds; they become seconds on the wire. */
export type SimUser = {
  readonly id: string
  email: string
  username: string
  firstName: string
  lastName: string
  level: 'user' | 'instructor' | 'reporter' | 'seat_manager' | 'admin'
  roleId: string | null
  suspended: boolean
  affiliate: boolean
  tags: string[]
  fields: Record<string, string | null>
  utms: Record<string, string | null>
  marketing: boolean | null
  readonly created: number
  visibleAt: number
  lastLogin: number | null
}

export type SimEnrollment = {
  readonly userId: string
  readonly productId: string
  readonly productType: ProductType
  readonly created: number
  expires: number | null
  readonly justification: string | null
  readonly price: number
  /** How often somebody tried to grant again what was owned. */
  duplicates: number
}

export type SimProgress = {
  readonly userId: string
  readonly courseId: string
  /** Units done, in order. */
  done: number
  timeS: number
  startedAt: number | null
  completedAt: number | null
}

export type SimUnit = { readonly id: string; readonly title: string; readonly type: string }
export type SimCourse = {
  readonly id: string
  title: string
  access: string
  price: number
  readonly categories: readonly string[]
  readonly units: readonly SimUnit[]
  /** Days after which an enrollment ends; null: never. */
  expiresDays: number | null
  readonly created: number
}
export type SimBundle = {
  readonly id: string
  readonly title: string
  readonly access: string
  readonly price: number
  readonly courses: readonly string[]
  readonly created: number
}
export type SimPlan = SimBundle & { readonly interval: number; readonly intervalType: 'day' | 'week' | 'month' }

export type SimCertificate = {
  readonly id: string
  readonly userId: string
  readonly courseId: string
  readonly title: string
  issued: number
  deleted: boolean
}
export type SimEvent = {
  readonly userId: string
  readonly at: number
  readonly activity: string
  readonly info: Readonly<Record<string, unknown>> | null
}
export type SimPayment = {
  readonly id: string
  readonly userId: string
  readonly productId: string
  readonly productType: ProductType
  readonly transactionId: string
  readonly price: number
  readonly gateway: string | null
  readonly created: number
  readonly paidAt: number | null
}
export type SimJob = {
  readonly id: string
  readonly action: 'complete' | 'reset'
  readonly readyAt: number
  applied: boolean
  readonly userId: string
  readonly courseId: string
  /** Units done when it takes effect: so many more, or less when negative. */
  readonly units: number
}
export type SimGroup = {
  readonly id: string
  title: string
  courses: readonly string[]
  enrolls: boolean
  /** Only for seat offerings. */
  seats: number
  readonly users: Set<string>
  readonly created: number
}

export type SimCoupon = {
  readonly code: string
  readonly quantity: number | null
  readonly expires: string | null
  readonly bulk: boolean
  readonly prefix: string | null
}
export type SimPromotion = {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly value: number
  readonly coupons: SimCoupon[]
  readonly created: number
}

export type SchoolState = {
  /** By id, oldest first. */
  readonly users: Map<string, SimUser>
  readonly userByEmail: Map<string, string>
  readonly enrollments: Map<string, Map<string, SimEnrollment>>
  readonly progress: Map<string, SimProgress>
  readonly courses: Map<string, SimCourse>
  readonly bundles: Map<string, SimBundle>
  readonly plans: Map<string, SimPlan>
  readonly certificates: SimCertificate[]
  readonly events: SimEvent[]
  readonly payments: SimPayment[]
  readonly jobs: Map<string, SimJob>
  readonly groups: Map<string, SimGroup>
  readonly seats: Map<string, SimGroup>
  readonly promotions: Map<string, SimPromotion>
  /** Of the one community space. */
  readonly members: Set<string>
  readonly logins: Map<string, { readonly userId: string; readonly redirectUrl: string; usedAt: number | null }>
  readonly counts: { calls: number; limited: number; denied: number; tokens: number; byRoute: Record<string, number> }
}

export const emptyState = (): SchoolState => ({
  users: new Map(),
  userByEmail: new Map(),
  enrollments: new Map(),
  progress: new Map(),
  courses: new Map(),
  bundles: new Map(),
  plans: new Map(),
  certificates: [],
  events: [],
  payments: [],
  jobs: new Map(),
  groups: new Map(),
  seats: new Map(),
  promotions: new Map(),
  members: new Set(),
  logins: new Map(),
  counts: { calls: 0, limited: 0, denied: 0, tokens: 0, byRoute: {} },
})

/** What every part of the simulator works with. `state` is replaced on reset, so it is always read through here. */
export type School = {
  state: SchoolState
  variants: SchoolVariants
  readonly clock: Clock
  readonly random: Random
  readonly name: string
  readonly origin: string | null
  readonly clientId: string
  readonly clientSecret: string
  readonly accessToken: string
  readonly tokens: Map<string, number>
  signIn: SignIn
  /** Puts an event into the outgoing webhooks. */
  emit: (type: string, trigger: string, data: unknown) => void
}

/** How people sign in at the school by themselves. Settings of its owner, so a reset keeps them. */
export type SignIn = {
  /** The OpenID provider the school signs its people in at. */
  readonly oidc: { readonly issuer: string; readonly clientId: string; readonly clientSecret: string } | null
  /** The page of the owner's own that signs people in ("custom SSO page"). */
  readonly page: string | null
}

export const hexId = (random: Random): string => Buffer.from(random.bytes(12)).toString('hex')

export const productKey = (type: ProductType, id: string) => `${type}:${id}`

// Bounded, so that a long storm does not fill the memory; the oldest rows go first.
const eventsMax = 200_000

export function logEvent(school: School, userId: string, activity: string, info: SimEvent['info'] = null): void {
  const { events } = school.state
  events.push({ userId, at: school.clock.now(), activity, info })
  if (events.length > eventsMax) events.splice(0, events.length - eventsMax)
}

/** The courses behind a product; undefined when there is no such product. */
export function coursesOf(school: School, type: ProductType, id: string): readonly string[] | undefined {
  const { courses, bundles, plans } = school.state
  if (type === 'course') return courses.has(id) ? [id] : undefined
  return (type === 'bundle' ? bundles : plans).get(id)?.courses
}

export const ownedBy = (school: School, userId: string): readonly SimEnrollment[] => [
  ...(school.state.enrollments.get(userId)?.values() ?? []),
]

/** Each course a user can open, with the enrollment through which he does. */
export function openCourses(school: School, userId: string): ReadonlyMap<string, SimEnrollment> {
  const open = new Map<string, SimEnrollment>()
  for (const enrollment of ownedBy(school, userId))
    for (const course of coursesOf(school, enrollment.productType, enrollment.productId) ?? [])
      if (!open.has(course) || enrollment.productType === 'course') open.set(course, enrollment)
  return open
}
