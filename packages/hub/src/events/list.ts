import type { Instant } from '@bursar/kit/clock.ts'
import type { Tx } from '#db/database.ts'
import { type Statement, ts } from '#db/sql.ts'
import type { EventRow, EventState } from './store.ts'

/** Which events; what is left out does not narrow. Times are of receipt, `since` included, `until` not. */
export type EventFilter = {
  readonly state?: EventState | undefined
  readonly type?: string | undefined
  readonly source?: string | undefined
  readonly externalId?: string | undefined
  readonly since?: Instant | undefined
  readonly until?: Instant | undefined
}

type Condition = { readonly name: string; readonly text: (parameter: number) => string; readonly value: unknown }

/** Each set of filters is a statement of its own name, so that each gets the plan, and the index, that fits it. */
function conditions(filter: EventFilter, after: string | undefined): readonly Condition[] {
  const all: (Condition | null)[] = [
    // As text and not as parameter: the index over open states serves only what is known when planning.
    filter.state === undefined
      ? null
      : { name: `state_${filter.state}`, text: () => `state = '${filter.state}'`, value: undefined },
    filter.type === undefined ? null : { name: 'type', text: (p) => `type = $${p}`, value: filter.type },
    filter.source === undefined ? null : { name: 'source', text: (p) => `source = $${p}`, value: filter.source },
    filter.externalId === undefined
      ? null
      : { name: 'external', text: (p) => `external_id = $${p}`, value: filter.externalId },
    filter.since === undefined
      ? null
      : { name: 'since', text: (p) => `received_at >= $${p}::timestamptz`, value: ts(filter.since) },
    filter.until === undefined
      ? null
      : { name: 'until', text: (p) => `received_at < $${p}::timestamptz`, value: ts(filter.until) },
    after === undefined
      ? null
      : {
          name: 'after',
          text: (p) => `(received_at, id) < (select received_at, id from inbound_event where id = $${p})`,
          value: after,
        },
  ]
  return all.filter((c) => c !== null)
}

/** Newest first. `after` is the id of the last row seen. */
export function listStatement(filter: EventFilter, page: { after?: string | undefined; limit: number }): Statement {
  const values: unknown[] = [page.limit]
  const texts = conditions(filter, page.after).map((c) => {
    if (c.value === undefined) return { name: c.name, text: c.text(0) }
    values.push(c.value)
    return { name: c.name, text: c.text(values.length) }
  })
  // The rule of the table serves no index (0001_tenants.sql), so a list names its tenant itself.
  const where = ['organization_id = bursar_organization()', ...texts.map((t) => t.text)].join(' and ')
  return {
    name: ['inbound_list', ...texts.map((t) => t.name)].join('_'),
    text: `select * from inbound_event where ${where} order by received_at desc, id desc limit $1`,
    values,
  }
}

export const listEvents = (
  tx: Tx,
  filter: EventFilter,
  page: { after?: string | undefined; limit: number },
): Promise<EventRow[]> => tx.many<EventRow>(listStatement(filter, page))
