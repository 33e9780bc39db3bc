import assert from 'node:assert/strict'
import { type VirtualClock, virtualClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp, type HttpClient } from '@bursar/kit/http.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import type { Failure, Outcome } from '../../failure.ts'
import type { CallRecord, ConnectorIo } from '../../io.ts'
import { createLearnWorldsClient } from './client.ts'
import type { LearnWorldsConfig } from './config.ts'
import { createLearnWorlds } from './index.ts'
import { type LearnWorldsSimulatorOptions, startLearnWorldsSimulator } from './simulator.ts'

type TestOptions = Partial<Omit<LearnWorldsSimulatorOptions, 'clock' | 'random' | 'http'>> & {
  readonly config?: Partial<LearnWorldsConfig>
  readonly io?: Partial<ConnectorIo>
}

// Long enough for loopback on a busy machine, short enough for a test of the timeout itself.
const timeoutMs = 400

/** A school on loopback, a client and a connector for it, under a clock that stands still. */
export async function startSchool(options: TestOptions = {}) {
  const clock: VirtualClock = virtualClock()
  const random = seededRandom(7)
  const http: HttpClient = createHttp({ clock, random, guard: createGuard({ allowLoopback: true }) })
  const { config, io: extra, ...rest } = options
  const simulator = await startLearnWorldsSimulator({ clock, random, http, ...rest })
  const calls: CallRecord[] = []
  const io: ConnectorIo = { http, clock, random, record: (call) => calls.push(call), ...extra }
  const settings: LearnWorldsConfig = {
    baseUrl: simulator.url,
    clientId: simulator.clientId,
    auth: { kind: 'token', accessToken: simulator.accessToken },
    timeoutMs,
    ...config,
  }
  return {
    clock,
    simulator,
    calls,
    io,
    settings,
    client: createLearnWorldsClient(settings, io),
    connector: createLearnWorlds(settings, io),
    close: async () => {
      await simulator.close()
      await http.close()
    },
  }
}

export type TestSchool = Awaited<ReturnType<typeof startSchool>>

/** An outside person's doing. */
export async function control(school: TestSchool, path: string, body: unknown = {}): Promise<unknown> {
  const outcome = await school.io.http({
    method: 'POST',
    url: `${school.simulator.url}/_sim/${path}`,
    body: JSON.stringify(body),
  })
  if (!outcome.ok || outcome.response.status >= 300) throw new Error(`control call ${path} failed`)
  return JSON.parse(outcome.response.body.toString())
}

export const value = <T>(outcome: Outcome<T>): T => {
  assert.ok(outcome.ok, outcome.ok ? '' : `expected success, got ${JSON.stringify(outcome.failure)}`)
  return outcome.value
}

export const failureOf = <T>(outcome: Outcome<T>): Failure => {
  assert.ok(!outcome.ok, 'expected a failure, got success')
  return outcome.failure
}

/** Opens schools for the cases of one file and closes each after its case. */
export function schools(afterEach: (close: () => Promise<void>) => void) {
  let open: TestSchool[] = []
  afterEach(async () => {
    await Promise.all(open.map((school) => school.close()))
    open = []
  })
  return async (options?: TestOptions): Promise<TestSchool> => {
    const school = await startSchool(options)
    open.push(school)
    return school
  }
}
