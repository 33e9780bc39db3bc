import type { Failure } from '../../failure.ts'
import type {
  Account,
  ActualGrant,
  CatalogItem,
  CertificateFact,
  CourseKind,
  CourseRef,
  ProgressFact,
} from '../port.ts'
import type { Bundle, Course, Plan } from './api/catalog.ts'
import { learnWorldsFailure } from './api/errors.ts'
import type { Certificate, CourseProgress, Enrolled } from './api/learning.ts'
import type { ProductRef, ProductType } from './api/shapes.ts'
import type { OwnedProduct, User } from './api/users.ts'

/** Everyone who is more than a learner: the hub neither opens nor adopts such an account on its own. */
export const isPrivileged = (user: User): boolean =>
  user.is_admin || user.is_instructor || user.is_reporter || (user.role !== null && user.role.level !== 'user')

export const toAccount = (user: User): Account => ({
  externalId: user.id,
  email: user.email,
  privileged: isPrivileged(user),
  suspended: user.is_suspended,
})

/** Their product type for our kind; null for what LearnWorlds does not have. Programs answer on the bundle calls. */
export function toProductType(kind: CourseKind): ProductType | null {
  switch (kind) {
    case 'course':
      return 'course'
    case 'bundle':
    case 'program':
      return 'bundle'
    case 'subscription':
      return 'subscription'
    case 'class':
    case 'offer':
    case 'voucher':
      return null
  }
}

export function toProduct(course: CourseRef): ProductRef | Failure {
  const productType = toProductType(course.kind)
  if (productType === null)
    return learnWorldsFailure('invalid', 'kind_unknown', `LearnWorlds has no product of the kind ${course.kind}.`)
  return { productId: course.externalId, productType }
}

export const courseRef = (externalId: string, kind: CourseKind = 'course'): CourseRef => ({ kind, externalId })

/** A program and a bundle of the same slug are one product. */
export const isSameProduct = (product: { readonly id: string; readonly type: ProductType }, course: CourseRef) =>
  product.id === course.externalId && product.type === toProductType(course.kind)

// `access` decides what the school offers; a course that is not offered may still be granted by us.
const offered = new Set(['paid', 'free', 'public'])

export const toCatalogItem = (item: Course | Bundle | Plan, kind: ProductType): CatalogItem => ({
  kind,
  externalId: item.id,
  title: item.title,
  onSale: item.access !== null && offered.has(item.access),
  contains: contained(item).map((id) => courseRef(id)),
  raw: item,
})

const contained = (item: Course | Bundle | Plan): readonly string[] => {
  const products = item.products as Bundle['products'] | undefined
  return products?.courses ?? []
}

/**
 * What a user owns, with the dates where the school tells them. A course that is enrolled without being owned comes
 * through a bundle or a plan; it is marked `indirect`.
 */
export function toGrants(products: readonly OwnedProduct[], enrolled: readonly Enrolled[]): readonly ActualGrant[] {
  const byCourse = new Map(enrolled.map((entry) => [entry.course.id, entry]))
  const owned = products.map((product): ActualGrant => {
    const entry = product.type === 'course' ? byCourse.get(product.id) : undefined
    return {
      course: courseRef(product.id, product.type),
      since: entry?.created ?? null,
      expiresAt: entry?.expires ?? null,
      raw: { product, enrollment: entry ?? null },
    }
  })
  const direct = new Set(products.filter((p) => p.type === 'course').map((p) => p.id))
  const indirect = enrolled
    .filter((entry) => !direct.has(entry.course.id))
    .map(
      (entry): ActualGrant => ({
        course: courseRef(entry.course.id),
        since: entry.created,
        expiresAt: entry.expires,
        indirect: true,
        raw: { product: null, enrollment: entry },
      }),
    )
  return [...owned, ...indirect]
}

const statusOf = (progress: CourseProgress): ProgressFact['status'] => {
  switch (progress.status) {
    case 'completed':
      return 'completed'
    case 'not_started':
      return 'not_started'
    case 'not_completed':
      return 'in_progress'
    case null:
      return 'unknown'
  }
}

/** A missing percentage stays unknown; it never becomes 0. */
export const toProgress = (progress: CourseProgress): ProgressFact => ({
  course: courseRef(progress.course_id),
  status: statusOf(progress),
  grain: progress.progress_rate === null ? 'unknown' : 'percent',
  percent: progress.progress_rate,
  score: progress.average_score_rate,
  timeSpentS: progress.time_on_course,
  unitsDone: progress.completed_units,
  unitsTotal: progress.total_units,
  completedAt: progress.completed_at,
  raw: progress,
})

export const toCertificate = (certificate: Certificate): CertificateFact => ({
  externalId: certificate.id,
  account: certificate.user.id,
  course: courseRef(certificate.course_id),
  title: certificate.title,
  issuedAt: certificate.issued,
  state: certificate.status === 'deleted' ? 'revoked' : 'active',
  // Webhooks carry `false` where there is no short address.
  url: certificate.external_url ?? (certificate.short_url === false ? null : certificate.short_url),
  raw: certificate,
})

export const isAlreadyOwned = (failure: Failure): boolean => failure.code === 'learnworlds.already_owned'

/**
 * Whether a refused create may mean that the account exists: any refusal of the request itself. The documentation
 * names no status for a duplicate, so the text alone does not decide; a look-up does.
 */
export const mayExist = (failure: Failure): boolean => failure.class === 'invalid' || failure.class === 'conflict'

/** What a 404 on a grant means, given when we created the account. */
export function missingFor(
  failure: Failure,
  context: { readonly now: number; readonly accountCreatedAt: number | undefined; readonly windowMs: number },
): Failure {
  if (failure.code !== 'learnworlds.not_found') return failure
  const { accountCreatedAt, now, windowMs } = context
  if (accountCreatedAt === undefined || now - accountCreatedAt > windowMs) return failure
  return learnWorldsFailure('not_yet_visible', 'account_not_visible', 'The school does not see the new account yet.', {
    status: 404,
  })
}
