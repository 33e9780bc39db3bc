import assert from 'node:assert/strict'
import { minute } from '@bursar/kit/clock.ts'
import { connectorContract, type Provoked } from '../contract.ts'
import type { Account } from '../port.ts'
import { startSchool } from './testing.ts'

// Short, because four cases wait for it in real time.
const timeoutMs = 150

const withFault =
  (set: () => void, call: Provoked): Provoked =>
  (connector) => {
    set()
    return call(connector)
  }

connectorContract('learnworlds', async () => {
  const school = await startSchool({ variants: { requests: 0 }, config: { timeoutMs } })
  const { simulator, clock } = school
  const { faults } = simulator
  const state = () => simulator.school()
  const idOf = (email: string) => state().userByEmail.get(email) ?? assert.fail(`no user ${email}`)
  const list: Provoked = async (connector) => (connector.catalog ?? assert.fail()).list()
  const ensure: Provoked = async (connector) =>
    (connector.accounts ?? assert.fail()).ensure({ email: 'x@example.com', name: 'X' })
  const grant: Provoked = async (connector) =>
    (connector.entitlements ?? assert.fail()).grant({
      account: '0123456789abcdef01234567',
      course: { kind: 'course', externalId: 'menu-pricing' },
      key: 'hub:x',
      uncertain: false,
      accountCreatedAt: clock.now() - 14_000,
    })
  const privileged = (): Account => ({
    externalId: idOf('owner@school.example'),
    email: 'owner@school.example',
    privileged: true,
    suspended: false,
  })
  const body = Buffer.from(
    JSON.stringify({
      version: 2,
      type: 'courseCompleted',
      trigger: 'course_completed',
      school_id: simulator.clientId,
      data: { course: { id: 'menu-pricing' }, user: { id: '0123456789abcdef01234567' } },
    }),
  )
  return {
    connector: school.connector,
    simulator,
    courses: [
      { kind: 'course', externalId: 'sourdough-basics' },
      { kind: 'course', externalId: 'menu-pricing' },
    ],
    unknownCourse: { kind: 'course', externalId: 'no-such-course' },
    get privileged() {
      return privileged()
    },
    accountsWith: (email) => [...state().users.values()].filter((u) => u.email === email.toLowerCase()).length,
    grantsOf: (account, course) =>
      [...(state().enrollments.get(account)?.values() ?? [])].filter((e) => e.productId === course.externalId).length,
    writes: {
      ensure: { method: 'POST', path: '/v2/users' },
      grant: { method: 'POST', path: '/enrollment' },
      revoke: { method: 'DELETE', path: '/enrollment' },
    },
    provoke: {
      rate_limited: withFault(
        () => faults.add({ kind: 'status', status: 429, body: { error: 'Too many requests' } }),
        list,
      ),
      unavailable: withFault(() => faults.add({ kind: 'status', status: 503 }), list),
      unauthorized: withFault(() => faults.add({ kind: 'html' }), list),
      not_yet_visible: grant,
      needs_learner: null,
      needs_person: async (connector) =>
        (connector.launch ?? assert.fail())({
          account: idOf('owner@school.example'),
          course: { kind: 'course', externalId: 'menu-pricing' },
        }),
      invalid: withFault(() => simulator.set({ usernameMax: 0 }), ensure),
      conflict: async (connector) =>
        (connector.entitlements ?? assert.fail()).grant({
          account: 'fedcba987654321001234567',
          course: { kind: 'course', externalId: 'menu-pricing' },
          key: 'hub:x',
          uncertain: false,
        }),
    },
    delivery: {
      raw: { headers: { 'learnworlds-webhook-signature': `v1=${simulator.webhookToken}` }, body },
      secret: simulator.webhookToken,
    },
    secrets: [simulator.accessToken, simulator.clientSecret, simulator.webhookToken],
    calls: school.calls,
    settle: () => clock.advance(minute),
    reset: () => {
      faults.clear()
      simulator.clearLog()
      simulator.reset()
      simulator.set({ usernameMax: null })
      school.calls.length = 0
    },
    close: school.close,
  }
})
