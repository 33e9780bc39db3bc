import { z } from 'zod'
import { type Action, action } from '#action/define.ts'
import { id, instant, integer, secret } from '#action/fields.ts'
import { normalizeEmail } from '#identity/people.ts'
import { claimActions } from './actions-claims.ts'
import { ownActions } from './actions-own.ts'
import { attributeRefund } from './attribute.ts'
import { createCheckout } from './create.ts'
import { issueGroups, ordersBy, refundViews } from './list.ts'
import { refund } from './refund.ts'
import { mustFindOrder, resettle } from './resettle.ts'
import { lineShape, orderShape, refundShape, showOrder } from './shape.ts'
import { orderLines } from './store.ts'

const listMax = 100
const linesMax = 50
// A provider's metadata value holds 500 characters: ten lines with their amounts.
const refundLinesMax = 10
const url = z.url().max(2_000)
const email = z.email().max(320)
const states = [
  'pending',
  'awaiting_funds',
  'paid',
  'partially_refunded',
  'refunded',
  'disputed',
  'charged_back',
  'canceled',
  'expired',
] as const
const issues = [
  'price_unknown',
  'metadata_mismatch',
  'refund_unattributed',
  'no_email',
  'livemode_mismatch',
  'amount_mismatch',
] as const

export const checkout = action({
  name: 'orders.create_checkout',
  summary:
    'Begin an order and its checkout page from prices on sale. Amounts and courses follow from the prices alone.',
  input: z.object({
    lines: z
      .array(z.object({ priceId: z.string().min(1).max(255), quantity: z.number().int().min(1).max(1_000).default(1) }))
      .min(1)
      .max(linesMax),
    mode: z.enum(['payment', 'subscription']).default('payment'),
    email: email.optional().describe('Fills in the form; proves nothing.'),
    successUrl: url,
    cancelUrl: url,
    connectionId: id('con').optional().describe('The payment account, when there are several.'),
  }),
  output: z.object({
    orderId: z.string().nullable().describe('Null in a dry run.'),
    checkoutId: z.string().nullable(),
    url: z.string().nullable().describe('Where the buyer pays.'),
    claimSecret: secret(z.string().nullable().describe('Binds the purchase to this buyer. Shown this once.')),
  }),
  access: 'orders:write',
  effect: 'outside',
  examples: [
    {
      summary: 'One course',
      input: {
        lines: [{ priceId: 'price_1Qexample' }],
        successUrl: 'https://shop.example/thanks',
        cancelUrl: 'https://shop.example/cart',
      },
    },
  ],
  run: (ctx, input) =>
    createCheckout(ctx, { ...input, email: input.email ?? null, connectionId: input.connectionId ?? null }),
})

export const get = action({
  name: 'orders.get',
  summary: 'Show one order with its lines and refunds.',
  input: z.object({ orderId: id('ord') }),
  output: z.object({ order: orderShape, lines: z.array(lineShape), refunds: z.array(refundShape) }),
  access: 'orders:read',
  effect: 'read',
  sensitive: true,
  run: async (ctx, { orderId }) => {
    await mustFindOrder(ctx.tx, orderId)
    const rows = await ordersBy(ctx.tx, { id: orderId, limit: 1 })
    const [order] = rows.map(showOrder)
    if (order === undefined) throw new Error(`order ${orderId} vanished`)
    const lines = await orderLines(ctx.tx, orderId)
    return {
      order,
      lines: lines.map((l) => ({ ...l, courseIds: l.courseIds === null ? null : [...l.courseIds] })),
      refunds: await refundViews(ctx.tx, orderId),
    }
  },
})

export const list = action({
  name: 'orders.list',
  summary: 'List orders, newest first, by state, open question or e-mail.',
  input: z.object({
    state: z.enum(states).optional(),
    issue: z.enum(issues).optional(),
    email: email.optional(),
    after: id('ord').optional(),
    limit: z.number().int().min(1).max(listMax).default(50),
  }),
  output: z.object({ orders: z.array(orderShape), next: z.string().nullable() }),
  access: 'orders:read',
  effect: 'read',
  sensitive: true,
  examples: [{ summary: 'Paid, but not mapped', input: { issue: 'price_unknown' } }],
  run: async (ctx, input) => {
    const { limit, email: given, ...rest } = input
    const rows = await ordersBy(ctx.tx, {
      ...rest,
      email: given === undefined ? undefined : normalizeEmail(given),
      limit: limit + 1,
    })
    const orders = rows.slice(0, limit).map(showOrder)
    return { orders, next: rows.length > limit ? (orders.at(-1)?.id ?? null) : null }
  },
})

