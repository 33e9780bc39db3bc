import { done, type Failure, failed, type Outcome } from '../../../failure.ts'
import type {
  ActualGrant,
  CourseRef,
  GrantRequest,
  GrantResult,
  LmsConnector,
  RevokeRequest,
  RevokeResult,
} from '../../port.ts'
import { learnWorldsFailure } from '../api/errors.ts'
import { collect } from '../api/pages.ts'
import type { ProductRef } from '../api/shapes.ts'
import type { OwnedProduct } from '../api/users.ts'
import { courseRef, isAlreadyOwned, isSameProduct, missingFor, toGrants, toProduct } from '../map.ts'
import type { Context } from './context.ts'

const notFoundCode = 'learnworlds.not_found'
const owned: Outcome<GrantResult> = done({ state: 'active', already: true })
const isFailure = (value: ProductRef | Failure): value is Failure => 'class' in value

const notListed = learnWorldsFailure(
  'conflict',
  'owned_not_listed',
  'The school says owned but does not list the product.',
)
const accessExpired = learnWorldsFailure(
  'needs_person',
  'access_expired',
  'The learner owns the course but the access has run out. Extend it in LearnWorlds, or unenroll and grant again.',
)

/** "Already owned" is also said of access that has run out; then the learner stands outside, and we must not say yes. */
async function confirmOpen(context: Context, request: GrantRequest): Promise<Outcome<GrantResult>> {
  const { client, settings, io } = context
  if (!settings.flags.checkOwnedIsOpen) return owned
  if (request.course.kind !== 'course') {
    const products = await client.users.products(request.account)
    if (!products.ok) return products
    return products.value.items.some((p) => isSameProduct(p, request.course)) ? owned : failed(notListed)
  }
  const enrolled = await collect(client.learning.walkCourses(request.account))
  // It owns a product and yet has no list of them: the statement about the product is the one that was asked for.
  if (!enrolled.ok) return enrolled.failure.code === notFoundCode ? owned : enrolled
  const entry = enrolled.value.find((e) => e.course.id === request.course.externalId)
  if (entry === undefined) return failed(notListed)
  return entry.expires !== null && entry.expires <= io.clock.now() ? failed(accessExpired) : owned
}

/** The same 404 says "no such user" and "no such product". One read tells which. */
async function whatIsMissing(context: Context, request: GrantRequest, failure: Failure): Promise<Failure> {
  const accountCreatedAt = request.accountCreatedAt ?? context.createdAt.get(request.account)
  const windowMs = context.settings.flags.visibilityWindowMs
  const judged = missingFor(failure, { now: context.io.clock.now(), accountCreatedAt, windowMs })
  if (judged.code !== notFoundCode) return judged
  const user = await context.client.users.get(request.account, { includeSuspended: true })
  if (user.ok)
    return learnWorldsFailure('invalid', 'course_not_found', 'The school has no such course, bundle or plan.', {
      status: 404,
      field: 'course',
    })
  if (user.failure.code !== notFoundCode) return user.failure
  return learnWorldsFailure('conflict', 'account_not_found', 'The school has no such account any more.', {
    status: 404,
    field: 'account',
  })
}

async function grant(context: Context, request: GrantRequest): Promise<Outcome<GrantResult>> {
  const product = toProduct(request.course)
  if (isFailure(product)) return failed(product)
  const { client } = context
  if (request.uncertain) {
    const products = await client.users.products(request.account)
    // A 404 here says no more than one to the grant itself would: so let the grant ask, and judge its answer.
    if (!products.ok && products.failure.code !== notFoundCode) return failed(products.failure)
    const listed = products.ok && products.value.items.some((p) => isSameProduct(p, request.course))
    if (listed) return request.course.kind === 'course' ? confirmOpen(context, request) : owned
  }
  const enrolled = await client.enrollment.enroll(request.account, {
    ...product,
    price: 0,
    justification: request.key,
    send_enrollment_email: false,
  })
  if (enrolled.ok) return done({ state: 'active', already: false })
  if (isAlreadyOwned(enrolled.failure)) return confirmOpen(context, request)
  return failed(await whatIsMissing(context, request, enrolled.failure))
}

const stillOwned = learnWorldsFailure('conflict', 'still_owned', 'The school still lists the product after the revoke.')

async function revoke(context: Context, request: RevokeRequest): Promise<Outcome<RevokeResult>> {
  const product = toProduct(request.course)
  if (isFailure(product)) return failed(product)
  const { client, settings } = context
  const removed = await client.enrollment.unenroll(request.account, product)
  const refused = !removed.ok && (removed.failure.class === 'invalid' || removed.failure.class === 'conflict')
  if (!removed.ok && !refused) return removed
  if (removed.ok && !settings.flags.readBackRevoke) return done({ mode: 'remove', already: false, collateral: [] })
  // A 404 also comes from a wrong path: only the list of what the learner owns proves that nothing is left.
  const products = await client.users.products(request.account)
  if (!products.ok) return failed({ ...products.failure, uncertain: true })
  if (products.value.items.some((p) => isSameProduct(p, request.course)))
    return failed(removed.ok ? stillOwned : removed.failure)
  const collateral = await stillOpening(context, request.course, products.value.items)
  return collateral.ok ? done({ mode: 'remove', already: !removed.ok, collateral: collateral.value }) : collateral
}

/** Which of the products left over still open the course, or for a bundle: which of its courses stay open. */
async function stillOpening(
  context: Context,
  course: CourseRef,
  left: readonly OwnedProduct[],
): Promise<Outcome<readonly CourseRef[]>> {
  if (left.length === 0) return done([])
  if (course.kind !== 'course') {
    const members = await contents(
      context,
      course.kind === 'subscription' ? 'subscription' : 'bundle',
      course.externalId,
    )
    if (!members.ok) return members
    const open = left.filter((p) => p.type === 'course' && members.value.includes(p.id))
    return done(open.map((p) => courseRef(p.id)))
  }
  const open: CourseRef[] = []
  for (const product of left) {
    if (product.type === 'course') continue
    const members = await contents(context, product.type, product.id)
    if (!members.ok) return members
    if (members.value.includes(course.externalId)) open.push(courseRef(product.id, product.type))
  }
  return done(open)
}

async function contents(
  context: Context,
  type: 'bundle' | 'subscription',
  id: string,
): Promise<Outcome<readonly string[]>> {
  const key = `${type}/${id}`
  const known = context.contents.get(key)
  if (known !== undefined) return done(known)
  const { catalog } = context.client
  const read = type === 'bundle' ? await catalog.bundle(id) : await catalog.plan(id)
  // A product that left the catalog opens nothing that we could name.
  if (!read.ok)
    return read.failure.code === 'learnworlds.not_found' ? done([]) : failed({ ...read.failure, uncertain: true })
  context.contents.set(key, read.value.products.courses)
  return done(read.value.products.courses)
}

async function list(context: Context, account: string): Promise<Outcome<readonly ActualGrant[]>> {
  const products = await context.client.users.products(account)
  if (!products.ok) return products
  const enrolled = await collect(context.client.learning.walkCourses(account))
  return enrolled.ok ? done(toGrants(products.value.items, enrolled.value)) : enrolled
}

export const entitlementsPort = (context: Context): NonNullable<LmsConnector['entitlements']> => ({
  grant: (request) => grant(context, request),
  revoke: (request) => revoke(context, request),
  list: (account) => list(context, account),
})
