import type { Instant } from '@bursar/kit/clock.ts'

/** A prepared statement. The name makes PostgreSQL plan it once per connection. */
export type Statement = { readonly name: string; readonly text: string; readonly values: readonly unknown[] }

const texts = new Map<string, string>()

/**
 * `sql('order_find')`…`` : values become parameters, never text. A name belongs to one text for ever: PostgreSQL
 * would answer with the first plan.
 */
export const sql =
  (name: string) =>
  (parts: TemplateStringsArray, ...values: readonly unknown[]): Statement => {
    const text = parts.reduce((all, part, i) => (i === 0 ? part : `${all}$${i}${part}`), '')
    const known = texts.get(name)
    if (known === undefined) texts.set(name, text)
    else if (known !== text) throw new Error(`statement ${name} stands for two texts`)
    return { name, text, values }
  }

/** A moment as PostgreSQL reads it. */
export function ts(at: Instant): string
export function ts(at: Instant | null): string | null
export function ts(at: Instant | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}

/** A value for a jsonb column; bigints become strings, as money does everywhere in JSON. */
export const json = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v))