const part = z.object({ lineId: z.string().min(1).max(60), amount: integer })

export const refundAction = action({
  name: 'orders.refund',
  summary:
    'Pay an order back: all that is left, some lines, or an amount on a line. A dry run tells which access would end or stay.',
  input: z.object({
    orderId: id('ord'),
    lines: z
      .array(part.extend({ amount: integer.optional() }))
      .min(1)
      .max(refundLinesMax)
      .optional()
      .describe('Left out: everything. A line without an amount: all that is left of it.'),
    reason: z.string().trim().min(3).max(300),
  }),
  output: z.object({
    refundId: z.string().nullable(),
    state: z.enum(['planned', 'pending', 'succeeded', 'failed', 'canceled', 'requires_action']),
    amount: integer,
    currency: z.string(),
    lines: z.array(part),
    access: z
      .array(
        z.object({
          courseId: z.string(),
          course: z.string(),
          access: z.enum(['kept', 'ending']),
          keptBecause: z.array(z.object({ entitlementId: z.string(), reason: z.string() })).readonly(),
        }),
      )
      .readonly(),
  }),
  access: 'orders:write',
  effect: 'outside',
  run: (ctx, input) =>
    refund(ctx, {
      orderId: input.orderId,
      reason: input.reason,
      lines: input.lines?.map((l) => ({ lineId: l.lineId, amount: l.amount ?? null })) ?? null,
    }),
})

const standing = { state: z.enum(states), issue: z.string().nullable() }

export const attribute = action({
  name: 'orders.attribute_refund',
  summary:
    'Say which lines a partial refund paid back. A line paid back in full ends its access; a part of it does not.',
  input: z.object({
    orderId: id('ord'),
    refundId: z.string().min(1).max(255),
    lines: z.array(part).min(1).max(linesMax),
  }),
  output: z.object(standing),
  access: 'orders:write',
  effect: 'write',
  run: attributeRefund,
})

export const resettleAction = action({
  name: 'orders.resettle',
  summary: 'Read an order back from its payment provider now and bring everything to what it says. Safe to repeat.',
  input: z.object({ orderId: id('ord') }),
  output: z.object({
    read: z.boolean().describe('False: nothing could be read; what is stored was added up.'),
    ...standing,
  }),
  access: 'orders:write',
  effect: 'outside',
  run: async (ctx, { orderId }) => {
    if (!ctx.dryRun) {
      const { read, state, issue } = await resettle(ctx, orderId)
      return { read, state: state as (typeof states)[number], issue }
    }
    const [order] = await ctx.db.tx({ organization: ctx.organization }, async (tx) => {
      await mustFindOrder(tx, orderId)
      return ordersBy(tx, { id: orderId, limit: 1 })
    })
    return { read: false, state: order?.state ?? 'pending', issue: order?.issue ?? null }
  },
})

const fixes: Readonly<Record<(typeof issues)[number], string>> = {
  price_unknown: 'Map the price with prices.map (or metadata.map); these orders follow by themselves.',
  metadata_mismatch: 'Look at the order: the checkout names one course, the payment bought another.',
  refund_unattributed: 'Say which lines were paid back with orders.attribute_refund.',
  no_email: 'Find out who paid, then give the seat with entitlements.grant.',
  livemode_mismatch: 'Check which mode the payment account is connected in.',
  amount_mismatch: 'Less was paid than the course costs: refund it, or give the seat with entitlements.grant.',
}

export const issuesAction = action({
  name: 'orders.issues',
  summary: 'List the open questions about orders, equal ones together, with what to do about them.',
  input: z.object({}),
  output: z.object({
    issues: z.array(
      z.object({
        issue: z.string(),
        detail: z.string().nullable(),
        orders: z.number().int(),
        oldest: instant,
        examples: z.array(z.string()).readonly(),
        fix: z.string(),
      }),
    ),
  }),
  access: 'orders:read',
  effect: 'read',
  run: async (ctx) => {
    const groups = await issueGroups(ctx.tx)
    return { issues: groups.map((g) => ({ ...g, fix: fixes[g.issue as (typeof issues)[number]] })) }
  },
})

export const orderActions: readonly Action[] = [
  checkout,
  get,
  list,
  refundAction,
  attribute,
  resettleAction,
  issuesAction,
  ...claimActions,
  ...ownActions,
]
