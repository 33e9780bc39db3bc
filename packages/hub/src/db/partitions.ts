import { type Asked, ask } from './ask.ts'
import { sql } from './sql.ts'

/**
 * Makes the day partitions (UTC) of a table partitioned by range over a timestamptz, from `fromDay` (YYYY-MM-DD) for
 * `days` days; those that exist stay. Needs the system role: the SQL function behind it runs as the tables' owner.
 * Returns how many were made.
 */
export async function ensurePartitions(at: Asked, table: string, fromDay: string, days: number): Promise<number> {
  const [row] = await ask<{ made: number }>(
    at,
    sql(
      'partitions_ensure',
    )`select bursar_ensure_partitions(${table}::text::regclass, ${fromDay}::date, ${days}) as made`,
  )
  return row?.made ?? 0
}

/** Drops the partitions of days before `beforeDay`, with all they hold. Returns how many. */
export async function dropPartitions(at: Asked, table: string, beforeDay: string): Promise<number> {
  const [row] = await ask<{ dropped: number }>(
    at,
    sql('partitions_drop')`select bursar_drop_partitions(${table}::text::regclass, ${beforeDay}::date) as dropped`,
  )
  return row?.dropped ?? 0
}
