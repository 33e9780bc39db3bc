import type { Failure, Outcome } from '@bursar/connectors/failure.ts'
import type { CallRecord } from '@bursar/connectors/io.ts'
import type { LmsConnector } from '@bursar/connectors/lms/port.ts'
import { type Instant, minute } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { Ctx } from '#action/context.ts'
import { inTx } from '#action/context.ts'
import { type OpenOptions, openLms } from '#catalog/open.ts'
import type { Lane } from '#db/rate.ts'
import type { TimelineEntry } from '#events/timeline.ts'
import { freeze, gate, type Health, tellHealth } from './health.ts'
import { tellReady } from './ready.ts'
import { type Actual, afterFailure, stopsRest } from './rules.ts'
import {
  type AccountUpdate,
  type Claim,
  type ClaimedAccount,
  claim,
  type ItemResult,
  settleClaim,
  type WorkItem,
} from './store.ts'

export type Applied =
  /** Somebody else works on this learner at this school right now. */
  | { readonly outcome: 'busy' }
  | { readonly outcome: 'nothing_due' }
  /** The school is down: put off, nothing tried. */
  | { readonly outcome: 'frozen'; readonly until: Instant }
  /** Tried; `dueAt` says when there is more to do, null when all is as wanted or a person must act. */
  | { readonly outcome: 'worked'; readonly dueAt: Instant | null }

type ApplyOptions = { readonly lane?: Lane }

/**
 * The only road to a platform: makes it match the rows of one account. Grant, revoke, retry, repair and expiry are
 * this call. Safe to call at any time, any number of times; it looks before it asks again and holds no transaction
 * while it is outside.
 */
export async function apply(ctx: Ctx, accountId: string, options: ApplyOptions = {}): Promise<Applied> {
  const school = await gate(ctx, accountId)
  if (!school.open) {
    await freeze(ctx, accountId, school)
    return { outcome: 'frozen', until: school.until }
  }
  const taken = await inTx(ctx, (tx) => claim(tx, ctx, accountId))
  if (taken === 'busy' || taken === 'nothing_due') return { outcome: taken }
  const calls: Told[] = []
  const run = await perform(ctx, taken, options.lane ?? 'provisioning', calls)
  return inTx(ctx, async (tx) => {
    const results = run.outcomes.map((o) => resultOf(ctx, o, tx.now))
    const changes = await tellHealth(tx, ctx, taken.account.connectionId, run.health)
    const entries = [
      ...calls.map((c) => callEntry(c, taken)),
      ...results.flatMap((r) => resultEntries(r, taken)),
      ...changes,
    ]
    const settled = await settleClaim(tx, ctx, taken, run.account, results, entries)
    if (settled === 'lost') return { outcome: 'busy' }
    await tellReady(tx, ctx, taken.account, results)
    return { outcome: 'worked', dueAt: settled.dueAt }
  })
}

type Told = { readonly call: CallRecord; readonly item: WorkItem | null }
type ItemOutcome = { readonly item: WorkItem; readonly actual: Actual; readonly failure: Failure | null }
type Run = {
  readonly account: AccountUpdate | null
  readonly outcomes: readonly ItemOutcome[]
  /** What the last call said about the connection; null when none was made. */
  readonly health: Health
}

