import { CodedError } from '@bursar/kit/errors.ts'
import { z } from 'zod'
import { type Action, action } from '#action/define.ts'
import { id, page, secret } from '#action/fields.ts'
import { releaseAccount } from './erase-school.ts'
import { download } from './export.ts'
import { actorId } from './merge.ts'
import { listRequests, openRequest, requestById, saveStep, settleRequest, stepsOf } from './privacy.ts'
import { refuseMightier } from './privilege.ts'
import { requestShape, stepShape } from './shape.ts'

const reason = z.string().trim().min(3).max(300).describe('Why, and how the person asked for it.')
const whole = z.object({ request: requestShape, steps: z.array(stepShape) })
const opened = whole.extend({ already: z.boolean().describe('It was asked for before; this is that request.') })

export const erase = action({
  name: 'people.erase',
  summary:
    'Erase a person here and at the schools, step by step, within 30 days. Access ends at once. Orders keep their amounts. It cannot be undone.',
  input: z.object({ personId: id('prs'), reason }),
  output: opened,
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, input) => {
    await refuseMightier(ctx, [input.personId])
    const { request, steps, already } = await openRequest(ctx.tx, ctx, { kind: 'erase', ...input })
    return { request, steps: [...steps], already }
  },
})

export const exportPerson = action({
  name: 'people.export',
  summary: 'Gather everything this hub holds about a person into one copy, which can be downloaded once within 7 days.',
  input: z.object({ personId: id('prs'), reason }),
  output: opened,
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, input) => {
    const { request, steps, already } = await openRequest(ctx.tx, ctx, { kind: 'export', ...input })
    return { request, steps: [...steps], already }
  },
})

export const downloadExport = action({
  name: 'people.download_export',
  summary: 'Download the copy an operator asked for, once, to hand it to the person.',
  input: z.object({ requestId: id('prv') }),
  output: z.object({ document: secret(z.record(z.string(), z.unknown()).nullable()) }),
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  hidden: 'agents',
  run: async (ctx, { requestId }) => {
    const request = await requestById(ctx.tx, requestId)
    if (request === null || request.kind !== 'export') throw new CodedError('not_found', 'There is no such request.')
    // What people ask for themselves is for themselves.
    if (request.requestedBy === request.personId)
      throw new CodedError('forbidden', 'This copy was asked for by the person; only they can download it.')
    return { document: await download(ctx.tx, ctx, request) }
  },
})

export const list = action({
  name: 'privacy.list',
  summary: 'List requests for copies and erasures, newest first, with the day they are due.',
  input: z.object({
    personId: id('prs').optional(),
    state: z.enum(['running', 'waiting_person', 'done']).optional(),
    ...page,
  }),
  output: z.object({ requests: z.array(requestShape) }),
  access: 'people:read',
  effect: 'read',
  sensitive: true,
  run: async (ctx, { personId = null, state = null, after = null, limit }) => ({
    requests: await listRequests(ctx.tx, { personId, state, after, limit }),
  }),
})

export const get = action({
  name: 'privacy.get',
  summary: 'Show one request with its steps: what was done where, what waits for whom, what stays and why.',
  input: z.object({ requestId: id('prv') }),
  output: whole,
  access: 'people:read',
  effect: 'read',
  sensitive: true,
  run: async ({ tx }, { requestId }) => {
    const request = await requestById(tx, requestId)
    if (request === null) throw new CodedError('not_found', 'There is no such request.')
    return { request, steps: await stepsOf(tx, requestId) }
  },
})

export const completeStep = action({
  name: 'privacy.complete_step',
  summary: 'Say that a step which waits for a person was done, with the proof of it, or that it must stay, and why.',
  input: z.object({
    requestId: id('prv'),
    position: z.number().int().min(1).max(1000),
    outcome: z.enum(['done', 'retained']),
    evidence: z.string().trim().min(3).max(500).describe('What was done there, or on what ground it stays.'),
  }),
  output: whole,
  access: 'people:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, { requestId, position, outcome, evidence }) => {
    const { tx } = ctx
    const request = await requestById(tx, requestId)
    const step = (await stepsOf(tx, requestId)).find((s) => s.position === position)
    if (request === null || step === undefined) throw new CodedError('not_found', 'There is no such step.')
    if (step.state !== 'waiting_person') throw new CodedError('conflict', 'This step waits for nobody.')
    if (step.kind === 'school' && step.subject !== null && outcome === 'done') await releaseAccount(tx, step.subject)
    const completedBy = actorId(ctx)
    await saveStep(tx, ctx, request, step, {
      state: outcome,
      note: evidence,
      evidence: { said: evidence },
      completedBy,
    })
    await settleRequest(tx, ctx, request)
    return { request: (await requestById(tx, requestId)) ?? request, steps: await stepsOf(tx, requestId) }
  },
})

export const privacyActions: readonly Action[] = [erase, exportPerson, downloadExport, list, get, completeStep]
