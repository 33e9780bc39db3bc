import { readFile } from 'node:fs/promises'
import { lmsRegistry } from '@bursar/connectors/lms/registry.ts'
import { paymentRegistry } from '@bursar/connectors/payments/registry.ts'
import { day } from '@bursar/kit/clock.ts'
import * as z from 'zod'
import { type App, type Ctx, inTx, systemCtx } from '#action/context.ts'
import { connections, keepSecrets, saveConnection } from '#catalog/connections.ts'
import { secretsMax } from '#catalog/endpoints.ts'
import { withoutSecrets } from '#catalog/open.ts'
import { createProduct, mapMetadata, mapPrice, publishVersion, saveCourse } from '#catalog/products.ts'
import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'
import { createOrganization, updateOrganization } from '#identity/organizations.ts'
import { addOrigin, originFrom } from '#identity/origins.ts'
import { type Config, webhookSecrets } from './config.ts'
import { listed } from './settings.ts'

const kinds = ['course', 'bundle', 'program', 'class', 'offer', 'voucher', 'subscription'] as const
const connectionSchema = z.strictObject({
  name: z.string().min(1).max(80),
  platform: z.string(),
  /** The connector's own settings, secrets included; see its README. */
  config: z.record(z.string(), z.unknown()),
  /** All of them are valid for as long as they stand here. Left out: the file says nothing about them. */
  webhookSecrets: z.array(z.string().min(16)).max(secretsMax).optional(),
})
const productSchema = z.strictObject({
  name: z.string().min(1).max(200),
  courses: z
    .array(
      z.strictObject({
        connection: z.string().optional(),
        kind: z.enum(kinds).default('course'),
        id: z.string().min(1),
        title: z.string().optional(),
      }),
    )
    .min(1),
  prices: z
    .array(
      z.strictObject({
        connection: z.string().optional(),
        id: z.string().min(1),
        currency: z.string().length(3).optional(),
        amount: z.string().regex(/^\d+$/).optional(),
      }),
    )
    .default([]),
  /** Checkout metadata that stands for this product: `{"key": "courseId", "value": "42"}`. */
  metadata: z
    .array(z.strictObject({ connection: z.string().optional(), key: z.string().min(1), value: z.string().min(1) }))
    .default([]),
})
export const seedSchema = z.strictObject({
  organizations: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(200),
        slug: z.string().regex(/^[a-z0-9-]{2,60}$/),
        /** Allows links that open a course for whoever holds them. Left out: as it is. */
        guestAccess: z.boolean().optional(),
        /** Sites that may show the widget. */
        origins: z.array(z.url()).default([]),
        schools: z.array(connectionSchema).default([]),
        payments: z.array(connectionSchema).default([]),
        products: z.array(productSchema).default([]),
      }),
    )
    .min(1),
})

export type Seed = z.output<typeof seedSchema>
type SeedOrganization = Seed['organizations'][number]

// A secret that was taken out of the list still opens what was signed before, for as long as Stripe retries.
const overlapMs = 4 * day

