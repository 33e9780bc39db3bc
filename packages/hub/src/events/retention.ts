import { day } from '@bursar/kit/clock.ts'
import type { App } from '#action/context.ts'
import { dropPartitions, ensurePartitions } from '#db/partitions.ts'
import { sql } from '#db/sql.ts'
import { dayOf } from './store.ts'

/** How long payloads are kept when nothing else is configured. The narrow rows stay for ever. */
export const payloadDaysDefault = 90
const daysAhead = 2
const deleteMax = 10_000
// What PostgreSQL says when the partition for other days holds rows of the day that is to get its own.
const checkViolation = '23514'

/**
 * Makes the payload partitions of today and the next two days. To be called at the start and once a day. A day whose
 * first payloads came before its partition keeps them where they are; that costs a delete later and nothing else.
 */
export async function preparePayloadDays(app: Pick<App, 'db' | 'clock' | 'log'>): Promise<number> {
  let made = 0
  for (let n = 0; n <= daysAhead; n++) {
    const on = dayOf(app.clock.now() + n * day)
    try {
      made += await ensurePartitions(app.db, 'inbound_payload', on, 1)
    } catch (error) {
      if ((error as { code?: string }).code !== checkViolation) throw error
      app.log.warn('payloads came before the partition of their day was made', { day: on })
    }
  }
  return made
}

/** Drops the payloads of days that lie more than `days` back, whole days at a time. */
export async function dropOldPayloads(
  app: Pick<App, 'db' | 'clock'>,
  days: number,
): Promise<{ partitions: number; rows: number }> {
  const before = dayOf(app.clock.now() - days * day)
  const partitions = await dropPartitions(app.db, 'inbound_payload', before)
  // Only what landed outside a day's partition is left to be found.
  const rows = await app.db.tx('system', (tx) =>
    tx.run(sql('inbound_payload_leftover')`
      delete from inbound_payload where (event_id, day) in (
        select event_id, day from inbound_payload where day < ${before}::date limit ${deleteMax})`),
  )
  return { partitions, rows }
}
