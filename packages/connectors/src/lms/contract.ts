import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type Failure, type FailureClass, failureClasses, type Outcome } from '../failure.ts'
import type { CallRecord } from '../io.ts'
import type { Fault } from '../simulator/faults.ts'
import type { Simulator } from '../simulator/server.ts'
import type { Account, CourseRef, LmsConnector, RawDelivery } from './port.ts'

/** How a platform is brought to answer with one class of failure, and the call that then meets it. */
export type Provoked = (connector: LmsConnector) => Promise<Outcome<unknown>>

/** What a connector brings to the contract: itself, its simulator, and a way to look into that school. */
export type ContractBench = {
  readonly connector: LmsConnector
  readonly simulator: Pick<Simulator, 'faults' | 'log' | 'clearLog'>
  /** Two courses that can be granted, and an id the school does not have. */
  readonly courses: readonly [CourseRef, CourseRef]
  readonly unknownCourse: CourseRef
  /** An account with more rights than a learner. */
  readonly privileged: Account | null
  /** Look into the school itself, past the API. */
  readonly accountsWith: (email: string) => number
  readonly grantsOf: (account: string, course: CourseRef) => number
  /** A part of the path of each write, for aiming faults at it. */
  readonly writes: {
    readonly ensure: Pick<Fault, 'method' | 'path'>
    readonly grant: Pick<Fault, 'method' | 'path'>
    readonly revoke: Pick<Fault, 'method' | 'path'>
  }
  /** One for each class; null where the platform has no such answer. */
  readonly provoke: Readonly<Record<FailureClass, Provoked | null>>
  /** A genuine delivery and its secret. */
  readonly delivery: { readonly raw: RawDelivery; readonly secret: string } | null
  /** Must never stand in a failure, a record or a report. */
  readonly secrets: readonly string[]
  readonly calls: readonly CallRecord[]
  /** Lets so much time pass that whatever was just created is visible everywhere. */
  settle(): Promise<void>
  /** Brings the school back to its beginning and removes faults. */
  reset(): void
  close(): Promise<void>
}

type Bench = () => ContractBench

const learner = { email: 'New.Learner+one@example.com', name: 'New Learner' } as const

const value = <T>(outcome: Outcome<T>): T => {
  assert.ok(outcome.ok, outcome.ok ? '' : `expected success, got ${JSON.stringify(outcome.failure)}`)
  return outcome.value
}
const failureOf = <T>(outcome: Outcome<T>): Failure => {
  assert.ok(!outcome.ok, 'expected a failure, got success')
  return outcome.failure
}

const accountsOf = (bench: ContractBench) => bench.connector.accounts ?? assert.fail('the connector has no accounts')
const grantsPort = (bench: ContractBench) => bench.connector.entitlements ?? assert.fail('no entitlements')
const ensure = (bench: ContractBench) => accountsOf(bench).ensure(learner)
const account = async (bench: ContractBench) => value(await ensure(bench)).externalId

const grant = async (bench: ContractBench, id: string, more: { readonly uncertain?: boolean } = {}) =>
  grantsPort(bench).grant({ account: id, course: bench.courses[0], key: 'hub:grant_1', uncertain: false, ...more })
const revoke = async (bench: ContractBench, id: string, uncertain = false) =>
  grantsPort(bench).revoke({ account: id, course: bench.courses[0], key: 'hub:grant_1', uncertain })

/** Without an answer the caller cannot know; a second try must end with exactly one. */
const lostAnswers = ['reset', 'hang', 'reset_after_commit', 'hang_after_commit', 'truncate'] as const
const committed: ReadonlySet<string> = new Set(['reset_after_commit', 'hang_after_commit', 'truncate'])

