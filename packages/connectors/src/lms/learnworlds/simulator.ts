import type { Http } from '@bursar/kit/http.ts'
import type { SimRoute, Simulator } from '../../simulator/server.ts'
import { startSimulator } from '../../simulator/server.ts'
import { catalogRoutes } from './simulator/catalog.ts'
import { controlRoutes } from './simulator/control.ts'
import { enrollmentRoutes } from './simulator/enrollment.ts'
import { createGuard, createLimiter, tokenRoutes } from './simulator/gate.ts'
import { groupRoutes } from './simulator/groups.ts'
import { learningRoutes, settleJobs } from './simulator/learning.ts'
import { recall, remember } from './simulator/memory.ts'
import { officeRoutes } from './simulator/office.ts'
import {
  defaults,
  defaultVariants,
  type LearnWorldsSimulatorOptions,
  type SchoolVariants,
} from './simulator/options.ts'
import { recordRoutes } from './simulator/records.ts'
import { missing } from './simulator/respond.ts'
import { resultRoutes } from './simulator/results.ts'
import { seed } from './simulator/seed.ts'
import { signInRoutes } from './simulator/sign-in.ts'
import { ssoRoutes } from './simulator/sso.ts'
import { emptyState, type School, type SchoolState, type SignIn } from './simulator/state.ts'
import { userRoutes } from './simulator/users.ts'
import { createOutbox, type Outbox } from './simulator/webhooks.ts'

export type { LearnWorldsSimulatorOptions, SchoolVariants } from './simulator/options.ts'

export type LearnWorldsSnapshot = {
  readonly name: string
  readonly users: readonly unknown[]
  readonly enrollments: readonly unknown[]
  readonly progress: readonly unknown[]
  readonly certificates: readonly unknown[]
  readonly courses: readonly unknown[]
  readonly bundles: readonly unknown[]
  readonly plans: readonly unknown[]
  readonly webhooks: { readonly waiting: number; readonly delivered: number }
  readonly counts: SchoolState['counts']
}

export type LearnWorldsSimulator = Simulator & {
  readonly clientId: string
  readonly clientSecret: string
  readonly accessToken: string
  readonly webhookToken: string
  /** The live state; reading it costs no call and no limit. */
  school(): SchoolState
  /** A copy that can be shown and compared, as GET /_sim/state answers it. */
  state(): LearnWorldsSnapshot
  reset(): void
  set(variants: Partial<SchoolVariants>): void
  /** How people sign in at the school by themselves; POST /_sim/sign-in does the same. Needs `http`. */
  setSignIn(how: Partial<SignIn>): void
  readonly webhooks: Outbox
  /**
   * Everything the school knows, for `restore` in another process: people, enrollments, progress, waiting jobs and
   * undelivered webhooks. Faults, the log and the spent rate limit are not kept.
   */
  snapshot(): Buffer
  /** Makes this the school of the snapshot. Throws, and changes nothing, for bytes that are none. */
  restore(data: Buffer): void
  /** Differs from before when the school may have changed since. */
  version(): string
}

function shown(school: School, outbox: Outbox): LearnWorldsSnapshot {
  const { state } = school
  const deliveries = outbox.list()
  return structuredClone({
    name: school.name,
    users: [...state.users.values()],
    enrollments: [...state.enrollments.values()].flatMap((owned) => [...owned.values()]),
    progress: [...state.progress.values()],
    certificates: state.certificates,
    courses: [...state.courses.values()],
    bundles: [...state.bundles.values()],
    plans: [...state.plans.values()],
    webhooks: {
      waiting: deliveries.filter((d) => d.deliveredAt === null).length,
      delivered: deliveries.filter((d) => d.deliveredAt !== null).length,
    },
    counts: state.counts,
  })
}

const routesOf = (school: School, http: Http | undefined): SimRoute[] => [
  ...tokenRoutes(school),
  ...userRoutes(school),
  ...enrollmentRoutes(school),
  ...learningRoutes(school),
  ...catalogRoutes(school),
  ...recordRoutes(school),
  ...resultRoutes(school),
  ...groupRoutes(school),
  ...officeRoutes(school),
  ...ssoRoutes(school),
  ...signInRoutes(school, http),
]

/** A LearnWorlds school on loopback: the API of its contract, its login links, its webhooks, and its quirks. */
export async function startLearnWorldsSimulator(options: LearnWorldsSimulatorOptions): Promise<LearnWorldsSimulator> {
  const { clock, random } = options
  const webhookToken = options.webhooks?.token ?? defaults.webhookToken
  const school: School = {
    state: emptyState(),
    variants: { ...defaultVariants, ...options.variants },
    clock,
    random,
    name: options.school?.name ?? defaults.schoolName,
    origin: options.school?.origin ?? null,
    clientId: options.clientId ?? defaults.clientId,
    clientSecret: options.clientSecret ?? defaults.clientSecret,
    accessToken: options.accessToken ?? defaults.accessToken,
    tokens: new Map(),
    signIn: { oidc: null, page: null },
    emit: () => {},
  }
  const outbox = createOutbox(school, options.http, { ...options.webhooks, token: webhookToken })
  const limiter = createLimiter(school)
  const reset = () => {
    school.emit = () => {}
    seed(school, options.school?.seed ?? 'demo')
    limiter.reset()
    outbox.clear()
    school.emit = (type, trigger, data) => outbox.queue(type, trigger, data)
  }
  reset()
  const guard = createGuard(school, limiter)
  const simulator = await startSimulator(
    {
      name: 'learnworlds',
      clock,
      random,
      routes: routesOf(school, options.http),
      control: controlRoutes(school, outbox),
      guard: (request) => {
        settleJobs(school)
        return guard(request)
      },
      notFound: () => missing,
      state: () => shown(school, outbox),
      reset,
    },
    options.port,
  )
  return {
    ...simulator,
    clientId: school.clientId,
    clientSecret: school.clientSecret,
    accessToken: school.accessToken,
    webhookToken,
    school: () => school.state,
    state: () => shown(school, outbox),
    reset,
    set: (variants) => {
      school.variants = { ...school.variants, ...variants }
    },
    setSignIn: (how) => {
      school.signIn = { ...school.signIn, ...how }
    },
    webhooks: outbox,
    snapshot: () => remember(school, outbox),
    restore: (data) => recall(school, outbox, data),
    version: () => `${simulator.served()} ${outbox.undelivered()}`,
    close: async () => {
      outbox.stop()
      await simulator.close()
    },
  }
}
