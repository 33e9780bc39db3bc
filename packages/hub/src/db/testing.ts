import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { isAlive } from './embedded/processes.ts'
import { startEmbedded } from './embedded.ts'
import { migrate } from './migrate.ts'

/**
 * A database of its own for one test file, copied from a migrated template. Under `npm test` the cluster comes with
 * the run; a single file started by hand uses one in the system's temporary folder, shared with its neighbours.
 */
export type TestDatabase = {
  /** Acts as the owner of the tables; the hub's own pools lower themselves to its two roles. */
  readonly url: string
  drop(): Promise<void>
}

/**
 * Where scripts/test.ts puts the address of the run's cluster. Reading it here is the one exception to "the
 * environment is read in main/config.ts": a test file has no start-up of its own that could hand it in.
 */
const clusterVariable = 'BURSAR_TEST_CLUSTER'

/** The environment of a test run that uses this cluster. */
export const clusterEnvironment = (clusterUrl: string): NodeJS.ProcessEnv => ({
  ...process.env,
  [clusterVariable]: clusterUrl,
})

// Any constant will do; it only has to be the same in every process that prepares the template.
const templateLock = 7_216_403
const migrations = fileURLToPath(new URL('./migrations/', import.meta.url))
const prefix = 'bursar_test_'

export async function testDatabase(): Promise<TestDatabase> {
  const cluster = await testCluster()
  const name = `${prefix}${process.pid}_${randomBytes(4).toString('hex')}`
  await asAdmin(cluster.url, async (client) => {
    const template = await ensureTemplate(client, cluster.url)
    // Copying files takes 40 ms, writing them through the log (the default) 90 to 600.
    await client.query(`create database ${name} template ${template} strategy file_copy`)
  })
  return {
    url: at(cluster.url, name),
    drop: async () => {
      await asAdmin(cluster.url, (client) => client.query(`drop database if exists ${name} with (force)`))
      await cluster.leave()
    },
  }
}

/** Makes the template of a cluster, so that the first test file need not. */
export const prepareTemplate = (clusterUrl: string): Promise<string> =>
  asAdmin(clusterUrl, (client) => ensureTemplate(client, clusterUrl))

async function testCluster(): Promise<{ url: string; leave(): Promise<void> }> {
  const given = process.env[clusterVariable]
  if (given !== undefined) return { url: given, leave: async () => undefined }
  const who = process.getuid?.() ?? 'user'
  const started = await startEmbedded({ folder: path.join(tmpdir(), `bursar-test-${who}`), unsafe: true })
  return { url: started.url, leave: started.stop }
}

async function ensureTemplate(client: pg.Client, clusterUrl: string): Promise<string> {
  const template = `bursar_template_${await checksum()}`
  const exists = async () =>
    (await client.query('select from pg_database where datname = $1', [template])).rowCount !== 0
  if (await exists()) return template
  await client.query('select pg_advisory_lock($1)', [templateLock])
  try {
    if (await exists()) return template
    await removeLeftovers(client)
    // Renamed when it is whole: a template that exists is complete, even if a process died on the way.
    const fresh = `${prefix}${process.pid}_template`
    await client.query(`create database ${fresh}`)
    await migrate(at(clusterUrl, fresh))
    await client.query(`alter database ${fresh} rename to ${template}`)
    return template
  } finally {
    await client.query('select pg_advisory_unlock($1)', [templateLock])
  }
}

/** Test databases of processes that died, and templates of older schemas. */
async function removeLeftovers(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(
    `select datname from pg_database where datname like 'bursar\\_te%'`,
  )
  for (const { datname } of rows) {
    const owner = Number(datname.slice(prefix.length).split('_')[0])
    const old = datname.startsWith('bursar_template_') || (datname.startsWith(prefix) && !isAlive(owner))
    if (old) await client.query(`drop database if exists ${datname} with (force)`)
  }
}

async function checksum(): Promise<string> {
  const hash = createHash('sha256')
  for (const file of (await readdir(migrations)).sort())
    hash.update(file).update(await readFile(path.join(migrations, file)))
  return hash.digest('hex').slice(0, 16)
}

async function asAdmin<T>(clusterUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: clusterUrl, application_name: 'bursar test' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function at(clusterUrl: string, database: string): string {
  const url = new URL(clusterUrl)
  url.pathname = `/${database}`
  return url.href
}
