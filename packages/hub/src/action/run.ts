import { CodedError, type ErrorBody, type ErrorCode, errorBody } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { writeAudit } from './audit.ts'
import { type Caller, permit } from './caller.ts'
import type { App, Ctx } from './context.ts'
import type { Registered, Registry } from './define.ts'
import { checkKey, hashInput } from './idempotency.ts'
import { type Call, perform } from './perform.ts'
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
    permitted = permit(request.caller, registered.action, startedAt)
    const call = prepare(app, registered, permitted, { ...request, traceId }, { shown, startedAt })
    parsed = true
    const done = await perform(call)
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
    key: keyOf(caller, checkKey(request.idempotencyKey ?? '')),
    action: action.name,
    inputHash: hashInput(action.name, input),
    leaseToken: app.ids.next('lease'),
  }
  const ctx: Ctx = {
    ...app,
    organization: caller.organization,
    actor: caller.actor,
    ...(caller.user === undefined ? {} : { user: caller.user }),
    traceId: request.traceId,
    dryRun,
    ...(attempt ? { requestKey: attempt.key } : {}),
  }
  return { app, registered, caller, ctx, input, attempt: attempt || null, ...more }
}

/**
 * People choose keys alike, and the answer is its owner's alone: each person has keys of their own, apart from the
 * shop's servers, which share theirs. A chosen key holds no blank, so none can be made to look like another's.
 */
const keyOf = ({ user }: Caller, key: string): string => (user === undefined ? key : `${user.personId} ${key}`)

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