/** The seed file; says which field is wrong. */
export async function readSeed(path: string): Promise<Seed> {
  const parsed = seedSchema.safeParse(JSON.parse(await readFile(path, 'utf8')))
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`)
  throw new Error(`The seed file ${path} cannot be used. ${issues.join('; ')}`)
}

/** What the environment itself configures, in the form of a seed file. */
export function seedFromEnvironment(config: Config): Seed | null {
  if (config.stripeWebhookSecret === null && config.learnworldsBaseUrl === null) return null
  const livemode =
    config.stripeLivemode ?? (config.stripeSecretKey === null ? null : /^(sk|rk)_live_/.test(config.stripeSecretKey))
  const auth =
    config.learnworldsAccessToken === null
      ? { kind: 'credentials', clientSecret: config.learnworldsClientSecret, encoding: config.learnworldsTokenEncoding }
      : { kind: 'token', accessToken: config.learnworldsAccessToken }
  const schools =
    config.learnworldsBaseUrl === null
      ? []
      : [
          {
            name: 'LearnWorlds',
            platform: 'learnworlds',
            config: {
              baseUrl: config.learnworldsBaseUrl,
              clientId: config.learnworldsClientId,
              auth,
              requests: config.learnworldsRequests,
              windowMs: config.learnworldsWindowMs,
            },
            webhookSecrets: config.learnworldsWebhookToken === null ? [] : [config.learnworldsWebhookToken],
          },
        ]
  const payments =
    config.stripeWebhookSecret === null
      ? []
      : [
          {
            name: 'Stripe',
            platform: 'stripe',
            config: {
              secretKey: config.stripeSecretKey,
              ...(config.stripePublishableKey === null ? {} : { publishableKey: config.stripePublishableKey }),
              ...(config.stripeApiBase === null ? {} : { apiBase: config.stripeApiBase }),
              ...(livemode === null ? {} : { livemode }),
            },
            webhookSecrets: [...webhookSecrets(config)],
          },
        ]
  return seedSchema.parse({
    organizations: [
      {
        name: 'Main',
        slug: 'main',
        origins: listed(config.origins),
        schools,
        payments,
        products: mapProducts(config.map ?? ''),
      },
    ],
  })
}

/** `price_1=course:a+bundle:b, metadata.courseId:42=course:c` */
export function mapProducts(map: string): unknown[] {
  return map
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=')
      const [from, to] = [part.slice(0, at), part.slice(at + 1)]
      const courses = to.split('+').map((course) => {
        const [kind, ...id] = course.split(':')
        if (id.length === 0) throw new Error(`BURSAR_MAP: ${part} must say what it opens, as kind:id.`)
        return { kind, id: id.join(':') }
      })
      if (at < 1) throw new Error(`BURSAR_MAP: ${part} must be price=kind:id or metadata.key:value=kind:id.`)
      const hint = /^metadata\.([^:]+):(.+)$/.exec(from)
      return hint === null
        ? { name: from, courses, prices: [{ id: from }] }
        : { name: from, courses, metadata: [{ key: hint[1], value: hint[2] }] }
    })
}

/** Every address a seed names: whoever writes it has a shell here, so the hub may call them. */
export const seedOrigins = (seed: Seed | null): readonly string[] =>
  (seed?.organizations ?? [])
    .flatMap((o) => [...o.schools, ...o.payments])
    .flatMap((c) =>
      [c.config.baseUrl, c.config.apiBase].flatMap((a) =>
        typeof a === 'string' && URL.canParse(a) ? [new URL(a).origin] : [],
      ),
    )

/** Brings a seed in: makes what is missing, updates what is there, removes nothing. Safe at every start. */
export async function applySeed(app: App, seed: Seed): Promise<readonly string[]> {
  const ids: string[] = []
  for (const organization of seed.organizations) {
    const id = await ensureOrganization(app, organization)
    const ctx = systemCtx(app, id, 'seed')
    const names = await saveConnections(ctx, organization)
    await inTx(ctx, (tx) => saveOrigins(tx, ctx, organization.origins))
    for (const product of organization.products) await saveProduct(ctx, names, product)
    ids.push(id)
  }
  return ids
}

async function ensureOrganization(app: App, wish: SeedOrganization): Promise<string> {
  return app.db.tx('system', async (tx) => {
    const known = await tx.maybeOne<{ id: string }>(
      sql('seed_organization')`select id from organization where slug = ${wish.slug}`,
    )
    const made = known ?? (await createOrganization(tx, { ids: app.ids }, { name: wish.name, slug: wish.slug }))
    if (made === null) throw new Error(`organization ${wish.slug} could not be made`)
    if (wish.guestAccess !== undefined) await updateOrganization(tx, made.id, { guestAccess: wish.guestAccess })
    return made.id
  })
}

async function saveOrigins(tx: Tx, ctx: Ctx, sites: readonly string[]): Promise<void> {
  for (const site of sites) {
    const origin = originFrom(site, ctx.demo)
    if (origin === null) throw new Error(`The seed names ${site}; a site is https:// and a host, without a path.`)
    await addOrigin(tx, ctx.organization, origin)
  }
}

