import { CodedError, type ErrorBody, type ErrorCode, errorBody } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import type { Scope, Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { writeAudit } from './audit.ts'
import { type Caller, permit } from './caller.ts'
import type { App, Ctx } from './context.ts'
import type { OutsideAction, Registered, Registry, TxAction } from './define.ts'
import { type Attempt, checkKey, claim, finish, giveBack, hashInput } from './idempotency.ts'
import { redact, scrub } from './redact.ts'

export type ActionRequest = {
  readonly name: string
  /** Null when nobody proved who they are; only `public` actions answer then. */
  readonly caller: Caller | null
  readonly input: unknown
  readonly idempotencyKey?: string | undefined
  readonly dryRun?: boolean | undefined
  readonly traceId?: string | undefined
}

export type ActionResult =
  | {
      readonly ok: true
      /** As JSON: instants are ISO texts, big numbers decimal digits. */
      readonly output: unknown
      /** True when this is the stored answer to an earlier request; secrets in it are null. */
      readonly replayed: boolean
      readonly traceId: string
    }
  | {
      readonly ok: false
      readonly code: ErrorCode
      readonly status: number
      readonly body: ErrorBody
      readonly traceId: string
    }

/** One call on its way through the wrapper. */
type Call = {
  readonly app: App
  readonly registered: Registered
  readonly caller: Caller
  readonly ctx: Ctx
  readonly input: Record<string, unknown>
  /** The input without secrets, for the audit. */
  readonly shown: unknown
  readonly attempt: Attempt | null
  readonly startedAt: number
}

type Done = { readonly output: unknown; readonly replayed: boolean }

/**
 * The one way to run an action: who may, with what, in whose tenant, once, written down. Never throws: a refusal and a
 * fault both come back as an error body.
 */
export async function runAction(app: App, registry: Registry, request: ActionRequest): Promise<ActionResult> {
  const traceId = request.traceId ?? app.ids.next('trc')
  const startedAt = app.clock.now()
  const registered = registry.find(request.name)
  if (registered === undefined) {
    return refusal(new CodedError('not_found', `There is no action ${request.name}.`), traceId)
  }
  const { value: shown, secrets } = redact(request.input, registered.inputSchema)
  let permitted: Caller | null = null
  let parsed = false
  try {
    permitted = permit(request.caller, registered.action.access)
    const call = prepare(app, registered, permitted, { ...request, traceId }, { shown, startedAt })
    parsed = true
    const done =
      registered.action.effect === 'outside'
        ? await runOutside(call, registered.action)
        : await runInTx(call, registered.action)
    return { ok: true, ...done, traceId }
  } catch (error) {
    const failure = scrub(refusal(error, traceId), secrets)
    if (failure.code === 'internal') {
      app.log.error('action failed', { action: request.name, traceId, error: scrub(describe(error), secrets) })
    }
    const caller = permitted ?? request.caller
    if (caller !== null && registered.action.access !== 'public' && request.dryRun !== true) {
      await auditFailure(app, registered, caller, {
        shown: parsed ? shown : null,
        outcome: failure.code,
        startedAt,
        traceId,
      })
    }
    return failure
  }
}

type Refusal = Extract<ActionResult, { ok: false }>

const refusal = (error: unknown, traceId: string): Refusal => ({
  ok: false,
  code: error instanceof CodedError ? error.code : 'internal',
  ...errorBody(error, traceId),
  traceId,
})

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

function prepare(
  app: App,
  registered: Registered,
  caller: Caller,
  request: ActionRequest & { readonly traceId: string },
  more: { readonly shown: unknown; readonly startedAt: number },
): Call {
  const { action } = registered
  const input = parse(registered, request.input)
  const dryRun = request.dryRun === true
  const remembered = request.idempotencyKey !== undefined && action.effect !== 'read' && !dryRun
  const attempt = remembered && {
    organization: caller.organization,
    key: checkKey(request.idempotencyKey ?? ''),
    action: action.name,
    inputHash: hashInput(action.name, input),
    leaseToken: app.ids.next('lease'),
  }
  const ctx: Ctx = { ...app, organization: caller.organization, actor: caller.actor, traceId: request.traceId, dryRun }
  return { app, registered, caller, ctx, input, attempt: attempt || null, ...more }
}

function parse(registered: Registered, raw: unknown): Record<string, unknown> {
  const result = registered.input.safeParse(raw ?? {})
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => ({ path: z.core.toDotPath(issue.path), message: issue.message }))
  const first = issues[0]
  const where = first === undefined || first.path === '' ? 'the input' : first.path
  throw new CodedError('input_invalid', `The input is not valid: ${where}: ${first?.message ?? 'unreadable'}.`, {
    issues,
  })
}

