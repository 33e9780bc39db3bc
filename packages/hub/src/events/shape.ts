import { z } from 'zod'
import { instant } from '#action/fields.ts'
import type { EventRow, PayloadRow } from './store.ts'

export const eventState = z.enum(['pending', 'done', 'ignored', 'failed', 'unmatched'])

/** An inbound event as the doors show it. */
export const eventShape = z.object({
  id: z.string(),
  connectionId: z.string().nullable(),
  source: z.string(),
  externalId: z.string(),
  type: z.string(),
  form: z.enum(['snapshot', 'thin']),
  livemode: z.boolean().nullable(),
  account: z.string().nullable(),
  apiVersion: z.string().nullable(),
  occurredAt: instant.nullable(),
  receivedAt: instant,
  state: eventState,
  outcome: z.string().nullable(),
  processedAt: instant.nullable(),
  attempts: z.number().int(),
  nextTryAt: instant.nullable(),
  deliveries: z.number().int(),
  traceId: z.string(),
})

export const showEvent = (row: EventRow): z.output<typeof eventShape> => ({
  id: row.id,
  connectionId: row.connection_id,
  source: row.source,
  externalId: row.external_id,
  type: row.type,
  form: row.form,
  livemode: row.livemode,
  account: row.account,
  apiVersion: row.api_version,
  occurredAt: row.occurred_at,
  receivedAt: row.received_at,
  state: row.state,
  outcome: row.outcome,
  processedAt: row.processed_at,
  attempts: row.attempts,
  nextTryAt: row.next_try_at,
  deliveries: row.deliveries,
  traceId: row.trace_id,
})

export const payloadShape = z.object({
  headers: z.record(z.string(), z.string()),
  bytes: z.number().int(),
  /** How `body` stands here: the JSON value, the text, or base64 of bytes that are neither. */
  encoding: z.enum(['json', 'text', 'base64']),
  body: z.unknown(),
})

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(body: Buffer): { encoding: 'json' | 'text' | 'base64'; body: unknown } {
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    // Not UTF-8: shown as it is.
    return { encoding: 'base64', body: body.toString('base64') }
  }
  try {
    return { encoding: 'json', body: JSON.parse(text) }
  } catch {
    // Not JSON: shown as the text it is.
    return { encoding: 'text', body: text }
  }
}

export const showPayload = (row: PayloadRow): z.output<typeof payloadShape> => ({
  headers: row.headers,
  bytes: row.body.length,
  ...decode(row.body),
})
