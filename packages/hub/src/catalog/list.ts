import type { Tx } from '#db/database.ts'
import { sql } from '#db/sql.ts'

export type CourseView = {
  readonly id: string
  readonly connectionId: string
  readonly school: string
  readonly kind: string
  readonly externalId: string
  readonly title: string
}

export const coursePage = (
  tx: Tx,
  f: { connectionId?: string | undefined; search?: string | undefined; after?: string | undefined; limit: number },
) =>
  tx.many<CourseView>(sql('course_page')`
    select c.id, c.connection_id as "connectionId", k.name as school, c.kind, c.external_id as "externalId", c.title
    from course c join connection k on k.id = c.connection_id
    where c.organization_id = bursar_organization()
      and (${f.connectionId ?? null}::text is null or c.connection_id = ${f.connectionId ?? null})
      and (${f.search ?? null}::text is null or position(lower(${f.search ?? null}) in lower(c.title)) > 0)
      and (${f.after ?? null}::text is null or c.id > ${f.after ?? null})
    order by c.id limit ${f.limit}`)

/** How many of these are known already. */
export const knownCourses = async (
  tx: Tx,
  connectionId: string,
  items: readonly { readonly kind: string; readonly externalId: string }[],
): Promise<number> => {
  const row = await tx.one<{ count: number }>(sql('course_known')`
    select count(*)::int as count from course c
    join unnest(${items.map((i) => i.kind)}::text[], ${items.map((i) => i.externalId)}::text[]) as i(kind, external_id)
      using (kind, external_id) where c.connection_id = ${connectionId}`)
  return row.count
}

export type ProductView = {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly courses: readonly { readonly id: string; readonly title: string }[]
  readonly prices: readonly { readonly connectionId: string; readonly externalId: string }[]
}

export const productPage = (tx: Tx, f: { id?: string | undefined; after?: string | undefined; limit: number }) =>
  tx.many<ProductView>(sql('product_page')`
    select p.id, p.name, v.version,
      coalesce((select jsonb_agg(jsonb_build_object('id', c.id, 'title', c.title) order by c.id) from course c
        where c.id = any(v.course_ids)), '[]') as courses,
      coalesce((select jsonb_agg(jsonb_build_object('connectionId', r.connection_id, 'externalId', r.external_id) order by r.id)
        from price r where r.product_id = p.id), '[]') as prices
    from product p
    cross join lateral (select version, course_ids from product_version where product_id = p.id order by version desc limit 1) v
    where p.organization_id = bursar_organization()
      and (${f.id ?? null}::text is null or p.id = ${f.id ?? null}) and (${f.after ?? null}::text is null or p.id > ${f.after ?? null})
    order by p.id limit ${f.limit}`)

export type PriceView = {
  readonly id: string
  readonly connectionId: string
  readonly externalId: string
  readonly productId: string
  readonly product: string
  readonly currency: string | null
  readonly amount: bigint | null
}

export const pricePage = (
  tx: Tx,
  f: { connectionId?: string | undefined; productId?: string | undefined; after?: string | undefined; limit: number },
) =>
  tx.many<PriceView>(sql('price_page')`
    select r.id, r.connection_id as "connectionId", r.external_id as "externalId", r.product_id as "productId", p.name as product,
      r.currency, r.amount
    from price r join product p on p.id = r.product_id
    where r.organization_id = bursar_organization()
      and (${f.connectionId ?? null}::text is null or r.connection_id = ${f.connectionId ?? null})
      and (${f.productId ?? null}::text is null or r.product_id = ${f.productId ?? null})
      and (${f.after ?? null}::text is null or r.id > ${f.after ?? null})
    order by r.id limit ${f.limit}`)
