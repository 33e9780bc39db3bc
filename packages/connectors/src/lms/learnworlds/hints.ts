import type { CourseKind, CourseRef, LmsHint } from '../port.ts'

type Data = Readonly<Record<string, unknown>>

const record = (value: unknown): Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Data) : {}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** Three places are known: `data.user`, a second `user` inside it, and for tags the data itself. */
function accountOf(data: Data): string | null {
  const user = record(data.user)
  const inCertificate = record(record(data.certificate).user)
  return text(record(user.user).id) ?? text(user.id) ?? text(inCertificate.id)
}

const kinds: ReadonlySet<string> = new Set<CourseKind>(['course', 'bundle', 'subscription'])

function productRef(product: Data, otherwise: CourseKind): CourseRef | null {
  const externalId = text(product.id)
  if (externalId === null) return null
  const type = text(product.type)
  return { kind: type !== null && kinds.has(type) ? (type as CourseKind) : otherwise, externalId }
}

/**
 * Our own key when the payment may be the echo of a grant of ours: such a row has no gateway and carries the
 * justification as its transaction id. Whoever reads it compares it with the keys they know.
 */
function echo(payment: Data): string | null {
  const known = text(payment.gateway)
  const id = text(payment.transaction_id)
  return known === null && id !== 'Added by admin' ? id : null
}

const other = (type: string): readonly LmsHint[] => [{ kind: 'other', type }]

/** What a delivery makes worth reading again. Never a fact: the token proves the sender, not the body. */
export function hintsOf(type: string, data: Data): readonly LmsHint[] {
  const account = accountOf(data) ?? (type.startsWith('userTag') ? text(data.id) : null)
  if (account === null) return other(type)
  switch (type) {
    case 'userUpdated':
    case 'userTagAdded':
    case 'userTagDeleted':
      return [{ kind: 'account_changed', account }]
    case 'productBought':
    case 'paymentCreated': {
      const payment = record(data.payment)
      const course = productRef(record(payment.product), 'course')
      return [{ kind: 'enrollment_changed', account, course, ours: echo(payment) }]
    }
    case 'enrolledFreeCourse':
      return [{ kind: 'enrollment_changed', account, course: productRef(record(data.course), 'course'), ours: null }]
    case 'userUnenrolledFromProduct':
      return [{ kind: 'enrollment_changed', account, course: productRef(record(data.product), 'course'), ours: null }]
    case 'subscriptionPaymentPlanBought': {
      const payment = record(data.payment)
      const course = productRef(record(payment.product), 'subscription')
      return [{ kind: 'enrollment_changed', account, course, ours: echo(payment) }]
    }
    case 'subscriptionPaymentPlanCanceled':
    case 'subscriptionTrialStarted':
    case 'subscriptionTrialWillEnd':
    case 'subscriptionUpdated': {
      const product = productRef(record(data.product), 'subscription')
      return [{ kind: 'enrollment_changed', account, course: product, ours: null }]
    }
    case 'courseCompleted': {
      const course = productRef({ id: record(data.course).id }, 'course')
      return [{ kind: 'progress_changed', account, course }]
    }
    case 'learningProgramCompleted': {
      const course = productRef({ id: record(data.learningProgram).id }, 'program')
      return [{ kind: 'progress_changed', account, course }]
    }
    case 'awardedCertificate': {
      const course = productRef({ id: record(data.certificate).course_id }, 'course')
      return [{ kind: 'certificate_changed', account, course }]
    }
    default:
      return other(type)
  }
}
