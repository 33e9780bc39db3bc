import { hour, minute } from '@bursar/kit/clock.ts'
import * as z from 'zod'
import { type App, type Ctx, inTx, systemCtx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { enqueue } from '#db/jobs/queue.ts'
import type { Task } from '#db/jobs/task.ts'
import { sql, ts } from '#db/sql.ts'
import { endAllFor } from '#entitlements/merge.ts'
import { applyJob } from '#entitlements/store.ts'
import { builtInIssuer } from '#identity/signed-in.ts'
import { erasedReason, eraseMails, eraseRecords } from './erase-records.ts'
import { eraseSchool } from './erase-school.ts'
import { collect } from './export.ts'
import { endOutsideSessions } from './link.ts'
import { privacyJob, requestById, samePeople, saveStep, settleRequest, stepsOf } from './privacy.ts'
import type { PrivacyRequest, Step, StepResult } from './privacy-shape.ts'
import { signInOf } from './sign-in-systems.ts'

const payloadSchema = z.object({ organization: z.string(), requestId: z.string() })
const failedWaitMs = 5 * minute

/**
 * Carries a request out, step by step. Each step is safe to repeat and its result is written before the next begins,
 * so whoever is killed on the way is followed from there. A step that cannot go on holds up none of the others.
 */
export const privacyRunner =
  (app: App): Task =>
  async (payload) => {
    const { organization, requestId } = payloadSchema.parse(payload)
    const ctx = systemCtx(app, organization, 'privacy')
    const loaded = await inTx(ctx, async (tx) => {
      const request = await requestById(tx, requestId)
      if (request === null || request.state === 'done') return null
      return { request, steps: await stepsOf(tx, requestId), people: await samePeople(tx, request.personId) }
    })
    if (loaded === null) return undefined
    const { request, people } = loaded
    for (const step of loaded.steps) if (isDue(step, app.clock.now())) await runStep(ctx, request, step, people)
    return inTx(ctx, async (tx) => {
      if (await settleRequest(tx, ctx, request)) return undefined
      const waits = (await stepsOf(tx, requestId)).filter((s) => s.state === 'todo' || s.state === 'failed')
      if (waits.length === 0) return undefined
      return { snoozeUntil: Math.min(...waits.map((s) => s.nextTryAt ?? tx.now)) }
    })
  }

const isDue = (step: Step, now: number): boolean =>
  (step.state === 'todo' || step.state === 'failed') && (step.nextTryAt === null || step.nextTryAt <= now)

async function runStep(ctx: Ctx, request: PrivacyRequest, step: Step, people: readonly string[]): Promise<void> {
  const save = (tx: Tx, result: StepResult) => saveStep(tx, ctx, request, step, result)
  const within = (work: (tx: Tx) => Promise<StepResult>) => inTx(ctx, async (tx) => save(tx, await work(tx)))
  const outside = async (work: Promise<StepResult>) => {
    const result = await work
    await inTx(ctx, (tx) => save(tx, result))
  }
  switch (step.kind) {
    case 'access':
      return within((tx) => endAccess(tx, ctx, people))
    case 'sign_in':
      return outside(eraseSignIn(ctx, step))
    case 'sessions':
      return within((tx) => endSessions(tx, ctx, people))
    case 'records':
      return within((tx) => eraseRecords(tx, ctx, people))
    case 'school':
      return outside(eraseSchool(ctx, step, people))
    case 'mails':
      return within(async (tx) => eraseMails(tx, ctx, await waitingMails(tx, request.id)))
    case 'collect':
      return outside(collect(ctx, request, people))
    default:
      throw new Error(`nobody knows how to do the privacy step ${step.kind}`)
  }
}

async function endAccess(tx: Tx, ctx: Ctx, people: readonly string[]): Promise<StepResult> {
  const accounts = new Set<string>()
  for (const person of people)
    for (const account of await endAllFor(tx, ctx, person, erasedReason)) accounts.add(account)
  await enqueue(
    tx,
    [...accounts].map((account) => applyJob(ctx.organization, account)),
  )
  return { state: 'done', evidence: { accounts: accounts.size } }
}

/** The built-in user goes only when no other organization knows it; there it is not ours to delete. */
async function eraseSignIn(ctx: Ctx, step: Step): Promise<StepResult> {
  const subject = step.subject ?? ''
  const elsewhere = await ctx.db.direct(sql('sign_in_elsewhere')`
    select 1 from identity where issuer = ${builtInIssuer(ctx)} and subject = ${subject} and organization_id <> ${ctx.organization} limit 1`)
  if (elsewhere.length > 0)
    return {
      state: 'retained',
      note: 'This sign-in is also used in another organization of this hub and stays for that one.',
    }
  try {
    const { builtIn } = signInOf(ctx)
    await builtIn.revokeAll(subject)
    await builtIn.deleteUser(subject)
    return { state: 'done', note: null }
  } catch (error) {
    ctx.log.error('a sign-in could not be erased', { requestStep: step.position, error: String(error) })
    const next = ctx.clock.now() + failedWaitMs
    return {
      state: 'failed',
      note: 'It did not work; it is tried again.',
      attempts: step.attempts + 1,
      nextTryAt: next,
    }
  }
}

async function endSessions(tx: Tx, ctx: Ctx, people: readonly string[]): Promise<StepResult> {
  const identities = await tx.many<{ issuer: string; subject: string }>(sql('erase_session_keys')`
    select issuer, subject from identity where person_id = any(${people}::text[]) order by 1, 2`)
  let ended = 0
  for (const key of identities) {
    await endOutsideSessions(tx, ctx, key)
    ended += await tx.run(sql('erase_sessions')`
      delete from session where organization_id = ${ctx.organization} and issuer = ${key.issuer} and subject = ${key.subject}`)
  }
  return { state: 'done', evidence: { sessions: ended } }
}

const waitingMails = async (tx: Tx, requestId: string): Promise<readonly string[]> => {
  const row = await tx.maybeOne<{ ids: string[] | null }>(sql('erase_waiting_mails')`
    select array(select jsonb_array_elements_text(evidence->'messages')) as ids from privacy_step
    where request_id = ${requestId} and kind = 'records'`)
  return row?.ids ?? []
}

const sweepMax = 200

/** Documents whose time is over go; requests whose job was lost are carried on. */
export async function sweepPrivacy(app: App): Promise<{ readonly documents: number; readonly requests: number }> {
  const now = app.clock.now()
  const gone = await app.db.direct(sql('privacy_documents_gone')`
    update privacy_request set document = null where document is not null and document_until <= ${ts(now)} returning 1`)
  const rows = await app.db.direct<{ organization: string; id: string }>(sql('privacy_sweep')`
    select r.organization_id as organization, r.id from privacy_request r where r.state = 'running' and r.created_at <= ${ts(now - hour)}
      and exists (select 1 from privacy_step s where s.request_id = r.id and s.state in ('todo', 'failed')
        and coalesce(s.next_try_at, r.created_at) <= ${ts(now - hour)})
    order by r.created_at limit ${sweepMax}`)
  for (const { organization, id } of rows)
    await app.db.tx({ organization }, (tx) =>
      enqueue(tx, [{ ...privacyJob(organization, id), keyMode: 'preserve_run_at' }]),
    )
  return { documents: gone.length, requests: rows.length }
}