async function perform(ctx: Ctx, taken: Claim, lane: Lane, calls: Told[]): Promise<Run> {
  let current: WorkItem | null = null
  const opened = await openSchool(ctx, taken.account.connectionId, {
    lane,
    record: (call) => calls.push({ call, item: current }),
  })
  if (!opened.ok) return { account: null, health: null, outcomes: taken.work.map((item) => fail(item, opened.failure)) }
  const connector = opened.value
  // A process may be held up for longer than its lease: then another has the account, and nothing is asked any more.
  const lost = () => (ctx.clock.now() < taken.until ? null : leaseEnded)
  if (lost() !== null)
    return { account: null, health: null, outcomes: taken.work.map((item) => fail(item, leaseEnded)) }
  const found = await findAccount(connector, taken, ctx.clock.now())
  if (!found.ok)
    return { account: null, health: found.failure, outcomes: taken.work.map((item) => fail(item, found.failure)) }
  const { update, externalId, createdAt, privileged } = found.value
  const outcomes: ItemOutcome[] = []
  let stopped: Failure | null = null
  for (const item of taken.work) {
    current = item
    stopped ??= lost()
    const outcome: ItemOutcome =
      stopped !== null
        ? fail(item, { ...stopped, unsent: true })
        : externalId === null
          ? { item, actual: 'revoked', failure: null }
          : privileged && item.wanted === 'granted'
            ? fail(item, staffAccount)
            : await change(connector, item, externalId, createdAt)
    outcomes.push(outcome)
    if (outcome.failure !== null && stopped === null && stopsRest(outcome.failure)) stopped = outcome.failure
  }
  const health = calls.length === 0 || stopped === leaseEnded ? null : (stopped ?? 'ok')
  return { account: update, outcomes, health }
}

/** Settings that cannot be used are a failure of the connection: the work waits for somebody to mend them. */
async function openSchool(ctx: Ctx, connectionId: string, options: OpenOptions): Promise<Outcome<LmsConnector>> {
  try {
    return { ok: true, value: await openLms(ctx, connectionId, options) }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return {
      ok: false,
      failure: {
        class: 'unauthorized',
        code: error.code,
        message: error.message,
        unsent: true,
        retryAfterMs: unusableWaitMs,
      },
    }
  }
}

const unusableWaitMs = 5 * minute

const leaseEnded: Failure = {
  class: 'unavailable',
  code: 'lease_ended',
  message: 'This process was held up for so long that another has taken the work over.',
  unsent: true,
}

const staffAccount: Failure = {
  class: 'needs_person',
  code: 'account_privileged',
  message: 'The account with this address belongs to staff of the school; a person must say whose seat this is.',
}

const fail = (item: WorkItem, failure: Failure): ItemOutcome => ({ item, actual: item.actual, failure })

type Found = {
  readonly update: AccountUpdate | null
  readonly externalId: string | null
  readonly createdAt: Instant | null
  readonly privileged: boolean
}

/** The stored account; else a new one if something is to be granted; else whether one exists at all. */
async function findAccount(connector: LmsConnector, taken: Claim, now: Instant): Promise<Outcome<Found>> {
  const { account } = taken
  if (account.externalId !== null) {
    const { externalId, createdAt, privileged } = account
    return { ok: true, value: { update: null, externalId, createdAt, privileged } }
  }
  if (connector.accounts === undefined) return missing('accounts')
  if (taken.work.every((w) => w.wanted === 'revoked')) {
    const known = await connector.accounts.find(account.email)
    if (!known.ok) return known
    return {
      ok: true,
      value: {
        update: null,
        externalId: known.value?.externalId ?? null,
        createdAt: null,
        privileged: known.value?.privileged ?? false,
      },
    }
  }
  return ensure(connector.accounts, account, now)
}

async function ensure(
  accounts: NonNullable<LmsConnector['accounts']>,
  account: ClaimedAccount,
  now: Instant,
): Promise<Outcome<Found>> {
  const made = await accounts.ensure({
    email: account.email,
    name: account.name,
    ...(account.username === null ? {} : { username: account.username }),
  })
  if (!made.ok) return made
  const { externalId, created, privileged } = made.value
  const createdAt = created ? now : null
  return {
    ok: true,
    value: {
      externalId,
      createdAt,
      privileged,
      update: { externalId, createdByHub: created, createdAt, privileged },
    },
  }
}

const missing = (step: string): { readonly ok: false; readonly failure: Failure } => ({
  ok: false,
  failure: {
    class: 'needs_person',
    code: `no_${step}`,
    message: `This platform has no way to do this by itself (${step}); a person must.`,
  },
})