function accountCases(bench: Bench) {
  test('ensuring twice is one account, whatever the case of the address', async () => {
    const b = bench()
    const first = value(await ensure(b))
    const second = value(await accountsOf(b).ensure({ ...learner, email: learner.email.toUpperCase() }))
    assert.equal(first.created, true)
    assert.equal(second.created, false)
    assert.equal(second.externalId, first.externalId)
    assert.equal(b.accountsWith(learner.email), 1)
  })

  test('an unknown address is found to be nobody, not a failure', async () => {
    assert.equal(value(await accountsOf(bench()).find('nobody@example.com')), null)
  })

  for (const kind of lostAnswers)
    test(`an account whose answer is lost (${kind}) exists once after the retry`, async () => {
      const b = bench()
      b.simulator.faults.add({ kind, times: 1, ...b.writes.ensure })
      const lost = failureOf(await ensure(b))
      assert.equal(lost.class, 'unavailable')
      if (committed.has(kind)) assert.equal(lost.uncertain, true)
      const found = value(await ensure(b))
      assert.equal(b.accountsWith(learner.email), 1)
      assert.equal(found.email.toLowerCase(), learner.email.toLowerCase())
    })
}

function grantCases(bench: Bench) {
  test('granting twice is one grant, and the second says so', async () => {
    const b = bench()
    const id = await account(b)
    assert.equal(value(await grant(b, id)).already, false)
    assert.equal(value(await grant(b, id)).already, true)
    assert.equal(b.grantsOf(id, b.courses[0]), 1)
    const listed = value(await grantsPort(b).list(id))
    assert.ok(listed.some((g) => g.course.externalId === b.courses[0].externalId))
  })

  test('an uncertain grant that got through is found without asking for it again', async () => {
    const b = bench()
    const id = await account(b)
    value(await grant(b, id))
    b.simulator.clearLog()
    assert.equal(value(await grant(b, id, { uncertain: true })).already, true)
    const writes = b.simulator.log().filter((entry) => entry.method === b.writes.grant.method)
    assert.deepEqual(writes, [], 'it looked before it wrote')
  })

  test('an uncertain grant that did not get through is made', async () => {
    const b = bench()
    const id = await account(b)
    assert.equal(value(await grant(b, id, { uncertain: true })).already, false)
    assert.equal(b.grantsOf(id, b.courses[0]), 1)
  })

  for (const kind of lostAnswers)
    test(`a grant whose answer is lost (${kind}) exists once after the retry`, async () => {
      const b = bench()
      const id = await account(b)
      b.simulator.faults.add({ kind, times: 1, ...b.writes.grant })
      const lost = failureOf(await grant(b, id))
      assert.equal(lost.class, 'unavailable')
      if (committed.has(kind)) assert.equal(lost.uncertain, true)
      assert.equal(b.grantsOf(id, b.courses[0]), committed.has(kind) ? 1 : 0)
      value(await grant(b, id, { uncertain: lost.uncertain === true }))
      assert.equal(b.grantsOf(id, b.courses[0]), 1)
    })

  test('a course the platform does not have is invalid, and stays so', async () => {
    const b = bench()
    const request = { account: await account(b), course: b.unknownCourse, key: 'hub:x', uncertain: false }
    await b.settle()
    assert.equal(failureOf(await grantsPort(b).grant(request)).class, 'invalid')
  })
}

function revokeCases(bench: Bench) {
  test('revoking twice ends one grant, in a mode the connector describes', async () => {
    const b = bench()
    const id = await account(b)
    value(await grant(b, id))
    const first = value(await revoke(b, id))
    const second = value(await revoke(b, id))
    assert.deepEqual([first.already, second.already], [false, true])
    assert.ok(b.connector.describe().revoke.modes.includes(first.mode))
    assert.equal(b.grantsOf(id, b.courses[0]), 0)
    const listed = value(await grantsPort(b).list(id))
    assert.ok(!listed.some((g) => g.course.externalId === b.courses[0].externalId))
  })

  test('revoking one course leaves the other', async () => {
    const b = bench()
    const id = await account(b)
    value(await grant(b, id))
    value(await grantsPort(b).grant({ account: id, course: b.courses[1], key: 'hub:2', uncertain: false }))
    value(await revoke(b, id))
    assert.equal(b.grantsOf(id, b.courses[1]), 1)
  })

  for (const kind of lostAnswers)
    test(`a revoke whose answer is lost (${kind}) is done after the retry`, async () => {
      const b = bench()
      const id = await account(b)
      value(await grant(b, id))
      b.simulator.faults.add({ kind, times: 1, ...b.writes.revoke })
      const lost = failureOf(await revoke(b, id))
      assert.equal(lost.class, 'unavailable')
      value(await revoke(b, id, true))
      assert.equal(b.grantsOf(id, b.courses[0]), 0)
    })
}

