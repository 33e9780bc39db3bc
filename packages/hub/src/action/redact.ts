import { alternatives, type JsonSchema } from './schema.ts'

export const masked = '[secret]'

// A field so named is masked even where nobody marked it, and in details that have no schema.
const namePattern = /(secret|password|token|credentials?|api_?key|authorization)$/i
// A shorter text would blank out innocent words when it is looked for in a message.
const scrubLengthMin = 6

type Found = { readonly value: unknown; readonly secrets: readonly string[] }

/**
 * A value without its secrets: those the schema marks `secret: true` and those whose name says so. Also returns the
 * texts that were taken out, to keep them out of messages (`scrub`).
 */
export function redact(value: unknown, schema: JsonSchema): Found {
  const secrets: string[] = []
  const hide = (at: unknown): unknown => {
    if (at === null || at === undefined) return at
    secrets.push(...textsIn(at))
    return masked
  }
  const named = (key: string, at: unknown) => namePattern.test(key) && typeof at !== 'boolean'
  return { value: replace(value, schema, named, hide), secrets: secrets.filter((s) => s.length >= scrubLengthMin) }
}

/** A value in which each field that the schema marks `secret: true` is null. */
export const withoutMarked = (value: unknown, schema: JsonSchema): unknown =>
  replace(
    value,
    schema,
    () => false,
    () => null,
  )

function replace(
  value: unknown,
  root: JsonSchema,
  isSecret: (key: string, at: unknown) => boolean,
  hide: (at: unknown) => unknown,
): unknown {
  const visit = (at: unknown, schemas: readonly JsonSchema[], depth: number): unknown => {
    if (depth > depthMax) return masked
    const known = schemas.flatMap((s) => alternatives(s, root))
    if (known.some((s) => s.secret === true)) return hide(at)
    const below = (child: unknown, next: (s: JsonSchema) => readonly JsonSchema[]) =>
      visit(child, known.flatMap(next), depth + 1)
    if (Array.isArray(at)) return at.map((item, i) => below(item, (s) => itemOf(s, i)))
    if (typeof at !== 'object' || at === null) return at
    return Object.fromEntries(
      Object.entries(at).map(([key, child]) => [
        key,
        isSecret(key, child) ? hide(child) : below(child, (s) => childOf(s, key)),
      ]),
    )
  }
  return visit(value, [root], 0)
}

// Input is looked at before it is checked, so it may be nested as deep as its bytes allow: 1 MiB of brackets would
// end the stack.
const depthMax = 40

const itemOf = (schema: JsonSchema, index: number): readonly JsonSchema[] => {
  const item = schema.prefixItems?.[index] ?? schema.items
  return item === undefined ? [] : [item]
}

const childOf = (schema: JsonSchema, key: string): readonly JsonSchema[] => {
  const named = schema.properties !== undefined && Object.hasOwn(schema.properties, key) && schema.properties[key]
  if (named) return [named]
  return typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : []
}

const textsIn = (value: unknown, depth = 0): string[] => {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null || depth > depthMax) return []
  return Object.values(value).flatMap((child) => textsIn(child, depth + 1))
}

/** The same value with every occurrence of these secrets masked. */
export function scrub<T>(value: T, secrets: readonly string[]): T {
  if (secrets.length === 0) return value
  const visit = (at: unknown): unknown => {
    if (typeof at === 'string') return secrets.reduce((text, secret) => text.replaceAll(secret, masked), at)
    if (Array.isArray(at)) return at.map(visit)
    if (typeof at !== 'object' || at === null) return at
    return Object.fromEntries(Object.entries(at).map(([key, child]) => [key, visit(child)]))
  }
  return visit(value) as T
}
