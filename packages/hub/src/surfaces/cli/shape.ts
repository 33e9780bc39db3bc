import { alternatives, type JsonSchema } from '#action/schema.ts'
import { propertiesOf } from '../describe.ts'
import { kebab } from './words.ts'

export type Kind = 'boolean' | 'number' | 'list' | 'object' | 'text' | 'any'

const kinds: Readonly<Record<string, Kind>> = {
  boolean: 'boolean',
  number: 'number',
  integer: 'number',
  array: 'list',
  object: 'object',
  string: 'text',
}

const typesOf = (schema: JsonSchema, root: JsonSchema): string[] =>
  alternatives(schema, root).flatMap((it) => {
    if (it.type !== undefined) return it.type
    const sample = it.enum?.[0] ?? it.const
    return sample === undefined || sample === null ? [] : [typeof sample]
  })

/** What a text on the command line must become; `any` when the schema leaves it open. */
export function kindOf(schema: JsonSchema, root: JsonSchema): Kind {
  const found = new Set(
    typesOf(schema, root)
      .filter((type) => type !== 'null')
      .map((type) => kinds[type] ?? 'any'),
  )
  const [kind] = found
  return found.size === 1 && kind !== undefined ? kind : 'any'
}

export const isNullable = (schema: JsonSchema, root: JsonSchema): boolean => typesOf(schema, root).includes('null')

/** The elements of a list. */
export const itemsOf = (schema: JsonSchema, root: JsonSchema): JsonSchema =>
  alternatives(schema, root).find((it) => it.items !== undefined)?.items ?? {}

/** One field down, by its own name or its kebab-case; in an open record any name is a field. */
export function stepInto(schema: JsonSchema, part: string, root: JsonSchema): { name: string; at: JsonSchema } | null {
  for (const [name, at] of Object.entries(propertiesOf(schema, root))) {
    if (name === part || kebab(name) === part) return { name, at }
  }
  const open = alternatives(schema, root).find(
    (it) => typeof it.additionalProperties === 'object',
  )?.additionalProperties
  return typeof open === 'object' && Object.keys(open).length > 0 ? { name: part, at: open } : null
}
