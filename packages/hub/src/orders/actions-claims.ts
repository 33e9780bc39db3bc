import { z } from 'zod'
import { type Action, action } from '#action/define.ts'
import { id, instant } from '#action/fields.ts'
import { casesBy, mustFindCase, resolveCase } from './cases.ts'
import { claimsOf } from './claim-store.ts'
import { mustFindOrder } from './resettle.ts'
import { assignSeat, resendClaimLink, transferOrder } from './transfer.ts'

const listMax = 100
const email = z.email().max(254)
const reason = z.string().trim().min(3).max(300)

const caseShape = z.object({
  id: z.string(),
  orderId: z.string(),
  kind: z.enum(['second_claimant']),
  claimant: z.string().describe('The person who claims it as well.'),
  claimantEmail: z.string().nullable(),
  holder: z.string().nullable().describe('The person who has it.'),
  holderEmail: z.string().nullable(),
  evidence: z.string().describe('What the claimant showed.'),
  state: z.enum(['open', 'resolved']),
  resolution: z.enum(['keep', 'move']).nullable(),
  reason: z.string().nullable(),
  resolvedBy: z.string().nullable(),
  openedAt: instant,
  lastAt: instant,
  resolvedAt: instant.nullable(),
})

const claimShape = z.object({
  id: z.string(),
  fromPerson: z.string().nullable(),
  toPerson: z.string(),
  issuer: z.string(),
  subject: z.string(),
  evidence: z.enum(['claim_secret', 'mailbox_code', 'receipt_link', 'session', 'operator']),
  emailsDiffer: z.boolean(),
  claimedAt: instant,
  undoUntil: instant.nullable(),
  undoneAt: instant.nullable(),
})

export const casesList = action({
  name: 'cases.list',
  summary: 'List questions about access that only a person may decide, newest first: two people claim one purchase.',
  input: z.object({
    state: z.enum(['open', 'resolved']).optional(),
    orderId: id('ord').optional(),
    after: id('cas').optional(),
    limit: z.number().int().min(1).max(listMax).default(50),
  }),
  output: z.object({ cases: z.array(caseShape), next: z.string().nullable() }),
  access: 'cases:read',
  effect: 'read',
  sensitive: true,
  examples: [{ summary: 'What waits', input: { state: 'open' } }],
  run: async (ctx, input) => {
    const rows = await casesBy(ctx.tx, { ...input, limit: input.limit + 1 })
    const cases = rows.slice(0, input.limit)
    return { cases, next: rows.length > input.limit ? (cases.at(-1)?.id ?? null) : null }
  },
})

export const casesGet = action({
  name: 'cases.get',
  summary: 'Show one case with the claims its order has seen.',
  input: z.object({ caseId: id('cas') }),
  output: z.object({ case: caseShape, claims: z.array(claimShape) }),
  access: 'cases:read',
  effect: 'read',
  sensitive: true,
  run: async (ctx, { caseId }) => {
    const found = await mustFindCase(ctx.tx, caseId)
    return { case: found, claims: await claimsOf(ctx.tx, found.orderId) }
  },
})

export const casesResolve = action({
  name: 'cases.resolve',
  summary: 'Decide a case: the purchase stays where it is, or it moves to the claimant with all it gives.',
  input: z.object({ caseId: id('cas'), resolution: z.enum(['keep', 'move']), reason }),
  output: z.object({ case: caseShape }),
  access: 'cases:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, input) => {
    await resolveCase(ctx, input)
    return { case: await mustFindCase(ctx.tx, input.caseId) }
  },
})

export const claimsList = action({
  name: 'claims.list',
  summary: 'List who claimed an order and by which evidence, oldest first.',
  input: z.object({ orderId: id('ord') }),
  output: z.object({ claims: z.array(claimShape) }),
  access: 'orders:read',
  effect: 'read',
  sensitive: true,
  run: async (ctx, { orderId }) => {
    await mustFindOrder(ctx.tx, orderId)
    return { claims: await claimsOf(ctx.tx, orderId) }
  },
})

export const resend = action({
  name: 'orders.resend_claim_link',
  summary: 'Send the claim link again, to the mailbox the seat is for and no other. Earlier links of the order end.',
  input: z.object({ orderId: id('ord') }),
  output: z.object({ to: z.string().describe('Masked.') }),
  access: 'orders:write',
  effect: 'write',
  run: (ctx, { orderId }) => resendClaimLink(ctx, orderId),
})

export const assign = action({
  name: 'orders.assign_seat',
  summary: 'Give one of the further seats of a line with a quantity to an e-mail address. Never more than were paid.',
  input: z.object({
    orderId: id('ord'),
    lineId: z.string().min(1).max(60),
    email,
    name: z.string().trim().min(1).max(120).optional(),
  }),
  output: z.object({ personId: z.string(), seatsLeft: z.number().int() }),
  access: 'orders:write',
  effect: 'write',
  run: async (ctx, input) => {
    const { personId, seatsLeft } = await assignSeat(ctx, { ...input, name: input.name ?? null })
    return { personId, seatsLeft }
  },
})

export const transfer = action({
  name: 'orders.transfer',
  summary:
    'Give a purchase to another learner, by person or by e-mail. Its old seats close, the new ones open; what fails is tried again and shown.',
  input: z
    .object({
      orderId: id('ord'),
      personId: id('prs').optional(),
      email: email.optional(),
      name: z.string().trim().min(1).max(120).optional(),
      reason,
    })
    .refine((it) => (it.personId === undefined) !== (it.email === undefined), {
      path: ['personId'],
      message: 'name a person, or an address, and not both',
    }),
  output: z.object({ orderId: z.string(), fromPersonId: z.string().nullable(), personId: z.string() }),
  access: 'orders:write',
  effect: 'write',
  secondFactor: true,
  run: async (ctx, input) => {
    const to =
      input.personId === undefined
        ? { email: input.email ?? '', name: input.name ?? null }
        : { personId: input.personId }
    const { orderId, fromPersonId, personId } = await transferOrder(ctx, {
      orderId: input.orderId,
      to,
      reason: input.reason,
    })
    return { orderId, fromPersonId, personId }
  },
})

export const claimActions: readonly Action[] = [casesList, casesGet, casesResolve, claimsList, resend, assign, transfer]
