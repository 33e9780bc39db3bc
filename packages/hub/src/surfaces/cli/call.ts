import { randomUUID } from 'node:crypto'
import { minute } from '@bursar/kit/clock.ts'
import type { Registered } from '#action/define.ts'
import { apiPrefix } from '../prefix.ts'
import type { Given } from './args.ts'
import type { Target } from './target.ts'
import type { CliDeps } from './types.ts'

export type Answer =
  | { readonly kind: 'ok'; readonly output: unknown; readonly replayed: boolean; readonly dryRun: boolean }
  | { readonly kind: 'refused'; readonly body: { readonly error: Readonly<Record<string, unknown>> } }
  /** `again` is the key with which a repetition takes effect once, when the request may have arrived. */
  | { readonly kind: 'unreachable'; readonly reason: string; readonly again: string | null }

const answerBytesMax = 20 * 1024 * 1024

/** One action over HTTP. What changes something always carries an idempotency key, so that it can be repeated. */
export async function callHub(
  deps: CliDeps,
  it: Registered,
  given: Given,
  target: Target,
  input: unknown,
): Promise<Answer> {
  const idempotencyKey = given.idempotencyKey ?? (it.action.effect === 'read' ? null : `cli-${randomUUID()}`)
  const http = deps.http(target.url)
  try {
    const outcome = await http({
      method: 'POST',
      url: `${target.url}${apiPrefix}/${it.action.name}`,
      headers: {
        'content-type': 'application/json',
        ...(target.key === null ? {} : { authorization: `Bearer ${target.key}` }),
        ...(idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey }),
        ...(given.dryRun ? { 'x-bursar-dry-run': 'true' } : {}),
      },
      body: JSON.stringify(input),
      timeoutMs: minute,
      maxBodyBytes: answerBytesMax,
    })
    if (!outcome.ok) {
      const again = outcome.failure.maybeSent && !given.dryRun ? idempotencyKey : null
      return { kind: 'unreachable', reason: outcome.failure.message, again }
    }
    const { status, headers, body } = outcome.response
    const parsed = parseBody(body.toString('utf8'))
    if (status === 200 && parsed !== null) {
      const replayed = headers['idempotency-replayed'] === 'true'
      return { kind: 'ok', output: parsed, replayed, dryRun: headers['x-bursar-dry-run'] === 'true' }
    }
    if (parsed !== null && typeof parsed.error === 'object' && parsed.error !== null) {
      return { kind: 'refused', body: { error: parsed.error as Record<string, unknown> } }
    }
    return { kind: 'unreachable', reason: `it answers ${status} with something that is not Bursar's`, again: null }
  } finally {
    await http.close()
  }
}

function parseBody(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    // A proxy's page, or another program on that port: the caller says so.
    return null
  }
}
