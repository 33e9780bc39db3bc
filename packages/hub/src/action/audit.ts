import type { Instant } from '@bursar/kit/clock.ts'
import type { Ids } from '@bursar/kit/ids.ts'
import type { Tx } from '#db/database.ts'
import { json, sql, ts } from '#db/sql.ts'
import type { Caller } from './caller.ts'

export type AuditEntry = {
  readonly caller: Caller
  readonly action: string
  /** Already without secrets. */
  readonly input: unknown
  readonly outcome: string
  readonly at: Instant
  readonly durationMs: number
  readonly traceId: string
}

/** Writes down who did what. In the transaction of the work, so that neither exists without the other. */
export async function writeAudit(tx: Tx, ids: Ids, entry: AuditEntry): Promise<void> {
  const { actor, organization } = entry.caller
  await tx.run(sql('audit_insert')`
    insert into audit (id, organization_id, at, actor_kind, actor_id, actor_name, action, input, outcome, duration_ms, trace_id)
    values (${ids.next('aud')}, ${organization}, ${ts(entry.at)}, ${actor.kind}, ${actor.kind === 'system' ? null : actor.id},
      ${actor.name}, ${entry.action}, ${entry.input === null ? null : json(entry.input)}, ${entry.outcome},
      ${Math.round(entry.durationMs)}, ${entry.traceId})`)
}