type Names = { readonly lms: ReadonlyMap<string, string>; readonly payment: ReadonlyMap<string, string> }

async function saveConnections(ctx: Ctx, organization: SeedOrganization): Promise<Names> {
  const save = async (category: 'lms' | 'payment', wishes: SeedOrganization['schools']) => {
    for (const wish of wishes) await saveOne(ctx, category, wish)
    const all = await inTx(ctx, (tx) => connections(tx, category))
    return new Map(all.map((c) => [c.name, c.id]))
  }
  return { lms: await save('lms', organization.schools), payment: await save('payment', organization.payments) }
}

async function saveOne(
  ctx: Ctx,
  category: 'lms' | 'payment',
  wish: SeedOrganization['schools'][number],
): Promise<string> {
  const registry: Readonly<Record<string, { secretFields: readonly string[]; configSchema: z.ZodType }>> =
    category === 'lms' ? lmsRegistry : paymentRegistry
  const platform = Object.hasOwn(registry, wish.platform) ? registry[wish.platform] : undefined
  if (platform === undefined)
    throw new Error(`The seed names platform ${wish.platform}; known are ${Object.keys(registry).join(', ')}.`)
  const parsed = platform.configSchema.safeParse(wish.config)
  if (!parsed.success)
    throw new Error(
      `The settings of ${wish.name} cannot be used. ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`,
    )
  const { open, secrets } = withoutSecrets(wish.config, platform.secretFields)
  return inTx(ctx, async (tx) => {
    const id = await saveConnection(tx, ctx, {
      category,
      platform: wish.platform,
      name: wish.name,
      config: open,
      credentials: secrets,
    })
    if (wish.webhookSecrets !== undefined) await keepSecrets(tx, ctx, id, wish.webhookSecrets, overlapMs)
    return id
  })
}

const named = (names: ReadonlyMap<string, string>, name: string | undefined, what: string): string => {
  const [only] = [...names.values()]
  const id = name === undefined ? (names.size === 1 ? only : undefined) : names.get(name)
  if (id === undefined) throw new Error(`The seed must name the ${what} (there are ${names.size}).`)
  return id
}

async function saveProduct(
  ctx: Ctx,
  names: Names,
  wish: Seed['organizations'][number]['products'][number],
): Promise<void> {
  await inTx(ctx, async (tx) => {
    const courses: string[] = []
    for (const course of wish.courses) {
      const connectionId = named(names.lms, course.connection, 'school of a course')
      const saved = await saveCourse(tx, ctx, {
        connectionId,
        kind: course.kind,
        externalId: course.id,
        title: course.title ?? course.id,
      })
      courses.push(saved.id)
    }
    const known = await tx.maybeOne<{ id: string }>(
      sql('seed_product')`select id from product where name = ${wish.name} order by created_at limit 1`,
    )
    const productId = known?.id ?? (await createProduct(tx, ctx, wish.name))
    await publishVersion(tx, ctx, productId, courses)
    for (const price of wish.prices) {
      const connectionId = named(names.payment, price.connection, 'payment account of a price')
      await mapPrice(tx, ctx, {
        connectionId,
        productId,
        externalId: price.id,
        currency: price.currency?.toUpperCase() ?? null,
        amount: price.amount === undefined ? null : BigInt(price.amount),
      })
    }
    for (const hint of wish.metadata) {
      const connectionId = named(names.payment, hint.connection, 'payment account of metadata')
      await mapMetadata(tx, ctx, { connectionId, key: hint.key, value: hint.value, productId })
    }
  })
}