/** Thrown to roll a dry run back; carries what would have been answered. */
class RolledBack extends Error {
  readonly done: Done
  constructor(done: Done) {
    super('dry run')
    this.done = done
  }
}

async function runInTx(call: Call, action: TxAction): Promise<Done> {
  const scope: Scope = action.acrossTenants === true ? 'system' : { organization: call.caller.organization }
  try {
    return await call.app.db
      .tx(scope, async (tx) => {
        if (action.effect === 'read') await forbidWrites(tx)
        const before = call.attempt === null ? null : await claim(tx, call.attempt)
        if (before?.kind === 'replay') return { output: before.output, replayed: true }
        const output = encode(call, await action.run({ ...call.ctx, tx }, call.input))
        const done = { output, replayed: false }
        if (call.ctx.dryRun) throw new RolledBack(done)
        if (call.attempt !== null) await finish(tx, call.attempt, storable(call, output))
        if (action.effect === 'write') await auditSuccess(tx, call)
        return done
      })
      .then(async (done) => {
        if (action.effect === 'read' && action.sensitive === true)
          await inCallersTx(call, (tx) => auditSuccess(tx, call))
        return done
      })
  } catch (error) {
    if (error instanceof RolledBack) return error.done
    throw error
  }
}

// An action that says it reads must not write; PostgreSQL holds it to its word.
const forbidWrites = (tx: Tx) => tx.run(sql('action_read_only')`set local transaction_read_only = on`)

async function runOutside(call: Call, action: OutsideAction): Promise<Done> {
  const { attempt, ctx } = call
  if (ctx.dryRun) return { output: encode(call, await action.run(ctx, call.input)), replayed: false }
  if (attempt !== null) {
    const before = await inCallersTx(call, (tx) => claim(tx, attempt))
    if (before.kind === 'replay') return { output: before.output, replayed: true }
  }
  let output: unknown
  try {
    output = encode(call, await action.run(ctx, call.input))
  } catch (error) {
    if (attempt !== null) await inCallersTx(call, (tx) => giveBack(tx, attempt))
    throw error
  }
  await inCallersTx(call, async (tx) => {
    if (attempt !== null) await finish(tx, attempt, storable(call, output))
    await auditSuccess(tx, call)
  })
  return { output, replayed: false }
}

const inCallersTx = <T>(call: Call, work: (tx: Tx) => Promise<T>): Promise<T> =>
  call.app.db.tx({ organization: call.caller.organization }, work)

/** What travels: the output checked against its schema. A mismatch is a bug of the action. */
function encode(call: Call, output: unknown): unknown {
  const result = z.safeEncode(call.registered.action.output, output)
  if (result.success) return result.data
  const where = result.error.issues.map((issue) => `${z.core.toDotPath(issue.path)}: ${issue.message}`).join('; ')
  throw new Error(`${call.registered.action.name} returned what its output does not allow: ${where}`)
}

/** The answer as it is remembered for a replay: each secret becomes null. */
const storable = (call: Call, output: unknown): unknown => redact(output, call.registered.outputSchema, null).value

const auditSuccess = (tx: Tx, call: Call) =>
  writeAudit(tx, call.app.ids, {
    caller: call.caller,
    action: call.registered.action.name,
    input: call.shown,
    outcome: 'ok',
    at: tx.now,
    durationMs: call.app.clock.now() - call.startedAt,
    traceId: call.ctx.traceId,
  })

/** A refusal is written down too, in its own transaction: that of the work is gone. */
async function auditFailure(
  app: App,
  registered: Registered,
  caller: Caller,
  facts: { shown: unknown; outcome: string; startedAt: number; traceId: string },
): Promise<void> {
  const { action } = registered
  if (action.effect === 'read' && action.sensitive !== true) return
  const at = app.clock.now()
  try {
    await app.db.tx({ organization: caller.organization }, (tx) =>
      writeAudit(tx, app.ids, {
        caller,
        action: action.name,
        input: facts.shown,
        outcome: facts.outcome,
        at,
        durationMs: at - facts.startedAt,
        traceId: facts.traceId,
      }),
    )
  } catch (error) {
    // The caller's answer matters more than its trace, and the log still has it.
    app.log.error('audit failed', { action: action.name, traceId: facts.traceId, error: describe(error) })
  }
}
