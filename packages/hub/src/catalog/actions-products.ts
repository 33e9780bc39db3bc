import { CodedError } from '@bursar/kit/errors.ts'
import { isCurrency } from '@bursar/kit/money.ts'
import { z } from 'zod'
import { type ActionCtx, action } from '#action/define.ts'
import { id, integer, page } from '#action/fields.ts'
import { enqueue, type JobSpec } from '#db/jobs/queue.ts'
import { mustFind } from './actions-connections.ts'
import { pricePage, productPage } from './list.ts'
import { coursesById, createProduct, mapMetadata, mapPrice, publishVersion } from './products.ts'

const coursesMax = 50
const courseIds = z.array(id('crs')).min(1).max(coursesMax)

const productShape = z.object({
  id: z.string(),
  name: z.string(),
  version: z.number().int(),
  courses: z.array(z.object({ id: z.string(), title: z.string() })).readonly(),
  prices: z.array(z.object({ connectionId: z.string(), externalId: z.string() })).readonly(),
})

async function mustKnow(ctx: ActionCtx, ids: readonly string[]): Promise<void> {
  const known = new Set((await coursesById(ctx.tx, ids)).map((c) => c.id))
  const missing = ids.filter((it) => !known.has(it))
  if (missing.length > 0) throw new CodedError('not_found', `There is no course ${missing.join(', ')}.`)
}

async function product(ctx: ActionCtx, productId: string) {
  const [found] = await productPage(ctx.tx, { id: productId, limit: 1 })
  if (found === undefined) throw new CodedError('not_found', 'There is no such product.')
  return found
}

async function paymentAccount(ctx: ActionCtx, connectionId: string): Promise<void> {
  const { category } = await mustFind(ctx, connectionId)
  if (category !== 'payment') throw new CodedError('conflict', 'This connection is a school, not a payment account.')
}

export const productsCreate = action({
  name: 'products.create',
  summary: 'Put together what is sold: a name and the courses it opens. Map a price to it next.',
  input: z.object({ name: z.string().trim().min(1).max(200), courseIds }),
  output: z.object({ product: productShape }),
  access: 'catalog:write',
  effect: 'write',
  run: async (ctx, input) => {
    await mustKnow(ctx, input.courseIds)
    const productId = await createProduct(ctx.tx, ctx, input.name)
    await publishVersion(ctx.tx, ctx, productId, input.courseIds)
    return { product: await product(ctx, productId) }
  },
})

export const productsPublish = action({
  name: 'products.publish',
  summary: 'Change what a product opens from now on. Orders keep the version they bought.',
  input: z.object({ productId: id('prd'), courseIds }),
  output: z.object({ product: productShape }),
  access: 'catalog:write',
  effect: 'write',
  run: async (ctx, input) => {
    await product(ctx, input.productId)
    await mustKnow(ctx, input.courseIds)
    await publishVersion(ctx.tx, ctx, input.productId, input.courseIds)
    return { product: await product(ctx, input.productId) }
  },
})

export const productsList = action({
  name: 'products.list',
  summary: 'List what is sold, with the courses each product opens now and the prices that sell it.',
  input: z.object({ after: id('prd').optional(), limit: page.limit }),
  output: z.object({ products: z.array(productShape), next: z.string().nullable() }),
  access: 'catalog:read',
  effect: 'read',
  run: async (ctx, { after, limit }) => {
    const rows = await productPage(ctx.tx, { after, limit: limit + 1 })
    const products = rows.slice(0, limit)
    return { products, next: rows.length > limit ? (products.at(-1)?.id ?? null) : null }
  },
})

/** Orders that waited for this follow by themselves. The slice above runs it. */
const followJob = (organization: string, connectionId: string): JobSpec => ({
  task: 'orders.resettle_unmapped',
  payload: { organization, connectionId },
  key: `resettle_unmapped:${connectionId}`,
})

export const pricesMap = action({
  name: 'prices.map',
  summary: 'Say which product a price of the payment account sells. Orders already paid with it open by themselves.',
  input: z.object({
    connectionId: id('con'),
    priceId: z.string().trim().min(1).max(255).describe('The provider’s own id, such as price_….'),
    productId: id('prd'),
    currency: z.string().length(3).toUpperCase().refine(isCurrency, 'is not a currency').optional(),
    amount: integer.optional().describe('Minor units; checked where only metadata names the product.'),
  }),
  output: z.object({ id: z.string() }),
  access: 'catalog:write',
  effect: 'write',
  run: async (ctx, input) => {
    await paymentAccount(ctx, input.connectionId)
    await product(ctx, input.productId)
    const { connectionId, productId, priceId, currency, amount } = input
    const price = { connectionId, productId, externalId: priceId, currency: currency ?? null, amount: amount ?? null }
    const { id: mapped } = await mapPrice(ctx.tx, ctx, price)
    await enqueue(ctx.tx, [followJob(ctx.organization, connectionId)])
    return { id: mapped }
  },
})

export const pricesList = action({
  name: 'prices.list',
  summary: 'List the prices that are mapped to products.',
  input: z.object({
    connectionId: id('con').optional(),
    productId: id('prd').optional(),
    after: id('pri').optional(),
    limit: page.limit,
  }),
  output: z.object({
    prices: z.array(
      z.object({
        id: z.string(),
        connectionId: z.string(),
        externalId: z.string(),
        productId: z.string(),
        product: z.string(),
        currency: z.string().nullable(),
        amount: integer.nullable(),
      }),
    ),
    next: z.string().nullable(),
  }),
  access: 'catalog:read',
  effect: 'read',
  run: async (ctx, { limit, ...filter }) => {
    const rows = await pricePage(ctx.tx, { ...filter, limit: limit + 1 })
    const prices = rows.slice(0, limit)
    return { prices, next: rows.length > limit ? (prices.at(-1)?.id ?? null) : null }
  },
})

export const metadataMap = action({
  name: 'metadata.map',
  summary: 'Say which product a checkout’s metadata stands for, such as courseId = 42, where prices are not mapped.',
  input: z.object({
    connectionId: id('con'),
    key: z.string().trim().min(1).max(40),
    value: z.string().trim().min(1).max(500),
    productId: id('prd'),
  }),
  output: z.object({}),
  access: 'catalog:write',
  effect: 'write',
  run: async (ctx, input) => {
    await paymentAccount(ctx, input.connectionId)
    await product(ctx, input.productId)
    await mapMetadata(ctx.tx, ctx, input)
    await enqueue(ctx.tx, [followJob(ctx.organization, input.connectionId)])
    return {}
  },
})
