import type { Database, Tx } from './database.ts'
import type { Statement } from './sql.ts'

/** A transaction, or the database itself for one statement on its own, as the system. */
export type Asked = Tx | Database

export const ask = <Row>(at: Asked, statement: Statement): Promise<Row[]> =>
  'direct' in at ? at.direct<Row>(statement) : at.many<Row>(statement)

/** Several statements that belong together: in the caller's transaction, or in one of their own. */
export const within = <T>(at: Asked, work: (tx: Tx) => Promise<T>): Promise<T> =>
  'direct' in at ? at.tx('system', work) : work(at)
