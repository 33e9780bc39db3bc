import { alternatives, type JsonSchema } from '#action/schema.ts'

/** One field of an input or output, as docs and the command line name it. */
export type Field = {
  /** `learner.email`; a list's elements are `items[]`. */
  readonly path: string
  readonly required: boolean
  readonly type: string
  readonly description: string
  readonly schema: JsonSchema
}

// Deeper fields are shown as their type only; no input of ours goes further.
const depthMax = 4

/** Every field of an object, parents before children, in the order of the schema. */
export function fieldsOf(root: JsonSchema): readonly Field[] {
  const visit = (at: JsonSchema, prefix: string, depth: number): Field[] => {
    const schema = at.$ref === undefined ? at : (alternatives(at, root)[1] ?? at)
    return Object.entries(propertiesOf(schema, root)).flatMap(([name, child]) => {
      const path = prefix === '' ? name : `${prefix}.${name}`
      const field: Field = {
        path,
        required: schema.required?.includes(name) ?? false,
        type: typeText(child, root),
        description: child.description ?? '',
        schema: child,
      }
      if (depth >= depthMax) return [field]
      const item = child.items
      const below = item === undefined ? visit(child, path, depth + 1) : visit(item, `${path}[]`, depth + 1)
      return [field, ...below]
    })
  }
  return visit(root, '', 1)
}

/** The properties an object certainly or possibly has; alternatives are merged for reading. */
export const propertiesOf = (schema: JsonSchema, root: JsonSchema): Readonly<Record<string, JsonSchema>> =>
  Object.assign({}, ...alternatives(schema, root).map((it) => it.properties ?? {}))

/** The schema itself, or what remains when `null` is taken out of its alternatives. */
export function withoutNull(schema: JsonSchema): JsonSchema {
  const rest = (schema.anyOf ?? []).filter((it) => it.type !== 'null')
  return rest.length === 1 && rest[0] !== undefined ? rest[0] : schema
}

/** A type in a few words: `integer, 1 to 200`, `list of text`, `one of: a, b`. */
export function typeText(schema: JsonSchema, root: JsonSchema): string {
  const target = alternatives(schema, root).find((it) => it !== schema && schema.$ref !== undefined)
  if (target !== undefined) return typeText(target, root)
  if (schema.enum !== undefined) return `one of: ${schema.enum.map(String).join(', ')}`
  if (schema.const !== undefined) return `always ${JSON.stringify(schema.const)}`
  const parts = schema.anyOf ?? schema.oneOf
  if (parts !== undefined) return parts.map((part) => typeText(part, root)).join(' or ')
  if (schema.type === 'array')
    return `list of ${schema.items === undefined ? 'anything' : typeText(schema.items, root)}`
  return `${nameOf(schema)}${boundsOf(schema)}${defaultOf(schema)}`
}

function nameOf(schema: JsonSchema): string {
  if (schema.secret === true) return 'secret text'
  if (schema.format === 'date-time') return 'time (ISO 8601, UTC)'
  if (schema.pattern?.startsWith('^(0|-?[1-9]')) return 'whole number as text'
  const prefix = /^\^([a-z]+)_\[/.exec(schema.pattern ?? '')?.[1]
  if (prefix !== undefined) return `id (${prefix}_…)`
  if (schema.type === 'string') return schema.format ?? 'text'
  if (schema.type === 'boolean') return 'true or false'
  return typeof schema.type === 'string' ? schema.type : 'anything'
}

function boundsOf(schema: JsonSchema): string {
  if (schema.pattern !== undefined && schema.format === undefined) return ''
  const [low, high] = schema.type === 'string' ? [schema.minLength, schema.maxLength] : [schema.minimum, schema.maximum]
  const unit = schema.type === 'string' ? ' characters' : ''
  const least = low !== undefined && low > Number.MIN_SAFE_INTEGER ? low : undefined
  const most = high !== undefined && high < Number.MAX_SAFE_INTEGER ? high : undefined
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}${unit}`
  if (least !== undefined) return `, at least ${least}${unit}`
  return most === undefined ? '' : `, at most ${most}${unit}`
}

const defaultOf = (schema: JsonSchema): string =>
  schema.default === undefined ? '' : ` (${JSON.stringify(schema.default)} when left out)`

/** A small input to start from: the required fields, with values of the right kind. */
export function sampleOf(schema: JsonSchema, root: JsonSchema = schema): unknown {
  const real = withoutNull(alternatives(schema, root).find((it) => it.properties !== undefined) ?? schema)
  if (real.enum !== undefined) return real.enum[0]
  if (real.const !== undefined) return real.const
  if (real.properties !== undefined) {
    const required = Object.entries(real.properties).filter(([name]) => real.required?.includes(name))
    return Object.fromEntries(required.map(([name, child]) => [name, sampleOf(child, root)]))
  }
  if (real.type === 'array') return real.items === undefined ? [] : [sampleOf(real.items, root)]
  if (real.type === 'boolean') return false
  if (real.type === 'integer' || real.type === 'number') return Math.max(1, real.minimum ?? 1)
  const prefix = /^\^([a-z]+)_\[/.exec(real.pattern ?? '')?.[1]
  return prefix === undefined ? '' : `${prefix}_${'0'.repeat(26)}`
}

/** Actions by the first part of their name, in the order given. */
export function bySlice<T extends { readonly action: { readonly name: string } }>(
  all: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  return Map.groupBy(all, (it) => it.action.name.split('.')[0] ?? '')
}
