import { z } from 'zod'
import type { Scope, Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { writeAudit } from './audit.ts'
import type { Caller } from './caller.ts'
import type { App, Ctx } from './context.ts'
import type { OutsideAction, Registered, TxAction } from './define.ts'
import { type Attempt, claim, finish, giveBack } from './idempotency.ts'
import { withoutMarked } from './redact.ts'

/** One call on its way through the wrapper. */
export type Call = {
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

export type Done = { readonly output: unknown; readonly replayed: boolean }

/** Runs what was permitted and parsed; throws what the action throws. */
export const perform = (call: Call): Promise<Done> => {
  const { action } = call.registered
  return action.effect === 'outside' ? runOutside(call, action) : runInTx(call, action)
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
        const output = encode(call, await action.run({ ...call.ctx, tx, scopes: call.caller.scopes }, call.input))
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
  const { attempt } = call
  const ctx = { ...call.ctx, scopes: call.caller.scopes }
  if (ctx.dryRun) return { output: encode(call, await action.run(ctx, call.input)), replayed: false }
  if (attempt !== null) {
    const before = await inCallersTx(call, (tx) => claim(tx, attempt))
    if (before.kind === 'replay') return { output: before.output, replayed: true }
  }
  let output: unknown
  try {
    output = encode(call, await action.run(ctx, call.input))
  } catch (error) {
    if (attempt !== null) await free(call, attempt)
    throw error
  }
  await inCallersTx(call, async (tx) => {
    if (attempt !== null) await finish(tx, attempt, storable(call, output))
    await auditSuccess(tx, call)
  })
  return { output, replayed: false }
}

/** Without this the key stays in progress until its lease ends; the first error is still the one to tell. */
async function free(call: Call, attempt: Attempt): Promise<void> {
  try {
    await inCallersTx(call, (tx) => giveBack(tx, attempt))
  } catch (error) {
    const { action, traceId } = { action: call.registered.action.name, traceId: call.ctx.traceId }
    call.app.log.error('idempotency key not given back', { action, traceId, error: String(error) })
  }
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
const storable = (call: Call, output: unknown): unknown => withoutMarked(output, call.registered.outputSchema)

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