function failureCases(bench: Bench) {
  for (const cls of failureClasses)
    test(`${cls} is told as such`, async (t) => {
      const b = bench()
      const provoke = b.provoke[cls]
      if (provoke === null) return t.skip('this platform has no such answer')
      const failure = failureOf(await provoke(b.connector))
      assert.equal(failure.class, cls, JSON.stringify(failure))
      assert.match(failure.code, new RegExp(`^${b.connector.platform}\\.[a-z_]+$`))
    })

  const misbehaviours: readonly Fault[] = [
    { kind: 'status', status: 500 },
    { kind: 'status', status: 429, headers: { 'retry-after': '3' } },
    { kind: 'status', status: 418, body: 'short and stout' },
    { kind: 'status', status: 200, body: { unexpected: true } },
    { kind: 'status', status: 200, body: '' },
    { kind: 'html' },
    { kind: 'reset' },
    { kind: 'truncate' },
  ]
  for (const fault of misbehaviours)
    test(`no method throws or pretends when everything answers ${describeFault(fault)}`, async () => {
      const b = bench()
      b.simulator.faults.add(fault)
      for (const [name, outcome] of await everyCall(b)) {
        // A find may honestly say "nobody"; everything else must fail.
        assert.equal(outcome.ok, false, `${name} must not answer success`)
      }
      const report = await b.connector.probe()
      assert.equal(report.usable, false)
      assert.ok(report.findings.some((finding) => finding.level === 'problem' && finding.fix !== null))
    })
}

const describeFault = (fault: Fault) =>
  [fault.kind, fault.status, fault.body === undefined ? undefined : JSON.stringify(fault.body)]
    .filter((part) => part !== undefined)
    .join(' ')

async function everyCall(b: ContractBench): Promise<readonly (readonly [string, Outcome<unknown>])[]> {
  const { connector, courses } = b
  const [course] = courses
  const request = { account: 'unknown-account', course, key: 'hub:x', uncertain: false }
  const all: (readonly [string, Outcome<unknown> | undefined])[] = [
    ['catalog.list', await connector.catalog?.list()],
    ['accounts.find', await connector.accounts?.find(learner.email)],
    ['accounts.ensure', await connector.accounts?.ensure(learner)],
    ['accounts.update', await connector.accounts?.update?.('unknown-account', { name: 'Other' })],
    ['grant', await connector.entitlements?.grant(request)],
    ['grant, uncertain', await connector.entitlements?.grant({ ...request, uncertain: true })],
    ['revoke', await connector.entitlements?.revoke(request)],
    ['list', await connector.entitlements?.list('unknown-account')],
    ['launch', await connector.launch?.({ account: 'unknown-account', course })],
    ['progress', await connector.progress?.read('unknown-account')],
    ['certificates', await connector.certificates?.list({ account: 'unknown-account' })],
  ]
  return all.flatMap(([name, outcome]) => (outcome === undefined ? [] : [[name, outcome] as const]))
}

