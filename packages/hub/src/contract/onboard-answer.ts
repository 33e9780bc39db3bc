import { isInsidePath } from '#entitlements/launch-path.ts'
import type { SignedIn } from '#identity/signed-in.ts'
import { launchPathOf, type SeatShown } from '#orders/view.ts'
import type { OnboardInput } from './onboard-body.ts'

export type OnboardStatus = 'open' | 'preparing' | 'failed'

export type OnboardAnswer = {
  readonly success: boolean
  readonly status: OnboardStatus
  /** A path of this hub that signs the session's own person in at the school when posted to; never a login itself. */
  readonly loginUrl: string | null
  readonly enrollments: readonly {
    readonly enrollmentId: string | null
    readonly courseId: string
    readonly kind: string
    readonly title: string
    readonly school: string
    readonly status: OnboardStatus
    readonly message: string
  }[]
  readonly message: string
  /** What would help: `wait` (it goes on by itself), `contact` (a person must act). */
  readonly action?: 'wait' | 'contact'
}

const statusOf = (seat: SeatShown): OnboardStatus =>
  seat.state === 'open' ? 'open' : seat.stuck || seat.state === 'closed' ? 'failed' : 'preparing'

/** How far it got. Open only when every seat is; failed only when waiting helps none of the others. */
export function answerOf(input: OnboardInput, signedIn: SignedIn, seats: readonly SeatShown[]): OnboardAnswer {
  const words = seats.map(statusOf)
  const status: OnboardStatus =
    words.length > 0 && words.every((w) => w === 'open') ? 'open' : words.includes('preparing') ? 'preparing' : 'failed'
  const first = seats.find((s) => s.state === 'open' && wished(s, input)) ?? seats.find((s) => s.state === 'open')
  return {
    success: status !== 'failed',
    status,
    loginUrl: first?.enrollmentId == null ? null : launchPathOf(first.enrollmentId) + landing(input),
    enrollments: seats.map((s) => ({
      enrollmentId: s.enrollmentId,
      courseId: s.externalId,
      kind: s.kind,
      title: s.course,
      school: s.school,
      status: statusOf(s),
      message: s.message,
    })),
    message: [sentences[status](seats), ...notes(input, signedIn)].join(' '),
    ...(status === 'open' ? {} : { action: status === 'preparing' ? ('wait' as const) : ('contact' as const) }),
  }
}

const sentences: Readonly<Record<OnboardStatus, (seats: readonly SeatShown[]) => string>> = {
  open: () => 'Everything you bought is open.',
  preparing: () =>
    'Your purchase is yours; the school is still being asked. It opens by itself, you need not pay again.',
  failed: (seats) =>
    seats.length === 0
      ? 'The payment is here, but it is not clear yet which course it buys. Whoever sold it knows about it.'
      : (seats.find((s) => statusOf(s) === 'failed')?.message ?? 'A person must look at this purchase.'),
}

const wished = (seat: SeatShown, { courseIds = [], bundleIds = [] }: OnboardInput): boolean =>
  [...courseIds, ...bundleIds].some((name) => seat.externalId === name || seat.courseId === name)

const landing = ({ redirectTo }: OnboardInput): string =>
  redirectTo !== undefined && isInsidePath(redirectTo) ? `?${new URLSearchParams({ redirectTo })}` : ''

/** What was sent and not used, so that nobody believes it was. */
function notes(input: OnboardInput, signedIn: SignedIn): string[] {
  const found: string[] = []
  const sent = input.email?.trim().toLowerCase()
  if (sent !== undefined && sent !== signedIn.email?.trim().toLowerCase())
    found.push('The e-mail address in the request differs from the session and was ignored.')
  if (input.auth0UserId !== undefined && input.auth0UserId !== signedIn.subject)
    found.push('The user id in the request differs from the session and was ignored.')
  if (input.redirectTo !== undefined && !isInsidePath(input.redirectTo))
    found.push('redirectTo is no path inside the school and was ignored.')
  return found
}
