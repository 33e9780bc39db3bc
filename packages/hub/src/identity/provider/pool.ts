import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'

/** better-auth's own connections. Few: a sign-in takes several short statements, and nothing waits inside one. */
export const poolSize = 4
const statementTimeoutMs = 15_000

/**
 * Connections that see the schema `auth` and nothing else by default, as the role that may (bursar_app may not). Apart
 * from the hub's pool because the library wants moments as Date and finds its tables by search_path.
 */
export function createAuthPool(url: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: 'bursar auth',
    options: `-c timezone=UTC -c search_path=auth -c role=bursar_system -c statement_timeout=${statementTimeoutMs}`,
  })
  // An idle connection that breaks is replaced at the next use; without a listener Node would end the program.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => void client.on('error', () => undefined))
  return pool
}

/** Kysely is better-auth's own way to the database; the tables have no types here because only it reads them so. */
export const createAuthDatabase = (pool: pg.Pool): Kysely<Record<string, unknown>> =>
  new Kysely({ dialect: new PostgresDialect({ pool }) })
