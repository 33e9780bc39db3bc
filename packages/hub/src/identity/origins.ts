import type { App } from '#action/context.ts'
import type { Tx } from '#db/database.ts'
import { sql, ts } from '#db/sql.ts'

export const originsMax = 50

/** The sites that may show an organization's frames, by its slug; null when there is no such organization. */
export async function originsOf(
  app: Pick<App, 'db'>,
  slug: string,
): Promise<{ readonly organization: string; readonly name: string; readonly origins: readonly string[] } | null> {
  const rows = await app.db.direct<{ organization: string; name: string; origins: string[] }>(sql('origins_of')`
    select o.id as organization, o.name,
      coalesce((select array_agg(g.origin order by g.origin) from organization_origin g where g.organization_id = o.id), '{}') as origins
    from organization o where o.slug = ${slug}`)
  return rows[0] ?? null
}

// A name or an IPv4 address, as the table holds them. URL takes `*` and `;` in a host, which policies read otherwise.
const hostPattern = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/

/** The origin of an address a person typed; null when it is not plainly a site. */
export function originFrom(text: string, loopback: boolean): string | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  const bare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (!bare || !hostPattern.test(url.hostname)) return null
  if (url.protocol === 'https:') return url.origin
  const local = url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname === '[::1]'
  return url.protocol === 'http:' && local && loopback ? url.origin : null
}

export const addOrigin = (tx: Tx, organization: string, origin: string) =>
  tx.run(sql('origin_add')`
    insert into organization_origin (organization_id, origin, created_at) values (${organization}, ${origin}, ${ts(tx.now)})
    on conflict do nothing`)

export const removeOrigin = (tx: Tx, organization: string, origin: string) =>
  tx.run(sql('origin_remove')`
    delete from organization_origin where organization_id = ${organization} and origin = ${origin}`)

export const listOrigins = async (tx: Tx, organization: string): Promise<string[]> => {
  const rows = await tx.many<{ origin: string }>(sql('origin_list')`
    select origin from organization_origin where organization_id = ${organization} order by origin`)
  return rows.map((row) => row.origin)
}
