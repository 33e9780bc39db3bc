import type { Ctx } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

/** What a price sells today: the newest version of its product. */
export type Offer = {
  readonly priceId: string
  readonly versionId: string
  readonly amount: bigint | null
  readonly currency: string | null
}

/** The offers behind a payment account's prices. A price that is not mapped is not in the answer. */
export async function offersOf(
  tx: Tx,
  connectionId: string,
  priceIds: readonly string[],
): Promise<ReadonlyMap<string, Offer>> {
  if (priceIds.length === 0) return new Map()
  const rows = await tx.many<Offer>(sql('offers_of')`
    select p.external_id as "priceId", v.id as "versionId", p.amount, p.currency
    from price p
    cross join lateral (select id from product_version where product_id = p.product_id order by version desc limit 1) v
    where p.connection_id = ${connectionId} and p.external_id = any(${priceIds}::text[])`)
  return new Map(rows.map((row) => [row.priceId, row]))
}

/** The product that checkout metadata names, by the operator's own map; with its cheapest price, when it has one. */
export function productOfMetadata(tx: Tx, connectionId: string, metadata: Readonly<Record<string, string>>) {
  const keys = Object.keys(metadata)
  if (keys.length === 0) return Promise.resolve(null)
  return tx.maybeOne<{
    versionId: string
    productId: string
    name: string
    amount: bigint | null
    currency: string | null
  }>(sql('product_of_metadata')`
    select v.id as "versionId", d.id as "productId", d.name, p.amount, p.currency
    from unnest(${keys}::text[], ${Object.values(metadata)}::text[]) as given(key, value)
    join metadata_map m on m.connection_id = ${connectionId} and m.key = given.key and m.value = given.value
    join product d on d.id = m.product_id
    cross join lateral (select id from product_version where product_id = d.id order by version desc limit 1) v
    left join lateral (select amount, currency from price where product_id = d.id and active and amount is not null order by amount limit 1) p on true
    order by given.key limit 1`)
}

export type NewCourse = {
  readonly connectionId: string
  readonly kind: string
  readonly externalId: string
  readonly title: string
}

/** Makes a course known, or gives a known one its new title. */
export const saveCourse = (tx: Tx, ctx: Ctx, course: NewCourse) =>
  tx.one<{ id: string }>(sql('course_save')`
    insert into course (id, organization_id, connection_id, kind, external_id, title, created_at)
    values (${ctx.ids.next('crs')}, ${ctx.organization}, ${course.connectionId}, ${course.kind}, ${course.externalId}, ${course.title}, ${ts(tx.now)})
    on conflict (connection_id, kind, external_id) do update set title = excluded.title
    returning id`)

export const coursesById = (tx: Tx, ids: readonly string[]) =>
  tx.many<{ id: string; connectionId: string; kind: string; externalId: string; title: string }>(sql('courses_by_id')`
    select id, connection_id as "connectionId", kind, external_id as "externalId", title from course where id = any(${ids}::text[])`)

export const createProduct = async (tx: Tx, ctx: Ctx, name: string): Promise<string> => {
  const id = ctx.ids.next('prd')
  await tx.run(sql('product_create')`
    insert into product (id, organization_id, name, created_at) values (${id}, ${ctx.organization}, ${name}, ${ts(tx.now)})`)
  return id
}

/** A new version of what a product opens. Orders keep the version they bought. Equal content makes no version. */
export async function publishVersion(
  tx: Tx,
  ctx: Ctx,
  productId: string,
  courseIds: readonly string[],
): Promise<{ id: string; version: number }> {
  await tx.run(sql('product_lock')`select 1 from product where id = ${productId} for update`)
  const last = await tx.maybeOne<{ id: string; version: number; courseIds: string[] }>(sql('product_version_last')`
    select id, version, course_ids as "courseIds" from product_version where product_id = ${productId} order by version desc limit 1`)
  const sorted = [...new Set(courseIds)].sort()
  if (last !== null && last.courseIds.join() === sorted.join()) return { id: last.id, version: last.version }
  const id = ctx.ids.next('pvr')
  const version = (last?.version ?? 0) + 1
  await tx.run(sql('product_version_add')`
    insert into product_version (id, organization_id, product_id, version, course_ids, created_at)
    values (${id}, ${ctx.organization}, ${productId}, ${version}, ${sorted}::text[], ${ts(tx.now)})`)
  return { id, version }
}

export type NewPrice = {
  readonly connectionId: string
  readonly productId: string
  readonly externalId: string
  readonly currency: string | null
  readonly amount: bigint | null
}

/** Says which product a price of the payment account sells. */
export const mapPrice = (tx: Tx, ctx: Ctx, price: NewPrice) =>
  tx.one<{ id: string }>(sql('price_map')`
    insert into price (id, organization_id, connection_id, product_id, external_id, currency, amount, created_at)
    values (${ctx.ids.next('pri')}, ${ctx.organization}, ${price.connectionId}, ${price.productId}, ${price.externalId}, ${price.currency}, ${price.amount}, ${ts(tx.now)})
    on conflict (connection_id, external_id) do update set product_id = excluded.product_id, currency = excluded.currency, amount = excluded.amount
    returning id`)

export const mapMetadata = (
  tx: Tx,
  ctx: Ctx,
  map: { connectionId: string; key: string; value: string; productId: string },
) =>
  tx.run(sql('metadata_map_save')`
    insert into metadata_map (organization_id, connection_id, key, value, product_id)
    values (${ctx.organization}, ${map.connectionId}, ${map.key}, ${map.value}, ${map.productId})
    on conflict (connection_id, key, value) do update set product_id = excluded.product_id`)
