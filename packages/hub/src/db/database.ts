import type { Clock, Instant } from '@bursar/kit/clock.ts'
import pg from 'pg'
import type { Statement } from './sql.ts'

/** Whose rows a transaction sees. PostgreSQL enforces it by row-level security; see docs/decisions/0004. */
export type Scope = { readonly organization: string } | 'system'

export interface Tx {
  /** The moment this transaction began, by the program's clock. All its rows carry it. */
  readonly now: Instant
  many<Row>(statement: Statement): Promise<Row[]>
  /** Exactly one row; anything else is a bug. */
  one<Row>(statement: Statement): Promise<Row>
  maybeOne<Row>(statement: Statement): Promise<Row | null>
  /** How many rows were touched. */
  run(statement: Statement): Promise<number>
  /** Runs once, right before the commit, however often the name is given; for what many places add to. */
  atEnd(name: string, work: () => Promise<unknown>): void
}

export interface Database {
  /** Runs `work` in one transaction and commits; anything thrown rolls back. Repeats on deadlock, at most three times. */
  tx<T>(scope: Scope, work: (tx: Tx) => Promise<T>): Promise<T>
  /** One statement that is a transaction by itself; for hot paths that need no tenant. Runs as the system role. */
  direct<Row>(statement: Statement): Promise<Row[]>
  close(): Promise<void>
}

export type DatabaseOptions = {
  readonly url: string
  readonly clock: Clock
  readonly max?: number
  readonly applicationName?: string
  /** Told before each transaction begins and after it committed: where the storm kills a worker. */
  readonly step?: (at: 'begin' | 'committed') => void | Promise<void>
}

const deadlock = new Set(['40001', '40P01'])
const attemptsMax = 3
const organizationPattern = /^org_[0-9a-z]{26}$/
const statementTimeoutMs = 30_000

const types = new pg.TypeOverrides()
types.setTypeParser(pg.types.builtins.INT8, (v: string) => BigInt(v))
types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (v: string) => {
  if (!v.endsWith('+00')) throw new Error(`timestamp not in UTC: ${v}`)
  return Date.parse(`${v.replace(' ', 'T')}:00`)
})
types.setTypeParser(pg.types.builtins.DATE, (v: string) => v)

/** A pool whose sessions speak UTC and act as the least privileged role. */
export function createPool(options: {
  url: string
  max?: number
  applicationName?: string
  role?: string | null
}): pg.Pool {
  const role = options.role === undefined ? 'bursar_app' : options.role
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'bursar',
    types,
    // Statements are sent without waiting for the answers before them; each round trip costs a wake-up of two processes.
    pipeline: true,
    options: `-c timezone=UTC -c statement_timeout=${statementTimeoutMs}${role === null ? '' : ` -c role=${role}`}`,
  })
  // An idle connection that breaks is replaced at the next use; without a listener Node would end the program.
  pool.on('error', () => undefined)
  // The same for one that breaks while it is in use and between two statements; the next statement fails and tells.
  pool.on('connect', (client) => void client.on('error', () => undefined))
  return pool
}

const enter = (scope: Scope): string => {
  if (scope === 'system') return 'begin; set local role bursar_system'
  if (!organizationPattern.test(scope.organization)) throw new Error(`not an organization id: ${scope.organization}`)
  return `begin; set local bursar.organization = '${scope.organization}'`
}

type Ends = Map<string, () => Promise<unknown>>

const asTx = (client: pg.PoolClient, now: Instant, ends: Ends): Tx => {
  const query = async <Row>(s: Statement) =>
    (await client.query({ name: s.name, text: s.text, values: [...s.values] })) as unknown as {
      rows: Row[]
      rowCount: number | null
    }
  return {
    now,
    many: async <Row>(s: Statement) => (await query<Row>(s)).rows,
    maybeOne: async <Row>(s: Statement) => {
      const { rows } = await query<Row>(s)
      if (rows.length > 1) throw new Error(`${s.name}: expected at most one row, got ${rows.length}`)
      return rows[0] ?? null
    },
    one: async <Row>(s: Statement) => {
      const { rows } = await query<Row>(s)
      const [row] = rows
      if (row === undefined || rows.length > 1) throw new Error(`${s.name}: expected one row, got ${rows.length}`)
      return row
    },
    run: async (s: Statement) => (await query(s)).rowCount ?? 0,
    atEnd: (name, work) => void ends.set(name, work),
  }
}

type Outcome = { readonly error: unknown } | null

/** A statement on its way whose failure is looked at later, and not forgotten. */
const settled = (sent: Promise<unknown>): Promise<Outcome> =>
  sent.then(
    () => null,
    (error: unknown) => ({ error }),
  )

/**
 * Commits together with what is still on its way. PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and
 * no error, so both the statements before it and the answer itself are looked at.
 */
async function commit(client: pg.PoolClient, before: readonly Promise<Outcome>[]): Promise<void> {
  const committed = client.query('commit')
  const failure = (await Promise.all([...before, settled(committed)])).find((outcome) => outcome !== null)
  if (failure) throw failure.error
  const { command } = await committed
  if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`)
}

const codeOf = (error: unknown): string => (error as { code?: string } | null)?.code ?? ''

export function createDatabase(options: DatabaseOptions): Database {
  const pool = createPool(options)
  const systemPool = createPool({ ...options, role: 'bursar_system' })

  const attempt = async <T>(scope: Scope, work: (tx: Tx) => Promise<T>): Promise<T> => {
    await options.step?.('begin')
    const client = await pool.connect()
    let broken: unknown
    let result: T
    try {
      const began = settled(client.query(enter(scope)))
      const ends: Ends = new Map()
      result = await work(asTx(client, options.clock.now(), ends))
      await commit(client, [began, ...[...ends.values()].map((end) => settled(end()))])
    } catch (error) {
      await client.query('rollback').catch((rollbackError: unknown) => {
        broken = rollbackError
      })
      throw error
    } finally {
      client.release(broken !== undefined)
    }
    await options.step?.('committed')
    return result
  }

  return {
    tx: async (scope, work) => {
      for (let n = 1; ; n++) {
        try {
          return await attempt(scope, work)
        } catch (error) {
          if (n >= attemptsMax || !deadlock.has(codeOf(error))) throw error
        }
      }
    },
    direct: async <Row>(statement: Statement) => {
      await options.step?.('begin')
      const { rows } = await systemPool.query({
        name: statement.name,
        text: statement.text,
        values: [...statement.values],
      })
      await options.step?.('committed')
      return rows as Row[]
    },
    close: async () => {
      await Promise.all([pool.end(), systemPool.end()])
    },
  }
}
