import { z } from 'zod'
import { instant, integer } from '#action/fields.ts'
import type { OrderView } from './list.ts'

/** An order as the doors show it. Amounts are minor units of `currency`. */
export const orderShape = z.object({
  id: z.string(),
  connectionId: z.string(),
  checkoutId: z.string().nullable(),
  paymentId: z.string().nullable(),
  subscriptionId: z.string().nullable(),
  state: z.string(),
  issue: z.string().nullable(),
  issueDetail: z.string().nullable(),
  personId: z.string().nullable(),
  email: z.string().nullable(),
  currency: z.string().nullable(),
  amount: integer,
  amountRefunded: integer,
  livemode: z.boolean(),
  learnerEmail: z.string().nullable().describe('Where the seat is for another mailbox than the one that paid.'),
  gift: z.boolean(),
  claimedAt: instant.nullable().describe('When somebody proved it theirs.'),
  createdAt: instant,
  paidAt: instant.nullable(),
})

export const lineShape = z.object({
  id: z.string(),
  description: z.string(),
  priceId: z.string().nullable(),
  courseIds: z.array(z.string()).nullable(),
  quantity: z.number().int(),
  amount: integer,
  tax: integer,
})

export const refundShape = z.object({
  id: z.string(),
  externalId: z.string(),
  amount: integer,
  currency: z.string(),
  state: z.string(),
  attributed: z.boolean(),
  createdAt: instant,
})

export const showOrder = (row: OrderView): z.output<typeof orderShape> => ({ ...row })
