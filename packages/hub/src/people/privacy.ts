import { day } from '@bursar/kit/clock.ts'
import { CodedError } from '@bursar/kit/errors.ts'
import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import { json, sql, ts } from '#db/sql.ts'
import { record } from '#events/timeline.ts'
import { actorId } from './merge.ts'
import { planErase, planExport } from './privacy-plan.ts'
import type { PlannedStep, PrivacyRequest, RequestKind, Step, StepResult } from './privacy-shape.ts'
import { requestState } from './rules.ts'

export const privacyTask = 'people.privacy'
/** One month by law (GDPR art. 12 (3)); the shortest month and some days to spare would be 28, the law counts 30. */
export const dueMs = 30 * day

export const privacyJob = (organization: string, requestId: string) => ({
  task: privacyTask,
  payload: { organization, requestId },
  key: `privacy:${requestId}`,
})

/** The person and everybody who has joined them. */
export const samePeople = async (tx: Tx, personId: string): Promise<readonly string[]> => {
  const rows = await tx.many<{ id: string }>(sql('same_people')`
    select id from person where id = ${personId} or merged_into = ${personId} order by id`)
  return rows.map((row) => row.id)
}

/**
 * Opens a request and writes down every step before anything is done. Asked again while it runs, it is the same one;
 * an erased person's erasure is the one that was.
 */
export async function openRequest(
  tx: Tx,
  ctx: Ctx,
  wish: { readonly kind: RequestKind; readonly personId: string; readonly reason: string | null },
): Promise<{ readonly request: PrivacyRequest; readonly steps: readonly Step[]; readonly already: boolean }> {
  const personId = await lockPerson(tx, wish.personId)
  const known = await openOf(tx, personId, wish.kind)
  if (known !== null) return { request: known, steps: await stepsOf(tx, known.id), already: true }
  if ((await openOf(tx, personId, 'erase')) !== null)
    throw new CodedError('conflict', 'This person is erased, or about to be; there is nothing left to copy.')
  if (wish.kind === 'erase') await keepLastOwner(tx, personId)
  const id = ctx.ids.next('prv')
  const people = await samePeople(tx, personId)
  const steps = await (wish.kind === 'erase' ? planErase(tx, ctx, people) : planExport(tx, ctx, people))
  await tx.run(sql('privacy_request_add')`
    insert into privacy_request (id, organization_id, kind, person_id, requested_by, reason, due_at, created_at)
    values (${id}, ${ctx.organization}, ${wish.kind}, ${personId}, ${actorId(ctx)}, ${wish.reason}, ${ts(tx.now + dueMs)}, ${ts(tx.now)})`)
  await addSteps(tx, ctx, id, steps)
  const by = actorId(ctx)
  await record(tx, ctx, [{ kind: 'privacy.requested', personId, data: { requestId: id, request: wish.kind, by } }])
  await enqueue(tx, [privacyJob(ctx.organization, id)])
  const request = await requestById(tx, id)
  if (request === null) throw new Error(`privacy request ${id} vanished`)
  return { request, steps: await stepsOf(tx, id), already: false }
}

/** The person as it stands, locked; whoever has joined another is that other. */
async function lockPerson(tx: Tx, personId: string): Promise<string> {
  const row = await tx.maybeOne<{ id: string; mergedInto: string | null }>(sql('privacy_person_lock')`
    select id, merged_into as "mergedInto" from person where id = ${personId} for no key update`)
  if (row === null) throw new CodedError('not_found', 'There is no such person.')
  return row.mergedInto === null ? row.id : lockPerson(tx, row.mergedInto)
}

async function keepLastOwner(tx: Tx, personId: string): Promise<void> {
  const owners = await tx.many<{ personId: string }>(sql('privacy_owners')`
    select person_id as "personId" from role_grant
    where organization_id = bursar_organization() and role = 'owner' and revoked_at is null for update`)
  if (owners.length === 1 && owners[0]?.personId === personId)
    throw new CodedError('conflict', 'This is the last owner; make another person owner first.')
}

const openOf = (tx: Tx, personId: string, kind: RequestKind) =>
  tx.maybeOne<PrivacyRequest>(sql('privacy_request_open')`
    select id, kind, person_id as "personId", requested_by as "requestedBy", reason, state, due_at as "dueAt", created_at as "createdAt",
      done_at as "doneAt", document_until as "documentUntil", downloaded_at as "downloadedAt"
    from privacy_request where person_id = ${personId} and kind = ${kind} and (state <> 'done' or kind = 'erase')`)