async function change(
  connector: LmsConnector,
  item: WorkItem,
  account: string,
  createdAt: Instant | null,
): Promise<ItemOutcome> {
  const { entitlements } = connector
  if (entitlements === undefined) return fail(item, missing('entitlements').failure)
  const request = {
    account,
    course: { kind: item.kind, externalId: item.externalId },
    key: `hub:${item.enrollmentId}`,
    // Asked for once already for another person of this address: it looks first.
    uncertain: item.wasUncertain || item.shared || item.shown,
  }
  if (item.wanted === 'revoked' && item.shared) return { item, actual: 'revoked', failure: null }
  if (item.wanted === 'revoked') {
    const revoked = await entitlements.revoke(request)
    return revoked.ok ? { item, actual: 'revoked', failure: null } : fail(item, revoked.failure)
  }
  const granted = await entitlements.grant({
    ...request,
    ...(createdAt === null ? {} : { accountCreatedAt: createdAt }),
  })
  if (!granted.ok) return fail(item, granted.failure)
  switch (granted.value.state) {
    case 'active':
      return { item, actual: 'granted', failure: null }
    case 'pending_learner':
      return fail(item, {
        class: 'needs_learner',
        code: 'pending_learner',
        message: 'The learner must accept the seat first.',
      })
    case 'pending_manual':
      return fail(item, {
        class: 'needs_person',
        code: 'pending_manual',
        message: 'A person must open the seat by hand.',
      })
  }
}

/** Turns what happened into what is written: the policy table decides. */
function resultOf(ctx: Ctx, outcome: ItemOutcome, now: Instant): ItemResult {
  const { item, failure } = outcome
  if (failure === null)
    return { item, actual: outcome.actual, uncertain: false, attempts: 0, nextTryAt: null, failure: null }
  const unsent = failure.unsent === true
  const attempts = unsent ? item.attempts : item.attempts + 1
  const next = unsent
    ? { kind: 'retry' as const, at: waitOf(failure, now), counted: false }
    : afterFailure(failure, attempts, now, ctx.random)
  const counted = next.kind === 'stuck' || next.counted
  return {
    item,
    actual: outcome.actual,
    // Only a success ends an earlier doubt: a failure does not say whether the look before it came to an answer.
    uncertain: failure.uncertain === true || item.wasUncertain,
    attempts: counted ? attempts : item.attempts,
    nextTryAt: next.kind === 'stuck' ? null : next.at,
    failure: { class: failure.class, code: failure.code, message: failure.message },
  }
}

const unsentWaitMs = 1_000

const waitOf = (failure: Failure, now: Instant): Instant => now + Math.max(failure.retryAfterMs ?? 0, unsentWaitMs)

const callEntry = ({ call, item }: Told, taken: Claim): TimelineEntry => ({
  kind: 'call.made',
  personId: taken.account.personId,
  enrollmentId: item?.enrollmentId ?? null,
  data: {
    method: call.method,
    path: call.path,
    status: call.status,
    durationMs: Math.round(call.durationMs),
    failure:
      call.failure === null
        ? null
        : { class: call.failure.class, code: call.failure.code, message: call.failure.message },
  },
})

function resultEntries(result: ItemResult, taken: Claim): TimelineEntry[] {
  const about = { personId: taken.account.personId, enrollmentId: result.item.enrollmentId }
  const { connectionId } = taken.account
  if (result.failure === null) {
    // Looked at after a doubt and found as it was believed: nothing has happened.
    if (result.actual === result.item.actual) return []
    const kind = result.actual === 'granted' ? 'enrollment.opened' : 'enrollment.closed'
    return [{ ...about, kind, data: { connectionId } }]
  }
  const { message, code } = result.failure
  if (result.nextTryAt === null)
    return [
      {
        ...about,
        kind: 'enrollment.stuck',
        data: { failure: code, message, needs: result.failure.class === 'needs_learner' ? 'learner' : 'person' },
      },
    ]
  return [{ ...about, kind: 'enrollment.waiting', data: { failure: code, message, nextTryAt: result.nextTryAt } }]
}
