import { type VirtualClock, virtualClock } from '@bursar/kit/clock.ts'
import { createGuard, createHttp, type HttpClient } from '@bursar/kit/http.ts'
import { seededRandom } from '@bursar/kit/random.ts'
import type { Outcome } from '#failure.ts'
import type { CallRecord, ConnectorIo } from '#io.ts'
import type { PaymentConnector } from '#payments/port.ts'
import type { Simulator } from '#simulator/server.ts'
import { createStripe } from './index.ts'
import { type StripeControls, type StripeSimulatorOptions, startStripeSimulator } from './simulator.ts'

export const testSecret = 'whsec_test_secret_for_the_tests_01'
export const testKey = 'sk_test_51simulator'

export type Stage = {
  readonly clock: VirtualClock
  readonly sim: Simulator & StripeControls
  readonly stripe: PaymentConnector
  readonly http: HttpClient
  readonly io: ConnectorIo
  readonly calls: CallRecord[]
  close(): Promise<void>
}

/** A simulator and a connector to it, on one virtual clock. For tests of this folder and of the hub. */
export async function stageStripe(options: Partial<StripeSimulatorOptions> = {}): Promise<Stage> {
  const clock = virtualClock()
  const random = seededRandom(7)
  const http = createHttp({ clock, random, guard: createGuard({ allowLoopback: true }) })
  const sim = await startStripeSimulator({
    clock,
    random,
    secretKey: testKey,
    webhook: { url: 'http://127.0.0.1:9/', secret: testSecret },
    ...options,
  })
  const calls: CallRecord[] = []
  const io: ConnectorIo = { http, clock, random, record: (call) => calls.push(call) }
  const stripe = createStripe(
    { secretKey: testKey, publishableKey: sim.publishableKey, apiBase: sim.url, livemode: false },
    io,
  )
  return {
    clock,
    sim,
    stripe,
    http,
    io,
    calls,
    close: async () => {
      await sim.close()
      await http.close()
    },
  }
}

/** The value of an outcome that must be one. */
export function value<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`${outcome.failure.class} ${outcome.failure.code}: ${outcome.failure.message}`)
  return outcome.value
}
