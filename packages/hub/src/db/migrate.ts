import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Logger, runMigrations } from 'graphile-worker'
import pg from 'pg'

const folder = fileURLToPath(new URL('./migrations/', import.meta.url))
const filePattern = /^(\d{4})_[a-z0-9_]+\.sql$/
// Any constant will do; it only has to be the same in every process that migrates.
const migrationLock = 7_216_402

/**
 * Brings a database to the newest schema: first the job library's own tables, then ours in number order, each in its
 * own transaction. Several processes may start at once; one does the work, the others wait for it.
 */
export async function migrate(url: string): Promise<{ applied: readonly string[] }> {
  const client = new pg.Client({ connectionString: url, application_name: 'bursar migrate' })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock])
    await runMigrations({ connectionString: url, logger: silent })
    return { applied: await applyAll(client) }
  } finally {
    await client.end()
  }
}

const silent = new Logger(() => () => undefined)

async function applyAll(client: pg.Client): Promise<string[]> {
  await client.query(`create table if not exists schema_migration (
    name text primary key, checksum text not null, applied_at timestamptz not null default now())`)
  const { rows } = await client.query<{ name: string; checksum: string }>('select name, checksum from schema_migration')
  const known = new Map(rows.map((r) => [r.name, r.checksum]))
  const files = (await readdir(folder)).filter((f) => filePattern.test(f)).sort()
  const applied: string[] = []
  for (const file of files) {
    const text = await readFile(`${folder}${file}`, 'utf8')
    const checksum = createHash('sha256').update(text).digest('hex')
    const before = known.get(file)
    if (before === checksum) continue
    if (before !== undefined) throw new Error(`migration ${file} was changed after it was applied`)
    await client.query('begin')
    try {
      await client.query(text)
      await client.query('insert into schema_migration (name, checksum) values ($1, $2)', [file, checksum])
      await client.query('commit')
    } catch (error) {
      await client.query('rollback')
      throw error
    }
    applied.push(file)
  }
  return applied
}
