import * as z from 'zod'
import { done, failed, type Outcome } from '../../../failure.ts'
import type { ConnectorIo } from '../../../io.ts'
import type { Settings } from '../config.ts'
import { learnWorldsFailure } from './errors.ts'
import { createSend, type Sent } from './send.ts'
import { createTokens } from './token.ts'

export type QueryValue =
  | string
  | number
  | boolean
  | readonly string[]
  | { readonly repeated: readonly string[] }
  | null
  | undefined
export type Query = Readonly<Record<string, QueryValue>>

export type Call<T> = {
  readonly method: Sent['method']
  /** After `/admin/api`, built with `path` so that every value is encoded. */
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  readonly answer: z.ZodType<T>
}

export type Transport = {
  call<T>(call: Call<T>): Promise<Outcome<T>>
}

/** A path with every value percent-encoded: `path`/v2/users/${email}`` keeps plus signs and slashes intact. */
export const path = (parts: TemplateStringsArray, ...values: readonly string[]): string =>
  parts.map((part, i) => part + (i < values.length ? encodeURIComponent(values[i] ?? '') : '')).join('')

/** `null`, `undefined` and empty lists are left out; a list becomes one value joined by commas, or is repeated. */
export function toSearch(query: Query = {}): URLSearchParams {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined) continue
    if (typeof value !== 'object') search.set(name, String(value))
    else if ('repeated' in value) for (const one of value.repeated) search.append(name, one)
    else if (value.length > 0) search.set(name, value.join(','))
  }
  return search
}

/** For answers without content (204) or with nothing worth reading. */
export const nothing: z.ZodType<null> = z.unknown().transform(() => null)

export function createTransport(settings: Settings, io: ConnectorIo): Transport {
  const send = createSend(settings, io)
  const tokens = createTokens(settings, io, send)

  const once = (call: Call<unknown>, token: string) =>
    send({
      method: call.method,
      path: `/admin/api${call.path}`,
      query: toSearch(call.query),
      headers: {
        authorization: `Bearer ${token}`,
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    })

  return {
    call: async (call) => {
      const token = await tokens.current()
      if (!token.ok) return token
      let used = token.value
      let sent = await once(call, used)
      if (!sent.ok && sent.failure.code === 'learnworlds.access_denied' && settings.auth.kind === 'credentials') {
        const fresh = await tokens.renewed(used)
        if (!fresh.ok) return fresh
        used = fresh.value
        sent = await once(call, used)
      }
      // Some schools answer a dead token with a page and status 200.
      if (!sent.ok && sent.failure.code === 'learnworlds.not_json') tokens.forget(used)
      if (!sent.ok) return sent
      const parsed = call.answer.safeParse(sent.value)
      if (parsed.success) return done(parsed.data)
      const where = parsed.error.issues[0]?.path.join('.') ?? 'the answer'
      const message = `${call.method} answered in a shape we do not know (at ${where}).`
      const uncertain = call.method === 'GET' ? {} : { uncertain: true }
      return failed(learnWorldsFailure('needs_person', 'unexpected_shape', message, uncertain))
    },
  }
}