export const requestById = (tx: Tx, id: string) =>
  tx.maybeOne<PrivacyRequest>(sql('privacy_request_get')`
    select id, kind, person_id as "personId", requested_by as "requestedBy", reason, state, due_at as "dueAt", created_at as "createdAt",
      done_at as "doneAt", document_until as "documentUntil", downloaded_at as "downloadedAt"
    from privacy_request where id = ${id}`)

export type RequestFilter = {
  readonly personId: string | null
  readonly state: string | null
  readonly after: string | null
  readonly limit: number
}

/** Newest first. */
export const listRequests = (tx: Tx, f: RequestFilter) =>
  tx.many<PrivacyRequest>(sql('privacy_request_list')`
    select id, kind, person_id as "personId", requested_by as "requestedBy", reason, state, due_at as "dueAt", created_at as "createdAt",
      done_at as "doneAt", document_until as "documentUntil", downloaded_at as "downloadedAt"
    from privacy_request where organization_id = bursar_organization() and (${f.personId}::text is null or person_id = ${f.personId})
      and (${f.state}::text is null or state = ${f.state}) and (${f.after}::text is null or id < ${f.after})
    order by id desc limit ${f.limit}`)

export const stepsOf = (tx: Tx, requestId: string) =>
  tx.many<Step>(sql('privacy_steps')`
    select position, kind, title, connection_id as "connectionId", subject, state, note, evidence, attempts,
      next_try_at as "nextTryAt", completed_by as "completedBy", updated_at as "updatedAt"
    from privacy_step where request_id = ${requestId} order by position`)

const addSteps = (tx: Tx, ctx: Ctx, requestId: string, steps: readonly PlannedStep[]) =>
  tx.run(sql('privacy_steps_add')`
    insert into privacy_step (request_id, position, organization_id, kind, title, connection_id, subject, state, note, updated_at)
    select ${requestId}, s.position, ${ctx.organization}, s.kind, s.title, s.connection_id, s.subject, s.state, s.note, ${ts(tx.now)}::timestamptz
    from unnest(${steps.map((_, i) => i + 1)}::int[], ${steps.map((s) => s.kind)}::text[], ${steps.map((s) => s.title)}::text[],
      ${steps.map((s) => s.connectionId ?? null)}::text[], ${steps.map((s) => s.subject ?? null)}::text[],
      ${steps.map((s) => s.state ?? 'todo')}::text[], ${steps.map((s) => s.note ?? null)}::text[])
      as s(position, kind, title, connection_id, subject, state, note)`)

export async function saveStep(tx: Tx, ctx: Ctx, request: PrivacyRequest, step: Step, result: StepResult) {
  const note = result.note === undefined ? step.note : result.note
  await tx.run(sql('privacy_step_save')`
    update privacy_step set state = ${result.state}, note = ${note},
      evidence = coalesce(evidence, '{}') || ${json(result.evidence ?? {})}::jsonb, attempts = ${result.attempts ?? step.attempts},
      next_try_at = ${ts(result.nextTryAt ?? null)}::timestamptz, completed_by = ${result.completedBy ?? null}, updated_at = ${ts(tx.now)}
    where request_id = ${request.id} and position = ${step.position}`)
  if (result.state === step.state) return
  const data = { requestId: request.id, step: step.title, state: result.state, note }
  await record(tx, ctx, [{ kind: 'privacy.step', personId: request.personId, data }])
}

/** Brings the request to what its steps say; true when it is done now. */
export async function settleRequest(tx: Tx, ctx: Ctx, request: PrivacyRequest): Promise<boolean> {
  const state = requestState((await stepsOf(tx, request.id)).map((s) => s.state))
  await tx.run(sql('privacy_request_state')`
    update privacy_request set state = ${state}, done_at = case when ${state} = 'done' then ${ts(tx.now)}::timestamptz end
    where id = ${request.id} and state <> 'done'`)
  if (state === 'done' && request.state !== 'done') {
    const data = { requestId: request.id, request: request.kind }
    await record(tx, ctx, [{ kind: 'privacy.done', personId: request.personId, data }])
  }
  return state === 'done'
}
