import * as z from 'zod'
import { type PageRequest, readPage, walk } from './pages.ts'
import { maybe, maybeNumber, maybeText, maybeTime, texts } from './shapes.ts'
import { path, type Transport } from './transport.ts'

export const courseSchema = z.looseObject({
  id: z.string().min(1),
  title: z.string().catch(''),
  access: maybeText,
  description: maybeText,
  label: maybeText,
  categories: texts,
  courseImage: maybeText,
  expires: maybeNumber,
  expiresType: maybeText,
  original_price: maybeNumber,
  discount_price: maybeNumber,
  final_price: maybeNumber,
  dripFeed: maybeText,
  identifiers: maybe(z.looseObject({})),
  author: maybe(z.looseObject({ name: maybeText, image: maybeText })),
  created: maybeTime,
  modified: maybeTime,
})
export type Course = z.output<typeof courseSchema>

// A course of a bundle is a slug; some answers wrap it in an object.
const courseSlugs = z
  .array(z.union([z.string(), z.looseObject({ id: z.string() }).transform((course) => course.id)]))
  .catch([])
const contained = z.looseObject({ courses: courseSlugs }).catch({ courses: [] })

export const bundleSchema = z.looseObject({
  id: z.string().min(1),
  title: z.string().catch(''),
  products: contained,
  access: maybeText,
  description: maybeText,
  image: maybeText,
  price: maybeNumber,
  created: maybeTime,
  modified: maybeTime,
  paymentPlans: z.array(z.looseObject({})).catch([]),
})
export type Bundle = z.output<typeof bundleSchema>

export const planSchema = z.looseObject({
  id: z.string().min(1),
  title: z.string().catch(''),
  products: contained,
  access: maybeText,
  stripePlanId: maybeText,
  interval: maybeNumber,
  interval_type: maybeText,
  trial_period_days: maybeNumber,
  price: maybeNumber,
  created: maybeTime,
  modified: maybeTime,
})
export type Plan = z.output<typeof planSchema>

const unitSchema = z.looseObject({
  id: z.string(),
  type: maybeText,
  title: maybeText,
  subtitle: maybeText,
  icon: maybeText,
})
const contentsSchema = z.looseObject({
  id: z.string(),
  title: maybeText,
  sections: z
    .array(
      z.looseObject({
        id: z.string(),
        title: maybeText,
        access: maybeText,
        drip: maybe(z.looseObject({})),
        learningUnits: z.array(unitSchema).catch([]),
      }),
    )
    .catch([]),
})
const figures = z.looseObject({})

export type CourseFilter = { readonly categories?: readonly string[]; readonly access?: readonly string[] }
export type NewCourse = {
  readonly titleId: string
  readonly title: string
  readonly access: 'paid' | 'free' | 'coming_soon' | 'private' | 'draft'
  readonly description?: string
  readonly price?: number
  readonly dripFeed?: 'days' | 'date' | 'none'
  readonly categories?: readonly string[]
  readonly label?: string
}
export type CourseChange = Partial<Omit<NewCourse, 'titleId' | 'access'>> & {
  readonly access?: NewCourse['access'] | 'enrollment_closed'
}
export type NewSection = {
  readonly title: string
  readonly access: 'draft' | 'soon' | 'free' | 'paid'
  readonly description?: string
  readonly drip?: Readonly<Record<string, string | number | boolean>>
}

/** Courses, bundles and plans are named by slugs, not by hexadecimal ids. */
export function catalogApi(transport: Transport) {
  const { call } = transport
  const courses = (filter: CourseFilter = {}) => ({
    path: '/v2/courses',
    item: courseSchema,
    query: { categories: filter.categories, access: { repeated: filter.access ?? [] } },
  })
  const bundles = { path: '/v2/bundles', item: bundleSchema }
  const plans = { path: '/v2/subscription-plans', item: planSchema }
  return {
    pageCourses: (filter?: CourseFilter, page?: PageRequest) => readPage(transport, courses(filter), page),
    walkCourses: (filter?: CourseFilter, page?: PageRequest) => walk(transport, courses(filter), page),
    course: (id: string) => call({ method: 'GET', path: path`/v2/courses/${id}`, answer: courseSchema }),
    createCourse: (course: NewCourse) =>
      call({ method: 'POST', path: '/v2/courses', body: course, answer: courseSchema }),
    updateCourse: (id: string, change: CourseChange) =>
      call({ method: 'PUT', path: path`/v2/courses/${id}`, body: change, answer: courseSchema }),
    contents: (id: string) => call({ method: 'GET', path: path`/v2/courses/${id}/contents`, answer: contentsSchema }),
    createSection: (id: string, section: NewSection) =>
      call({ method: 'POST', path: path`/v2/courses/${id}/sections`, body: section, answer: contentsSchema }),
    analytics: (id: string) => call({ method: 'GET', path: path`/v2/courses/${id}/analytics`, answer: figures }),
    unitAnalytics: (id: string, unit: string) =>
      call({ method: 'GET', path: path`/v2/courses/${id}/units/${unit}/analytics`, answer: figures }),
    pageBundles: (page?: PageRequest) => readPage(transport, bundles, page),
    walkBundles: (page?: PageRequest) => walk(transport, bundles, page),
    bundle: (id: string) => call({ method: 'GET', path: path`/v2/bundles/${id}`, answer: bundleSchema }),
    pagePlans: (page?: PageRequest) => readPage(transport, plans, page),
    walkPlans: (page?: PageRequest) => walk(transport, plans, page),
    plan: (id: string) => call({ method: 'GET', path: path`/v2/subscription-plans/${id}`, answer: planSchema }),
  }
}
