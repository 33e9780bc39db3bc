import type { Ids } from '@bursar/kit/ids.ts'
import type { Database } from './database.ts'
import { sql, ts } from './sql.ts'

/** Rows that tests of this folder hang things on. */
export async function anOrganization(db: Database, ids: Ids): Promise<string> {
  const id = ids.next('org')
  await db.tx('system', (tx) =>
    tx.run(sql('sample_organization')`
      insert into organization (id, name, slug, created_at) values (${id}, 'Sample', ${id}, ${ts(tx.now)})`),
  )
  return id
}

export async function aConnection(db: Database, ids: Ids, organization?: string): Promise<string> {
  const org = organization ?? (await anOrganization(db, ids))
  const id = ids.next('con')
  await db.tx('system', (tx) =>
    tx.run(sql('sample_connection')`
      insert into connection (id, organization_id, category, platform, name, config, created_at, updated_at)
      values (${id}, ${org}, 'lms', 'sample', ${id}, '{}', ${ts(tx.now)}, ${ts(tx.now)})`),
  )
  return id
}