function otherCases(bench: Bench) {
  test('an absent capability is an absent method, a described one is there', () => {
    const { connector } = bench()
    const says = connector.describe()
    const there = {
      accounts: connector.accounts !== undefined,
      grant: connector.entitlements !== undefined,
      revoke: connector.entitlements !== undefined && says.revoke.modes.length > 0,
      launch: connector.launch !== undefined,
      progress: connector.progress !== undefined,
      certificates: connector.certificates !== undefined,
      webhooks: connector.webhooks !== undefined,
    }
    for (const [name, present] of Object.entries(there)) {
      const { mode } = says[name as keyof typeof there]
      assert.equal(present, mode === 'api', `${name} is described as ${mode}`)
    }
    assert.ok(connector.limits.requests >= 0 && connector.limits.windowMs > 0)
  })

  test('a working school is found usable, and its catalog ends', async () => {
    const b = bench()
    assert.equal((await b.connector.probe()).usable, true)
    const seen = new Set<string>()
    let cursor: string | undefined
    for (let pages = 0; pages < 100; pages++) {
      const page = value(await (b.connector.catalog ?? assert.fail('no catalog')).list(cursor))
      for (const item of page.items) seen.add(`${item.kind}/${item.externalId}`)
      if (page.next === null) break
      cursor = page.next
    }
    for (const course of b.courses) assert.ok(seen.has(`${course.kind}/${course.externalId}`))
  })

  test('a launch is refused for an account with more rights than a learner', async (t) => {
    const b = bench()
    if (b.connector.launch === undefined || b.privileged === null) return t.skip('no launch, or no such account')
    const outcome = await b.connector.launch({ account: b.privileged.externalId, course: b.courses[0] })
    assert.equal(failureOf(outcome).class, 'needs_person')
  })

  test('W: only the genuine delivery is believed, and equal bodies have equal keys', (t) => {
    const { connector, delivery } = bench()
    if (connector.webhooks === undefined || delivery === null) return t.skip('no webhooks')
    const { authenticate, parse } = connector.webhooks
    assert.notEqual(authenticate(delivery.raw, ['wrong-secret-0001', delivery.secret]), 'refused')
    assert.equal(authenticate(delivery.raw, ['wrong-secret-0001']), 'refused')
    assert.equal(authenticate(delivery.raw, []), 'refused')
    assert.equal(authenticate({ ...delivery.raw, headers: {} }, [delivery.secret]), 'refused')
    const first = value(parse(delivery.raw))
    assert.equal(value(parse(delivery.raw)).dedupeKey, first.dedupeKey)
    const other = parse({ ...delivery.raw, body: Buffer.concat([delivery.raw.body, Buffer.from(' ')]) })
    if (other.ok) assert.notEqual(other.value.dedupeKey, first.dedupeKey)
  })

  test('no secret and no address of a learner stands in a failure or a call record', async () => {
    const b = bench()
    const seen: unknown[] = []
    b.simulator.faults.add({ kind: 'status', status: 422, body: { error: `The email ${learner.email} is refused` } })
    for (const [, outcome] of await everyCall(b)) seen.push(outcome)
    seen.push(await b.connector.probe(), ...b.calls)
    const text = JSON.stringify(seen).toLowerCase()
    for (const secret of [...b.secrets, learner.email, encodeURIComponent(learner.email)])
      assert.ok(!text.includes(secret.toLowerCase()), 'a secret or an address is shown')
  })
}

/**
 * The cases every connector passes against its own simulator. `setup` runs once; each case starts from `reset`.
 * The simulator's school must not limit calls unless a case provokes it.
 */
export function connectorContract(name: string, setup: () => Promise<ContractBench>): void {
  describe(`the connector contract: ${name}`, () => {
    let current: ContractBench | null = null
    const bench = () => current ?? assert.fail('the bench is not set up')
    before(async () => {
      current = await setup()
    })
    beforeEach(() => bench().reset())
    after(() => current?.close())
    accountCases(bench)
    grantCases(bench)
    revokeCases(bench)
    failureCases(bench)
    otherCases(bench)
  })
}
